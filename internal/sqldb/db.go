// Package sqldb is the database engine: it opens SQLite or PostgreSQL, migrates the
// schema, and runs queries and transactions. One text of SQL serves both. It knows no
// table but nodes, in which servers register.
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"granary/internal/fault"
)

// DB is a database. All methods are safe for concurrent use.
type DB struct {
	Reads  *sql.DB // connections that read
	Writes *sql.DB // the one connection of SQLite's writer; Reads on PostgreSQL

	dialect dialect
	schema  Schema
	writer  transactor
	log     *checkpointer // of SQLite; nil on PostgreSQL
	foreign *watcher      // of SQLite; nil on PostgreSQL
	heart   *heart        // of a server
	locks   sync.Map      // SQLite's locks of DB.Exclusive: name to a channel of capacity 1
	texts   sync.Map      // query text to *sql.Stmt of reads
	clock   func() time.Time
}

// Schema is the migrations of a database.
type Schema struct {
	// Files has the migrations: sqlite/NNNN_name.sql and postgres/NNNN_name.sql.
	Files fs.FS

	// NodesSince is the migration that created the table of nodes. An older schema
	// does not know its nodes.
	NodesSince int64

	// Filled is a query for whether a server has ever run on a database. Its table may be
	// missing, if the schema is half made.
	Filled string
}

// Events are functions that the database calls. They must not wait for it.
type Events struct {
	Posted  func() // a transaction that called Tx.Post was committed
	Changed func() // another process wrote to the SQLite file
}

// Options are settings of the server and of tests.
type Options struct {
	// CrashPoint is called at named points: of a commit at "before-commit" and
	// "after-commit", and of a checkpoint at "before-checkpoint" and
	// "half-checkpoint". The crash test kills the process there.
	CrashPoint func(point string)

	// Attach opens a database that a server may be running on. Nothing is created or
	// migrated, a schema of another version is an error, and nothing runs in the
	// background. The server sees what is written within a second.
	Attach bool

	// Node is the version of the granary that runs as a server. The server is
	// registered among the nodes from before Open returns until Close. "" for a
	// program that is no server.
	Node string

	// Reserve frees space that was held back on SQLite's disk, and reports whether it
	// is free now. It is called if a Freeing transaction finds the disk full; the
	// transaction is then run once more. nil if no space is held back.
	Reserve func() bool

	// WhenLost says what makes a database again whose SQLite file is gone for good, as the
	// end of a sentence. It is called at any time, and must not wait. nil: nothing is said.
	WhenLost func() string

	// Upgrading is called when Open comes to the schema, which it may have to upgrade, or wait
	// for a node that does: that may take minutes. What it returns is called when that is
	// over. nil: nobody is told.
	Upgrading func() (over func())

	Log            *slog.Logger     // nil: no log
	Now            func() time.Time // the clock of DB.Now and Tx.Now; nil for the machine's
	MaxConnections int              // to PostgreSQL, at least 4; 0 for four per core, at least 16
	StartWait      time.Duration    // how long Open waits for a PostgreSQL that does not answer; 0 for 30 s

	Pace Pace // how often a server renews its row among the nodes; the zero value is the default
}

