package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

// Two nodes start on an empty database at once: one makes the first token, and
// it works on both. One of them does the upkeep, and the other takes over. Both
// are not ready while the database is away, and ready again without a hand.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	server := metadbtest.NewServer(t)
	dir := t.TempDir()
	type node struct {
		data, url string
		stop      func() string
	}
	environ := []string{"GRANARY_DATABASE=" + server.DSN("granary"), "GRANARY_ENCRYPTION_KEY=" + strings.Repeat("0a", 32)}
	nodes := make([]node, 2)
	var both sync.WaitGroup
	for i := range nodes {
		both.Go(func() {
			data := filepath.Join(dir, string(rune('a'+i)))
			url, stop := serveHere(t, environ, "--data-dir="+data, "--blobs=file:"+filepath.Join(dir, "blobs"))
			nodes[i] = node{data, url, stop}
		})
	}
	both.Wait()
	var tokens []string
	for _, n := range nodes {
		if text, err := os.ReadFile(filepath.Join(n.data, tokenFile)); err == nil {
			tokens = append(tokens, strings.TrimSpace(string(text)))
		}
	}
	if len(tokens) != 1 {
		t.Fatalf("%d nodes made a first token, want 1", len(tokens))
	}
	large := strings.Repeat("x", 100_000) // beyond what the database keeps
	for i, body := range []string{"small", large} {
		path := "/api/v4/projects/root%2Fdemo/packages/generic/tool/1.0." + string(rune('0'+i)) + "/f"
		if res, said := ask(t, "PUT", nodes[i].url+path, strings.NewReader(body), "Private-Token", tokens[0]); res.StatusCode != 201 {
			t.Fatalf("publish: %s %s", res.Status, said)
		}
		if res, got := ask(t, "GET", nodes[1-i].url+path, nil, "Private-Token", tokens[0]); res.StatusCode != 200 || got != body {
			t.Errorf("the other node: %s, %d bytes", res.Status, len(got))
		}
	}

	third := filepath.Join(dir, "c")
	if got := refusedIn(t, environ, "--data-dir="+third); !strings.Contains(got, "file:"+third+"/blobs is not the store of these records") {
		t.Errorf("a node with a directory of its own: %s", got)
	}
	if made := namesIn(t, filepath.Join(third, "blobs")); len(made) > 0 {
		t.Errorf("it made %v there", made)
	}

	shows := func(n node, line string) bool {
		_, metrics := ask(t, "GET", n.url+"/-/metrics", nil)
		return strings.Contains(metrics, line)
	}
	for _, n := range nodes {
		if !shows(n, `granary_http_requests_total{method="GET",route="/api/v4/projects/{id}/packages/generic/{name}/{version}/{file...}",status="2xx"} `) {
			t.Error("the metrics do not have a download under its route")
		}
	}
	upkeep := func(n node) bool { return shows(n, "granary_upkeep_running 1\n") }
	const summed = `granary_task_duration_seconds_count{outcome="done",task="counters"}`
	eventually.Holds(t, "one node does the upkeep", func() bool { return upkeep(nodes[0]) != upkeep(nodes[1]) })
	eventually.Holds(t, "it shows its work", func() bool { return shows(nodes[0], summed) || shows(nodes[1], summed) })
	for _, n := range nodes {
		if upkeep(n) != shows(n, summed) {
			t.Errorf("upkeep %v, folds shown %v", upkeep(n), shows(n, summed))
		}
	}
	ready := func(want int) func() bool {
		return func() bool {
			for _, n := range nodes {
				if res, _ := ask(t, "GET", n.url+"/-/readiness", nil); res.StatusCode != want {
					return false
				}
			}
			return true
		}
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, "not ready without the database", ready(503))
	res, said := ask(t, "GET", nodes[0].url+"/api/v4/projects", nil, "Private-Token", tokens[0])
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("without the database: %s %s", res.Status, said)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, "ready again", ready(200))
	eventually.Holds(t, "one node does the upkeep again", func() bool { return upkeep(nodes[0]) != upkeep(nodes[1]) })

	first, other := nodes[0], nodes[1]
	if upkeep(other) {
		first, other = other, first
	}
	first.stop()
	eventually.Holds(t, "the other takes over", func() bool { return upkeep(other) })
	other.stop()
}
