package daemon

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/blob/blobtest"
	"granary/internal/blob/disk"
	"granary/internal/metadb/metadbtest"
)

// keptStore writes the notes of testdata/journal-1.txt into a directory, and returns how
// many rows its database had in each table.
func keptStore(t *testing.T, dir string) map[string]int {
	t.Helper()
	text, err := os.Open(filepath.Join("testdata", "journal-1.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	store, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	want, name, content := map[string]int{}, "", ""
	put := func() {
		t.Helper()
		note, err := base64.StdEncoding.DecodeString(content)
		if err != nil {
			t.Fatal(name, err)
		}
		if name != "" {
			blobtest.PutNoteOf(t, store, name, note)
		}
		name, content = "", ""
	}
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "#":
		case "rows":
			var table string
			var n int
			if _, err := fmt.Sscan(rest, &table, &n); err != nil {
				t.Fatal(err)
			}
			want[table] = n
		case "note":
			put()
			name = rest
		default:
			content += word
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	put()
	return want
}

// TestRebuildOfFormat1: a journal of format 1, with a base, deltas and packs, is the whole
// database for ever.
func TestRebuildOfFormat1(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			dir := metadbtest.Memory(t)
			l := &lostDatabase{t: t, environ: []string{asRoot, testKey}, args: []string{"--data-dir=" + dir, "--records-every=0"}}
			if kind == "postgres" {
				l.environ = append(l.environ, "GRANARY_DATABASE="+metadbtest.Postgres(t, func(string) error { return nil }))
			}
			want := keptStore(t, filepath.Join(dir, "blobs"))
			done, err := Rebuild(t.Context(), l.config(), RebuildOptions{Verify: true, Tell: func(f Finding) error {
				t.Errorf("found %+v", f)
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			if !done.Whole() || done.Rows < 40 || done.Deltas != 1 || done.Bodies != 6 || done.Store.Files != 7 || done.Variables+done.Hooks != 0 {
				t.Errorf("rebuilt %+v", done)
			}
			got := rowsOf(t, l.config())
			for table, n := range want {
				if table == "audit_events" {
					n++ // it tells of the rebuild
				}
				if len(got[table]) != n {
					t.Errorf("table %s has %d rows, want %d", table, len(got[table]), n)
				}
			}
			url, stop := serveHere(t, l.environ, l.args...)
			defer stop()
			for path, body := range map[string]string{
				demoFiles + "tool/1.0.0/a": "", demoFiles + "tool/1.1.0/a": "the bytes of a in 1.1.0",
				demoFiles + "tool/1.1.0/b": "the same bytes twice", demoFiles + "tool/2.0.0/a": "the bytes of a in 2.0.0",
				"/api/v4/projects/root%2Fdemo/variables/KEY": `"value":"secret"`, "/api/v4/projects/root%2Fdemo": `"description":"of the delta"`,
				"/api/v4/projects/root%2Fdemo/releases": `"tag_name":"v2.0.0"`, "/api/v4/groups/late": `"name":"Late"`,
			} {
				resp, said := ask(t, "GET", url+path, io.Reader(nil))
				if body == "" && resp.StatusCode != 404 || body != "" && (resp.StatusCode != 200 || !strings.Contains(said, body)) {
					t.Errorf("%s: %s %.300s, want %q", path, resp.Status, said, body)
				}
			}
		})
	}
}