// log is Log, or a logger that discards.
func (o Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

// upgrading is Upgrading, or a function that does nothing.
func (o Options) upgrading() (over func()) {
	if o.Upgrading == nil {
		return func() {}
	}
	return o.Upgrading()
}

// point is CrashPoint, or a function that does nothing.
func (o Options) point() func(string) {
	if o.CrashPoint == nil {
		return func(string) {}
	}
	return o.CrashPoint
}

// clock is Now, or the machine's.
func (o Options) clock() func() time.Time {
	if o.Now == nil {
		return time.Now
	}
	return o.Now
}

// Close commits the transactions that wait for the writer, and closes the database.
func (db *DB) Close() error {
	var err error
	if db.log != nil {
		err = db.log.close()
	}
	if db.foreign != nil {
		db.foreign.close()
	}
	db.heart.close()
	err = errors.Join(err, db.writer.close())
	db.texts.Range(func(_, stmt any) bool {
		err = errors.Join(err, stmt.(*sql.Stmt).Close())
		return true
	})
	if db.Writes != db.Reads {
		err = errors.Join(err, db.Writes.Close())
	}
	return errors.Join(err, db.Reads.Close())
}

// Shared reports whether other nodes may write to the database, too: it is PostgreSQL.
// Transactions then run in parallel.
func (db *DB) Shared() bool { return db.dialect.shared }

// ClockSQL is the SQL for the time by the database's clock, in microseconds.
func (db *DB) ClockSQL() string { return db.dialect.now }

// Current returns Unavailable if other nodes may count this one as gone.
func (db *DB) Current() error { return db.heart.current() }

// Ping checks that the database answers reads, has tables, and accepts writes.
func (db *DB) Ping(ctx context.Context) error {
	if _, err := db.Reads.ExecContext(ctx, `SELECT id FROM nodes LIMIT 0`); err != nil {
		return Classify(err)
	}
	return db.writer.do(ctx, func(*Tx) error { return nil })
}

// Queries reads, inside a transaction or outside.
type Queries interface {
	Reader
	Row(ctx context.Context, query string, args ...any) *sql.Row
	FixedRows(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	Now() time.Time
}

// Reader runs queries for rows.
type Reader interface {
	Rows(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Now is the time by Options.Now.
func (db *DB) Now() time.Time { return db.clock() }

// Row reads one row with a query of fixed text, prepared once.
func (db *DB) Row(ctx context.Context, query string, args ...any) *sql.Row {
	if db.dialect.prepares {
		if stmt, err := db.prepared(query); err == nil {
			return stmt.QueryRowContext(ctx, args...)
		}
	}
	return db.Reads.QueryRowContext(ctx, query, db.dialect.passedArgs(query, args)...)
}

// RowOnce reads one row with a query whose text may vary.
func (db *DB) RowOnce(ctx context.Context, query string, args ...any) *sql.Row {
	return db.Reads.QueryRowContext(ctx, query, db.dialect.passedArgs(query, args)...)
}

// FixedRows reads rows with a query of fixed text, prepared once, however long it is: both
// databases take longer to plan such a query than to find a few rows.
func (db *DB) FixedRows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if db.dialect.prepares {
		if stmt, err := db.prepared(query); err == nil {
			return stmt.QueryContext(ctx, args...)
		}
	}
	return db.Reads.QueryContext(ctx, query, args...)
}

// Rows reads rows with a query whose text may vary.
func (db *DB) Rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return db.Reads.QueryContext(ctx, query, db.dialect.passedArgs(query, args)...)
}

// Prepared lists the texts of the prepared statements. It is empty on PostgreSQL,
// where pgx keeps them.
func (db *DB) Prepared() (texts []string) {
	db.texts.Range(func(text, _ any) bool { texts = append(texts, text.(string)); return true })
	if w, ok := db.writer.(*writer); ok {
		_ = w.outside(context.Background(), func(*Tx) error {
			texts = slices.AppendSeq(texts, maps.Keys(w.conn.stmts))
			return nil
		})
	}
	return texts
}

func (db *DB) prepared(query string) (*sql.Stmt, error) {
	if stmt, ok := db.texts.Load(query); ok {
		return stmt.(*sql.Stmt), nil
	}
	stmt, err := db.Reads.Prepare(query)
	if err != nil {
		return nil, err
	}
	if first, raced := db.texts.LoadOrStore(query, stmt); raced {
		return first.(*sql.Stmt), stmt.Close()
	}
	return stmt, nil
}

// Scanner is a row to read from.
type Scanner interface{ Scan(dest ...any) error }

// List reads all rows of a query whose text may vary. scan reads one.
func List[T any](ctx context.Context, q Reader, scan func(Scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.Rows(ctx, query, args...)
	return collect(rows, err, scan)
}

// ScanOne reads a row of one column.
func ScanOne[T any](row Scanner) (value T, err error) {
	err = row.Scan(&value)
	return value, err
}

// ListFixed is List for a query of fixed text, prepared once.
func ListFixed[T any](ctx context.Context, q Queries, scan func(Scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.FixedRows(ctx, query, args...)
	return collect(rows, err, scan)
}

func collect[T any](rows *sql.Rows, failed error, scan func(Scanner) (T, error)) (found []T, err error) {
	if failed != nil {
		return nil, Classify(failed)
	}
	defer func() {
		if closed := rows.Close(); err == nil && closed != nil {
			err = Classify(closed)
		}
	}()
	for rows.Next() {
		row, err := scan(rows)
		if err != nil {
			return nil, Classify(err)
		}
		found = append(found, row)
	}
	return found, Classify(rows.Err())
}

// Classify turns a database's error into a fault that callers know.
func Classify(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return fault.Wrap(fault.NotFound, "", err)
	}
	if _, known := errors.AsType[*fault.Error](err); known {
		return err
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return sqliteFault(e)
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return postgresFault(e)
	}
	return fault.Wrap(fault.Unavailable, "", oneLine{err}) // no answer of the database
}

// logRollback logs that a transaction could not be rolled back.
func logRollback(log *slog.Logger, err error) {
	log.Error("database: rollback failed", "error", err)
}
