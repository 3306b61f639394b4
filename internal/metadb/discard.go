package metadb

import (
	"context"
	"time"

	"granary/internal/audit"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// DiscardDraft implements registry.Drafts.
func (db *DB) DiscardDraft(ctx context.Context, projectID int64, name registry.Name, version registry.Version, now time.Time,
	check func(registry.Package) (audit.Event, error)) error {
	defer db.walks.drop(projectID)
	return db.do(sqldb.Freeing(ctx), func(t tx) error {
		v, err := t.heldVersion(ctx, projectID, name, version, `('draft')`)
		if err != nil {
			return err
		}
		done, err := check(v.Package)
		if err != nil {
			return err
		}
		if err := t.removePackage(v.ID, now); err != nil {
			return err
		}
		return t.record(ctx, done)
	})
}

// expiredDrafts takes the time of the oldest put that counts.
const expiredDrafts = `SELECT id FROM packages WHERE status = 'draft' AND updated_at < $1 ORDER BY updated_at LIMIT $2`

// ExpireDrafts implements registry.Drafts. Each draft is judged again under the lock of
// its row: somebody may have put a file into it, or made it final.
func (db *DB) ExpireDrafts(ctx context.Context, before time.Time, limit int, now time.Time, event func(registry.Package) audit.Event) (int, error) {
	old, err := sqldb.List(ctx, db, sqldb.ScanOne[int64], expiredDrafts, sqldb.Micros(before), limit)
	if err != nil || len(old) == 0 {
		return 0, err
	}
	defer db.walks.clear()
	return write(sqldb.Freeing(ctx), db, func(t tx) (n int, err error) {
		for _, id := range old {
			expired, err := t.IDs(ctx, `UPDATE packages SET status = status WHERE id = $1 AND status = 'draft' AND updated_at < $2 RETURNING id`, id, sqldb.Micros(before))
			if err != nil {
				return n, err
			}
			if len(expired) == 0 {
				continue
			}
			p, err := scanPackage(t.Row(ctx, `SELECT `+packageColumns+` FROM packages k WHERE k.id = $1`, id))
			if err != nil {
				return n, err
			}
			if err := t.removePackage(id, now); err != nil {
				return n, err
			}
			if err := t.record(ctx, event(p)); err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	})
}

// removePackage removes a package whose row the transaction holds. The unique index
// ignores removed packages, so that the name and version are free at once.
func (t tx) removePackage(packageID int64, now time.Time) error {
	return t.Exec(`UPDATE packages SET status = 'pending_destruction', updated_at = $1 WHERE id = $2`, sqldb.Micros(now), packageID)
}
