package metadb

import (
	"context"
	"slices"

	"granary/internal/registry"
	"granary/internal/sqldb"
)

// pipelineColumns are the columns of a pipeline. Its status is computed from its jobs.
// They take the time, as $1.
const pipelineColumns = `l.id, l.project_id, l.ref, l.sha, l.created_at,
	COALESCE((SELECT MAX(COALESCE(j.finished_at, j.created_at)) FROM jobs j WHERE j.pipeline_id = l.id), l.created_at),
	CASE
		WHEN EXISTS (SELECT 1 FROM jobs j WHERE j.pipeline_id = l.id AND j.status = 'running' AND j.expires_at > $1) THEN 'running'
		WHEN EXISTS (SELECT 1 FROM jobs j WHERE j.pipeline_id = l.id AND j.status IN ('failed', 'running')) THEN 'failed'
		WHEN EXISTS (SELECT 1 FROM jobs j WHERE j.pipeline_id = l.id AND j.status = 'canceled') THEN 'canceled'
		ELSE 'success' END,
	u.id, u.username, u.name, u.blocked`

const pipelineTables = `pipelines l JOIN users u ON u.id = l.user_id`

// attached is a pipeline with the package or file that it published to.
type attached struct {
	to int64
	registry.Pipeline
}

func scanAttached(row sqldb.Scanner) (attached, error) {
	var a attached
	var created, updated int64
	err := row.Scan(&a.to, &a.ID, &a.ProjectID, &a.Ref, &a.SHA, &created, &updated, &a.Status,
		&a.User.ID, &a.User.Username, &a.User.Name, &a.User.Blocked)
	a.CreatedAt, a.UpdatedAt = sqldb.Moment(created), sqldb.Moment(updated)
	return a, sqldb.Classify(err)
}

// lastPipelines fills in the last pipeline of each package: one query for all.
func lastPipelines(ctx context.Context, q sqldb.Queries, packages []registry.Package) error {
	ids := make([]int64, len(packages))
	at := make(map[int64]*registry.Package, len(packages))
	for i := range packages {
		ids[i], at[packages[i].ID] = packages[i].ID, &packages[i]
	}
	// The last is the one without a newer one.
	found, err := pipelinesOf(ctx, q, "s.package_id", `package_pipelines s`,
		`NOT EXISTS (SELECT 1 FROM package_pipelines t WHERE t.package_id = s.package_id AND t.pipeline_id > s.pipeline_id)`, ids)
	for _, a := range found {
		at[a.to].Pipeline = &a.Pipeline
	}
	return err
}

// filePipelines fills in the pipelines of each file: one query for all.
func filePipelines(ctx context.Context, q sqldb.Queries, files []registry.PackageFile) error {
	ids := make([]int64, len(files))
	at := make(map[int64]*registry.PackageFile, len(files))
	for i := range files {
		ids[i], at[files[i].ID] = files[i].ID, &files[i]
	}
	found, err := pipelinesOf(ctx, q, "s.package_file_id", `package_file_pipelines s`, "", ids)
	for _, a := range found {
		at[a.to].Pipelines = append(at[a.to].Pipelines, a.Pipeline)
	}
	return err
}

func pipelinesOf(ctx context.Context, q sqldb.Queries, owner, table, only string, ids []int64) ([]attached, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	w := sqldb.Where{Args: []any{sqldb.Micros(q.Now())}}
	w.In(owner, false, padded(ids))
	if only != "" {
		w.And(only)
	}
	return sqldb.ListFixed(ctx, q, scanAttached, `SELECT `+owner+`, `+pipelineColumns+` FROM `+table+`
		CROSS JOIN `+pipelineTables+w.String()+` AND l.id = s.pipeline_id ORDER BY l.id`, w.Args...)
}

// padded repeats the first of some ids, so that lists of many lengths have few texts, which
// are prepared.
func padded[T any](values []T) []T {
	want := 1
	for want < len(values) {
		want *= 2
	}
	for len(values) > 0 && len(values) < want {
		values = append(slices.Clip(values), values[0])
	}
	return values
}

// ListPipelines implements registry.Packages.
func (db *DB) ListPipelines(ctx context.Context, packageID, before int64, limit int) ([]registry.Pipeline, error) {
	w := sqldb.Where{Args: []any{sqldb.Micros(db.Now())}}
	w.And("s.package_id = ? AND l.id = s.pipeline_id", packageID)
	if before != 0 {
		w.And("s.pipeline_id < ?", before)
	}
	query := `SELECT s.package_id, ` + pipelineColumns + ` FROM package_pipelines s CROSS JOIN ` +
		pipelineTables + w.String() + ` ORDER BY s.pipeline_id DESC` + w.Bind(" LIMIT ?", limit)
	found, err := sqldb.ListFixed(ctx, db, scanAttached, query, w.Args...)
	pipelines := make([]registry.Pipeline, len(found))
	for i, a := range found {
		pipelines[i] = a.Pipeline
	}
	return pipelines, err
}
