package metadb

import (
	"path/filepath"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/eventually"
	"granary/internal/fault"
	"granary/internal/metadb/metadbtest"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// choice is what a selector chooses in package tool; "" for nothing.
func choice(t *testing.T, db *DB, projectID int64, text string) string {
	t.Helper()
	v, err := db.ChooseVersion(t.Context(), projectID, "tool", registry.Version(text), *parseSelector(t, text))
	if fault.Is(err, fault.NotFound) {
		return ""
	}
	return string(must(t, v, err))
}

// Every deed that changes which versions there are drops what was chosen before: on the
// node that does it, and on another one.
func TestDeedsDropChoices(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		db := openSQLite(t)
		testDeedsDropChoices(t, db, db)
	})
	t.Run("postgres", func(t *testing.T) {
		dsn := metadbtest.Postgres(t, migrated)
		one, err := OpenPostgres(t.Context(), dsn, sqldb.Options{MaxConnections: 4})
		closing(t, one, err)
		other, err := OpenPostgres(t.Context(), dsn, sqldb.Options{MaxConnections: 4})
		closing(t, other, err)
		testDeedsDropChoices(t, one, other)
	})
}

func testDeedsDropChoices(t *testing.T, db, asked *DB) {
	p := demo(t, db)
	publish := func(version string, status *registry.Status) registry.File {
		t.Helper()
		pub := publication(p.ID, version, "f")
		pub.Status = status
		f, err := db.AddFile(t.Context(), pub)
		return must(t, f, err)
	}
	edit := func(version string, change func(*registry.PackageVersion)) {
		t.Helper()
		_, err := db.EditVersion(t.Context(), p.ID, "tool", registry.Version(version), time.Now(), func(v *registry.PackageVersion) ([]audit.Event, error) {
			change(v)
			return []audit.Event{{At: time.Now()}}, nil
		})
		must(t, 0, err)
	}
	move := func(version string) {
		t.Helper()
		c := registry.Channel{ProjectID: p.ID, Package: "tool", Name: "stable", Version: registry.Version(version), MovedAt: time.Now()}
		_, _, err := db.MoveChannel(t.Context(), c, roomy(), func(*registry.Channel, registry.PackageVersion) (audit.Event, error) { return audit.Event{}, nil })
		must(t, 0, err)
	}
	remove := func(f registry.File) {
		t.Helper()
		must(t, 0, db.RemovePackage(t.Context(), registry.Removed{ProjectID: p.ID, PackageID: f.PackageID, Now: time.Now()}, func(registry.Package) (audit.Event, error) { return audit.Event{}, nil }))
	}
	var newest registry.File
	hidden, shown := registry.StatusHidden, registry.StatusDefault
	for _, deed := range []struct {
		what                   string
		do                     func()
		latest, caret, channel string
	}{
		{"a first version", func() { publish("1.0.0", nil) }, "1.0.0", "1.0.0", ""},
		{"a channel", func() { move("1.0.0") }, "1.0.0", "1.0.0", "1.0.0"},
		{"a new version", func() { newest = publish("1.1.0", nil) }, "1.1.0", "1.1.0", "1.0.0"},
		{"a channel moves", func() { move("1.1.0") }, "1.1.0", "1.1.0", "1.1.0"},
		{"a yank", func() { edit("1.1.0", func(v *registry.PackageVersion) { v.YankedAt = new(time.Now()) }) }, "1.0.0", "1.0.0", ""},
		{"its end", func() { edit("1.1.0", func(v *registry.PackageVersion) { v.YankedAt = nil }) }, "1.1.0", "1.1.0", "1.1.0"},
		{"a publish that hides", func() { publish("1.1.0", &hidden) }, "1.0.0", "1.0.0", ""},
		{"one that shows", func() { publish("1.1.0", &shown) }, "1.1.0", "1.1.0", "1.1.0"},
		{"a restored file that hides", func() { restore(t, db, newest, p.ID, &hidden) }, "1.0.0", "1.0.0", ""},
		{"one that shows", func() { restore(t, db, newest, p.ID, &shown) }, "1.1.0", "1.1.0", "1.1.0"},
		{"an edit of the status", func() { edit("1.1.0", func(v *registry.PackageVersion) { v.Status = hidden }) }, "1.0.0", "1.0.0", ""},
		{"its end", func() { edit("1.1.0", func(v *registry.PackageVersion) { v.Status = shown }) }, "1.1.0", "1.1.0", "1.1.0"},
		{"a version of the selector's name", func() { newest = publish("latest", nil) }, "latest", "1.1.0", "1.1.0"},
		{"its removal", func() { remove(newest) }, "1.1.0", "1.1.0", "1.1.0"},
		{"a purge", func() { _, _ = db.PurgeDeleted(t.Context(), 10, time.Now()) }, "1.1.0", "1.1.0", "1.1.0"},
		{"a channel goes", func() {
			must(t, 0, db.RemoveChannel(t.Context(), registry.Channel{ProjectID: p.ID, Package: "tool", Name: "stable"}, func(registry.Channel) (audit.Event, error) { return audit.Event{}, nil }))
		}, "1.1.0", "1.1.0", ""},
		{"versions get keys", func() {
			do(t, db, `UPDATE packages SET version_key = NULL, prerelease = NULL WHERE version = '1.0.0'`)
			n, err := db.KeyVersions(t.Context(), 10)
			must(t, n, err)
		}, "1.1.0", "1.1.0", ""},
		{"the project goes", func() {
			must(t, 0, db.DeleteProject(t.Context(), p.ID, time.Now(), audit.Event{}))
			_, err := db.PurgeDeleted(t.Context(), 10, time.Now())
			must(t, 0, err)
		}, "", "", ""},
	} {
		deed.do()
		for range 2 { // the second time from memory
			got := [3]string{choice(t, asked, p.ID, "latest"), choice(t, asked, p.ID, "^1"), choice(t, asked, p.ID, "@stable")}
			if want := [3]string{deed.latest, deed.caret, deed.channel}; got != want {
				t.Fatalf("after %s: %q, want %q", deed.what, got, want)
			}
		}
	}
}

// restore publishes the bytes of a file again, with a status.
func restore(t *testing.T, db *DB, f registry.File, projectID int64, status *registry.Status) {
	t.Helper()
	pub := publication(projectID, "1.1.0", "f")
	pub.Status, pub.Restored = status, &f
	_, err := db.AddFile(t.Context(), pub)
	must(t, 0, err)
}

// What another process does to a database file drops what was chosen, soon.
func TestChoicesBesideAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "granary.db")
	db, err := OpenSQLite(t.Context(), path, sqldb.Options{})
	closing(t, db, err)
	beside, err := OpenSQLite(t.Context(), path, sqldb.Options{Attach: true})
	closing(t, beside, err)
	p := demo(t, db)
	_, err = db.AddFile(t.Context(), publication(p.ID, "1.0.0", "f"))
	must(t, 0, err)
	if got := choice(t, db, p.ID, "latest"); got != "1.0.0" {
		t.Fatal(got)
	}
	do(t, beside, `UPDATE packages SET yanked_at = 1`)
	eventually.Holds(t, "the yank is seen", func() bool { return choice(t, db, p.ID, "latest") == "" })
}
