package s3

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
)

// asking is how long ListedByAnyone waits for the store.
const asking = 5 * time.Second

// ListedByAnyone reports whether somebody without keys may list the store. A store that
// does not answer is an error.
func (s *Store) ListedByAnyone(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	var err error
	for o := range s.client.anyone.list(ctx, s.client.bucket, minio.ListObjectsOptions{Prefix: s.prefix, Recursive: true, MaxKeys: 1}) {
		err = o.Err
		break
	}
	if err == nil {
		err = ctx.Err()
	}
	if e, answered := errors.AsType[minio.ErrorResponse](err); answered && e.StatusCode < http.StatusInternalServerError {
		return false, nil
	}
	return err == nil, err
}
