package metadb

import (
	"context"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/hooks"
	"granary/internal/registry"
)

// RemovePackage implements registry.Packages. The unique index passes over what
// is doomed, so that the name and version are free at once.
func (db *DB) RemovePackage(ctx context.Context, r registry.Removed, check func(registry.Package) (audit.Event, error)) error {
	defer db.files.clear()
	defer db.walks.drop(r.ProjectID)
	return db.writer.do(freeing(ctx), func(t *tx) error {
		p, err := t.standingPackage(ctx, r.ProjectID, r.PackageID)
		if err != nil {
			return err
		}
		done, err := check(p)
		if err != nil {
			return err
		}
		err = t.exec(`UPDATE packages SET status = 'pending_destruction', updated_at = $1 WHERE id = $2`, micros(r.Now), r.PackageID)
		if err != nil {
			return err
		}
		if err := t.keepDates(r.PackageID, r.Now); err != nil {
			return err
		}
		if err := t.tellRemoved(ctx, hooks.PackageDeleted, r, nil); err != nil {
			return err
		}
		return t.record(ctx, done)
	})
}

// RemoveFile implements registry.Files.
func (db *DB) RemoveFile(ctx context.Context, r registry.Removed, fileID int64, check func(registry.Package, registry.File) (audit.Event, error)) error {
	defer db.files.clear()
	return db.writer.do(freeing(ctx), func(t *tx) error {
		p, err := t.standingPackage(ctx, r.ProjectID, r.PackageID)
		if err != nil {
			return err
		}
		f, err := scanPackageFile(t.row(ctx, `SELECT `+fileColumns+` FROM package_files f JOIN blobs b ON b.id = f.blob_id
			WHERE f.id = $1 AND f.package_id = $2 AND f.status <> 'pending_destruction'`, fileID, r.PackageID))
		if err != nil {
			return err
		}
		done, err := check(p, f.File)
		if err != nil {
			return err
		}
		if err := t.exec(`UPDATE package_files SET status = 'pending_destruction' WHERE id = $1`, fileID); err != nil {
			return err
		}
		if err := t.exec(`UPDATE packages SET updated_at = $1 WHERE id = $2`, micros(r.Now), r.PackageID); err != nil {
			return err
		}
		if err := t.keepDate(fileID); err != nil {
			return err
		}
		if err := t.tellRemoved(ctx, hooks.FileDeleted, r, &f.File); err != nil {
			return err
		}
		return t.record(ctx, done)
	})
}

// standingPackage is a package that is not doomed.
func (t *tx) standingPackage(ctx context.Context, projectID, packageID int64) (registry.Package, error) {
	p, err := findPackage(ctx, t, projectID, packageID)
	if err == nil && p.Status == registry.StatusPendingDestruction {
		err = fault.New(fault.NotFound, "")
	}
	return p, err
}

// purgeFiles removes up to limit records of files that were removed by
// themselves, and returns their blobs.
func (t *tx) purgeFiles(ctx context.Context, limit int) ([]int64, error) {
	return t.ids(ctx, `DELETE FROM package_files WHERE id IN (
		SELECT f.id FROM package_files f WHERE f.status = 'pending_destruction' ORDER BY f.id LIMIT $1) RETURNING blob_id`, limit)
}
