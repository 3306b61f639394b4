package metadb

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/registry"
)

// On a full disk (a real SQLITE_FULL, by SQLite's own limit) publishing fails and
// leaves the reserve alone. Deleting draws on it, and is done.
func TestDeletingDrawsOnTheReserve(t *testing.T) {
	var drawn int
	var db *DB
	room := func(pages int64) {
		if err := db.writer.(*writer).exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages)); err != nil {
			t.Error(err)
		}
	}
	path := filepath.Join(t.TempDir(), "granary.db")
	db, err := OpenSQLite(t.Context(), path, Options{Reserve: func() bool {
		drawn++
		must(t, 0, db.writer.(*writer).alone(t.Context(), func(*tx) error { room(1 << 30); return nil }))
		return true
	}})
	closing(t, db, err)
	p := demo(t, db)
	publish := func(n int) (registry.File, error) {
		return db.AddFile(t.Context(), publication(p.ID, fmt.Sprintf("1.0.%d", n), "f"))
	}
	first, err := publish(0)
	must(t, first, err)
	must(t, 0, db.writer.(*writer).alone(t.Context(), func(*tx) error { room(1); return nil })) // no more than there are
	for n := 1; err == nil; n++ {
		_, err = publish(n)
	}
	if !isFull(err) || !fault.Is(err, fault.Unavailable) || drawn != 0 {
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

// After a burst beside an open reader, which keeps the log from starting over, the
// log's file is as long as the burst. When the reader is gone, it is cut.
func TestLogIsCutAfterABurst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "granary.db")
	db, err := OpenSQLite(t.Context(), path, Options{})
	closing(t, db, err)
	p := demo(t, db)
	reader, err := db.reads.BeginTx(t.Context(), nil)
	must(t, reader, err)
	var n int64
	must(t, 0, reader.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM packages`).Scan(&n))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 20 {
				pub := publication(p.ID, fmt.Sprintf("1.%d.%d", i, j), "f")
				pub.Small = make([]byte, 600<<10)
				pub.Size = int64(len(pub.Small))
				if _, err := db.AddFile(t.Context(), pub); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	length := func() int64 {
		info, err := os.Stat(path + "-wal")
		return must(t, info, err).Size()
	}
	must(t, 0, db.folds.fold())
	if length() <= logLimit {
		t.Fatalf("the burst left a log of %d bytes: too few to see it cut", length())
	}
	must(t, 0, reader.Rollback())
	must(t, 0, db.folds.fold())
	_, err = db.AddFile(t.Context(), publication(p.ID, "2.0.0", "f"))
	must(t, 0, err)
	if length() > logLimit {
		t.Errorf("the log has %d bytes still, want %d at most", length(), logLimit)
	}
}
