package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"granary/internal/blob/blobtest"
)

// strangers are what may be in the place of a file, and cannot be read as one by anybody; each by
// the words that name it.
func strangers(t *testing.T) map[string]func(path string) error {
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("a secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]func(path string) error{
		"a directory":     func(path string) error { return os.Mkdir(path, 0o700) },
		"a symbolic link": func(path string) error { return os.Symlink(outside, path) },
		"a named pipe":    func(path string) error { return syscall.Mkfifo(path, 0o600) },
	}
}

// replace puts something else in the place of a file.
func replace(t *testing.T, path string, put func(path string) error) {
	t.Helper()
	if err := errors.Join(os.Remove(path), put(path)); err != nil {
		t.Fatal(err)
	}
}

// blobIn is the path of a blob in a store.
func blobIn(store, body string) string {
	d := blobtest.Digest([]byte(body)).String()
	return filepath.Join(store, d[:2], d)
}

// A file of a place that cannot be read is lost, and named with the reason by a dry run, a check
// and a restore; all others are restored. The next backup copies it again.
func TestUnreadableFileOfAPlace(t *testing.T) {
	t.Parallel()
	for what, put := range strangers(t) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			g, files, dir := oldPlace(t)
			g.backUp(t)
			lost := blobtest.Digest([]byte(files["large/1.0.0/a"])).String()
			replace(t, blobIn(filepath.Join(dir, "place"), files["large/1.0.0/a"]), put)
			says := func(doing string, lines []string) {
				t.Helper()
				if !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, lost) && strings.Contains(line, what) }) {
					t.Errorf("%s says %q; want %s, and %s", doing, lines, lost, what)
				}
			}
			for _, subset := range []string{"", "all"} {
				r := g.check(t, subset)
				if says("check", r.Problems); r.Damaged != 1 || len(r.Lacking) != 1 || r.Lacking[0].Files != 1 || !strings.Contains(r.Next, "granary backup --verify") {
					t.Errorf("check: %+v", r)
				}
			}
			for _, o := range []RestoreOptions{{DryRun: true}, {DryRun: true, DatabaseOnly: true}, {}} {
				done, err := g.tryRestore(t, o)
				if err != nil || done.Missing != 1 || done.Bodies != 4 || !o.DatabaseOnly && done.Files != 3 {
					t.Fatalf("%+v: %+v, %v", o, done, err)
				}
				says(fmt.Sprintf("%+v", o), done.Lost)
			}
			if done := g.backUp(t); done.New.Count != 1 || done.Mended != 1 || done.Manifest.Lost.Count > 0 {
				t.Errorf("the next backup: %+v", done)
			}
			if r := g.check(t, "all"); r.Damaged > 0 || r.Next != "" {
				t.Errorf("after it: %+v", r)
			}
		})
	}
}

