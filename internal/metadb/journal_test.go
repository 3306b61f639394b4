package metadb

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/blob/disk"
	"granary/internal/metadb/metadbtest"
	"granary/internal/records"
	"granary/internal/releases"
)

// kept is a database whose records a journal keeps, by a clock that the test sets.
type kept struct {
	t     *testing.T
	db    *DB
	store *disk.Store
	at    time.Time
	j     *records.Journal

	missed []int64 // what the journal has said of events that came too late
}

// keep begins the journal of an empty database.
func keep(t *testing.T, db *DB) *kept {
	t.Helper()
	store, err := disk.Open(filepath.Join(metadbtest.Memory(t), "blobs"))
	must(t, store, err)
	k := &kept{t: t, db: db, store: store, at: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	k.restart()
	return k
}

// restart is the journal of a server that starts.
func (k *kept) restart() {
	k.t.Helper()
	identity, _, err := k.db.StoreIdentity(k.t.Context())
	must(k.t, identity, err)
	k.j = &records.Journal{Store: k.store, Database: k.db, Identity: identity, Now: func() time.Time { return k.at }, Missed: func(n int64) { k.missed = append(k.missed, n) }}
}

// after moves the clock.
func (k *kept) after(d time.Duration) { k.at = k.at.Add(d) }

// step writes a file, and compares what the journal says of it.
func (k *kept) step(all bool) {
	k.t.Helper()
	got, err := k.j.Step(k.t.Context(), false)
	if must(k.t, got, err) != all {
		k.t.Errorf("at %v the journal has everything: %v, want %v", k.at, got, all)
	}
}

// event records an event of a target, with the time of the clock and a difference.
func (k *kept) event(d time.Duration, kind string, id int64) {
	k.t.Helper()
	must(k.t, 0, k.db.do(k.t.Context(), func(tx tx) error {
		return tx.record(k.t.Context(), audit.Event{Name: audit.UserCreated, At: k.at.Add(d), Entity: audit.WholeInstance()}.To(kind, id, ""))
	}))
}

// rebuilt is a database that was made from the journal.
func (k *kept) rebuilt() *DB {
	k.t.Helper()
	f, err := records.Find(k.t.Context(), k.store, k.j.Identity)
	if must(k.t, f, err); len(f.Damaged) > 0 {
		k.t.Errorf("damaged: %q", f.Damaged)
	}
	to := openSQLite(k.t)
	into := &records.JournalTarget{Target: to, Packs: f.Packs}
	s, err := records.Replay(k.t.Context(), into, f.Files)
	if must(k.t, s, err); len(into.Bad) > 0 {
		k.t.Errorf("damaged: %v", into.Bad)
	}
	return to
}

// wantEvents compares the events in the journal with those of the database.
func (k *kept) wantEvents(when string) {
	k.t.Helper()
	if got, want := tableRows(k.t, k.rebuilt(), "audit_events"), tableRows(k.t, k.db, "audit_events"); !slices.Equal(got, want) {
		k.t.Errorf("%s: %d events are in the records, want %d", when, len(got), len(want))
	}
}

// TestJournalOfWhatWasChangedBack: a small table was changed, a base has it, and it was changed
// back: a delta has that, although the table is as in the delta before the base.
func TestJournalOfWhatWasChangedBack(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		k := keep(t, db)
		k.event(-time.Second, "User", 1)
		k.step(true)
		k.after(24*time.Hour - 10*time.Second)
		k.event(-time.Second, "User", 1)
		k.step(true)
		k.after(20 * time.Second)
		do(t, db, `INSERT INTO features (name, percentage_of_time, percentage_of_actors) VALUES ('on', 1, 1)`)
		k.event(-time.Second, "User", 1)
		k.step(false) // a delta waits, and a base does not
		if n := rowsOf(t, k.rebuilt(), "features"); n != 1 {
			t.Fatalf("the base has %d features, want 1", n)
		}
		do(t, db, `DELETE FROM features`)
		k.after(time.Minute)
		k.event(-time.Second, "User", 1)
		k.step(true)
		if n := rowsOf(t, k.rebuilt(), "features"); n != 0 {
			t.Errorf("%d features are left, want none", n)
		}
	})
}

