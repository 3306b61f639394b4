// Package cluster starts granary as a team would run it, on this machine's
// loopback: nodes behind nginx, over PostgreSQL and an S3-compatible server. All
// of them are real, and live in one temporary folder.
package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"

	"granary/dev/servers"
)

// Options are what a cluster is made of.
type Options struct {
	Nodes   int
	Listen  string // the balancer's address; "" for any
	Token   string // the administrator's; "" for a random one
	Dir     string // where its folder is made; "" for the system's temporary one
	Granary string // the program; "" builds it

	// between, if set, is called with the S3 server's URL and returns the URL for
	// the nodes. The fault tests put their proxy there.
	between func(endpoint string) string
}

// Cluster is what runs.
type Cluster struct {
	Token     string
	URL       string   // of the balancer
	Addresses []string // of the nodes, HOST:PORT
	DSN       string   // of the database

	Database  *servers.Process
	Objects   *servers.S3
	Nodes     []*servers.Process
	balancers []*servers.Process

	dir, granary  string
	endpoint, key string
}

// Start starts everything. The caller must call Stop, whatever the error.
func Start(ctx context.Context, o Options) (c *Cluster, err error) {
	c = &Cluster{Token: o.Token, key: secret()}
	if c.Token == "" {
		c.Token = "gnpat-" + secret()
	}
	if c.dir, err = os.MkdirTemp(o.Dir, "granary-cluster-"); err != nil {
		return c, err
	}
	if err := os.Chmod(c.dir, 0o755); err != nil { //nolint:gosec // others run below it: postgres, www-data
		return c, err
	}
	if c.granary = o.Granary; c.granary == "" {
		c.granary = filepath.Join(c.dir, "granary")
		if err := servers.Build(ctx, c.granary); err != nil {
			return c, err
		}
	}
	if c.Database, c.DSN, err = servers.Postgres(ctx, c.dir); err != nil {
		return c, err
	}
	if err := c.Database.Start(ctx); err != nil {
		return c, err
	}
	if c.Objects, err = servers.NewS3(ctx, "versitygw", filepath.Join(c.dir, "s3")); err != nil {
		return c, err
	}
	if err := c.Objects.Start(ctx); err != nil {
		return c, err
	}
	c.endpoint = c.Objects.URL
	if o.between != nil {
		c.endpoint = o.between(c.endpoint)
	}
	return c, c.startNodes(ctx, o)
}

func (c *Cluster) startNodes(ctx context.Context, o Options) error {
	listen := o.Listen
	if listen == "" {
		address, err := servers.FreeAddress(ctx)
		if err != nil {
			return err
		}
		listen = address
	}
	c.URL = "http://" + listen
	for i := range o.Nodes {
		p, address, err := c.node(ctx, i+1)
		if err != nil {
			return err
		}
		c.Nodes, c.Addresses = append(c.Nodes, p), append(c.Addresses, address)
	}
	started := make(chan error) // at once: one of them does the first start
	for _, p := range c.Nodes {
		go func() { started <- p.Start(ctx) }()
	}
	var err error
	for range c.Nodes {
		err = errors.Join(err, <-started)
	}
	if err != nil {
		return err
	}
	_, err = c.Balance(ctx, listen, o.Nodes)
	return err
}

// Stop ends everything in order and removes its traces.
func (c *Cluster) Stop() error {
	for _, p := range append(c.balancers, c.Nodes...) {
		p.Stop()
	}
	if c.Objects != nil {
		c.Objects.Stop()
	}
	if c.Database != nil {
		c.Database.Stop()
	}
	if c.dir == "" {
		return nil
	}
	return os.RemoveAll(c.dir)
}

func secret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
