package metadb

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/sqldb"
)

const jobColumns = `j.id, j.project_id, j.pipeline_id, j.name, j.stage, j.ref, j.sha, j.tag, j.status,
	j.created_at, j.finished_at, j.expires_at, (SELECT o.path FROM projects o WHERE o.id = j.project_id), ` + userColumns

const jobTables = `jobs j JOIN users u ON u.id = j.user_id`

func scanJob(row sqldb.Scanner) (auth.Job, error) {
	var j auth.Job
	var created, expires, userCreated int64
	var finished, namespace sql.NullInt64
	u := &j.User
	err := row.Scan(&j.ID, &j.ProjectID, &j.PipelineID, &j.Name, &j.Stage, &j.Ref, &j.SHA, &j.Tag, &j.Status,
		&created, &finished, &expires, &j.ProjectPath,
		&u.ID, &u.Username, &u.Name, &u.Email, &u.Admin, &u.External, &u.Blocked, &u.CanCreateGroup,
		&u.ProjectsLimit, &u.Note, &userCreated, &namespace, &u.Home)
	u.Bot = u.Home != 0
	u.CreatedAt, u.NamespaceID = sqldb.Moment(userCreated), namespace.Int64
	j.User = u.Bounded()
	j.CreatedAt, j.FinishedAt, j.ExpiresAt = sqldb.Moment(created), sqldb.OptionalMoment(finished), sqldb.Moment(expires)
	return j, sqldb.Classify(err)
}

// FindJob implements auth.Jobs.
func (db *DB) FindJob(ctx context.Context, projectID, jobID int64) (auth.Job, error) {
	return findJob(ctx, db, projectID, jobID)
}

func findJob(ctx context.Context, q sqldb.Queries, projectID, jobID int64) (auth.Job, error) {
	return scanJob(q.Row(ctx, `SELECT `+jobColumns+` FROM `+jobTables+` WHERE j.project_id = $1 AND j.id = $2`, projectID, jobID))
}

// ListJobs implements auth.Jobs.
func (db *DB) ListJobs(ctx context.Context, projectID int64, p page.Request) (page.Of[auth.Job], error) {
	var w sqldb.Where
	w.And("j.project_id = ?", projectID)
	return listPage(ctx, direct{db}, &w, p, scanJob, jobTables, jobColumns, "j.id"+sqldb.Direction(p.Desc))
}

// InsertJob implements auth.Jobs.
func (db *DB) InsertJob(ctx context.Context, j auth.Job, d auth.SecretDigest, most fault.Limit, e audit.Event) (auth.Job, error) {
	return writePermission(ctx, db, func(t tx) (auth.Job, error) {
		err := t.room(ctx, runningJobRows(), 1, most, j.ProjectID, sqldb.Micros(j.CreatedAt))
		if err != nil {
			return j, err
		}
		if j.PipelineID, err = t.pipeline(ctx, j); err != nil {
			return j, err
		}
		j.ID, err = t.Insert(`INSERT INTO jobs (project_id, pipeline_id, user_id, name, stage, ref, sha, tag, status, digest, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id`,
			j.ProjectID, j.PipelineID, j.User.ID, j.Name, j.Stage, j.Ref, j.SHA, sqldb.Bool(j.Tag), j.Status, d[:],
			sqldb.Micros(j.CreatedAt), sqldb.Micros(j.ExpiresAt))
		if err != nil {
			return j, err
		}
		return j, t.record(ctx, e.To("Job", j.ID, j.Name))
	})
}

// pipelineNumber takes the next number for a pipeline. Numbers that jobs chose do not
// advance it; if the next is one of those, it takes the first free number after them.
const pipelineNumber = `UPDATE pipeline_numbers SET last = CASE
		WHEN EXISTS (SELECT 1 FROM pipelines p WHERE p.id = pipeline_numbers.last + 1) THEN (
			SELECT p.id + 1 FROM pipelines p WHERE p.id > pipeline_numbers.last
				AND NOT EXISTS (SELECT 1 FROM pipelines o WHERE o.id = p.id + 1) ORDER BY p.id LIMIT 1)
		ELSE last + 1 END
	WHERE id = 1 RETURNING last`

// pipeline finds the job's pipeline or makes it, with the id that the caller asked for
// if it is free. The caller holds the turn, so that no other transaction makes
// pipelines meanwhile.
func (t tx) pipeline(ctx context.Context, j auth.Job) (int64, error) {
	number := j.PipelineID
	if number != 0 {
		var owner int64
		err := t.Row(ctx, `SELECT project_id FROM pipelines WHERE id = $1`, j.PipelineID).Scan(&owner)
		switch {
		case err == nil && owner == j.ProjectID:
			return j.PipelineID, nil
		case err == nil:
			return 0, fault.New(fault.Conflict, "")
		case !errors.Is(err, sql.ErrNoRows):
			return 0, sqldb.Classify(err)
		}
	} else if err := t.Row(ctx, pipelineNumber).Scan(&number); err != nil {
		return 0, sqldb.Classify(err)
	}
	return t.Insert(`INSERT INTO pipelines (id, project_id, user_id, ref, sha, created_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
		number, j.ProjectID, j.User.ID, j.Ref, j.SHA, sqldb.Micros(j.CreatedAt))
}

// FinishJob implements auth.Jobs.
func (db *DB) FinishJob(ctx context.Context, projectID, jobID int64, status auth.JobStatus, now time.Time, e audit.Event) (auth.Job, error) {
	return writePermission(ctx, db, func(t tx) (auth.Job, error) {
		n, err := t.Count(`UPDATE jobs SET status = $1, finished_at = $2
			WHERE project_id = $3 AND id = $4 AND status = $5 AND expires_at > $2`,
			status, sqldb.Micros(now), projectID, jobID, auth.JobRunning)
		if err != nil {
			return auth.Job{}, err
		}
		j, err := findJob(ctx, t, projectID, jobID)
		if err == nil && j.Status != status {
			err = fault.New(fault.Conflict, "")
		}
		if err != nil || n == 0 {
			return j, err
		}
		return j, t.record(ctx, e)
	})
}
