// Package s3test starts a real S3-compatible server for tests: versitygw, or
// minio if GRANARY_TEST_S3 says so, over a temporary folder. Both verify signatures
// and digests as Amazon does.
package s3test

import (
	"net/url"
	"os"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"granary/dev/servers"
)

// What every server takes.
const (
	Bucket          = servers.Bucket
	AccessKeyID     = servers.AccessKeyID
	SecretAccessKey = servers.SecretAccessKey
	Region          = servers.Region
)

// Server is one running server, that may be stopped and started again.
type Server struct {
	URL string // http://127.0.0.1:PORT, the same after every Start
	Dir string // where the bucket's folder is

	s3 *servers.S3
}

// Start starts a server with an empty bucket. It ends with the test. -short leaves the
// test out.
func Start(t testing.TB) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: it needs an S3 server")
	}
	maker := "versitygw"
	if os.Getenv("GRANARY_TEST_S3") == "minio" {
		maker = "minio"
	}
	s3, err := servers.NewS3(t.Context(), maker, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{URL: s3.URL, Dir: s3.Dir, s3: s3}
	t.Cleanup(s.Stop)
	s.Start(t)
	return s
}

// Start starts the server again, over the same objects.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.s3.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Stop kills the server, as a crash would. Stopping it twice is stopping it
// once.
func (s *Server) Stop() { s.s3.Kill() }

// LetAnyoneList gives the bucket a policy by which clients without keys may list it.
func (s *Server) LetAnyoneList(t testing.TB) {
	t.Helper()
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::` + Bucket + `"}]}`
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c, err := minio.New(at.Host, &minio.Options{Creds: credentials.NewStaticV4(AccessKeyID, SecretAccessKey, ""), Region: Region})
	if err == nil {
		err = c.SetBucketPolicy(t.Context(), Bucket, policy)
	}
	if err != nil {
		t.Fatal(err)
	}
}
