// Try is `make cluster`: it starts a cluster, prints its address and token, and stops
// everything at Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"granary/dev/cluster"
)

// durability is what a 201 of this cluster means; others keep more.
const durability = `A 201 survives kill -9 of every program here. Only files up to 64 KiB survive power loss:
PostgreSQL syncs them, and this S3 server, versitygw over a folder, syncs nothing. MinIO
does; see Durability in docs/operations.md.

`

func main() {
	var o cluster.Options
	flag.IntVar(&o.Nodes, "nodes", 3, "how many nodes")
	flag.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "the balancer's address")
	flag.StringVar(&o.Token, "token", "", "the administrator's token (default: a random one)")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o cluster.Options) error {
	c, err := cluster.Start(ctx, o)
	if err == nil {
		fmt.Printf("granary: %s\ntoken:   %s\n", c.URL, c.Token)
		for i, address := range c.Addresses {
			fmt.Printf("node %d:  http://%s\n", i+1, address)
		}
		fmt.Printf("\nTry: curl --header \"PRIVATE-TOKEN: %s\" --upload-file README.md \\\n  %s/api/v4/projects/root%%2Fdemo/packages/generic/demo/1.0.0/README.md\n\n%sCtrl-C stops all of it.\n", c.Token, c.URL, durability)
		<-ctx.Done()
	}
	return errors.Join(err, c.Stop())
}
