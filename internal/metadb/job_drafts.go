package metadb

import (
	"context"

	"granary/internal/registry"
	"granary/internal/sqldb"
)

// The queries of a job's drafts. Drafts have an index by their job.
const (
	ofSomeJob   = `k.status = 'draft' AND k.draft_job_id IS NOT NULL`
	draftsOfJob = `SELECT ` + packageColumns + ` FROM packages k WHERE ` + ofSomeJob + ` AND k.draft_job_id = $1 ORDER BY k.id LIMIT $2`
	untieDraft  = `UPDATE packages SET draft_job_id = NULL WHERE id = $1 AND status = 'draft' AND draft_job_id = $2`

	// leftJobsQuery: CROSS JOIN makes SQLite begin with the drafts, which are few.
	leftJobsQuery = `SELECT DISTINCT j.id, j.project_id, j.status = 'success' FROM packages k CROSS JOIN jobs j CROSS JOIN projects p
		WHERE ` + ofSomeJob + ` AND j.id = k.draft_job_id AND j.status IN ('success', 'failed', 'canceled')
			AND p.id = j.project_id AND p.deleted_at IS NULL LIMIT $1`
)

// DraftsOfJob implements registry.Settling.
func (db *DB) DraftsOfJob(ctx context.Context, jobID int64, limit int) ([]registry.Package, error) {
	return sqldb.List(ctx, db, scanPackage, draftsOfJob, jobID, limit)
}

// UntieDraft implements registry.Settling.
func (db *DB) UntieDraft(ctx context.Context, packageID, jobID int64) error {
	return db.do(ctx, func(t tx) error { return t.Exec(untieDraft, packageID, jobID) })
}

// LeftJobs implements registry.Settling.
func (db *DB) LeftJobs(ctx context.Context, limit int) ([]registry.LeftJob, error) {
	return sqldb.List(ctx, db, func(row sqldb.Scanner) (j registry.LeftJob, err error) {
		err = row.Scan(&j.ID, &j.ProjectID, &j.Success)
		return j, err
	}, leftJobsQuery, limit)
}
