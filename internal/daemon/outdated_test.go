package daemon

import (
	"context"
	"database/sql"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

// A server whose row among the nodes is gone, and whose database has a newer
// schema now, ends with words that say what to do.
func TestOutdatedServerEnds(t *testing.T) {
	t.Parallel()
	server := metadbtest.NewServer(t)
	dir := t.TempDir()
	cfg, err := settings([]string{"GRANARY_DATABASE=" + server.DSN("granary"), "GRANARY_ENCRYPTION_KEY=" + strings.Repeat("0a", 32)},
		"--listen=127.0.0.1:0", "--data-dir="+filepath.Join(dir, "data"), "--blobs=file:"+filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	logs, stderr := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, cfg, "v1.2.3", io.Discard, stderr)
		_ = stderr.Close()
	}()
	p := &process{listening: make(chan string, 1), exited: make(chan struct{})}
	go func() { p.read(logs); close(p.exited) }()
	url := p.url()
	if url == "" {
		t.Fatal(<-ended)
	}
	eventually.Holds(t, "it counts itself", func() bool {
		_, metrics := ask(t, "GET", url+"/-/metrics", nil)
		return strings.Contains(metrics, `granary_nodes{version="v1.2.3"} 1`)
	})

	db, err := sql.Open("pgx", server.DSN("granary"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9001, true); DELETE FROM nodes`); err != nil {
		t.Fatal(err)
	}
	err = <-ended
	const begins, ends = "the server ended: other nodes counted this one as gone, and its granary is now too old for the database: it has schema version 9001, newer than the ",
		" that granary v1.2.3 knows; start the newer granary"
	if err == nil || !strings.HasPrefix(err.Error(), begins) || !strings.HasSuffix(err.Error(), ends) {
		t.Errorf("it ended with %v", err)
	}
}
