package metadb

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/registry"
	"granary/internal/sqldb"
	"granary/internal/trail"
)

// If the bytes were swept while a file was published, nothing is left: no package, no
// event.
func TestPublishWhatWasSwept(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		pub := publication(p.ID, "1.0.0", "f")
		pub.Small = nil
		if _, err := db.AddFile(t.Context(), pub); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%v", err)
		}
		found, err := db.ListPackages(t.Context(), registry.PackageFilter{Projects: []int64{p.ID}}, page.Request{Number: 1, Size: 10})
		if must(t, found, err).Total != 0 || len(found.Rows) != 0 {
			t.Errorf("%d packages are there", found.Total)
		}
		if told := events(t, db, trail.Filter{EntityType: audit.Project, EntityID: p.ID}); len(told) != 0 {
			t.Errorf("events tell of it: %v", told)
		}
	})
}

// Publications of the same time have an event each, and bytes that others publish,
// too, are counted once.
func TestPublishAtOneMoment(t *testing.T) {
	const publishers = 12
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		now := time.Now()
		stored := blob.Digest{9}
		must(t, 0, db.PinBlob(t.Context(), stored, 1, now))
		var all sync.WaitGroup
		for n := range publishers {
			all.Go(func() {
				pub := publication(p.ID, fmt.Sprintf("1.0.%d", n), "f")
				pub.Event = audit.Event{Name: audit.PackagePublished, At: now, Entity: audit.Place(p.ID, 0)}
				if n%2 == 0 {
					pub.Digest, pub.Small, pub.Size = stored, nil, 1
				}
				if _, err := db.AddFile(t.Context(), pub); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		told := map[int64]bool{}
		for _, e := range events(t, db, trail.Filter{EntityType: audit.Project, EntityID: p.ID}) {
			told[e.Target.ID] = true
		}
		var files int
		must(t, 0, db.Row(t.Context(), `SELECT files FROM blobs WHERE digest = $1`, stored[:]).Scan(&files))
		if len(told) != publishers || files != publishers/2 {
			t.Errorf("%d files have an event, want %d; %d have the bytes, want %d", len(told), publishers, files, publishers/2)
		}
	})
}

// A publication that fails does not make others of its batch fail.
func TestPublishBesideWhatFails(t *testing.T) {
	const publishers = 40
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		var all sync.WaitGroup
		for n := range publishers {
			all.Go(func() {
				pub := publication(p.ID, fmt.Sprintf("1.0.%d", n), "f")
				fails := n%4 == 0
				if fails {
					pub.Small = nil // and nothing is stored
				}
				if _, err := db.AddFile(t.Context(), pub); fails != fault.Is(err, fault.Unavailable) || !fails && err != nil {
					t.Errorf("%v: %v", pub.Coordinates, err)
				}
			})
		}
		all.Wait()
		found, err := db.ListPackages(t.Context(), registry.PackageFilter{Projects: []int64{p.ID}}, page.Request{Number: 1, Size: 100})
		if want := publishers * 3 / 4; must(t, found, err).Total != want || len(found.Rows) != want {
			t.Errorf("the list says %d and has %d, want %d", found.Total, len(found.Rows), want)
		}
	})
}

// A publication that waits for its package's row does not block later ones. SQLite has
// one writer, for which all wait.
func TestPublishBesideWhatWaits(t *testing.T) {
	db := openPostgres(t, sqldb.Options{})
	p := demo(t, db)
	again := func() error {
		_, err := db.AddFile(t.Context(), publication(p.ID, "0.0.0", "f"))
		return err
	}
	must(t, 0, again())
	held, err := db.Reads.BeginTx(t.Context(), nil)
	must(t, held, err)
	defer func() { _ = held.Rollback() }()
	_, err = held.ExecContext(t.Context(), `SELECT 1 FROM packages WHERE project_id = $1 FOR UPDATE`, p.ID)
	must(t, 0, err)

	first := make(chan error, 1)
	go func() { first <- again() }()
	waiting(t, db)
	for n := range 20 {
		publishTo(t, db, p.ID, n)
	}
	select {
	case err := <-first:
		t.Errorf("it did not wait: %v", err)
	default:
	}
	must(t, 0, held.Rollback())
	must(t, 0, <-first)
}

// A project's hook gets the event in whatever way a publication is written.
func TestPublishTellsHooks(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		db, p, root, _ := hookedIn(t, db)
		for _, noDuplicate := range []bool{false, true} {
			_, err := publish(t, db, p.ID, root.ID, fmt.Sprint(noDuplicate), noDuplicate)
			must(t, 0, err)
			if _, ok := claim(t, db, time.Now()); !ok {
				t.Errorf("no delivery waits (no duplicate: %v)", noDuplicate)
			}
		}
	})
}
