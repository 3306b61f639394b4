package daemon

import (
	"context"
	"fmt"

	"granary/internal/api"
	"granary/internal/blob"
	"granary/internal/blob/disk"
	"granary/internal/blob/s3"
	"granary/internal/config"
)

// store keeps the blobs, and the notes beside them.
type store interface {
	blob.Store
	blob.Notes
}

// refusePublic fails if strangers may list a bucket that has records, or gets them. A store
// that does not say is believed to be closed.
func refusePublic(ctx context.Context, place config.Location, s store) error {
	bucket, ok := s.(*s3.Store)
	if !ok {
		return nil
	}
	if listed, err := bucket.ListedByAnyone(ctx); err != nil || !listed {
		return nil //nolint:nilerr // it answered a moment ago; what cannot be asked is not refused
	}
	return fmt.Errorf("anyone may list %s, and the records in it tell of users, e-mail addresses and hashes of tokens; forbid anonymous requests to the bucket", place)
}

// openBlobs opens the store that the setting names. A bucket must be there, and
// take the keys.
func openBlobs(ctx context.Context, cfg config.Config, at crashPoints) (store, error) {
	if cfg.Blobs.Scheme == "s3" {
		bucket, err := s3.Open(ctx, s3Config(cfg))
		if err != nil {
			return nil, err // not a nil *s3.Store
		}
		return bucket, nil
	}
	openDisk := disk.Open
	if cfg.Database.Scheme == "postgres" {
		openDisk = disk.OpenShared
	}
	folder, err := openDisk(cfg.Blobs.Path)
	if err != nil {
		return nil, err
	}
	folder.CrashPoint = at.store
	return folder, nil
}

func s3Config(cfg config.Config) s3.Config {
	c := s3.Config{
		Bucket: cfg.S3.Bucket, Prefix: cfg.S3.Prefix, Endpoint: cfg.S3.Endpoint, Region: cfg.S3.Region,
		SSE: cfg.S3.SSE, KMSKeyID: cfg.S3.KMSKeyID, StorageClass: cfg.S3.StorageClass,
		AccessKeyID: cfg.S3AccessKeyID.Reveal(), SecretAccessKey: cfg.S3SecretAccessKey.Reveal(),
		UploadMemory: cfg.S3.UploadMemory, LinkLife: cfg.BlobsRedirectLifetime,
	}
	if cfg.S3.PathStyle != "" {
		pathStyle := cfg.S3.PathStyle == "true"
		c.PathStyle = &pathStyle
	}
	return c
}

func redirect(cfg config.Config) api.Redirect {
	switch cfg.BlobsRedirect {
	case "safe":
		return api.RedirectSafe
	case "all":
		return api.RedirectAll
	}
	return api.RedirectNone
}
