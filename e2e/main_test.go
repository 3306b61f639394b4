package e2e_test

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"granary/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(closing{m}, map[string]func(){
		"granary": func() {
			os.Exit(cli.Main(context.Background(), cli.Env{
				Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
			}))
		},
	})
}

// closing ends what the tests share.
type closing struct{ *testing.M }

func (c closing) Run() int {
	defer closeChromium()
	return c.M.Run()
}
