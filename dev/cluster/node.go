package cluster

import (
	"context"
	"fmt"
	"path/filepath"

	"granary/dev/servers"
)

// node prepares one of the servers. They share nothing but these settings.
func (c *Cluster) node(ctx context.Context, number int) (p *servers.Process, address string, err error) {
	if address, err = servers.FreeAddress(ctx); err != nil {
		return nil, "", err
	}
	home := filepath.Join(c.dir, fmt.Sprint("node", number))
	return &servers.Process{
		Name: fmt.Sprint("node ", number), Log: home + ".log",
		Args: []string{c.granary, "serve", "--listen", address, "--data-dir", home},
		Env: []string{
			"GRANARY_DATABASE=" + c.DSN,
			"GRANARY_BLOBS=s3://" + servers.Bucket + "?region=" + servers.Region + "&endpoint=" + c.endpoint,
			"GRANARY_S3_ACCESS_KEY_ID=" + servers.AccessKeyID,
			"GRANARY_S3_SECRET_ACCESS_KEY=" + servers.SecretAccessKey,
			"GRANARY_ENCRYPTION_KEY=" + c.key,
			"GRANARY_ROOT_TOKEN=" + c.Token,
			"GRANARY_EXTERNAL_URL=" + c.URL,
			"GRANARY_TRUSTED_PROXIES=127.0.0.1/32",
		},
		Ready: servers.Answers("http://" + address + "/-/readiness"),
	}, address, nil
}
