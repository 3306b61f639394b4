// Package metadb keeps every record in a SQL database. It decides nothing
// about permission and moves no bytes but those small ones that ride with
// their record.
package metadb

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/releases"
	"granary/internal/trail"
	"granary/internal/webhooks"
)

// DB is the records of all rooms. All methods are safe for concurrent use.
type DB struct {
	dialect  dialect
	reads    *sql.DB
	writes   *sql.DB
	writer   transactor
	gatherer *gatherer     // of PostgreSQL; nil on SQLite
	folds    *checkpointer // of SQLite; nil beside a server
	others   *watcher      // of SQLite; nil beside a server
	heart    *heart        // of a server
	works    sync.Map      // name to a channel that holds one, SQLite's exclusive work
	texts    sync.Map      // query text to *sql.Stmt of reads
	seals    sealer

	sorts    chan struct{} // holds one while a list is sorted here
	sortWait time.Duration // for a turn to sort
	waiting  chan struct{} // holds one where something was put into the outbox

	changes  changes      // to permission, on all nodes
	reached  atomic.Int64 // the number of changes that what is remembered was found under
	reaching sync.Mutex

	budget *budget
	routes *cache[string, route] // by path in lower case; shares the lock of places
	places *cache[placeKey, registry.Place]
	tokens *cache[auth.SecretDigest, auth.Token]
	files  *cache[fileKey, foundFile]
	walks  walks

	formerPaths fault.Limit // that a project or group keeps
	clock       func() time.Time
}

var (
	_ auth.Records     = (*DB)(nil)
	_ projects.Records = (*DB)(nil)
	_ registry.Records = (*DB)(nil)
	_ webhooks.Records = (*DB)(nil)
	_ releases.Store   = (*DB)(nil)
	_ trail.Store      = (*DB)(nil)
)

// How much is remembered where nothing else is said, and for how long.
const (
	DefaultCacheMemory = 8 << 20 // bytes

	lookupLife = 10 * time.Second // a membership may run out meanwhile
	filesLife  = time.Hour
)

// defaultSortWait is as long as clients wait for a part of a large answer.
const defaultSortWait = 10 * time.Second

// Options are what tests and the server may set.
type Options struct {
	// CrashPoint is called at named points: of a commit at "before-commit" and
	// "after-commit", and as the log is folded back at "before-fold" and
	// "half-fold". The crash test kills the process there.
	CrashPoint func(point string)

	// Beside: a server may be running on the database. Nothing is created or
	// migrated, a schema of another version is an error, and nothing goes on in
	// the background. What is written counts in that server within a second.
	Beside bool

	// Node is the version text of the granary that runs as a server: it is known
	// to the other nodes, from before this returns until Close. "" is no server.
	Node string

	// Reserve gives back space that was held back on SQLite's disk, and reports
	// whether there is such space now: what removes something is then tried once
	// more, after it found the disk full. nil where none is held back.
	Reserve func() bool

	Log            *slog.Logger     // nil for nowhere
	Now            func() time.Time // the clock by which memberships and tokens end; nil for the machine's
	CacheMemory    int64            // bytes for what is remembered; 0 for DefaultCacheMemory, below 0 for nothing
	MaxConnections int              // to PostgreSQL; 0 for four a core, at least 16; 4 is the least
	StartWait      time.Duration    // for a PostgreSQL that does not answer; 0 for 30 s

	migrations fs.FS // of tests: those of a later granary
	pace       pace
}

