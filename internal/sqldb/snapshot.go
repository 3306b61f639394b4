package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Snapshot runs fn with queries that all read the same snapshot. fixed says that their
// texts are from a small set, which is worth preparing.
func (db *DB) Snapshot(ctx context.Context, fixed bool, fn func(Queries) error) error {
	return db.snapshot(ctx, fixed, fn)
}

// LongSnapshot is Snapshot without PostgreSQL's timeouts: it may take hours. SQLite's log
// grows meanwhile by what is written, and PostgreSQL keeps rows that are deleted.
func (db *DB) LongSnapshot(ctx context.Context, fn func(Queries) error) error {
	return db.snapshot(ctx, false, func(q Queries) error {
		if db.dialect.shared {
			if err := noTimeouts(session{ctx, q.(*view).tx}); err != nil {
				return Classify(err)
			}
		}
		return fn(q)
	})
}

func (db *DB) snapshot(ctx context.Context, fixed bool, fn func(Queries) error) error {
	tx, err := db.Reads.BeginTx(ctx, db.dialect.view)
	if err != nil {
		return Classify(err)
	}
	v := &view{db: db, tx: tx, fixed: fixed && db.dialect.prepares}
	err = fn(v)
	if ended := tx.Rollback(); ended != nil && !errors.Is(ended, sql.ErrTxDone) && err == nil {
		err = Classify(ended)
	}
	v.prepare()
	return err
}

// view is a transaction that only reads.
type view struct {
	db    *DB
	tx    *sql.Tx
	fixed bool
	fresh []string // texts to prepare
}

// known is the prepared statement of a text that is fixed; nil if there is none yet. It is
// prepared after this view: that takes a connection, and the others may wait for this view's.
func (v *view) known(ctx context.Context, fixed bool, query string) *sql.Stmt {
	if !fixed {
		return nil
	}
	if stmt, ok := v.db.texts.Load(query); ok {
		return v.tx.StmtContext(ctx, stmt.(*sql.Stmt))
	}
	v.fresh = append(v.fresh, query)
	return nil
}

// prepare prepares the new texts for the next view. If that fails, the next view runs
// them unprepared.
func (v *view) prepare() {
	for _, query := range v.fresh {
		_, _ = v.db.prepared(query)
	}
}

func (v *view) Now() time.Time { return v.db.Now() }

func (v *view) Row(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt := v.known(ctx, v.fixed, query); stmt != nil {
		return stmt.QueryRowContext(ctx, args...)
	}
	return v.tx.QueryRowContext(ctx, query, v.db.dialect.passedArgs(query, args)...)
}

func (v *view) Rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := v.known(ctx, v.fixed, query); stmt != nil {
		return stmt.QueryContext(ctx, args...)
	}
	return v.tx.QueryContext(ctx, query, v.db.dialect.passedArgs(query, args)...)
}

func (v *view) FixedRows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := v.known(ctx, v.db.dialect.prepares, query); stmt != nil {
		return stmt.QueryContext(ctx, args...)
	}
	return v.tx.QueryContext(ctx, query, args...)
}

// SchemaVersion is the number of the newest migration of the database.
func (db *DB) SchemaVersion(ctx context.Context, q Queries) (version int64, err error) {
	err = q.Row(ctx, `SELECT MAX(version_id) FROM goose_db_version`).Scan(&version)
	return version, Classify(err)
}

// LastIDs is the last id that a row of each table got, also if that row is gone. Tables
// that do not number their rows, or never did, are left out.
func (db *DB) LastIDs(ctx context.Context, q Queries) (map[string]int64, error) {
	last := map[string]int64{}
	_, err := List(ctx, q, func(row Scanner) (none struct{}, err error) {
		var table string
		var id int64
		if err = row.Scan(&table, &id); err == nil && id > 0 {
			last[table] = id
		}
		return none, err
	}, db.dialect.last)
	return last, err
}
