package metadbtest

import (
	"os"
	"path/filepath"
	"testing"

	"granary/dev/servers"
)

// Pooler is the address of dsn's database through a PgBouncer of the test's own, in
// a mode of pooling: session, transaction or statement.
func Pooler(tb testing.TB, dsn, mode string) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "granary-pooler-") //nolint:usetesting // PgBouncer runs as another account, which TempDir keeps out
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // that account reads below it
		tb.Fatal(err)
	}
	p, through, err := servers.PgBouncer(tb.Context(), filepath.Join(dir, "pgbouncer"), dsn, mode)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Stop)
	if err := p.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return through
}
