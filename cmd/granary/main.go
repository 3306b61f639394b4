// Command granary is a generic package registry in one binary.
package main

import (
	"context"
	"os"

	"granary/internal/cli"
)

// version is set with -ldflags "-X main.version=v1.2.3".
var version string

func main() {
	os.Exit(cli.Main(context.Background(), cli.Env{
		Args:    os.Args[1:],
		Environ: os.Environ(),
		Stdin:   os.Stdin,
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
		Version: version,
		GiveWay: giveWay,
	}))
}
