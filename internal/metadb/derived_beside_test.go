package metadb

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/metadb/metadbtest"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// eachPair runs a test on both databases, with a server and a process that only looks.
func eachPair(t *testing.T, test func(t *testing.T, server, looking *DB)) {
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(metadbtest.Memory(t), "granary.db")
		server, err := OpenSQLite(t.Context(), path, sqldb.Options{})
		closing(t, server, err)
		looking, err := OpenSQLite(t.Context(), path, sqldb.Options{Attach: true})
		test(t, server, closing(t, looking, err))
	})
	t.Run("postgres", func(t *testing.T) {
		dsn := metadbtest.Postgres(t, migrated)
		server, err := OpenPostgres(t.Context(), dsn, sqldb.Options{})
		closing(t, server, err)
		looking, err := OpenPostgres(t.Context(), dsn, sqldb.Options{Attach: true})
		test(t, server, closing(t, looking, err))
	})
}

// Beside publishers, removals, the purge and the upkeep nothing is wrong, neither in their
// process nor in another.
func TestCheckBesidePublishers(t *testing.T) {
	eachPair(t, func(t *testing.T, db, looking *DB) {
		p := demo(t, db)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				r := rand.New(rand.NewPCG(5, uint64(n)))
				for ctx.Err() == nil {
					busyDeed(ctx, db, p.ID, r)
				}
			})
		}
		all.Go(func() {
			for ctx.Err() == nil {
				_ = db.FlushGrown(ctx)
				_ = db.SumCounters(ctx)
				_, _ = db.OrderNames(ctx, 3)
				_, _ = db.PurgeDeleted(ctx, 10, time.Now())
				time.Sleep(5 * time.Millisecond)
			}
		})
		for run := 0; run < 200 || count(t, db, `SELECT COUNT(*) FROM audit_events`) < 500; run++ {
			c := &derivedCheck{db: []*DB{db, looking}[run%2]}
			if err := c.run(t.Context()); err != nil || len(c.found) > 0 {
				t.Errorf("beside publishers: %v %v", c.found, err)
				break
			}
		}
		cancel()
		all.Wait()
		settled(t, db)
		wantDerived(t, looking)
	})
}

// busyDeed is a deed that others may get before: it may fail.
func busyDeed(ctx context.Context, db *DB, projectID int64, r *rand.Rand) {
	now := time.Now()
	event := audit.Event{At: now}
	c := registry.Coordinates{Name: registry.Name(fmt.Sprint("n", r.IntN(5))), Version: registry.Version(fmt.Sprintf("1.%d.0", r.IntN(4))), File: registry.FileName(fmt.Sprint("f", r.IntN(3)))}
	var id int64
	_ = db.Row(ctx, `SELECT id FROM packages WHERE project_id = $1 AND name = $2 AND version = $3 AND status <> 'pending_destruction'`, projectID, string(c.Name), string(c.Version)).Scan(&id)
	switch r.IntN(8) {
	case 0:
		_ = db.RemovePackage(ctx, registry.Removed{ProjectID: projectID, PackageID: id, Now: now}, func(registry.Package) (audit.Event, error) { return event, nil })
	case 1:
		var file int64
		_ = db.Row(ctx, `SELECT MAX(id) FROM package_files WHERE package_id = $1 AND status = 'default'`, id).Scan(&file)
		_ = db.RemoveFile(ctx, registry.Removed{ProjectID: projectID, PackageID: id, Now: now}, file, func(registry.Package, registry.File) (audit.Event, error) { return event, nil })
	case 2:
		_, _ = db.EditVersion(ctx, projectID, c.Name, c.Version, now, func(v *registry.PackageVersion) ([]audit.Event, error) {
			v.Status = []registry.Status{registry.StatusHidden, registry.StatusDefault, registry.StatusDeprecated}[r.IntN(3)]
			return []audit.Event{event}, nil
		})
	default:
		bytes := []byte(strings.Repeat("x", r.IntN(50)))
		_, _ = db.AddFile(ctx, registry.Publication{ProjectID: projectID, Coordinates: c, CreatorID: 1, Size: int64(len(bytes)), Digest: sha256.Sum256(bytes), Small: bytes, Now: now, Into: registry.IntoEither, Event: event})
	}
}

