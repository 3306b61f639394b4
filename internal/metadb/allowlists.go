package metadb

import (
	"context"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
)

// ListAllowedProjects implements projects.Allowlists.
func (db *DB) ListAllowedProjects(ctx context.Context, projectID int64, p page.Request) (page.Of[projects.Project], error) {
	var w where
	w.and("p.deleted_at IS NULL")
	w.and("(p.id = ? OR p.id IN (SELECT source_project_id FROM job_token_allowlist WHERE project_id = ?))", projectID, projectID)
	return listPage(ctx, direct{db}, &w, p, scanProject, projectTables, projectColumns, "p.id")
}

// ListAllowedGroups implements projects.Allowlists.
func (db *DB) ListAllowedGroups(ctx context.Context, projectID int64, p page.Request) (page.Of[projects.Group], error) {
	var w where
	w.and("n.deleted_at IS NULL")
	w.and("n.id IN (SELECT source_namespace_id FROM job_token_allowlist WHERE project_id = ?)", projectID)
	return listPage(ctx, direct{db}, &w, p, scanGroup, groupTables, groupColumns, "n.id")
}

// AllowJobs implements projects.Allowlists.
func (db *DB) AllowJobs(ctx context.Context, projectID int64, source projects.Place, most int, e audit.Event) error {
	_, err := change(ctx, db, func(t *tx) (struct{}, error) {
		err := t.exec(`INSERT INTO job_token_allowlist (project_id, source_project_id, source_namespace_id) VALUES ($1, $2, $3)`,
			projectID, id(source.ProjectID), id(source.GroupID))
		if err != nil {
			return struct{}{}, err
		}
		// What is gone takes no room.
		var n int
		err = t.row(ctx, `SELECT COUNT(*) FROM job_token_allowlist l
			LEFT JOIN projects p ON p.id = l.source_project_id LEFT JOIN namespaces n ON n.id = l.source_namespace_id
			WHERE l.project_id = $1 AND p.deleted_at IS NULL AND n.deleted_at IS NULL`, projectID).Scan(&n)
		if err == nil && n > most {
			err = fault.New(fault.TooLarge, "")
		}
		if err != nil {
			return struct{}{}, classify(err)
		}
		return struct{}{}, t.recordSource(ctx, source, e)
	})
	return err
}

// recordSource completes the event with the project or group that is meant.
func (t *tx) recordSource(ctx context.Context, source projects.Place, e audit.Event) error {
	in := audit.Entity{Type: audit.Group, ID: source.GroupID}
	if source.ProjectID != 0 {
		in = audit.Entity{Type: audit.Project, ID: source.ProjectID}
	}
	path, err := entityPath(ctx, t, in)
	if err != nil {
		return err
	}
	return t.record(ctx, e.To(string(in.Type), in.ID, path))
}

// DisallowJobs implements projects.Allowlists.
func (db *DB) DisallowJobs(ctx context.Context, projectID int64, source projects.Place, e audit.Event) error {
	_, err := change(ctx, db, func(t *tx) (struct{}, error) {
		n, err := t.count(`DELETE FROM job_token_allowlist
			WHERE project_id = $1 AND COALESCE(source_project_id, 0) = $2 AND COALESCE(source_namespace_id, 0) = $3`,
			projectID, source.ProjectID, source.GroupID)
		if err == nil && n == 0 {
			err = fault.New(fault.NotFound, "")
		}
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.recordSource(ctx, source, e)
	})
	return err
}

var _ projects.Allowlists = (*DB)(nil)
