package daemon

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/blob"
	"granary/internal/blob/disk"
)

// TestBegunRestoreKeepsServersAway: whenever a restore is cut short, no server begins anew beside what it
// has left, and no command gives the store to other records: the restore is run again.
func TestBegunRestoreKeepsServersAway(t *testing.T) {
	t.Parallel()
	allGrounds(t, func(t *testing.T, g grounds) {
		large := strings.Repeat("large", 10_000)
		files := map[string]string{}
		url, stop := serveHere(t, g.old, "--inline-max=4096")
		publishTo(t, url, files, "tool/1.0.0/large", large)
		publishTo(t, url, files, "tool/1.0.0/small", "small")
		stop()
		g.backUp(t)
		cfg := g.settings(t, g.new)
		onDisk := cfg.Blobs.Scheme == "file"
		cuts := map[string]func(*RestoreOptions, func()){
			"while files are copied": func(o *RestoreOptions, cut func()) { o.Report = func(Copied) { cut() } },
		}
		if onDisk {
			cuts["after its first note"] = func(o *RestoreOptions, cut func()) {
				o.at.store = func(p disk.Point) {
					if p == disk.AfterNoteDirSync {
						cut()
					}
				}
			}
		}
		for _, when := range []string{"after its first note", "while files are copied"} {
			prepare, has := cuts[when]
			if !has {
				continue
			}
			o := RestoreOptions{Snapshot: "latest", Report: func(Copied) {}}
			var err error
			if o.From, err = cfg.WithBlobs(g.place); err != nil {
				t.Fatal(err)
			}
			ctx, cut := context.WithCancel(t.Context())
			prepare(&o, cut)
			_, err = Restore(ctx, cfg, o)
			cut()
			if err == nil {
				t.Fatalf("%s: it was not cut short", when)
			}
			says := func(who, text string) {
				t.Helper()
				if !strings.Contains(text, "run granary restore --from '"+g.place[:strings.Index(g.place, ":")]) || strings.Contains(text, "identity") {
					t.Errorf("%s, %s: %q", when, who, text)
				}
			}
			_, err = Rebuild(t.Context(), cfg, RebuildOptions{Tell: func(Finding) error { return nil }})
			says("rebuild", errors.Join(err, errors.New("")).Error())
			says("serve", refusedIn(t, append([]string{noReserve}, g.new...)))
			a := openAdmin(t, cfg)
			_, err = a.Fsck(t.Context(), FsckOptions{Tell: func(Finding) error { return nil }})
			says("fsck", errors.Join(err, errors.New("")).Error())
			to, failed := cfg.WithBlobs("file:" + filepath.Join(t.TempDir(), "other"))
			if failed != nil {
				t.Fatal(failed)
			}
			_, err = a.Backup(t.Context(), BackupOptions{To: to, Report: func(BackupProgress) {}})
			says("backup", errors.Join(err, errors.New("")).Error())
		}
		g.restore(t, RestoreOptions{})
		if note, err := readRestoring(noteOf(t, g.new, g, restoringNote)); note != nil || err != nil {
			t.Errorf("afterwards: %v, %v, want no note", note, err)
		}
		url, stop = serveHere(t, g.new, "--inline-max=4096")
		checkRestored(t, url, files, files)
		stop()
	})
}

// noteOf opens a note of the store of some settings.
func noteOf(t *testing.T, of []string, g grounds, name string) (io.ReadCloser, error) {
	t.Helper()
	store, err := openSource(t.Context(), g.settings(t, of))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(store) })
	return store.Note(t.Context(), name)
}

// TestNoNoteOfARefusedRestore: what was refused has not begun.
func TestNoNoteOfARefusedRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := grounds{
		old:   []string{asRoot, "GRANARY_DATA_DIR=" + filepath.Join(dir, "old")},
		new:   []string{asRoot, "GRANARY_DATA_DIR=" + filepath.Join(dir, "old"), "GRANARY_BLOBS=file:" + filepath.Join(dir, "new")},
		place: "file:" + filepath.Join(dir, "place"),
	}
	_, stop := serveHere(t, g.old)
	stop()
	g.backUp(t)
	if _, err := g.tryRestore(t, RestoreOptions{}); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("into a database with records: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it made something in the store: %v", err)
	}
}

