package daemon

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"granary/internal/blob/disk"
	"granary/internal/config"
	"granary/internal/metadb"
)

// newLostGrounds are those of a server on a disk that has run, and was backed up.
func newLostGrounds(t *testing.T) grounds {
	t.Helper()
	dir := t.TempDir()
	g := grounds{
		old:   []string{asRoot, "GRANARY_DATA_DIR=" + filepath.Join(dir, "old")},
		new:   []string{asRoot, "GRANARY_DATA_DIR=" + filepath.Join(dir, "new")},
		place: "file:" + filepath.Join(dir, "place"),
	}
	url, stop := serveHere(t, g.old, "--inline-max=4096")
	publishTo(t, url, map[string]string{}, "tool/1.0.0/small", "small")
	stop()
	g.backUp(t)
	return g
}

// leave leaves of a database what a command may leave that was stopped early.
func leave(t *testing.T, path, what string) {
	t.Helper()
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + end); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	switch what {
	case "an empty file":
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	case "half a schema":
		raw, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		steps, err := goose.NewProvider(goose.DialectSQLite3, raw, os.DirFS(filepath.Join("..", "metadb", "migrations", "sqlite")))
		if err == nil {
			_, err = steps.UpTo(t.Context(), 12)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestStoppedBeforeTheSchemaStands: whatever a restore or rebuild leaves that is stopped before
// it fills the database, every command says which one is to be run again, and that works.
func TestStoppedBeforeTheSchemaStands(t *testing.T) {
	t.Parallel()
	g := newLostGrounds(t)
	left := []string{"no file", "an empty file", "half a schema"}
	cfg := g.settings(t, g.new)
	ctx, cut := context.WithCancel(t.Context())
	o := RestoreOptions{Snapshot: "latest", Report: func(Copied) {}}
	o.at.store = func(p disk.Point) {
		if p == disk.AfterNoteDirSync {
			cut()
		}
	}
	var err error
	if o.From, err = cfg.WithBlobs(g.place); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(ctx, cfg, o); err == nil {
		t.Fatal("it was not stopped")
	}
	says := func(who, what string, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "older than") {
			t.Errorf("%s, with %s: %v, want %q", who, what, err, want)
		}
	}
	for _, what := range left {
		leave(t, cfg.Database.Path, what)
		_, err := OpenAdmin(t.Context(), cfg, "test")
		says("fsck", what, err, "run granary restore --from 'file:")
		to := g.settings(t, append(g.new, "GRANARY_DATABASE=sqlite:"+filepath.Join(t.TempDir(), "to.db")))
		says("migrate-database", what, MigrateDatabase(t.Context(), to, cfg.Database, io.Discard), "run granary restore --from 'file:")
		if _, err := g.tryRestore(t, RestoreOptions{DryRun: true}); err != nil {
			t.Errorf("a dry run, with %s: %v", what, err)
		}
	}
	g.restore(t, RestoreOptions{})

	cfg = g.settings(t, g.old)
	for _, what := range left {
		leave(t, cfg.Database.Path, what)
		_, err := OpenAdmin(t.Context(), cfg, "test")
		says("fsck", what, err, "if it is lost, "+WayBack(true))
	}
	if done, err := Rebuild(t.Context(), cfg, RebuildOptions{Tell: func(Finding) error { return nil }}); err != nil || !done.Whole() {
		t.Errorf("a rebuild on half a schema: %+v, %v", done, err)
	}
}

// TestRestoreTellsOfNewerRecords: who restores to a store with later records is told so before,
// and what keeps them.
func TestRestoreTellsOfNewerRecords(t *testing.T) {
	t.Parallel()
	r := newReplacedRecords(t, false)
	cfg := r.config()
	from := r.place(cfg)
	for _, dry := range []bool{true, false} {
		var told []string
		o := RestoreOptions{From: from, Snapshot: "latest", DryRun: dry, Report: func(Copied) {}, Warn: func(text string) { told = append(told, text) }}
		done, err := Restore(t.Context(), cfg, o)
		if err != nil || done.Replaced == nil || done.Replaced.UnixMicro() != r.later {
			t.Errorf("dry run %v: %+v, %v", dry, done.Replaced, err)
		}
		for _, want := range []string{time.UnixMicro(r.later).UTC().Format(time.RFC3339Nano), r.backup.Manifest.Began.Format(time.RFC3339Nano), "granary rebuild"} {
			if len(told) != 1 || !strings.Contains(told[0], want) {
				t.Errorf("dry run %v: told %q, want %q once", dry, told, want)
			}
		}
	}
	r.check()
}

// TestRestoreLooksAtTheKey: who has the right key is not told to put it back.
func TestRestoreLooksAtTheKey(t *testing.T) {
	t.Parallel()
	g := newLostGrounds(t)
	right, err := os.ReadFile(filepath.Join(g.settings(t, g.old).DataDir, keyFile))
	if err != nil {
		t.Fatal(err)
	}
	for want, key := range map[string]string{
		"put the encryption key back, as encryption_key in ": "",
		"is not the one that":                                strings.Repeat("0b", metadb.KeySize),
		"is damaged":                                         "0b",
		"":                                                   string(right),
	} {
		dir := t.TempDir()
		g.new = []string{asRoot, "GRANARY_DATA_DIR=" + dir}
		if key != "" {
			if err := os.WriteFile(filepath.Join(dir, keyFile), []byte(key), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		done, err := g.tryRestore(t, RestoreOptions{})
		if err != nil || !strings.Contains(done.Key, want) || want == "" && done.Key != "" {
			t.Errorf("%q, %v, want %q", done.Key, err, want)
		}
	}
}

// TestRecordsWithoutIdentity: if only the note is lost that says whose a store is, its records
// say it.
func TestRecordsWithoutIdentity(t *testing.T) {
	t.Parallel()
	g := newLostGrounds(t)
	cfg := g.settings(t, g.old)
	note := filepath.Join(cfg.Blobs.Path, identityNote)
	identity, err := readIdentity(disk.NoteIn(cfg.Blobs.Path, identityNote))
	if err != nil || os.Remove(note) != nil {
		t.Fatal(err)
	}
	leave(t, cfg.Database.Path, "no file")
	if got := refusedIn(t, append([]string{noReserve}, g.old...)); !strings.Contains(got, "granary rebuild says what to do") {
		t.Errorf("a start: %s", got)
	}
	if _, err := os.Stat(note); !os.IsNotExist(err) {
		t.Errorf("a start gave the store another identity: %v", err)
	}
	rebuild := func() error {
		_, err := Rebuild(t.Context(), cfg, RebuildOptions{Tell: func(Finding) error { return nil }})
		return err
	}
	if err := rebuild(); err == nil || !strings.Contains(err.Error(), identity) || !strings.Contains(err.Error(), "write that text to a file or object identity") {
		t.Errorf("a rebuild: %v, want the identity %q", err, identity)
	}
	if err := os.WriteFile(note, []byte(identity), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := rebuild(); err != nil {
		t.Errorf("with the note: %v", err)
	}
}

// TestLogAlone: a start, a rebuild and a restore leave the log of a database that was moved away,
// for the file may come back.
func TestLogAlone(t *testing.T) {
	t.Parallel()
	g := newLostGrounds(t)
	cfg := g.settings(t, g.old)
	dir := cfg.DataDir
	database := filepath.Join(dir, "granary.db")
	for _, left := range []string{"no file", "an empty file"} {
		leave(t, database, left)
		if err := os.WriteFile(database+"-wal", []byte("what was acknowledged last"), 0o600); err != nil {
			t.Fatal(err)
		}
		got := refused(t, "--data-dir="+dir)
		if !strings.Contains(got, "its log granary.db-wal is there") || !strings.Contains(got, "put the database back beside it") {
			t.Errorf("%s: %s", left, got)
		}
		place := g.placeSettings(t)
		_, rebuilt := Rebuild(t.Context(), cfg, RebuildOptions{Tell: func(Finding) error { return nil }})
		_, restored := Restore(t.Context(), cfg, RestoreOptions{From: place, Snapshot: "latest", Report: func(Copied) {}})
		for what, err := range map[string]error{"rebuild": rebuilt, "restore": restored} {
			if err == nil || !strings.Contains(err.Error(), "move granary.db-wal and granary.db-shm away first") {
				t.Errorf("%s, %s: %v", left, what, err)
			}
		}
		if log, err := os.ReadFile(database + "-wal"); err != nil || string(log) != "what was acknowledged last" {
			t.Errorf("%s: the log is %q, %v", left, log, err)
		}
	}
}

// TestPlaceOfTwo: a backup says if another database of the same identity has backed up to its
// place; and no place is within another.
func TestPlaceOfTwo(t *testing.T) {
	t.Parallel()
	allGrounds(t, func(t *testing.T, g grounds) {
		_, stop := serveHere(t, g.old, "--inline-max=4096")
		stop()
		old, drill := g.settings(t, g.old), g.settings(t, g.new)
		backs := func(who string, cfg config.Config, want string) BackedUp {
			t.Helper()
			done, err := backUp(t.Context(), cfg, g.place)
			if err != nil || done.Foreign != want {
				t.Errorf("%s: %q, %v, want %q", who, done.Foreign, err, want)
			}
			return done
		}
		backs("the first", old, "")
		backs("the second", old, "")
		g.restore(t, RestoreOptions{})
		theirs := backs("a drill", drill, "")
		place, err := old.WithBlobs(g.place)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := backUpWith(t.Context(), old, BackupOptions{To: place, Report: func(BackupProgress) {}, Keep: KeepBackups{Daily: 1}})
		if err != nil || kept.Foreign != theirs.Manifest.ID || kept.Gone.Snapshots != nil || !strings.Contains(kept.Unfinished, "no older snapshot is forgotten") {
			t.Errorf("the server after it, with a rule: %+v, %v", kept, err)
		}
		backs("once more", old, "")

		// Both know of a last backup to elsewhere.
		elsewhere := longerPlace(g.place, "-2")
		for _, cfg := range []config.Config{old, drill} {
			if _, err := backUp(t.Context(), cfg, longerPlace(g.place, "-of-"+filepath.Base(cfg.DataDir))); err != nil {
				t.Fatal(err)
			}
		}
		ours, err := backUp(t.Context(), old, elsewhere)
		if err != nil || ours.Foreign != "" {
			t.Errorf("the server elsewhere: %+v, %v", ours, err)
		}
		again, err := backUp(t.Context(), drill, elsewhere)
		if err != nil || again.Foreign != ours.Manifest.ID {
			t.Errorf("the drill elsewhere: %q, %v", again.Foreign, err)
		}

		if _, err := backUp(t.Context(), old, longerPlace(drill.Blobs.String(), "/below")); err == nil || !strings.Contains(err.Error(), "is a server's store") {
			t.Errorf("a place within the store of the drill: %v", err)
		}
		if _, err := backUp(t.Context(), old, longerPlace(g.place, "/below")); err == nil || !strings.Contains(err.Error(), "is a place of backups itself") {
			t.Errorf("a place in a place: %v", err)
		}
	})
}

// A store that has lost all its records is damage, unless a server may not have come to write them.
func TestRecordsAreGone(t *testing.T) {
	t.Parallel()
	g := newLostGrounds(t)
	cfg := g.settings(t, g.old)
	if err := os.RemoveAll(filepath.Join(cfg.Blobs.Path, "records")); err != nil {
		t.Fatal(err)
	}
	if done, found := fsck(t, cfg, FsckOptions{}); done.Damaged() {
		t.Errorf("right after the last event: %+v", found)
	}
	raw, err := sql.Open("sqlite", cfg.Database.Path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = raw.ExecContext(t.Context(), `UPDATE audit_events SET id = id - 3600000000`)
	if err := errors.Join(err, raw.Close()); err != nil {
		t.Fatal(err)
	}
	if done, found := fsck(t, cfg, FsckOptions{}); !done.Damaged() || len(found) != 1 || found[0].Kind != LostRecords || !strings.Contains(found[0].Reason, "lacks records") {
		t.Errorf("an hour after the last event: %+v", found)
	}
	cfg.RecordsEvery = 0
	if done, found := fsck(t, cfg, FsckOptions{}); done.Damaged() {
		t.Errorf("with records-every 0: %+v", found)
	}
}

// longerPlace is another place, whose name goes on.
func longerPlace(place, more string) string {
	place, parameters, is := strings.Cut(place, "?")
	if !is {
		return place + more
	}
	return place + more + "?" + parameters
}
