package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestReplacedDatabase: a server whose database's file is gone, or is another, is not ready and
// refuses to publish. With its own file and a new start, all is there.
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
			if answer := turnsUnready(t, url); !strings.Contains(answer, "another is in its place") {
				t.Errorf("it is not ready: %s", answer)
			}
			if resp, _ := ask(t, "PUT", url+demoFiles+"tool/1.0.0/meanwhile", strings.NewReader("x")); resp.StatusCode != 503 {
				t.Errorf("a publish: %s, want 503", resp.Status)
			}
			stop()
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