// Of a store with a file that cannot be read a backup makes a snapshot without it, each time.
func TestBackupOfUnreadableStore(t *testing.T) {
	t.Parallel()
	for what, put := range strangers(t) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			g, files, dir := oldPlace(t)
			replace(t, blobIn(filepath.Join(dir, "old", "blobs"), files["large/1.0.0/a"]), put)
			for range 2 {
				done := g.backUp(t)
				if lost := done.Manifest.Lost; lost.Count != 1 || !strings.Contains(lost.First[0].Why, what) || done.Unfinished != "" {
					t.Errorf("%+v", done)
				}
			}
			if r := g.check(t, "all"); r.Damaged > 0 || r.Snapshots != 2 || r.Lost != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A snapshot whose manifest cannot be read is named, and in nobody's way but that of a forget,
// which removes nothing.
func TestUnreadableManifest(t *testing.T) {
	t.Parallel()
	kinds := strangers(t)
	kinds["damaged"] = func(path string) error { return os.WriteFile(path, []byte("{}"), 0o600) }
	for what, put := range kinds {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			g, _, dir := oldPlace(t)
			first, bad := g.backUp(t), g.backUp(t)
			id := bad.Manifest.ID
			for _, name := range []string{manifestNote(id), manifestCopyOf(id)} {
				replace(t, filepath.Join(dir, "place", filepath.FromSlash(name)), put)
			}
			is := func(s Snapshot) bool { return s.ID == id && strings.Contains(s.Damage, what) && s.Cure != "" }
			found, err := ListBackups(t.Context(), g.placeSettings(t), func(string) {})
			if err != nil || len(found) != 2 || !slices.ContainsFunc(found, is) {
				t.Errorf("ls: %+v, %v", found, err)
			}
			r := g.check(t, "all")
			if r.Damaged != 1 || r.Snapshots != 2 || !strings.Contains(r.Problems[0], id) || !strings.Contains(r.Next, "or forget this snapshot") {
				t.Errorf("check: %+v", r)
			}
			done := g.backUp(t)
			if done.Unfinished != "" || len(done.Damaged) != 1 || !is(done.Damaged[0]) {
				t.Errorf("a backup: %+v", done)
			}
			before := treeOf(t, filepath.Join(dir, "place"))
			if _, err := ForgetBackup(t.Context(), g.placeSettings(t), first.Manifest.ID); err == nil || !strings.Contains(err.Error(), "nothing is removed") || !strings.Contains(err.Error(), manifestNote(id)) {
				t.Errorf("forget: %v", err)
			}
			if after := treeOf(t, filepath.Join(dir, "place")); len(after) != len(before) {
				t.Errorf("forget left\n%v of\n%v", after, before)
			}
			repair := &otherStore{cfg: g.placeSettings(t)}
			defer repair.close()
			small := strings.Repeat("a", 100)
			if copies, err := repair.Copies(t.Context(), Wanted{Digest: blobtest.Digest([]byte(small)), Size: 100}); err != nil || len(copies) != 2 {
				t.Errorf("to repair from it: %v, %v", copies, err)
			}
			if restored, err := g.tryRestore(t, RestoreOptions{}); err != nil || restored.Manifest.ID != done.Manifest.ID || restored.Missing > 0 {
				t.Errorf("restored %+v, %v", restored, err)
			}
			for _, id := range []string{id, first.Manifest.ID} {
				if _, err := ForgetBackup(t.Context(), g.placeSettings(t), id); err != nil {
					t.Errorf("forget %s: %v", id, err)
				}
			}
			if r := g.check(t, "all"); r.Damaged > 0 || r.Snapshots != 1 {
				t.Errorf("afterwards: %+v", r)
			}
		})
	}
}

// Neither do records, packs or the marker that cannot be read stop anything else.
func TestUnreadableNotesOfAPlace(t *testing.T) {
	t.Parallel()
	for what, put := range strangers(t) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			g, _, _ := oldPlace(t)
			first, second := g.backUp(t), g.backUp(t)
			replace(t, g.inPlace(packNote(first.Manifest.Packs[0])), put)
			if r := g.check(t, ""); r.Damaged == 0 {
				t.Errorf("check of a place without its pack: %+v", r)
			}
			if done, err := g.tryRestore(t, RestoreOptions{DryRun: true}); err != nil || done.Missing != 4 || len(done.BadPacks) != 1 {
				t.Errorf("restore without the pack: %+v, %v", done, err)
			}
			if done := g.backUp(t); done.NewSmall.Count != 4 || done.Manifest.Lost.Count > 0 {
				t.Errorf("the next backup: %+v", done)
			}
			if r := g.check(t, "all"); r.Damaged > 0 {
				t.Errorf("after it: %+v", r)
			}
			replace(t, g.inPlace(recordsNoteOf(second.Manifest.ID)), put)
			if r := g.check(t, ""); r.Damaged != 1 || !strings.Contains(r.Problems[0], second.Manifest.ID) {
				t.Errorf("check of a place without records: %+v", r)
			}
			if _, err := ForgetBackup(t.Context(), g.placeSettings(t), first.Manifest.ID); err == nil || !strings.Contains(err.Error(), recordsNoteOf(second.Manifest.ID)) {
				t.Errorf("forget: %v", err)
			}
			if _, err := ForgetBackup(t.Context(), g.placeSettings(t), second.Manifest.ID); err != nil {
				t.Errorf("forget what has no records: %v", err)
			}
			replace(t, g.inPlace(markerNote), put)
			if r := g.check(t, ""); r.Damaged != 1 || !strings.Contains(r.Problems[0], markerNote) || !strings.Contains(r.Next, "writes "+markerNote) {
				t.Errorf("check of a place without its marker: %+v", r)
			}
			g.backUp(t)
			if r := g.check(t, "all"); r.Damaged > 0 || r.Snapshots != 3 {
				t.Errorf("after the last backup: %+v", r)
			}
		})
	}
}