// log is where the database tells of what nobody waits for.
func (o Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

// clock is the one by which memberships and tokens end.
func (o Options) clock() func() time.Time {
	if o.Now == nil {
		return time.Now
	}
	return o.Now
}

// newDB puts a database together; reads and writes may be the same connections.
func newDB(d dialect, reads, writes *sql.DB, w transactor, o Options) *DB {
	db := &DB{
		dialect: d, reads: reads, writes: writes, writer: w, waiting: make(chan struct{}, 1),
		sorts: make(chan struct{}, 1), sortWait: defaultSortWait, formerPaths: projects.FormerPaths(), clock: o.clock(),
	}
	db.changes.ask = db.changesMade
	db.remember(o.CacheMemory)
	return db
}

// remember makes the caches.
func (db *DB) remember(bytes int64) {
	if bytes == 0 {
		bytes = DefaultCacheMemory
	}
	db.budget = newBudget(max(bytes, 0))
	var named, tokens, files, walked sync.RWMutex
	db.routes = newCache(db.budget, &named, lookupLife, weighRoute)
	db.places = newCache(db.budget, &named, lookupLife, weighPlace)
	db.tokens = newCache(db.budget, &tokens, lookupLife, weighToken)
	db.files = newCache(db.budget, &files, filesLife, weighFile)
	db.walks = walks{newCache(db.budget, &walked, filesLife, weighWalks)}
}

// wake tells the sender that something waits in the outbox.
func (db *DB) wake() {
	select {
	case db.waiting <- struct{}{}:
	default: // the sender was told and has not looked yet
	}
}

// Close ends the writer once what it holds is committed, and closes the files.
func (db *DB) Close() error {
	var err error
	if db.folds != nil {
		err = db.folds.close()
	}
	if db.others != nil {
		db.others.close()
	}
	if db.gatherer != nil {
		db.gatherer.close()
	}
	db.heart.close()
	db.budget.clear()
	err = errors.Join(err, db.writer.close())
	db.texts.Range(func(_, stmt any) bool {
		err = errors.Join(err, stmt.(*sql.Stmt).Close())
		return true
	})
	if db.writes != db.reads {
		err = errors.Join(err, db.writes.Close())
	}
	return errors.Join(err, db.reads.Close())
}

// Ping asks whether the database answers reads and takes writes.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.reads.PingContext(ctx); err != nil {
		return classify(err)
	}
	return db.writer.do(ctx, func(*tx) error { return nil })
}

// queries is what reading needs, inside a transaction or outside.
type queries interface {
	reader
	row(ctx context.Context, query string, args ...any) *sql.Row
	now() time.Time
}

// reader runs queries for rows.
type reader interface {
	rows(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// now is the moment by which memberships and tokens end.
func (db *DB) now() time.Time { return db.clock() }

// row reads one row with a query of fixed text, prepared once.
func (db *DB) row(ctx context.Context, query string, args ...any) *sql.Row {
	if db.dialect.prepares {
		if stmt, err := db.prepared(query); err == nil {
			return stmt.QueryRowContext(ctx, args...)
		}
	}
	return db.reads.QueryRowContext(ctx, query, db.dialect.passing(query, args)...)
}

// rows reads rows with a query whose text may vary.
func (db *DB) rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return db.reads.QueryContext(ctx, query, db.dialect.passing(query, args)...)
}

func (db *DB) prepared(query string) (*sql.Stmt, error) {
	if stmt, ok := db.texts.Load(query); ok {
		return stmt.(*sql.Stmt), nil
	}
	stmt, err := db.reads.Prepare(query)
	if err != nil {
		return nil, err
	}
	if first, raced := db.texts.LoadOrStore(query, stmt); raced {
		return first.(*sql.Stmt), stmt.Close()
	}
	return stmt, nil
}

// scanner is a row to read from.
type scanner interface{ Scan(dest ...any) error }

// list reads all rows of a query with one scan function.
func list[T any](ctx context.Context, q reader, scan func(scanner) (T, error), query string, args ...any) (found []T, err error) {
	rows, err := q.rows(ctx, query, args...)
	if err != nil {
		return nil, classify(err)
	}
	defer func() {
		if closed := rows.Close(); err == nil && closed != nil {
			err = classify(closed)
		}
	}()
	for rows.Next() {
		row, err := scan(rows)
		if err != nil {
			return nil, classify(err)
		}
		found = append(found, row)
	}
	return found, classify(rows.Err())
}

// classify turns a database's error into a fault that callers know.
func classify(err error) error {
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
	return fault.Wrap(fault.Unavailable, "", oneLine{err}) // nobody answered
}

// logRollback tells of a transaction that could not be undone in order.
func logRollback(log *slog.Logger, err error) {
	log.Error("database: rollback failed", "error", err)
}
