package metadb

import (
	"context"

	"granary/internal/fault"
	"granary/internal/registry"
)

const protectionColumns = `r.id, r.project_id, r.pattern, r.package_type, r.push_level, r.delete_level`

func scanProtection(row scanner) (registry.ProtectionRule, error) {
	var r registry.ProtectionRule
	err := row.Scan(&r.ID, &r.ProjectID, &r.Pattern, &r.PackageType, &r.Push, &r.Delete)
	return r, classify(err)
}

// ListProtections implements registry.Protectors.
func (db *DB) ListProtections(ctx context.Context, projectID int64) ([]registry.ProtectionRule, error) {
	return list(ctx, db, scanProtection,
		`SELECT `+protectionColumns+` FROM package_protection_rules r WHERE r.project_id = $1 ORDER BY r.id`, projectID)
}

// InsertProtection implements registry.Protectors.
func (db *DB) InsertProtection(ctx context.Context, r registry.ProtectionRule) (registry.ProtectionRule, error) {
	return change(ctx, db, func(t *tx) (registry.ProtectionRule, error) {
		var err error
		r.ID, err = t.insert(`INSERT INTO package_protection_rules (project_id, pattern, package_type, push_level, delete_level)
			VALUES ($1, $2, $3, $4, $5) RETURNING id`, r.ProjectID, r.Pattern, r.PackageType, int(r.Push), int(r.Delete))
		return r, err
	})
}

// UpdateProtection implements registry.Protectors.
func (db *DB) UpdateProtection(ctx context.Context, projectID, ruleID int64, edit func(*registry.ProtectionRule) error) (registry.ProtectionRule, error) {
	return change(ctx, db, func(t *tx) (registry.ProtectionRule, error) {
		r, err := scanProtection(t.row(ctx, `SELECT `+protectionColumns+` FROM package_protection_rules r
			WHERE r.project_id = $1 AND r.id = $2`, projectID, ruleID))
		if err != nil {
			return r, err
		}
		if err := edit(&r); err != nil {
			return r, err
		}
		return r, t.exec(`UPDATE package_protection_rules SET pattern = $1, package_type = $2, push_level = $3, delete_level = $4
			WHERE id = $5`, r.Pattern, r.PackageType, int(r.Push), int(r.Delete), ruleID)
	})
}

// DeleteProtection implements registry.Protectors.
func (db *DB) DeleteProtection(ctx context.Context, projectID, ruleID int64) error {
	_, err := change(ctx, db, func(t *tx) (struct{}, error) {
		n, err := t.count(`DELETE FROM package_protection_rules WHERE project_id = $1 AND id = $2`, projectID, ruleID)
		if err == nil && n == 0 {
			err = fault.New(fault.NotFound, "")
		}
		return struct{}{}, err
	})
	return err
}

var _ registry.Protectors = (*DB)(nil)
