package metadb

import (
	"context"
	"database/sql"
	"time"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/registry"
)

// SweepsSince is the newest migration that a server must know to do a sweep that
// somebody asked for.
const SweepsSince = 14

// sweepsKept is how long a sweep whose outcome nobody came for is remembered.
const sweepsKept = 24 * time.Hour

// AskSweep implements registry.Sweeping.
func (db *DB) AskSweep(ctx context.Context, e audit.Event) (id int64, err error) {
	return write(freeing(ctx), db, func(t *tx) (int64, error) {
		err := t.exec(`DELETE FROM sweeps WHERE asked_at < `+db.dialect.now+` - $1`, sweepsKept.Microseconds())
		if err != nil {
			return 0, err
		}
		id, err := t.insert(`INSERT INTO sweeps (asked_at) VALUES (` + db.dialect.now + `) RETURNING id`)
		if err != nil {
			return 0, err
		}
		return id, t.record(ctx, e.To("Sweep", id, ""))
	})
}

// AskedSweep is the newest of the sweeps that wait, 0 for none.
func (db *DB) AskedSweep(ctx context.Context) (id int64, err error) {
	err = db.row(ctx, `SELECT COALESCE(MAX(id), 0) FROM sweeps WHERE done_at IS NULL`).Scan(&id)
	return id, classify(err)
}

// AnswerSweeps records an outcome for all sweeps that wait, up to an id. failure says
// what went wrong, "" for nothing.
func (db *DB) AnswerSweeps(ctx context.Context, upTo int64, swept registry.Swept, failure string) error {
	why := sql.Null[string]{V: failure, Valid: failure != ""}
	return db.writer.do(freeing(ctx), func(t *tx) error {
		return t.exec(`UPDATE sweeps SET done_at = `+db.dialect.now+`, blobs = $1, bytes = $2, failure = $3
			WHERE id <= $4 AND done_at IS NULL`, swept.Blobs, swept.Bytes, why, upTo)
	})
}

// TakeSweep returns the outcome of a sweep and forgets it, or reports that it is not
// done. NotFound where there is none.
func (db *DB) TakeSweep(ctx context.Context, id int64) (swept registry.Swept, done bool, failure string, err error) {
	var at sql.Null[int64]
	var failed sql.Null[string]
	err = db.row(ctx, `SELECT done_at, blobs, bytes, failure FROM sweeps WHERE id = $1`, id).
		Scan(&at, &swept.Blobs, &swept.Bytes, &failed)
	if err = classify(err); fault.Is(err, fault.NotFound) || err == nil && !at.Valid {
		return registry.Swept{}, false, "", err
	}
	if err == nil {
		err = db.WithdrawSweep(ctx, id)
	}
	return swept, err == nil, failed.V, err
}

// WithdrawSweep takes a sweep back that somebody asked for.
func (db *DB) WithdrawSweep(ctx context.Context, id int64) error {
	return db.writer.do(freeing(ctx), func(t *tx) error { return t.exec(`DELETE FROM sweeps WHERE id = $1`, id) })
}

// CountBlobs adds up the first blobs behind an id, by id. last is the greatest id
// among them, 0 where there are none, and bytes is what they have together.
func (db *DB) CountBlobs(ctx context.Context, after int64, limit int) (last int64, blobs int, bytes int64, err error) {
	err = db.row(ctx, `SELECT COALESCE(MAX(b.id), 0), COUNT(*), CAST(COALESCE(SUM(b.size), 0) AS BIGINT)
		FROM (SELECT id, size FROM blobs WHERE id > $1 ORDER BY id LIMIT $2) b`, after, limit).Scan(&last, &blobs, &bytes)
	return last, blobs, bytes, classify(err)
}
