// Cluster starts granary as a team would run it, on this machine's loopback: as
// many nodes as asked for behind nginx, over PostgreSQL and an S3-compatible
// server. It prints where and with which token, and stops everything at Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	var o options
	flag.IntVar(&o.nodes, "nodes", 3, "how many nodes")
	flag.StringVar(&o.listen, "listen", "127.0.0.1:8080", "the balancer's address")
	flag.StringVar(&o.token, "token", "", "the administrator's token (default: a random one)")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	c, err := startCluster(ctx, o)
	if err == nil {
		fmt.Printf("granary: %s\ntoken:   %s\n", c.url, c.token)
		for i, address := range c.addresses {
			fmt.Printf("node %d:  http://%s\n", i+1, address)
		}
		fmt.Printf("\nTry: curl --header \"PRIVATE-TOKEN: %s\" --upload-file README.md \\\n  %s/api/v4/projects/root%%2Fdemo/packages/generic/demo/1.0.0/README.md\n\nCtrl-C stops all of it.\n", c.token, c.url)
		<-ctx.Done()
	}
	return errors.Join(err, c.stop())
}
