package daemon

import (
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

// While the database is away each of two nodes tells that the upkeep lost it, in one
// plain line, and none tells of an end. When it is back each tells so once: the one
// that does the upkeep, and the one that waits for it.
func TestEachNodeTellsOfAnOutage(t *testing.T) {
	t.Parallel()
	server := metadbtest.NewServer(t)
	dir := t.TempDir()
	environ := []string{"GRANARY_DATABASE=" + server.DSN("granary"), "GRANARY_ENCRYPTION_KEY=" + strings.Repeat("0a", 32), asRoot}
	var nodes []*process
	for _, name := range []string{"a", "b"} {
		p, err := launch(environ, "--listen=127.0.0.1:0", "--log-level=debug", "--data-dir="+filepath.Join(dir, name), "--blobs=file:"+filepath.Join(dir, "blobs"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.kill)
		url := p.url()
		if url == "" {
			t.Fatalf("the server ended: %v\n%s", p.err, p.logged())
		}
		nodes = append(nodes, p)
		if len(nodes) == 1 {
			eventually.Holds(t, "the first node does the upkeep", func() bool {
				_, metrics := ask(t, "GET", url+"/-/metrics", nil)
				return strings.Contains(metrics, "granary_upkeep_running 1\n")
			})
		}
	}
	// linesOf are those of a node's log that have the part.
	linesOf := func(p *process, part string) (found []string) {
		for line := range strings.SplitSeq(p.logged(), "\n") {
			if strings.Contains(line, part) {
				found = append(found, line)
			}
		}
		return found
	}
	both := func(part string) func() bool {
		return func() bool { return len(linesOf(nodes[0], part)) > 0 && len(linesOf(nodes[1], part)) > 0 }
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	const lost, over = `msg="the background tasks cannot reach the database from this node; `, `msg="the background tasks reach the database again from this node"`
	eventually.Holds(t, "each tells of it", both(lost))
	for i, running := range []string{" running=true ", " running=false "} {
		for _, line := range linesOf(nodes[i], " error=") {
			if strings.Contains(line, `\n`) || strings.Contains(line, `\t`) || strings.Contains(line, `error=": `) {
				t.Errorf("it is not plain: %s", line)
			}
		}
		if lines := linesOf(nodes[i], lost); !strings.Contains(lines[0], running) {
			t.Errorf("want%sin %q", running, lines)
		}
		if lines := linesOf(nodes[i], " after="); len(lines) > 0 {
			t.Errorf("the database is away: %q", lines)
		}
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, "each tells of the end", both(over))
	ends := append(linesOf(nodes[0], over), linesOf(nodes[1], over)...)
	if len(ends) != 2 || strings.Contains(ends[0], "running=true") == strings.Contains(ends[1], "running=true") {
		t.Errorf("the ends: %q", ends)
	}
}
