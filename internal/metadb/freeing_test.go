package metadb

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// On a full disk (a real SQLITE_FULL, by SQLite's own limit) publishing fails and does
// not use the reserve. Deleting uses it, and succeeds.
func TestDeletingDrawsOnTheReserve(t *testing.T) {
	var drawn int
	var db *DB
	room := func(pages int64) {
		do(t, db, fmt.Sprintf(`PRAGMA max_page_count = %d`, pages))
	}
	path := filepath.Join(t.TempDir(), "granary.db")
	db, err := OpenSQLite(t.Context(), path, sqldb.Options{Reserve: func() bool {
		drawn++
		room(1 << 30)
		return true
	}})
	closing(t, db, err)
	p := demo(t, db)
	publish := func(n int) (registry.File, error) {
		return db.AddFile(t.Context(), publication(p.ID, fmt.Sprintf("1.0.%d", n), "f"))
	}
	first, err := publish(0)
	must(t, first, err)
	room(1) // no more than there are
	for n := 1; err == nil; n++ {
		_, err = publish(n)
	}
	if !sqldb.IsFull(err) || !fault.Is(err, fault.Unavailable) || drawn != 0 {
		t.Fatalf("publishing on a full disk: %v, the reserve was drawn on %d times", err, drawn)
	}
	must(t, 0, removeFile(t, db, p, first, time.Now())) // there may have been room for it
	for n := 0; drawn == 0; n++ {
		if n == 10_000 {
			t.Fatal("deleting never found the disk full")
		}
		_, err := db.AskSweep(t.Context(), audit.Event{Name: audit.SweepRequested, At: time.Now(), Entity: audit.WholeInstance()})
		must(t, 0, err)
	}
	purge(t, db, time.Now())
	if _, err := publish(1 << 20); err != nil {
		t.Error(err)
	}
}
