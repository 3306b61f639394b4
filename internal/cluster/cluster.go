package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// options are what a cluster is made of.
type options struct {
	nodes  int
	listen string // the balancer's address; "" for any
	token  string // the administrator's; "" for a random one

	// between, where set, is called with the S3 server's URL and returns the
	// one that the nodes are told. The fault tests stand there.
	between func(endpoint string) string
}

// cluster is PostgreSQL, an S3-compatible server, nodes and a balancer on
// loopback, all real, in one temporary folder.
type cluster struct {
	dir, granary              string
	dsn, endpoint, key, token string
	url                       string   // of the balancer
	addresses                 []string // of the nodes

	database, objects, entrance *process
	nodes                       []*process
}

// startCluster builds granary and starts everything. Whoever calls must call
// stop, whatever the error.
func startCluster(ctx context.Context, o options) (c *cluster, err error) {
	c = &cluster{token: o.token, key: secret()}
	if c.token == "" {
		c.token = "gnpat-" + secret()
	}
	if c.dir, err = os.MkdirTemp("", "granary-cluster-"); err != nil {
		return c, err
	}
	if err := os.Chmod(c.dir, 0o755); err != nil { //nolint:gosec // others run below it: postgres, www-data
		return c, err
	}
	c.granary = filepath.Join(c.dir, "granary")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", c.granary, "granary/cmd/granary").CombinedOutput(); err != nil {
		return c, fmt.Errorf("go build: %w\n%s", err, out)
	}
	if c.database, c.dsn, err = postgres(ctx, c.dir); err != nil {
		return c, err
	}
	if c.objects, c.endpoint, err = store(ctx, c.dir); err != nil {
		return c, err
	}
	for _, p := range []*process{c.database, c.objects} {
		if err := p.start(ctx); err != nil {
			return c, err
		}
	}
	if o.between != nil {
		c.endpoint = o.between(c.endpoint)
	}
	return c, c.startNodes(ctx, o)
}

func (c *cluster) startNodes(ctx context.Context, o options) error {
	listen := o.listen
	if listen == "" {
		address, err := freeAddress(ctx)
		if err != nil {
			return err
		}
		listen = address
	}
	c.url = "http://" + listen
	for i := range o.nodes {
		p, address, err := c.node(ctx, i+1)
		if err != nil {
			return err
		}
		c.nodes, c.addresses = append(c.nodes, p), append(c.addresses, address)
	}
	started := make(chan error) // at once: one of them does the first start
	for _, p := range c.nodes {
		go func() { started <- p.start(ctx) }()
	}
	var err error
	for range c.nodes {
		err = errors.Join(err, <-started)
	}
	if err != nil {
		return err
	}
	if c.entrance, err = c.balancer(listen, c.addresses); err != nil {
		return err
	}
	return c.entrance.start(ctx)
}

// stop ends everything in order and removes its traces.
func (c *cluster) stop() error {
	all := append([]*process{c.entrance}, c.nodes...)
	for _, p := range append(all, c.objects, c.database) {
		if p != nil {
			p.stop()
		}
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
