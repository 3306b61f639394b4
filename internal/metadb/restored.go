package metadb

import (
	"context"

	"granary/internal/auth"
)

// EndJobs cancels all jobs, so that their tokens end: they ran when a backup was made.
func (db *DB) EndJobs(ctx context.Context) error {
	_, err := writePermission(ctx, db, func(t tx) (struct{}, error) {
		return struct{}{}, t.Exec(`UPDATE jobs SET status = $1, finished_at = `+db.ClockSQL()+` WHERE status = $2`, auth.JobCanceled, auth.JobRunning)
	})
	return err
}
