package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"granary/internal/blob"
)

// chain is the sources of keys: the settings, else AWS_ACCESS_KEY_ID and the
// variables that go with it, the credentials file, and the role of the machine, the
// container or the web identity (IRSA), whose keys are renewed automatically.
func chain(cfg Config) *credentials.Credentials {
	if cfg.AccessKeyID != "" {
		return credentials.NewStaticV4(cfg.AccessKeyID, cfg.SecretAccessKey, "")
	}
	return credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
	})
}

// region is part of every signature. Only Amazon can be asked for a bucket's.
func region(cfg Config) string {
	r := cmp.Or(cfg.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	if r == "" && cfg.Endpoint != "" {
		return "us-east-1"
	}
	return r
}

// check asks for one object below the prefix, which shows any fault of the settings,
// and says what to do about it.
func (c *client) check(ctx context.Context, prefix string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at := c.sdk.endpoint.String()
	keys, err := c.chain.GetWithContext(c.sdk.context)
	if err != nil || keys.SignerType.IsAnonymous() {
		return errors.New("there are no keys for the bucket: set GRANARY_S3_ACCESS_KEY_ID and GRANARY_S3_SECRET_ACCESS_KEY, the AWS_* variables, a credentials file or a role")
	}
	for o := range c.sdk.list(ctx, c.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true, MaxKeys: 1}) {
		err = o.Err
		break
	}
	if err == nil {
		err = ctx.Err()
	}
	e, answered := errors.AsType[minio.ErrorResponse](err)
	switch {
	case err == nil:
		return nil
	case !answered:
		return fmt.Errorf("no answer from %s: %w; check the endpoint, and that the store is running", at, err)
	case e.Code == minio.NoSuchBucket:
		return fmt.Errorf("there is no bucket %q at %s; create it, or correct the setting blobs", c.bucket, at)
	case e.Code == "AuthorizationHeaderMalformed" || e.Code == "PermanentRedirect" || e.StatusCode == http.StatusMovedPermanently:
		return fmt.Errorf("the bucket %q is in another region (%s); set region=", c.bucket, cmp.Or(e.Region, e.Message))
	case e.StatusCode == http.StatusForbidden, e.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s refuses the key %s for the bucket %q: %s (%s); check the key, and its permission to list the bucket", at, keys.AccessKeyID, c.bucket, e.Message, e.Code)
	}
	return fmt.Errorf("%s does not serve the bucket %q: %s (%s)", at, c.bucket, e.Message, e.Code)
}

// reason translates an answer of the store to the contract's errors. A missing bucket
// is not a missing blob.
func reason(err error) error {
	e, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		return err
	}
	switch {
	case e.Code == minio.NoSuchKey:
		return fmt.Errorf("%w: %w", blob.ErrNotFound, err)
	case e.StatusCode == http.StatusInsufficientStorage, e.Code == "XMinioStorageFull", e.Code == "QuotaExceeded":
		return fmt.Errorf("%w: %w", blob.ErrNoSpace, err)
	}
	return fmt.Errorf("%w (%s, status %d)", err, e.Code, e.StatusCode)
}

// gone reports that what was asked for is not there: an object, or an upload in
// parts.
func gone(err error) bool {
	e, ok := errors.AsType[minio.ErrorResponse](err)
	return ok && e.StatusCode == http.StatusNotFound
}

// conflicts reports that the store was just changing what is at the key, or above it: one that
// keeps keys as paths of files refuses a key in a folder of which another node has just removed
// the last one. The request can be repeated.
func conflicts(err error) bool {
	e, ok := errors.AsType[minio.ErrorResponse](err)
	return ok && e.StatusCode == http.StatusConflict
}

// refusesCondition reports that the store has something at the key already, is
// just getting it, or does not know the condition.
func refusesCondition(err error) bool {
	e, ok := errors.AsType[minio.ErrorResponse](err)
	return ok && (e.StatusCode == http.StatusPreconditionFailed || e.StatusCode == http.StatusConflict || e.StatusCode == http.StatusNotImplemented)
}
