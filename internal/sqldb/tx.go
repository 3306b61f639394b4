package sqldb

import (
	"context"
	"database/sql"
	"time"
)

// transactor runs transactions. If fn fails, it is rolled back and its error returned.
// A caller whose context ends before fn runs changes nothing; after that it waits for
// the end. fn may be retried, and only its last run is kept.
type transactor interface {
	do(ctx context.Context, fn func(*Tx) error) error
	close() error
}

// Tx is a transaction that writes.
type Tx struct {
	Via    Runner
	posted bool // Post was called since the last commit
	clock  func() time.Time
}

// Now is the time by Options.Now.
func (t *Tx) Now() time.Time { return t.clock() }

// Post asks for a call of Events.Posted after the commit.
func (t *Tx) Post() { t.posted = true }

// Runner runs statements inside a transaction. The texts of Exec and Row are fixed,
// and are kept prepared.
type Runner interface {
	Exec(query string, args ...any) (sql.Result, error)
	Row(query string, args ...any) *sql.Row
	Rows(query string, args ...any) (*sql.Rows, error)
}

// Exec runs a statement of fixed text.
func (t *Tx) Exec(query string, args ...any) error {
	_, err := t.Via.Exec(query, args...)
	return Classify(err)
}

// Count is Exec that returns how many rows were changed.
func (t *Tx) Count(query string, args ...any) (int64, error) {
	result, err := t.Via.Exec(query, args...)
	if err != nil {
		return 0, Classify(err)
	}
	n, err := result.RowsAffected()
	return n, Classify(err)
}

// Row reads one row with a query of fixed text.
func (t *Tx) Row(_ context.Context, query string, args ...any) *sql.Row {
	return t.Via.Row(query, args...)
}

// Rows reads rows with a query whose text may vary.
func (t *Tx) Rows(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.Via.Rows(query, args...)
}

// FixedRows is Rows: transactions that write prepare only what they write.
func (t *Tx) FixedRows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.Rows(ctx, query, args...)
}

// Insert runs an INSERT ... RETURNING id.
func (t *Tx) Insert(query string, args ...any) (int64, error) {
	var id int64
	err := t.Via.Row(query, args...).Scan(&id)
	return id, Classify(err)
}

// Do runs fn in a transaction that writes, and returns once it is durable. If fn
// fails, the transaction is rolled back and fn's error returned. fn may be retried;
// only its last run is kept. A caller whose context ends before fn runs changes
// nothing.
func (db *DB) Do(ctx context.Context, fn func(*Tx) error) error { return db.writer.do(ctx, fn) }

// IDs reads a column of ids, also from RETURNING.
func (t *Tx) IDs(ctx context.Context, query string, args ...any) ([]int64, error) {
	return List(ctx, t, ScanOne[int64], query, args...)
}

// Write runs fn in a transaction, like Do, and returns its result. Other transactions
// may run in parallel: fn must update a row before it relies on what it read from it,
// for the update locks the row until the commit.
func Write[T any](ctx context.Context, db *DB, fn func(*Tx) (T, error)) (T, error) {
	var result T
	err := db.Do(ctx, func(t *Tx) (err error) {
		result, err = fn(t)
		return err
	})
	return result, err
}