// TestDeltaOfManyEvents: more events than fit into a delta do not wait for the small tables: the
// journal asks for the rest at once, and would read them all again.
func TestDeltaOfManyEvents(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		do(t, db, fmt.Sprintf(`INSERT INTO audit_events (%s)
			WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			SELECT i, 'user_created', 'Instance', 0, '', 0, '', '', '', 0, '', 0, '', 'User', '', '', '', '', 1 FROM n`, eventColumns, mostDeltaEvents+1))
		for to, want := range map[int64]records.Changed{0: {New: mostDeltaEvents, More: true}, 1: {New: mostDeltaEvents, Waits: true}} {
			w, err := records.NewWriter(io.Discard)
			must(t, w, err)
			c, err := db.Delta(t.Context(), w, records.Since{To: to, Look: to, NoSmall: true})
			if must(t, c, err); c.New != want.New || c.More != want.More || c.Waits != want.Waits {
				t.Errorf("after %d: %d new events, more: %v, waits: %v", to, c.New, c.More, c.Waits)
			}
		}
	})
}

// TestJournalOfABodyPublishedAgain: the only body of a pack is purged, a base retires the pack,
// and a delta has the same body again, in a pack of the same name.
func TestJournalOfABodyPublishedAgain(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		root := newUser(t, db, "root", false)
		group := newGroup(t, db, 0, "outer", access.Private, root.ID)
		project := newProject(t, db, group.ID, "project", access.Private, root.ID)
		k := keep(t, db)
		publish := func() {
			k.event(-time.Second, "PackageFile", publishTo(t, db, project.ID, 1).ID)
			k.step(true)
		}
		publish()
		do(t, db, `DELETE FROM package_files`, `DELETE FROM packages`, `DELETE FROM blob_contents`, `DELETE FROM blobs`)
		k.after(25 * time.Hour)
		k.event(-time.Second, "Job", 1)
		k.step(true)
		k.after(time.Hour)
		publish()
		if again := k.rebuilt(); rowsOf(t, again, "package_files") != 1 || rowsOf(t, again, "blob_contents") != 1 {
			t.Errorf("%d files with %d bodies, want 1", rowsOf(t, again, "package_files"), rowsOf(t, again, "blob_contents"))
		}
		damage, err := records.Verify(t.Context(), k.store, k.j.Identity, db)
		if must(t, damage, err).Found() {
			t.Errorf("damaged: %q", damage.What)
		}
		k.after(25 * time.Hour)
		k.event(-time.Second, "Job", 1)
		k.step(true)
		if again := k.rebuilt(); rowsOf(t, again, "blob_contents") != 1 {
			t.Errorf("after a base: %d bodies, want 1", rowsOf(t, again, "blob_contents"))
		}
	})
}

// TestJournalOfALateEvent: an event comes late, when a base ends at the last one. The delta with
// it is read after the base.
func TestJournalOfALateEvent(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		k := keep(t, db)
		k.event(-time.Second, "Job", 1)
		k.step(true)
		k.after(24*time.Hour - 10*time.Second)
		k.event(-time.Second, "User", 1)
		k.step(true)
		k.after(20 * time.Second)
		k.event(-time.Second, "User", 2)
		k.step(false) // a base
		k.event(-2*time.Second, "User", 3)
		k.after(time.Minute)
		k.step(true)
		k.wantEvents("after a late event")
	})
}

// TestBehindAfterARebuild: a database that was made again from a part of the journal is not
// older than that; its own journal has not begun.
func TestBehindAfterARebuild(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		k := keep(t, db)
		k.event(-time.Second, "Job", 1)
		k.step(true)
		do(t, db, `UPDATE audit_events SET id = id - 7000000`) // it lacks what the base has, and has an earlier one
		if _, _, err := records.Behind(t.Context(), k.store, db, k.at); err != records.ErrOlder {
			t.Fatalf("of a database without the last event: %v", err)
		}
		k.after(time.Hour)
		must(t, 0, db.do(t.Context(), func(tx tx) error {
			return tx.record(t.Context(), audit.Event{Name: audit.DatabaseRebuilt, At: k.at, Entity: audit.WholeInstance()})
		}))
		k.after(time.Minute)
		behind, has, err := records.Behind(t.Context(), k.store, db, k.at)
		if must(t, behind, err) != time.Minute || !has {
			t.Errorf("the journal is %v behind, there: %v", behind, has)
		}
	})
}

