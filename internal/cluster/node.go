package main

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
)

// node prepares one of the servers. They share nothing but these settings.
func (c *cluster) node(ctx context.Context, number int) (p *process, address string, err error) {
	if address, err = freeAddress(ctx); err != nil {
		return nil, "", err
	}
	home := filepath.Join(c.dir, fmt.Sprint("node", number))
	return &process{
		name: fmt.Sprint("node ", number), log: home + ".log", polite: syscall.SIGTERM,
		args: []string{c.granary, "serve", "--listen", address, "--data-dir", home},
		env: []string{
			"GRANARY_DATABASE=" + c.dsn,
			"GRANARY_BLOBS=s3://" + bucket + "?region=us-east-1&endpoint=" + c.endpoint,
			"GRANARY_S3_ACCESS_KEY_ID=" + keyID,
			"GRANARY_S3_SECRET_ACCESS_KEY=" + keySecret,
			"GRANARY_ENCRYPTION_KEY=" + c.key,
			"GRANARY_ROOT_TOKEN=" + c.token,
			"GRANARY_EXTERNAL_URL=" + c.url,
			"GRANARY_TRUSTED_PROXIES=127.0.0.1/32",
		},
		ready: answers("http://" + address + "/-/readiness"),
	}, address, nil
}
