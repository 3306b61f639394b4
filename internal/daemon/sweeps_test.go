package daemon

import (
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

// Whichever node has the upkeep does the sweep that an administrator asks the
// database for, and what it tells is what went. Without a node there is nobody to
// ask, and nothing is left that a later one would do.
func TestSweepNow(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		data := t.TempDir()
		testSweepNow(t, 1, nil, "--data-dir="+data)
	})
	t.Run("postgres", func(t *testing.T) {
		environ := []string{"GRANARY_DATABASE=" + metadbtest.Postgres(t, func(string) error { return nil }), "GRANARY_ENCRYPTION_KEY=" + strings.Repeat("0a", 32)}
		testSweepNow(t, 2, environ, "--blobs=file:"+filepath.Join(t.TempDir(), "blobs"))
	})
}

func testSweepNow(t *testing.T, nodes int, environ []string, args ...string) {
	environ = append(environ, asRoot)
	var urls []string
	var stops []func() string
	for range nodes {
		more := args
		if nodes > 1 {
			more = append([]string{"--data-dir=" + t.TempDir()}, args...)
		}
		at, stop := serveHere(t, environ, more...)
		urls, stops = append(urls, at), append(stops, stop)
	}
	url := urls[0]
	const size = 100_000
	for _, name := range []string{"kept", "gone"} {
		if resp, body := ask(t, "PUT", url+demoFiles+name+"/1.0.0/f", strings.NewReader(strings.Repeat(name[:1], size))); resp.StatusCode != http.StatusCreated {
			t.Fatalf("%s %s", resp.Status, body)
		}
	}
	shown := func(line string) func() bool {
		return func() bool {
			return slices.ContainsFunc(urls, func(url string) bool {
				_, metrics := ask(t, "GET", url+"/-/metrics", nil)
				return strings.Contains(metrics, "\n"+line+"\n")
			})
		}
	}
	eventually.Holds(t, "the bytes are counted", shown("granary_store_bytes 200000"))
	for _, line := range []string{`granary_published_bytes{state="kept"} 200000`, `granary_published_files{state="kept"} 2`, `granary_published_versions{state="trashed"} 0`} {
		eventually.Holds(t, line, shown(line))
	}
	if resp, _ := ask(t, "DELETE", url+"/api/v4/projects/root%2Fdemo/packages/2", nil); resp.StatusCode != http.StatusNoContent {
		t.Fatal(resp.Status)
	}
	for _, want := range []int{0, 1, 0} { // the second an hour later
		swept, err := askToSweep(t, environ, args...)
		if err != nil || swept.Blobs != want || swept.Bytes != int64(want)*size {
			t.Fatalf("swept %+v, %v, want %d", swept, err, want)
		}
		if want == 0 {
			age(t, environ, args)
		}
	}
	wantSweepHeld(t, environ, args)
	eventually.Holds(t, "the sweep is counted off", shown("granary_store_bytes 100000"))
	eventually.Holds(t, "what is published", shown(`granary_published_bytes{state="kept"} 100000`))
	eventually.Holds(t, "the sweep is told", shown("granary_swept_bytes_total 100000"))
	if resp, got := ask(t, "GET", url+demoFiles+"kept/1.0.0/f", nil); resp.StatusCode != http.StatusOK || len(got) != size {
		t.Errorf("what a file refers to: %s, %d bytes", resp.Status, len(got))
	}
	for _, stop := range stops {
		stop()
	}
	if _, err := askToSweep(t, environ, args...); err == nil || !strings.Contains(err.Error(), "no server runs on the database") {
		t.Errorf("without a server: %v", err)
	}
}

// wantSweepHeld wants no sweep beside a backup, and whoever asked for one to know why.
func wantSweepHeld(t *testing.T, environ, args []string) {
	t.Helper()
	cfg, err := settings(append([]string{noReserve}, environ...), args...)
	if err != nil {
		t.Fatal(err)
	}
	a, err := OpenAdmin(t.Context(), cfg, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(a.server.db.DropLease(t.Context(), "backup to file:/b", "test"), a.Close()); err != nil {
			t.Error(err)
		}
	}()
	if err := a.server.db.TakeLease(t.Context(), "backup to file:/b", "test"); err != nil {
		t.Fatal(err)
	}
	if swept, err := askToSweep(t, environ, args...); err == nil || !strings.Contains(err.Error(), "backup to file:/b holds the bytes since") {
		t.Errorf("beside a backup: %+v, %v", swept, err)
	}
}
