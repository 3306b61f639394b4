package daemon

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

// Two nodes behind PgBouncer in session mode, as Debian ships it: what one publishes
// the other lists and serves, the upkeep has one node, and another takes over when
// it stops. Clients publish to both at once.
func TestNodesBehindPooler(t *testing.T) {
	dsn := metadbtest.Pooler(t, metadbtest.NewServer(t).DSN("granary"), "session")
	dir := t.TempDir()
	environ := []string{"GRANARY_DATABASE=" + dsn, "GRANARY_ENCRYPTION_KEY=" + strings.Repeat("0a", 32), asRoot}
	var urls []string
	var stops []func() string
	for _, name := range []string{"a", "b"} { // 20 connections are the pool's default
		url, stop := serveHere(t, environ, "--data-dir="+filepath.Join(dir, name), "--blobs=file:"+filepath.Join(dir, "blobs"), "--database-max-connections=6")
		urls, stops = append(urls, url), append(stops, stop)
	}
	var all sync.WaitGroup
	for client := range 4 {
		all.Go(func() { publishAndInstall(t, urls[client%2], urls[1-client%2], client) })
	}
	all.Wait()
	for _, url := range urls {
		if _, list := ask(t, "GET", url+"/api/v4/projects/root%2Fdemo/packages?per_page=100", nil); strings.Count(list, `"version"`) != 40 {
			t.Errorf("%d packages are listed, want 40", strings.Count(list, `"version"`))
		}
	}
	upkeep := func(url string) bool {
		_, metrics := ask(t, "GET", url+"/-/metrics", nil)
		return strings.Contains(metrics, "granary_upkeep_running 1\n")
	}
	eventually.Holds(t, "one node does the upkeep", func() bool { return upkeep(urls[0]) != upkeep(urls[1]) })
	first := 0
	if upkeep(urls[1]) {
		first = 1
	}
	stops[first]()
	eventually.Holds(t, "the other takes over", func() bool { return upkeep(urls[1-first]) })
	stops[1-first]()
}

// publishAndInstall publishes ten small files to one node, and asks the other for
// each as soon as it is acknowledged.
func publishAndInstall(t *testing.T, to, from string, client int) {
	for n := range 10 {
		path := fmt.Sprintf("%stool/1.%d.%d/f", demoFiles, client, n)
		if resp, said := ask(t, "PUT", to+path, strings.NewReader(path)); resp.StatusCode != 201 {
			t.Errorf("%s: %s %s", path, resp.Status, said)
		}
		if resp, got := ask(t, "GET", from+path, nil); resp.StatusCode != 200 || got != path {
			t.Errorf("%s from the other: %s %s", path, resp.Status, got)
		}
	}
}
