package metadb

import (
	"context"

	"granary/internal/audit"
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
	query := `SELECT ` + packageColumns + ` FROM packages k` + w.String() + ` ORDER BY k.version, k.id` + w.Bind(" LIMIT ?", limit)
	found, err := sqldb.List(ctx, db, scanPackage, query, w.Args...)
	if err != nil {
		return nil, err
	}
	return found, lastPipelines(ctx, db, found)
}

// RemovePackage implements registry.Packages.
func (db *DB) RemovePackage(ctx context.Context, r registry.Removed, check func(registry.Package) (audit.Event, error)) error {
	defer db.holdVersions()()
	defer db.walks.drop(r.ProjectID)
	return db.do(sqldb.Freeing(ctx), func(t tx) error {
		p, err := t.heldPackage(ctx, r.ProjectID, r.PackageID)
		if err != nil {
			return err
		}
		done, err := check(p)
		if err != nil {
			return err
		}
		if err := t.removePackage(p.ID, r.Now); err != nil {
			return err
		}
		if err := t.keepDates(r.PackageID, r.Now); err != nil {
			return err
		}
		if p.Status == registry.StatusDraft { // nobody was told of it
			return t.record(ctx, done)
		}
		if err := t.tellRemoved(ctx, webhooks.PackageDeleted, r, nil); err != nil {
			return err
		}
		return t.record(ctx, done)
	})
}

// heldPackage locks a package that is not removed, and reads it.
func (t tx) heldPackage(ctx context.Context, projectID, packageID int64) (registry.Package, error) {
	var id int64
	err := t.Row(ctx, `UPDATE packages SET status = status WHERE id = $1 AND project_id = $2 AND status <> 'pending_destruction' RETURNING id`,
		packageID, projectID).Scan(&id)
	if err != nil {
		return registry.Package{}, sqldb.Classify(err)
	}
	return findPackage(ctx, t, projectID, packageID)
}
