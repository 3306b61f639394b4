package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

const (
	bucket    = "granary"
	keyID     = "cluster-key"
	keySecret = "cluster-secret" //nolint:gosec // of a server on loopback that is gone afterwards
)

// store prepares versitygw, a real S3-compatible server, with an empty bucket.
func store(ctx context.Context, dir string) (p *process, endpoint string, err error) {
	found, err := filepath.Glob(filepath.Join(".cache", "bin", "versitygw-*"))
	if err != nil || len(found) == 0 {
		return nil, "", errors.New("the S3 server is not built: make versitygw")
	}
	program, err := filepath.Abs(found[len(found)-1])
	if err != nil {
		return nil, "", err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	home := filepath.Join(dir, "s3")
	if err := os.MkdirAll(filepath.Join(home, "objects", bucket), 0o700); err != nil {
		return nil, "", err
	}
	return &process{
		name: "the S3 server", log: filepath.Join(home, "log"), polite: syscall.SIGTERM,
		args:  []string{program, "--port", address, "--keep-alive", "--quiet", "posix", filepath.Join(home, "objects")},
		env:   []string{"ROOT_ACCESS_KEY=" + keyID, "ROOT_SECRET_KEY=" + keySecret},
		ready: answers("http://" + address + "/"),
	}, "http://" + address, nil
}
