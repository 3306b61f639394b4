package daemon

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/blob/blobtest"
)

// harmPack flips a byte of a small file in the only pack of the place.
func harmPack(t *testing.T, dir, body string) {
	t.Helper()
	packs, err := filepath.Glob(filepath.Join(dir, "place", "packs", "*.pack"))
	if err != nil || len(packs) != 1 {
		t.Fatal(packs, err)
	}
	text, err := os.ReadFile(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(text), body)
	text[at+10] ^= 1
	if err := os.WriteFile(packs[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A flipped byte in a pack costs the file that it is in, and no other; dry run, restore and
// check name it.
func TestDamagedPackLosesOneFile(t *testing.T) {
	t.Parallel()
	for _, only := range []bool{false, true} {
		g, files, dir := oldPlace(t)
		g.backUp(t)
		g.backUp(t)
		const path = "small/1.0.0/a"
		harmPack(t, dir, files[path])
		lost := blobtest.Digest([]byte(files[path])).String()
		blobs := filepath.Join(dir, "new", "blobs")
		for _, dry := range []bool{true, false} {
			done, err := g.tryRestore(t, RestoreOptions{DryRun: dry, DatabaseOnly: only})
			if err != nil || done.Bodies != 3 || done.Missing != 1 || len(done.Lost) != 1 || !strings.HasPrefix(done.Lost[0], lost) {
				t.Errorf("dry run %v, database only %v: %+v, %v; want the loss of %s", dry, only, done, err, lost)
			}
			if len(done.BadPacks) != 1 || strings.HasPrefix(done.BadPacks[0], "pack") {
				t.Errorf("dry run %v: damaged packs %q", dry, done.BadPacks)
			}
		}
		if only {
			blobs = filepath.Join(dir, "place")
		}
		r := g.check(t, "all")
		about := 0
		for _, p := range r.Problems {
			if strings.HasPrefix(p, "file "+lost) {
				about++
			} else if strings.HasPrefix(p, "file ") {
				t.Errorf("a whole file is named: %s", p)
			}
		}
		if about != 1 || r.Damaged != 2 || len(r.Lacking) != 2 { // the pack, the file, two snapshots
			t.Errorf("check: %q", r.Problems)
		}
		key := filepath.Join(dir, "new", keyFile)
		if text, err := os.ReadFile(filepath.Join(dir, "old", keyFile)); err == nil {
			if err := os.WriteFile(key, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		url, stop := serveHere(t, append(g.new, "GRANARY_BLOBS=file:"+blobs))
		for p, body := range files {
			if resp, got := ask(t, http.MethodGet, url+demoFiles+p, nil); p != path && (resp.StatusCode != http.StatusOK || got != body) {
				t.Errorf("%s: %s", p, resp.Status)
			}
		}
		stop()
	}
}
