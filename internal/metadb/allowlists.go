package metadb

import (
	"context"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

// ListAllowedProjects implements projects.Allowlists.
func (db *DB) ListAllowedProjects(ctx context.Context, projectID int64, p page.Request) (page.Of[projects.Project], error) {
	var w sqldb.Where
	w.And("p.deleted_at IS NULL")
	w.And("(p.id = ? OR p.id IN (SELECT source_project_id FROM job_token_allowlist WHERE project_id = ?))", projectID, projectID)
	return listPage(ctx, direct{db}, &w, p, scanProject, projectTables, projectColumns, "p.id")
}

// ListAllowedGroups implements projects.Allowlists.
func (db *DB) ListAllowedGroups(ctx context.Context, projectID int64, p page.Request) (page.Of[projects.Group], error) {
	var w sqldb.Where
	w.And("n.deleted_at IS NULL")
	w.And("n.id IN (SELECT source_namespace_id FROM job_token_allowlist WHERE project_id = ?)", projectID)
	return listPage(ctx, direct{db}, &w, p, scanGroup, groupTables, groupColumns, "n.id")
}

// AllowJobs implements projects.Allowlists.
func (db *DB) AllowJobs(ctx context.Context, projectID int64, source projects.Place, most fault.Limit, e audit.Event) error {
	_, err := writePermission(ctx, db, func(t tx) (struct{}, error) {
		if err := t.dropGoneSources(projectID); err != nil {
			return struct{}{}, err
		}
		err := t.Exec(`INSERT INTO job_token_allowlist (project_id, source_project_id, source_namespace_id) VALUES ($1, $2, $3)`,
			projectID, sqldb.NullID(source.ProjectID), sqldb.NullID(source.GroupID))
		if err != nil {
			return struct{}{}, err
		}
		if err := t.room(ctx, allowlistRows(), 0, most, projectID); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.recordSource(ctx, source, e)
	})
	return err
}

// dropGoneSources removes deleted projects and groups from the list, so that they do
// not count against the limit.
func (t tx) dropGoneSources(projectID int64) error {
	return t.Exec(`DELETE FROM job_token_allowlist WHERE project_id = $1
		AND (source_project_id IN (SELECT p.id FROM job_token_allowlist l CROSS JOIN projects p
				WHERE l.project_id = $1 AND p.id = l.source_project_id AND p.deleted_at IS NOT NULL)
			OR source_namespace_id IN (SELECT n.id FROM job_token_allowlist l CROSS JOIN namespaces n
				WHERE l.project_id = $1 AND n.id = l.source_namespace_id AND n.deleted_at IS NOT NULL))`, projectID)
}

// recordSource records the event with the project or group that was let in or out.
func (t tx) recordSource(ctx context.Context, source projects.Place, e audit.Event) error {
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
	_, err := writePermission(ctx, db, func(t tx) (struct{}, error) {
		n, err := t.Count(`DELETE FROM job_token_allowlist
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
