package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"granary/dev/servers"
)

// s3Client publishes and downloads objects as a plain S3 client does: minio-go's
// PutObject with its defaults. Up to 16 MiB that is one signed PUT, above it parts
// of 16 MiB, four at once.
type s3Client struct {
	ctx    context.Context //nolint:containedctx // of one session
	client *minio.Client
}

// straight is the S3 server that the nodes use, without them.
func straight(s *servers.S3, parts []part) (*server, error) {
	host := strings.TrimPrefix(s.URL, "http://")
	client, err := minio.New(host, &minio.Options{
		Creds: credentials.NewStaticV4(servers.AccessKeyID, servers.SecretAccessKey, ""), Region: servers.Region,
	})
	if err != nil {
		return nil, err
	}
	return &server{
		name: "S3 PUT", host: host, prefix: "direct/", parts: parts, data: "S3", blobs: s.Dir,
		open: func(ctx context.Context) (session, error) { return s3Client{ctx, client}, nil },
	}, nil
}

// publish implements session.
func (c s3Client) publish(path string, b body) error {
	content, file, err := b.open()
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = c.client.PutObject(c.ctx, servers.Bucket, path, content, b.size(), minio.PutObjectOptions{})
	return err
}

// download implements session; all of it, always.
func (c s3Client) download(path string, size int64, _ time.Time) (int64, error) {
	content, err := c.client.GetObject(c.ctx, servers.Bucket, path, minio.GetObjectOptions{})
	if err != nil {
		return 0, err
	}
	defer content.Close()
	n, err := io.Copy(io.Discard, content)
	if err == nil && n != size {
		err = fmt.Errorf("GET %s: %d bytes of %d", path, n, size)
	}
	return n, err
}

// close implements session: connections are the client's, for all sessions.
func (c s3Client) close() {}
