package metadb

import (
	"context"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
	"granary/internal/webhooks"
)

// FindPackage implements registry.Packages.
func (db *DB) FindPackage(ctx context.Context, projectID, packageID int64) (registry.Package, error) {
	p, err := findPackage(ctx, db, projectID, packageID)
	if err != nil {
		return p, err
	}
	one := []registry.Package{p}
	err = lastPipelines(ctx, db, one)
	return one[0], err
}

func findPackage(ctx context.Context, q sqldb.Queries, projectID, packageID int64) (registry.Package, error) {
	return scanPackage(q.Row(ctx, `SELECT `+packageColumns+` FROM packages k WHERE k.id = $1 AND k.project_id = $2`, packageID, projectID))
}

// ListVersions implements registry.Packages.
func (db *DB) ListVersions(ctx context.Context, p, after registry.Package, limit int) ([]registry.Package, error) {
	var w sqldb.Where
	w.And("k.project_id = ? AND k.name = ? AND k.id <> ?", p.ProjectID, string(p.Name), p.ID)
	w.And("k.status <> 'pending_destruction' AND " + isListed)
	if after.ID != 0 {
		w.And("(k.version, k.id) > (?, ?)", string(after.Version), after.ID)
	}
	found, err := sqldb.List(ctx, db, scanPackage, `SELECT `+packageColumns+` FROM packages k`+w.String()+
		` ORDER BY k.version, k.id`+w.Bind(" LIMIT ?", limit), w.Args...)
	if err != nil {
		return nil, err
	}
	return found, lastPipelines(ctx, db, found)
}

// RemovePackage implements registry.Packages. The unique index ignores removed
// packages, so that the name and version are free at once.
func (db *DB) RemovePackage(ctx context.Context, r registry.Removed, check func(registry.Package) (audit.Event, error)) error {
	defer db.files.clear()
	defer db.forgetVersions()
	defer db.walks.drop(r.ProjectID)
	return db.do(sqldb.Freeing(ctx), func(t tx) error {
		p, err := t.existingPackage(ctx, r.ProjectID, r.PackageID)
		if err != nil {
			return err
		}
		done, err := check(p)
		if err != nil {
			return err
		}
		err = t.Exec(`UPDATE packages SET status = 'pending_destruction', updated_at = $1 WHERE id = $2`, sqldb.Micros(r.Now), r.PackageID)
		if err != nil {
			return err
		}
		if err := t.keepDates(r.PackageID, r.Now); err != nil {
			return err
		}
		if err := t.tellRemoved(ctx, webhooks.PackageDeleted, r, nil); err != nil {
			return err
		}
		return t.record(ctx, done)
	})
}

// existingPackage is a package that is not removed.
func (t tx) existingPackage(ctx context.Context, projectID, packageID int64) (registry.Package, error) {
	p, err := findPackage(ctx, t, projectID, packageID)
	if err == nil && p.Status == registry.StatusPendingDestruction {
		err = fault.New(fault.NotFound, "")
	}
	return p, err
}
