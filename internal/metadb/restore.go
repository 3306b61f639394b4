package metadb

import (
	"context"
	"database/sql"
	"errors"

	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

var (
	errRemoved = errors.New("the file was removed while its bytes were restored")
	errMarked  = errors.New("its bytes were found to be damaged while they were restored")
)

// restoreFile records that a file has its bytes again, and the other options of the
// publication. Hooks get no event: they know the file.
func (db *DB) restoreFile(ctx context.Context, p registry.Publication) (registry.File, error) {
	if p.Status != nil { // see AddFile
		defer db.walks.drop(p.ProjectID)
		defer db.holdVersions()()
	}
	return write(ctx, db, func(t tx) (registry.File, error) {
		f := *p.Restored
		before, err := t.holdRestored(ctx, p)
		if err != nil {
			return f, err
		}
		if p.Small == nil {
			if err := t.refuseMarked(ctx, p.Digest); err != nil {
				return f, err
			}
		} else {
			err := t.Exec(`UPDATE blob_contents SET content = $1 WHERE blob_id = (SELECT blob_id FROM package_files WHERE id = $2)`, p.Small, f.ID)
			if err != nil {
				return f, err
			}
		}
		if err := db.linkPipeline(ctx, t, p, f); err != nil {
			return f, err
		}
		if err := t.record(ctx, published(p, f.ID)); err != nil || p.Status == nil || before == *p.Status {
			return f, err
		}
		if err := t.Exec(`UPDATE packages SET status = $1 WHERE id = $2`, string(*p.Status), f.PackageID); err != nil {
			return f, err
		}
		return f, t.recordStatus(ctx, p, f.PackageID, before)
	})
}

// holdRestored locks the package of the file and returns its status. It reads the file
// in a statement of its own, after the one that may have waited for its removal.
func (t tx) holdRestored(ctx context.Context, p registry.Publication) (before registry.Status, err error) {
	err = t.Row(ctx, `UPDATE packages SET updated_at = $1 WHERE id = $2 AND status IN `+installable+` RETURNING status`,
		sqldb.Micros(p.Now), p.Restored.PackageID).Scan(&before)
	var there bool
	if err == nil {
		err = t.Row(ctx, `SELECT TRUE FROM package_files f JOIN projects o ON o.id = $1 AND o.deleted_at IS NULL
			WHERE f.id = $2 AND f.status = 'default'`, p.ProjectID, p.Restored.ID).Scan(&there)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return "", fault.Wrap(fault.Unavailable, "", errRemoved)
	}
	return before, sqldb.Classify(err)
}

// refuseMarked refuses bytes of the store that are marked as damaged. Who stored right ones
// has removed the mark, so that this one was made since: they may have been set aside.
func (t tx) refuseMarked(ctx context.Context, d blob.Digest) error {
	var marked bool
	err := t.Row(ctx, `SELECT EXISTS (SELECT 1 FROM damage WHERE digest = $1)`, d[:]).Scan(&marked)
	if err == nil && marked {
		return fault.Wrap(fault.Unavailable, "", errMarked)
	}
	return sqldb.Classify(err)
}
