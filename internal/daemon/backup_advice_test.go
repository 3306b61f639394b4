package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/blob/blobtest"
	"granary/internal/blob/disk"
)

// A check counts the files of a snapshot that are missing or damaged as the records do, and one of
// its lines is about one thing.
func TestCheckCountsFiles(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	url, stop := serveHere(t, g.old, "--inline-max=4096")
	for _, path := range []string{"again/1.0.0/a", "again/2.0.0/a"} {
		publishTo(t, url, files, path, files["large/1.0.0/a"])
	}
	stop()
	first, second := g.backUp(t), g.backUp(t)
	in := func(name string) string { return blobIn(filepath.Join(dir, "place"), files["large/1.0.0/"+name]) }
	if err := errors.Join(os.Remove(in("a")), os.WriteFile(in("b"), []byte(strings.Repeat("x", 100_000)), 0o600)); err != nil {
		t.Fatal(err)
	}
	r := g.check(t, "all")
	if r.Damaged != 2 || len(r.Problems) != 2 || len(r.Lacking) != 2 {
		t.Fatalf("%+v; want two things, and two snapshots", r)
	}
	for i, id := range []string{first.Manifest.ID, second.Manifest.ID} {
		if r.Lacking[i] != (LackingSnapshot{ID: id, Files: 4, Blobs: 2}) {
			t.Errorf("%+v; want 4 files of %s", r.Lacking[i], id)
		}
	}
}

// What a check says to do next is true to the end: who does it comes to a place of which a check
// says nothing.
func TestAdviceOfCheck(t *testing.T) {
	t.Parallel()
	silent := func(t *testing.T, g grounds) {
		t.Helper()
		if r := g.check(t, "all"); r.Damaged > 0 || r.Lost > 0 || r.Next != "" || r.Snapshots == 0 {
			t.Errorf("in the end: %+v", r)
		}
	}
	says := func(t *testing.T, g grounds, words ...string) {
		t.Helper()
		r := g.check(t, "all")
		for _, word := range words {
			if !strings.Contains(r.Next, word) {
				t.Errorf("%+v; want advice with %q", r, word)
			}
		}
	}
	forget := func(t *testing.T, g grounds, id string) {
		t.Helper()
		if _, err := ForgetBackup(t.Context(), g.placeSettings(t), id); err != nil {
			t.Error(err)
		}
	}
	remove := func(t *testing.T, paths ...string) {
		t.Helper()
		for _, path := range paths {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	for what, follow := range map[string]func(t *testing.T, g grounds, body, dir string){
		"the server has the file": func(t *testing.T, g grounds, body, dir string) {
			g.backUp(t)
			if err := os.WriteFile(blobIn(filepath.Join(dir, "place"), body), []byte(strings.Repeat("x", 100_000)), 0o600); err != nil {
				t.Fatal(err)
			}
			says(t, g, "granary backup --verify")
			g.backUpWith(t, BackupOptions{Verify: true})
		},
		"the server has lost it, too": func(t *testing.T, g grounds, body, dir string) {
			first := g.backUp(t)
			remove(t, blobIn(filepath.Join(dir, "place"), body), blobIn(filepath.Join(dir, "old", "blobs"), body))
			says(t, g, "granary backup --verify")
			second := g.backUpWith(t, BackupOptions{Verify: true})
			says(t, g, "forget the snapshots that lack it")
			forget(t, g, first.Manifest.ID)
			says(t, g, "granary fsck", "forget the snapshots that granary backup ls shows as having lost some")
			putBack(t, blobIn(filepath.Join(dir, "old", "blobs"), body), body)
			g.backUp(t)
			forget(t, g, second.Manifest.ID)
		},
		"no snapshot needs it": func(t *testing.T, g grounds, _, dir string) {
			first := g.backUp(t)
			g.backUp(t)
			store, err := disk.OpenShared(filepath.Join(dir, "place"))
			if err != nil {
				t.Fatal(err)
			}
			blobtest.Put(t, store, []byte("left by a backup that was killed"))
			if err := os.Truncate(blobIn(filepath.Join(dir, "place"), "left by a backup that was killed"), 5); err != nil {
				t.Fatal(err)
			}
			says(t, g, "granary backup --verify", "what no snapshot needs goes with them")
			g.backUpWith(t, BackupOptions{Verify: true})
			forget(t, g, first.Manifest.ID)
		},
		"all packs are lost": func(t *testing.T, g grounds, _, dir string) {
			for i := range 2 { // a pack each
				url, stop := serveHere(t, g.old)
				publishTo(t, url, map[string]string{}, fmt.Sprintf("another/%d.0.0/a", i+1), fmt.Sprint("another ", i))
				stop()
				g.backUp(t)
			}
			packs, err := filepath.Glob(filepath.Join(dir, "place", "packs", "*.pack"))
			if err != nil || len(packs) < 2 {
				t.Fatalf("%d packs, %v", len(packs), err)
			}
			remove(t, packs...)
			if r := g.check(t, "all"); strings.Count(strings.Join(r.Problems, "\n"), "pack ") != len(packs) {
				t.Errorf("%q; want each of %d packs once", r.Problems, len(packs))
			}
			g.backUp(t)
		},
		"a later backup brings it": func(t *testing.T, g grounds, body, dir string) {
			remove(t, blobIn(filepath.Join(dir, "old", "blobs"), body))
			g.backUp(t)
			if r := g.check(t, "all"); r.Lost != 1 || r.Damaged > 0 {
				t.Errorf("%+v, want a lost file", r)
			}
			says(t, g, "granary fsck", "the next granary backup")
			putBack(t, blobIn(filepath.Join(dir, "old", "blobs"), body), body)
			g.backUp(t)
		},
		"its records are damaged": func(t *testing.T, g grounds, _, _ string) {
			first := g.backUp(t)
			g.backUp(t)
			if err := os.Truncate(g.inPlace(recordsNoteOf(first.Manifest.ID)), 100); err != nil {
				t.Fatal(err)
			}
			says(t, g, "forget this snapshot before others")
			forget(t, g, first.Manifest.ID)
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			g, files, dir := oldPlace(t)
			follow(t, g, files["large/1.0.0/a"], dir)
			silent(t, g)
		})
	}
}

// putBack is what a repair comes to.
func putBack(t *testing.T, path, body string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
}
