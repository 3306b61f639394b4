package metadb

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// growing publishes files of a project, each with other bytes.
type growing struct {
	t    *testing.T
	db   *DB
	id   int64 // of the project
	sent int
}

// publish adds a file to version 1.0.0 of a name, at a time.
func (g *growing) publish(name registry.Name, at time.Time) {
	g.t.Helper()
	g.sent++
	bytes := []byte(fmt.Sprint("file ", g.sent))
	_, err := g.db.AddFile(g.t.Context(), registry.Publication{
		ProjectID: g.id, Coordinates: registry.Coordinates{Name: name, Version: "1.0.0", File: registry.FileName(fmt.Sprint("f", g.sent))},
		CreatorID: 1, Size: int64(len(bytes)), Digest: sha256.Sum256(bytes), Small: bytes, Now: at.Add(time.Duration(g.sent) * time.Microsecond), Event: audit.Event{At: at},
	})
	must(g.t, 0, err)
}

// forget is what a kill does to what a node has in memory.
func (g *growing) forget() { g.db.grown.bytes = nil }

// killed leaves the row of a node that was seen last at a time.
func (g *growing) killed(at time.Time) {
	g.t.Helper()
	must(g.t, 0, g.db.do(g.t.Context(), func(t tx) error {
		return t.Exec(`INSERT INTO nodes (id, version, schema, seen_at) VALUES ($1, 'v1', 20, $2)`, fmt.Sprint("killed ", g.sent), sqldb.Micros(at))
	}))
}

// wrong are the names whose bytes are not those of their versions.
func (g *growing) wrong() int64 {
	g.t.Helper()
	return count(g.t, g.db, `SELECT COUNT(*) FROM package_names n WHERE `+listedBytes+` <> `+g.db.wording.bytes)
}

// wantRecheck checks the names, and wants this number of settled nodes and of wrong names.
func (g *growing) wantRecheck(settled int, wrong int64) {
	g.t.Helper()
	n, err := g.db.RecheckNames(g.t.Context())
	must(g.t, 0, err)
	if left := g.wrong(); n != settled || left != wrong {
		g.t.Errorf("%d nodes are settled, want %d; %d names are wrong, want %d", n, settled, left, wrong)
	}
}

func eachGrowing(t *testing.T, test func(g *growing, then time.Time)) {
	eachDatabaseWith(t, sqldb.Options{Node: "v1"}, func(t *testing.T, db *DB) {
		test(&growing{t: t, db: db, id: demo(t, db).ID}, time.Now().UTC().Truncate(time.Microsecond).Add(-10*time.Minute))
	})
}

// What a killed node had in memory is added to the names of what it published, and to no
// other's: once, and not before everybody has flushed what they published since.
func TestKilledNodeLosesNoBytes(t *testing.T) {
	eachGrowing(t, func(g *growing, then time.Time) {
		for range 2 {
			g.publish("before", then.Add(-time.Hour))
		}
		g.forget() // another node was killed then
		for _, name := range []registry.Name{"flushed", "lost", "busy"} {
			g.publish(name, then)
			g.publish(name, then)
		}
		must(g.t, 0, g.db.FlushGrown(g.t.Context()))
		g.publish("lost", then)
		g.publish("busy", then)
		g.forget()
		if n := g.wrong(); n != 3 {
			g.t.Fatalf("%d names are wrong, want those of two kills", n)
		}
		g.wantRecheck(0, 3) // no row of a killed node
		g.publish("busy", time.Now())
		g.killed(then.Add(5 * time.Second))
		g.wantRecheck(0, 2)
		must(g.t, 0, g.db.FlushGrown(g.t.Context()))
		g.wantRecheck(0, 2)
		do(g.t, g.db, `UPDATE packages SET updated_at = updated_at - 600000000`) // time passes
		g.wantRecheck(1, 1)
		g.wantRecheck(0, 1)
		g.killed(then.Add(-time.Hour))
		g.wantRecheck(1, 0)
		wantNames(g.t, g.db, g.id)
	})
}

// A server on SQLite ends without Close, and the next one adds what it had in memory.
func TestSQLiteCrashLosesNoBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "granary.db")
	crashed, err := OpenSQLite(t.Context(), path, sqldb.Options{Node: "v1", Pace: sqldb.Pace{Beat: time.Hour, Lease: time.Hour, Gone: time.Hour}})
	must(t, 0, err)
	t.Cleanup(func() { _ = crashed.Close() }) // it writes nothing any more
	g := &growing{t: t, db: crashed, id: demo(t, crashed).ID}
	before := time.Now().Add(-doubt - 10*time.Second)
	g.publish("tool", before)
	g.publish("tool", before)

	db, err := OpenSQLite(t.Context(), path, sqldb.Options{Node: "v1"})
	must(t, 0, err)
	t.Cleanup(func() { must(t, 0, db.Close()) })
	g.db = db
	if g.wrong() != 1 {
		t.Fatal("nothing was lost")
	}
	g.wantRecheck(1, 0)
	wantNames(t, db, g.id)
}

// A version that was removed before its bytes were flushed is no reason to add them.
func TestRecheckWaitsForRemovedVersions(t *testing.T) {
	eachGrowing(t, func(g *growing, then time.Time) {
		g.publish("tool", then)
		g.publish("tool", then)
		id := count(g.t, g.db, `SELECT MAX(id) FROM packages`)
		must(g.t, 0, g.db.RemovePackage(g.t.Context(), registry.Removed{ProjectID: g.id, PackageID: id, Now: time.Now()},
			func(registry.Package) (audit.Event, error) { return audit.Event{At: time.Now()}, nil }))
		g.publish("tool", then)
		g.killed(then)
		g.wantRecheck(0, 1)
		must(g.t, 0, g.db.FlushGrown(g.t.Context()))
		g.wantRecheck(1, 0)
	})
}

// A flush that failed may have written or not: the names are summed, not added to twice.
func TestFailedFlushLosesNoBytes(t *testing.T) {
	eachGrowing(t, func(g *growing, then time.Time) {
		broken, cancel := context.WithCancel(g.t.Context())
		cancel()
		for _, written := range []bool{false, true} {
			g.publish("tool", then)
			g.publish("tool", then)
			all := g.db.grown.bytes
			if err := g.db.FlushGrown(broken); err == nil {
				g.t.Fatal("a flush without a database is done")
			}
			if written {
				must(g.t, 0, g.db.addGrown(g.t.Context(), all))
			}
			must(g.t, 0, g.db.FlushGrown(g.t.Context()))
			if n := g.wrong(); n != 0 || len(g.db.grown.unsure) != 0 {
				g.t.Errorf("written %v: %d names are wrong, %d are left", written, n, len(g.db.grown.unsure))
			}
		}
	})
}

// A node that stood still adds nothing that others have added for it.
func TestLateFlushAddsNothingTwice(t *testing.T) {
	eachGrowing(t, func(g *growing, then time.Time) {
		g.publish("tool", then)
		must(g.t, 0, g.db.FlushGrown(g.t.Context()))
		g.publish("tool", then)
		g.db.grown.flushed = then
		g.killed(then)
		g.wantRecheck(1, 0)
		must(g.t, 0, g.db.FlushGrown(g.t.Context()))
		g.publish("tool", time.Now())
		must(g.t, 0, g.db.FlushGrown(g.t.Context()))
		if n := g.wrong(); n != 0 || len(g.db.grown.unsure) != 0 {
			g.t.Errorf("%d names are wrong, %d are left", n, len(g.db.grown.unsure))
		}
	})
}
