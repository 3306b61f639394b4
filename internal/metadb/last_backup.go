package metadb

import (
	"context"
	"time"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/sqldb"
)

// LastBackup is the newest complete backup of the records, of all places.
type LastBackup struct {
	Snapshot string    // its id in the place
	Place    string    // without secrets
	Began    time.Time // what was acknowledged before is in it
}

// LastBackup is the newest backup that BackedUp or Rebuilding has recorded; nil if there is
// none.
func (db *DB) LastBackup(ctx context.Context) (*LastBackup, error) {
	var b LastBackup
	var began int64
	err := sqldb.Classify(db.Row(ctx, `SELECT snapshot, place, began_at FROM last_backup WHERE id = 1`).Scan(&b.Snapshot, &b.Place, &began))
	if fault.Is(err, fault.NotFound) {
		return nil, nil //nolint:nilnil // there is none
	}
	b.Began = sqldb.Moment(began)
	return &b, err
}

// BackedUp records a complete backup, with its event.
func (db *DB) BackedUp(ctx context.Context, b LastBackup, e audit.Event) error {
	return db.do(ctx, func(t tx) error {
		if err := t.backedUp(b); err != nil {
			return err
		}
		return t.record(ctx, e)
	})
}

// backedUp records a backup, unless a newer one is known.
func (t tx) backedUp(b LastBackup) error {
	return t.Exec(`INSERT INTO last_backup (id, snapshot, place, began_at) VALUES (1, $1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET snapshot = excluded.snapshot, place = excluded.place, began_at = excluded.began_at
		WHERE excluded.began_at > last_backup.began_at`, b.Snapshot, b.Place, sqldb.Micros(b.Began))
}
