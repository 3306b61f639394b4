package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

// TestReplacedDatabase: a server whose database's file is gone, or is another, is not ready,
// answers 503 and never 500, makes no file, and says what makes the database again. With its own
// file and a new start, all is there.
func TestReplacedDatabase(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(file string) error{
		"removed":  func(string) error { return nil },
		"replaced": func(file string) error { return os.WriteFile(file, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l := &lostDatabase{t: t, environ: []string{asRoot, testKey}, args: []string{"--data-dir=" + dir}}
			_, stop := serveHere(t, l.environ, l.args...)
			stop() // its records are in the store
			url, stop := serveHere(t, l.environ, l.args...)
			l.url = url
			l.deed("PUT", demoFiles+"tool/1.0.0/before", "before")
			file, away := filepath.Join(dir, "granary.db"), filepath.Join(dir, "away")
			if err := os.Rename(file, away); err != nil {
				t.Skip("the file cannot be moved here while it is open:", err)
			}
			if err := replace(file); err != nil {
				t.Fatal(err)
			}
			if resp, body := ask(t, "PUT", url+demoFiles+"tool/1.0.0/meanwhile", strings.NewReader("x")); resp.StatusCode != 503 || !strings.Contains(body, "another is in its place") {
				t.Errorf("a publish at once: %s %s, want 503", resp.Status, body)
			}
			refused := func(least int) bool {
				t.Helper()
				all := true
				for range least {
					resp, body := ask(t, "GET", url+demoFiles+"tool/1.0.0/before", nil)
					if resp.StatusCode == 503 && strings.Contains(body, "another is in its place") {
						continue
					}
					if all = false; resp.StatusCode != 200 || body != "before" {
						t.Errorf("a download: %s %s", resp.Status, body)
					}
				}
				return all
			}
			eventually.Holds(t, "all downloads are refused", func() bool { return refused(10) })
			eventually.Holds(t, "it says what to do", func() bool { return strings.Contains(turnsUnready(t, url), WayBack(true)) })
			stop()
			if info, err := os.Stat(file); !os.IsNotExist(err) && (name == "removed" || info.Size() > 0) {
				t.Errorf("the server made or filled a file: %v, %v", info, err)
			}
			if err := os.Rename(away, file); err != nil {
				t.Fatal(err)
			}
			l.url, stop = serveHere(t, l.environ, l.args...)
			l.deed("PUT", demoFiles+"tool/1.0.0/after", "after")
			for _, file := range []string{"before", "after"} {
				if resp, body := ask(t, "GET", l.url+demoFiles+"tool/1.0.0/"+file, nil); resp.StatusCode != 200 || body != file {
					t.Errorf("%s: %s %q", file, resp.Status, body)
				}
			}
			stop()
		})
	}
}

// turnsUnready waits until a server is not ready, and returns what it says.
func turnsUnready(t *testing.T, url string) (answer string) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		resp, body := ask(t, "GET", url+"/-/readiness", nil)
		if answer = body; resp.StatusCode == 503 {
			return answer
		}
	}
	t.Fatalf("it is ready: %s", answer)
	return ""
}

// TestDatabaseMadeAnew: likewise on PostgreSQL, where an empty database is in the place of the
// server's.
func TestDatabaseMadeAnew(t *testing.T) {
	t.Parallel()
	server, dir := metadbtest.NewServer(t), t.TempDir()
	l := &lostDatabase{t: t, environ: []string{asRoot, testKey, "GRANARY_DATABASE=" + server.DSN("granary")}, args: []string{"--data-dir=" + dir}}
	url, stop := serveHere(t, l.environ, l.args...)
	l.url = url
	l.deed("PUT", demoFiles+"tool/1.0.0/before", "before")
	eventually.HoldsWithin(t, time.Minute, "there are records", func() bool {
		_, err := os.Stat(filepath.Join(dir, "blobs", "records", "head"))
		return err == nil
	})
	server.Run(t, `DROP DATABASE granary WITH (FORCE)`)
	server.Run(t, `CREATE DATABASE granary`)
	const want = "granary rebuild or granary restore fills an empty one"
	for _, call := range []string{"PUT " + demoFiles + "tool/1.0.0/meanwhile", "GET " + demoFiles + "tool/1.0.0/before", "GET /api/v4/projects", "GET /-/readiness"} {
		method, path, _ := strings.Cut(call, " ")
		eventually.Holds(t, call+" says what to do", func() bool {
			resp, body := ask(t, method, url+path, strings.NewReader("x"))
			if resp.StatusCode != 503 {
				t.Errorf("%s: %s %s, want 503", call, resp.Status, body)
			}
			return strings.Contains(body, want)
		})
	}
	stop()
	if done, err := Rebuild(t.Context(), l.config(), RebuildOptions{Tell: func(Finding) error { return nil }}); err != nil || !done.Whole() {
		t.Errorf("a rebuild: %+v, %v", done, err)
	}
}
