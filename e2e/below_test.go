package e2e

import (
	"context"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"granary/dev/servers"
)

// below is the command that starts nginx as docs/operations.md shows it for a
// server below a path. It sets $BACKEND, where granary is to listen, and $SITE.
func below(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: below")
	}
	backend, err := servers.FreeAddress(context.Background())
	ts.Check(err)
	address, err := servers.FreeAddress(context.Background())
	ts.Check(err)
	manual, err := os.ReadFile(ts.Getenv("OPERATIONS"))
	ts.Check(err)
	_, rest, ok := strings.Cut(string(manual), "\n    location /granary/ {\n")
	block, _, ended := strings.Cut(rest, "\n    }\n")
	if !ok || !ended || !strings.Contains(block, "http://127.0.0.1:8080;") {
		ts.Fatalf("docs/operations.md has no location /granary/")
	}
	location := "location /granary/ {\n" + strings.Replace(block, "127.0.0.1:8080", backend, 1) + "\n}\n"
	// nginx's workers give root up, and must reach their folder.
	home, err := os.MkdirTemp("", "granary-nginx-")
	ts.Check(err)
	ts.Defer(func() { _ = os.RemoveAll(home) })
	ts.Check(os.Chmod(home, 0o755))
	nginx, err := servers.Nginx(home+"/nginx", address, "server {\nlisten "+address+";\n"+location+"}\n")
	ts.Check(err)
	ts.Check(nginx.Start(context.Background()))
	ts.Defer(nginx.Stop)
	ts.Setenv("BACKEND", backend)
	ts.Setenv("SITE", "http://"+address+"/granary")
}
