package metadb

import (
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/records"
)

// The newest backup is known, in whichever order they end; each has its event.
func TestLastBackup(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		last, err := db.LastBackup(t.Context())
		if must(t, last, err) != nil {
			t.Errorf("of a new database: %+v", last)
		}
		began := time.UnixMicro(1_800_000_000_000_000).UTC()
		for _, b := range []LastBackup{{"first", "file:/a", began}, {"third", "file:/b", began.Add(2 * time.Hour)}, {"second", "s3://c", began.Add(time.Hour)}} {
			event := audit.Event{Name: audit.BackupCreated, At: time.Now(), Entity: audit.WholeInstance()}
			must(t, 0, db.BackedUp(t.Context(), b, event))
		}
		last, err = db.LastBackup(t.Context())
		if must(t, last, err); last.Snapshot != "third" || last.Place != "file:/b" || !last.Began.Equal(began.Add(2*time.Hour)) {
			t.Errorf("the last of three: %+v", last)
		}
		if n := count(t, db, `SELECT COUNT(*) FROM audit_events WHERE name = 'backup_created'`); n != 3 {
			t.Errorf("%d events, want 3", n)
		}
	})
}

// What a journal asks of the audit events.
func TestEventsAround(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		for id, name := range map[int64]audit.Name{10: audit.UserCreated, 20: audit.DatabaseRebuilt, 30: audit.UserCreated} {
			must(t, 0, db.do(t.Context(), func(tx tx) error {
				return tx.record(t.Context(), audit.Event{Name: name, At: time.UnixMicro(id), Entity: audit.WholeInstance()})
			}))
		}
		for id, want := range map[int64]records.EventsAround{
			5:  {Last: 30, Next: 10},
			10: {Last: 30, Has: true, Next: 20, Rebuilt: true},
			15: {Last: 30, Earlier: true, Next: 20, Rebuilt: true},
			20: {Last: 30, Has: true, Earlier: true, Next: 30},
			30: {Last: 30, Has: true, Earlier: true},
			31: {Last: 30, Earlier: true},
		} {
			got, err := db.EventsAround(t.Context(), id)
			if must(t, got, err) != want {
				t.Errorf("around %d: %+v, want %+v", id, got, want)
			}
		}
	})
}
