package s3

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/s3/s3test"
)

// TestMain shortens the SDK's pauses between tries, which cannot be set
// otherwise. How many tries there are is not changed.
func TestMain(m *testing.M) {
	minio.DefaultRetryUnit = time.Millisecond
	os.Exit(m.Run())
}

// config is for a part of the server's bucket that nobody else uses, and for
// parts of the smallest size.
func config(srv *s3test.Server, prefix string) Config {
	return Config{
		Bucket: s3test.Bucket, Prefix: prefix, Endpoint: srv.URL, Region: s3test.Region,
		AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey,
		UploadMemory: 3 * leastPart,
	}
}

func open(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStore(t *testing.T) {
	srv := s3test.Start(t)
	var n atomic.Int32
	blobtest.Run(t, func(t *testing.T) blob.Store {
		return open(t, config(srv, fmt.Sprintf("suite/%d", n.Add(1))))
	})
}
