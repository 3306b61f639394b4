package metadb

import (
	"context"

	"granary/internal/sqldb"
)

// tx is a transaction that writes records.
type tx struct{ *sqldb.Tx }

// do is sqldb.DB.Do for records.
func (db *DB) do(ctx context.Context, fn func(tx) error) error {
	return db.DB.Do(ctx, func(t *sqldb.Tx) error { return fn(tx{t}) })
}

// write runs fn in a transaction and returns what it returns. Other transactions may
// run in parallel: fn must update a row before it relies on what it read from it, for
// the update locks the row until the commit.
func write[T any](ctx context.Context, db *DB, fn func(tx) (T, error)) (T, error) {
	return sqldb.Write(ctx, db.DB, func(t *sqldb.Tx) (T, error) { return fn(tx{t}) })
}

// writeInTurn is write for transactions that read before they write: it holds the
// turn, so that only one of them runs at a time, on all nodes together.
func writeInTurn[T any](ctx context.Context, db *DB, fn func(tx) (T, error)) (T, error) {
	return write(ctx, db, func(t tx) (none T, err error) {
		if err := db.turn(t, 0); err != nil {
			return none, err
		}
		return fn(t)
	})
}

// writePermission is writeInTurn for records that permission depends on. It begins a
// new permission epoch: no node uses what it cached before.
func writePermission[T any](ctx context.Context, db *DB, fn func(tx) (T, error)) (T, error) {
	defer db.forget()
	return write(ctx, db, func(t tx) (none T, err error) {
		if err := db.turn(t, 1); err != nil {
			return none, err
		}
		return fn(t)
	})
}

// turn takes the turn, a row lock, until the transaction ends. epochs is added to the
// permission epoch.
func (db *DB) turn(t tx, epochs int) error {
	if !db.Shared() {
		return nil // SQLite has one writer
	}
	return t.Exec(`UPDATE permission_changes SET made = made + $1`, epochs)
}

// forget clears the caches of what depends on permission.
func (db *DB) forget() {
	db.routes.clear()
	db.projects.clear()
	db.tokens.clear()
	db.files.clear()
	db.forgetVersions()
}