// If nothing of a place can be read, or if it goes away, the restore ends, and makes no database.
func TestPlaceOfWhichNothingCanBeRead(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	url, stop := serveHere(t, g.old, "--inline-max=4096")
	for i := range 30 {
		publishTo(t, url, files, fmt.Sprintf("more/1.0.0/%d", i), strings.Repeat(fmt.Sprint(i), 10_000))
	}
	stop()
	g.backUp(t)
	place := filepath.Join(dir, "place")
	refused := func(want string, report func(Copied)) {
		t.Helper()
		cfg := g.settings(t, g.new)
		_, err := Restore(t.Context(), cfg, RestoreOptions{From: g.placeSettings(t), Snapshot: "latest", Warn: func(string) {}, Report: report})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "the database is still empty") {
			t.Errorf("%v; want %q", err, want)
		}
	}
	refused("is its disk still mounted", func(Copied) {
		if err := os.Rename(place, place+"-away"); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
	if err := errors.Join(os.Rename(place+"-away", place), os.RemoveAll(filepath.Join(dir, "new"))); err != nil {
		t.Fatal(err)
	}
	for path, body := range files {
		if !strings.HasPrefix(path, "small/") {
			replace(t, blobIn(place, body), func(path string) error { return os.Symlink(place, path) })
		}
	}
	refused("none of the first 16 files can be read", func(Copied) {})
}

// A folder of blobs that cannot be listed costs these blobs, and no more.
func TestUnreadableFolderOfAPlace(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	g.backUp(t)
	folder := filepath.Dir(blobIn(filepath.Join(dir, "place"), files["large/1.0.0/a"]))
	if err := errors.Join(os.RemoveAll(folder), os.WriteFile(folder, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if r := g.check(t, "all"); r.Damaged < 2 || r.Damaged > 6 || !strings.Contains(r.Problems[0], "folder") || !strings.Contains(r.Next, unlistedCure) {
		t.Errorf("check: %+v", r)
	}
	if _, err := backUp(t.Context(), g.settings(t, g.old), g.place); err == nil || !strings.Contains(err.Error(), unlistedCure) {
		t.Errorf("a backup: %v, want what to do", err)
	}
	for _, dry := range []bool{true, false} {
		if done, err := g.tryRestore(t, RestoreOptions{DryRun: dry}); err != nil || done.Missing < 1 || done.Missing+done.Files != 4 || done.Bodies != 4 {
			t.Errorf("dry run %v: %+v, %v", dry, done, err)
		}
	}
}

// An object that a bucket denies costs itself; a bucket that denies everything ends each command.
func TestUnreadableObject(t *testing.T) {
	t.Parallel()
	f := newFaultyGrounds(t)
	f.backUp(t)
	digest := blobtest.Digest([]byte(f.files["large/1.0.0/a"])).String()
	const denied = "AccessDenied"
	f.line.denying("/place/" + digest[:2] + "/" + digest)
	if r := f.check(t, "all"); r.Damaged != 1 || !strings.Contains(r.Problems[0], digest) || !strings.Contains(r.Problems[0], denied) {
		t.Errorf("check: %+v", r)
	}
	if done, err := f.tryRestore(t, RestoreOptions{}); err != nil || done.Missing != 1 || done.Files != 2 || !strings.Contains(done.Lost[0], denied) {
		t.Errorf("restore: %+v, %v", done, err)
	}
	found, err := ListBackups(t.Context(), f.placeSettings(t), func(string) {})
	if err != nil || len(found) != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	f.line.denying(found[0].ID)
	done := f.backUp(t)
	if len(done.Damaged) != 1 || !strings.Contains(done.Damaged[0].Damage, denied) {
		t.Errorf("backup: %+v", done)
	}
	f.line.denying("/old/" + digest[:2] + "/" + digest)
	f.place = f.where("elsewhere")
	if done := f.backUp(t); done.Manifest.Lost.Count != 1 || !strings.Contains(done.Manifest.Lost.First[0].Why, denied) {
		t.Errorf("backup of a store that denies an object: %+v", done)
	}
	f.line.denying("/")
	if found, err := ListBackups(t.Context(), f.placeSettings(t), func(string) {}); err == nil || !strings.Contains(err.Error(), denied) {
		t.Errorf("ls of a bucket that denies everything: %+v, %v", found, err)
	}
	if r, err := CheckBackups(t.Context(), f.placeSettings(t), AllBlobs()); err == nil {
		t.Errorf("check of it: %+v", r)
	}
}
