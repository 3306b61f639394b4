package metadb

import (
	"context"
	"database/sql"
	"time"
)

// transactor runs transactions. fn's error undoes what fn did, and is returned.
// A caller that leaves before its turn changes nothing; once its turn has come
// it waits for the end. fn may run again where the database asks for that, and
// only what the last run did is kept.
type transactor interface {
	do(ctx context.Context, fn func(*tx) error) error
	close() error
}

// tx is a transaction that writes.
type tx struct {
	on     statements
	posted bool // something was put into the outbox since the last commit
	clock  func() time.Time
}

func (t *tx) now() time.Time { return t.clock() }

// statements runs texts inside a transaction.
type statements interface {
	exec(query string, args ...any) (sql.Result, error) // of fixed text
	row(query string, args ...any) *sql.Row             // of fixed text
	rows(query string, args ...any) (*sql.Rows, error)
}

// exec runs a statement of fixed text.
func (t *tx) exec(query string, args ...any) error {
	_, err := t.on.exec(query, args...)
	return classify(err)
}

// count is exec for a statement whose number of changed rows matters.
func (t *tx) count(query string, args ...any) (int64, error) {
	result, err := t.on.exec(query, args...)
	if err != nil {
		return 0, classify(err)
	}
	n, err := result.RowsAffected()
	return n, classify(err)
}

// row reads one row with a query of fixed text.
func (t *tx) row(_ context.Context, query string, args ...any) *sql.Row {
	return t.on.row(query, args...)
}

// rows reads rows with a query whose text may vary.
func (t *tx) rows(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.on.rows(query, args...)
}

// insert runs an INSERT ... RETURNING id.
func (t *tx) insert(query string, args ...any) (int64, error) {
	var id int64
	err := t.on.row(query, args...).Scan(&id)
	return id, classify(err)
}

// write runs fn in a transaction and hands on what it returns. Others may run
// beside it: what fn reads and then relies on it must have changed first, which
// holds the row until the end.
func write[T any](ctx context.Context, db *DB, fn func(*tx) (T, error)) (T, error) {
	var result T
	err := db.writer.do(ctx, func(t *tx) (err error) {
		result, err = fn(t)
		return err
	})
	return result, err
}

// alone is write for what reads first and writes then: of these there runs one
// at a time, whichever node begins it.
func alone[T any](ctx context.Context, db *DB, fn func(*tx) (T, error)) (T, error) {
	return write(ctx, db, func(t *tx) (none T, err error) {
		if err := db.turn(t, 0); err != nil {
			return none, err
		}
		return fn(t)
	})
}

// change is alone for what permission depends on: afterwards nothing that was
// remembered from before counts, on any node.
func change[T any](ctx context.Context, db *DB, fn func(*tx) (T, error)) (T, error) {
	defer db.forget()
	return write(ctx, db, func(t *tx) (none T, err error) {
		if err := db.turn(t, 1); err != nil {
			return none, err
		}
		return fn(t)
	})
}

// turn waits until no other transaction holds the turn, and keeps it to the
// end. changes is by how many the changes to permission grow.
func (db *DB) turn(t *tx, changes int) error {
	if !db.dialect.shared {
		return nil // one writer: it is its turn
	}
	return t.exec(`UPDATE permission_changes SET made = made + $1`, changes)
}

// forget drops everything remembered.
func (db *DB) forget() {
	db.routes.clear()
	db.places.clear()
	db.tokens.clear()
	db.files.clear()
}

// ids reads a column of ids, or of what a statement returns.
func (t *tx) ids(ctx context.Context, query string, args ...any) ([]int64, error) {
	return list(ctx, t, func(row scanner) (n int64, err error) { return n, row.Scan(&n) }, query, args...)
}
