package metadb

import (
	"context"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

const protectionColumns = `r.id, r.project_id, r.pattern, r.package_type, r.push_level, r.delete_level`

func scanProtection(row sqldb.Scanner) (registry.ProtectionRule, error) {
	var r registry.ProtectionRule
	err := row.Scan(&r.ID, &r.ProjectID, &r.Pattern, &r.PackageType, &r.Push, &r.Delete)
	return r, sqldb.Classify(err)
}

// ListProtections implements registry.Protections.
func (db *DB) ListProtections(ctx context.Context, projectID int64, p page.Request) (page.Of[registry.ProtectionRule], error) {
	var w sqldb.Where
	w.And("r.project_id = ?", projectID)
	return listPage(ctx, db, &w, p, scanProtection, "package_protection_rules r", protectionColumns, "r.id")
}

// FindProtection implements registry.Protections.
func (db *DB) FindProtection(ctx context.Context, projectID, ruleID int64) (registry.ProtectionRule, error) {
	return findProtection(ctx, db, projectID, ruleID)
}

// FirstNames implements registry.Protections.
func (db *DB) FirstNames(ctx context.Context, projectID int64, limit int) ([]registry.Name, error) {
	return sqldb.List(ctx, db, sqldb.ScanOne[registry.Name],
		`SELECT n.name FROM package_names n WHERE n.project_id = $1 AND `+db.wording.listed+` > 0 ORDER BY n.name LIMIT $2`, projectID, limit)
}

// InsertProtection implements registry.Protections.
func (db *DB) InsertProtection(ctx context.Context, r registry.ProtectionRule, most fault.Limit, e audit.Event) (registry.ProtectionRule, error) {
	return writePermission(ctx, db, func(t tx) (registry.ProtectionRule, error) {
		err := t.room(ctx, protectionRows(), 1, most, r.ProjectID)
		if err != nil {
			return r, err
		}
		r.ID, err = t.Insert(`INSERT INTO package_protection_rules (project_id, pattern, package_type, push_level, delete_level)
			VALUES ($1, $2, $3, $4, $5) RETURNING id`, r.ProjectID, r.Pattern, r.PackageType, int(r.Push), int(r.Delete))
		if err != nil {
			return r, err
		}
		return r, t.record(ctx, aboutProtection(e, r))
	})
}

func findProtection(ctx context.Context, q sqldb.Queries, projectID, ruleID int64) (registry.ProtectionRule, error) {
	return scanProtection(q.Row(ctx, `SELECT `+protectionColumns+` FROM package_protection_rules r
		WHERE r.project_id = $1 AND r.id = $2`, projectID, ruleID))
}

func aboutProtection(e audit.Event, r registry.ProtectionRule) audit.Event {
	return e.To("PackageProtectionRule", r.ID, r.Pattern)
}

// UpdateProtection implements registry.Protections.
func (db *DB) UpdateProtection(ctx context.Context, projectID, ruleID int64, edit func(*registry.ProtectionRule) (audit.Event, error)) (registry.ProtectionRule, error) {
	return writePermission(ctx, db, func(t tx) (registry.ProtectionRule, error) {
		r, err := findProtection(ctx, t, projectID, ruleID)
		if err != nil {
			return r, err
		}
		done, err := edit(&r)
		if err != nil {
			return r, err
		}
		if err := t.record(ctx, aboutProtection(done, r)); err != nil {
			return r, err
		}
		return r, t.Exec(`UPDATE package_protection_rules SET pattern = $1, package_type = $2, push_level = $3, delete_level = $4
			WHERE id = $5`, r.Pattern, r.PackageType, int(r.Push), int(r.Delete), ruleID)
	})
}

// DeleteProtection implements registry.Protections.
func (db *DB) DeleteProtection(ctx context.Context, projectID, ruleID int64, e audit.Event) error {
	_, err := writePermission(ctx, db, func(t tx) (struct{}, error) {
		r, err := findProtection(ctx, t, projectID, ruleID)
		if err != nil {
			return struct{}{}, err
		}
		if err := t.Exec(`DELETE FROM package_protection_rules WHERE id = $1`, ruleID); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.record(ctx, aboutProtection(e, r).With("rule", r.String(), ""))
	})
	return err
}
