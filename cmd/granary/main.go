// Command granary is a generic package registry in one binary.
package main

import (
	"context"
	"os"

	"granary/internal/cli"
)

// version and commit are set with -ldflags "-X main.version=v1.2.3 -X main.commit=0123...".
var version, commit string

func main() {
	os.Exit(cli.Main(context.Background(), cli.Env{
		Args:    os.Args[1:],
		Environ: os.Environ(),
		Stdin:   os.Stdin,
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
		Version: version,
		Commit:  commit,
		GiveWay: giveWay,
	}))
}