// TestBehindOfACopy: a database that was put back, and has gone on by itself, is older than the
// deltas that others wrote before.
func TestBehindOfACopy(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		k := keep(t, db)
		k.event(-time.Second, "Job", 1)
		k.step(true)
		k.after(time.Minute)
		k.event(-time.Second, "Job", 2)
		k.step(true) // a delta
		do(t, db, `DELETE FROM audit_events WHERE id = (SELECT MAX(id) FROM audit_events)`)
		k.after(time.Minute)
		k.event(-time.Second, "Job", 3)
		if _, _, err := records.Behind(t.Context(), k.store, db, k.at); err != records.ErrOlder {
			t.Errorf("of a copy with an event of its own: %v", err)
		}
	})
}

// TestJournalWithoutEvents: a journal that has no event is replaced if it is damaged, whatever
// the database has.
func TestJournalWithoutEvents(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		k := keep(t, db)
		k.step(true)
		for i, damage := range []func() error{
			func() error { return k.store.DeleteNote(t.Context(), "records/head") },
			func() error { return k.store.PutNote(t.Context(), "records/head", strings.NewReader("{"), 1) },
		} {
			for range 2 {
				must(t, 0, damage())
				k.restart()
				k.step(true)
				k.rebuilt()
			}
			if i == 1 {
				continue
			}
			must(t, 0, damage())
			k.event(-time.Second, "Job", 1)
			k.restart()
			k.step(true)
			k.wantEvents("after the first event")
			k = keep(t, db)
			do(t, db, `DELETE FROM audit_events`)
			k.step(true)
		}
	})
}

// TestJournalOfReleases: a delta has the releases that events name, with their links, and the
// others are not read again for that. One that is deleted is gone.
func TestJournalOfReleases(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		root := newUser(t, db, "root", false)
		group := newGroup(t, db, 0, "outer", access.Private, root.ID)
		project := newProject(t, db, group.ID, "project", access.Private, root.ID)
		k := keep(t, db)
		release := func(tag string) {
			t.Helper()
			e, err := db.InsertRelease(t.Context(), releases.Release{
				ProjectID: project.ID, Tag: tag, Name: tag, Author: releases.Author{ID: root.ID}, CreatedAt: k.at, UpdatedAt: k.at, ReleasedAt: k.at,
				Links: []releases.Link{{Name: "a", URL: "https://example.com/" + tag, Type: "other"}},
			}, nil, roomy(), audit.Event{Name: audit.ReleaseCreated, At: k.at, Entity: audit.WholeInstance()})
			must(t, e, err)
		}
		same := func() {
			t.Helper()
			k.after(time.Minute)
			k.step(true)
			wantSameRows(t, db, k.rebuilt(), "releases", "release_links")
		}
		release("1.0.0")
		release("2.0.0")
		same()
		release("3.0.0")
		same()
		edited, err := db.UpdateRelease(t.Context(), project.ID, "1.0.0", func(e *releases.Release) (audit.Event, error) {
			e.Name, e.Links = "first", nil
			return audit.Event{Name: audit.ReleaseUpdated, At: k.at, Entity: audit.WholeInstance()}.To("Release", e.ID, e.Tag), nil
		})
		must(t, edited, err)
		same()
		gone, err := db.DeleteRelease(t.Context(), project.ID, "2.0.0", audit.Event{Name: audit.ReleaseDeleted, At: k.at, Entity: audit.WholeInstance()})
		must(t, gone, err)
		same()
		k.event(0, "User", 1)
		var delta bytes.Buffer
		w, err := records.NewWriter(&delta)
		must(t, w, err)
		c, err := db.Delta(t.Context(), w, records.Since{To: k.at.UnixMicro() - 1, Ends: k.at.UnixMicro(), Look: k.at.UnixMicro() - 1})
		must(t, c, err)
		if _, looked := c.Small["releases"]; looked || c.Small["users"].Rows == 0 {
			t.Errorf("small tables: %v", c.Small)
		}
	})
}