// TestServerEndsARestore: a restore that died after the database was filled is over, and the
// server removes its note.
func TestServerEndsARestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, stop := serveHere(t, nil, "--data-dir="+dir)
	stop()
	note := filepath.Join(dir, "blobs", restoringNote)
	if err := os.WriteFile(note, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stop = serveHere(t, nil, "--data-dir="+dir)
	stop()
	if _, err := os.Stat(note); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the note: %v, want none", err)
	}
}

// TestNoOtherIdentityForAStoreWithFiles: who has an empty database and a store of others,
// without records, is told to restore, not to make the store its own.
func TestNoOtherIdentityForAStoreWithFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := putIdentity(t.Context(), s, "theirs"); err != nil {
		t.Fatal(err)
	}
	up, err := s.Create(t.Context(), blob.Declared{Size: 5})
	if err == nil {
		_, err = up.Write([]byte("bytes"))
	}
	if err == nil {
		err = up.Commit(sha256.Sum256([]byte("bytes")))
	}
	if err != nil {
		t.Fatal(err)
	}
	got := refused(t, "--data-dir="+t.TempDir(), "--blobs=file:"+dir)
	if !strings.Contains(got, "granary restore makes the database again") || strings.Contains(got, "identity") {
		t.Error(got)
	}
}

// TestRestoreSaysSoFirst: the note of a restore is in the store before anything of a database that
// is there, and is empty, is changed; also of one that another restore or rebuild has left.
func TestRestoreSaysSoFirst(t *testing.T) {
	t.Parallel()
	g := newLostGrounds(t)
	cfg := g.settings(t, g.new)
	from, err := cfg.WithBlobs(g.place)
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"an empty file", "half a schema"} {
		if err := os.RemoveAll(cfg.DataDir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
			t.Fatal(err)
		}
		leave(t, cfg.Database.Path, what)
		before := schemaIn(t, cfg.Database.Path)
		ctx, cut := context.WithCancel(t.Context())
		o := RestoreOptions{From: from, Snapshot: "latest", Report: func(Copied) {}}
		looked := false
		o.at.store = func(p disk.Point) {
			if p != disk.AfterNoteDirSync || looked {
				return
			}
			looked = true
			after := schemaIn(t, cfg.Database.Path)
			if _, err := os.Stat(filepath.Join(cfg.Blobs.Path, restoringNote)); err != nil || before != after {
				t.Errorf("%s: the schema went from %s to %s, and the note: %v", what, before, after, err)
			}
			cut()
		}
		if _, err := Restore(ctx, cfg, o); err == nil || !looked {
			t.Errorf("%s: it was not cut short: %v", what, err)
		}
		_, err = OpenAdmin(t.Context(), cfg, "test")
		if err == nil || !strings.Contains(err.Error(), "run granary restore --from") {
			t.Errorf("%s: then fsck says %v", what, err)
		}
	}
	g.restore(t, RestoreOptions{})
}

// schemaIn is the version of a database's schema, or why there is none.
func schemaIn(t *testing.T, path string) (version string) {
	t.Helper()
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if err := raw.QueryRowContext(t.Context(), `SELECT MAX(version_id) FROM goose_db_version`).Scan(&version); err != nil {
		return err.Error()
	}
	return version
}

// TestRebuildAfterACutRestore: what a store had before a restore that was cut short is rebuilt,
// and that is said.
func TestRebuildAfterACutRestore(t *testing.T) {
	t.Parallel()
	g := newLostGrounds(t)
	cfg := g.settings(t, g.old)
	from, err := cfg.WithBlobs(g.place)
	if err != nil {
		t.Fatal(err)
	}
	leave(t, cfg.Database.Path, "no file")
	ctx, cut := context.WithCancel(t.Context())
	o := RestoreOptions{From: from, Snapshot: "latest", Report: func(Copied) {}}
	o.at.store = func(p disk.Point) {
		if p == disk.AfterNoteDirSync {
			cut()
		}
	}
	if _, err := Restore(ctx, cfg, o); err == nil {
		t.Fatal("it was not cut short")
	}
	told := ""
	done, err := Rebuild(t.Context(), cfg, RebuildOptions{Tell: func(Finding) error { return nil }, Notice: func(text string) { told += text }})
	if err != nil || !done.Whole() || done.Bodies != 1 || !strings.Contains(told, "run granary restore --from '"+g.place) {
		t.Errorf("%+v, %v, told %q", done, err, told)
	}
	_, stop := serveHere(t, g.old)
	stop()
	if _, err := os.Stat(filepath.Join(cfg.Blobs.Path, restoringNote)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the note: %v, want none", err)
	}
}