// A server has bytes in memory of a version that is removed, and purged, before it writes
// them. Nothing in the records says so: the name is asked again after the server wrote them.
func TestBytesInMemoryAreNoFault(t *testing.T) {
	eachPair(t, func(t *testing.T, db, looking *DB) {
		g := &growing{t: t, db: db, id: demo(t, db).ID}
		then := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Hour)
		g.publish("tool", then)
		g.publish("tool", then)
		pub := publication(g.id, "2.0.0", "f")
		pub.Coordinates.Name, pub.Now = "tool", then
		_, err := db.AddFile(t.Context(), pub)
		must(t, 0, err)
		must(t, 0, db.RemovePackage(t.Context(), registry.Removed{ProjectID: g.id, PackageID: 1, Now: then}, func(registry.Package) (audit.Event, error) { return audit.Event{At: then}, nil }))
		_, err = db.PurgeDeleted(t.Context(), 10, time.Now())
		must(t, 0, err)

		for _, written := range []bool{false, true} {
			c := &derivedCheck{db: looking}
			must(t, 0, c.names(t.Context()))
			if len(c.doubts) != 1 || len(c.found) != 0 {
				t.Fatalf("doubts %v and faults %v, want one doubt", c.doubts, c.found)
			}
			if written {
				must(t, 0, db.FlushGrown(t.Context()))
			}
			if must(t, 0, c.settle(t.Context())); len(c.found) == 0 != written {
				t.Errorf("written %v: faults %v", written, c.found)
			}
		}
		wantDerived(t, looking)
	})
}

// What a killed node lost is no fault while the upkeep will add it, and one if nobody will.
func TestLostBytesAreNoFaultYet(t *testing.T) {
	eachGrowing(t, func(g *growing, then time.Time) {
		g.publish("tool", then)
		g.publish("tool", then)
		g.forget()
		wantDerived(g.t, g.db, "package_names")
		g.killed(then)
		wantDerived(g.t, g.db)
		g.wantRecheck(1, 0)
		wantDerived(g.t, g.db)
	})
}

// Whatever compares rows reads a range of an index in its order: SQLite keeps what it sorts in
// memory, and PostgreSQL ends a query after 30 s.
func TestDerivedPlans(t *testing.T) {
	db, _ := shelfOf(t, openSQLite(t), 1000)
	must(t, 0, db.do(t.Context(), db.derive))
	within := `x.project_id > $1 AND x.project_id <= $2`
	whole := regexp.MustCompile(`(?m)^ *SCAN (k|n|o|q|f|u|b|l|packages|package_[a-z]+)( |$)|TEMP B-TREE FOR GROUP BY`)
	for _, q := range []struct {
		text string
		args []any
	}{
		{db.nameStates(namesBetween), []any{0, "", 1, "z"}},
		{db.nameStates(oneName), []any{1, "z"}},
		{partsOfNobody, []any{0, "", 0, 1, "z", 0}},
		{countsOf(strings.ReplaceAll(within, "x.", "k.")), []any{0, 1}},
		{totalsOf(strings.ReplaceAll(within, "x.", "o.")), []any{0, 1}},
		{`SELECT ` + usesOf + ` FROM blobs b WHERE b.id > $1 AND b.id <= $2`, []any{0, 1}},
		{`SELECT ` + filesOf + `, ` + bytesOf + ` FROM packages k WHERE k.id > $1 AND k.id <= $2`, []any{0, 1}},
	} {
		plan := strings.ReplaceAll(planOf(t, db, q.text, q.args), "SCAN f USING INDEX package_files_doomed", "") // which has few rows
		if whole.MatchString(plan) {
			t.Errorf("%s\n%s", q.text, plan)
		}
	}
	for _, text := range []string{namesOf(`TRUE`), countsOf(`TRUE`), totalsOf(`TRUE`)} { // of all rows
		if plan := planOf(t, db, text, nil); strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\n%s", text, plan)
		}
	}
}
