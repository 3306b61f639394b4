package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDamageIsTold: a file whose bytes are lost is an error in the log that names it,
// and counts.
func TestDamageIsTold(t *testing.T) {
	data := t.TempDir()
	server, url := start(t, "--data-dir="+data)
	file := url + demoFiles + "tool/1.2.3/lost.bin"
	ask(t, "PUT", file, strings.NewReader(strings.Repeat("x", 100_000)))
	found, err := filepath.Glob(filepath.Join(data, "blobs", "??", "*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%q, %v", found, err)
	}
	counts := func(missing, size string) {
		t.Helper()
		_, metrics := ask(t, "GET", url+"/-/metrics", nil)
		for kind, n := range map[string]string{"missing": missing, "size": size, "digest": "0"} {
			if line := `granary_blobs_damaged_total{kind="` + kind + `"} ` + n; !strings.Contains(metrics, line) {
				t.Errorf("the metrics have no %s", line)
			}
		}
	}
	counts("0", "0")
	if err := os.Truncate(found[0], 99_999); err != nil {
		t.Fatal(err)
	}
	ask(t, "GET", file, nil)
	if err := os.Remove(found[0]); err != nil {
		t.Fatal(err)
	}
	resp, _ := ask(t, "HEAD", file, nil)
	counts("1", "1")
	server.terminate(t, 20*time.Second)
	id := resp.Header.Get("X-Request-Id")
	for line := range strings.Lines(server.logged()) {
		if !strings.Contains(line, "kind=missing") {
			continue
		}
		for _, want := range []string{"level=ERROR", "project=root/demo", "package=tool", "version=1.2.3", "file=lost.bin", "sha256=" + filepath.Base(found[0]), "request_id=" + id} {
			if !strings.Contains(line, want) {
				t.Errorf("there is no %s in %s", want, line)
			}
		}
		return
	}
	t.Errorf("nothing is told in\n%s", server.logged())
}
