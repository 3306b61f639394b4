package metadb

import (
	"context"

	"granary/internal/auth"
	"granary/internal/sqldb"
)

// IsEmpty reports whether no server has ever run on the database: its first start makes a
// user.
func (db *DB) IsEmpty(ctx context.Context) (empty bool, err error) {
	err = db.Row(ctx, `SELECT NOT EXISTS (SELECT 1 FROM users)`).Scan(&empty)
	return empty, sqldb.Classify(err)
}

// EndJobs cancels all jobs, so that their tokens end: they ran when a backup was made.
func (db *DB) EndJobs(ctx context.Context) error {
	_, err := writePermission(ctx, db, func(t tx) (struct{}, error) {
		return struct{}{}, t.Exec(`UPDATE jobs SET status = $1, finished_at = `+db.ClockSQL()+` WHERE status = $2`, auth.JobCanceled, auth.JobRunning)
	})
	return err
}
