// Package metadb keeps every record in a SQL database. It decides nothing about
// permission, and holds no bytes of files but small ones, which are stored with their
// record.
package metadb

import (
	"context"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/releases"
	"granary/internal/sqldb"
	"granary/internal/trail"
	"granary/internal/webhooks"
)

// DB has the records of all rooms. All methods are safe for concurrent use.
type DB struct {
	*sqldb.DB
	wording  wording
	gatherer *gatherer        // of PostgreSQL; nil on SQLite
	small    *publicationPlan // of publications whose bytes are in the database
	stored   *publicationPlan // of those whose bytes are in the store
	selections
	seals sealer

	sorts    chan struct{} // the lock of sorting a list here
	sortWait time.Duration // for that lock
	waiting  chan struct{} // signals that something was put into the outbox

	epochs   epochs
	epoch    atomic.Int64 // the permission epoch of what is cached
	reaching sync.Mutex

	budget   *budget
	routes   *cache[string, route] // by path in lower case; shares the lock of projects
	projects *cache[projectKey, registry.Project]
	tokens   *cache[auth.SecretDigest, auth.Token]
	files    *cache[fileKey, foundFile]
	choices  *cache[choiceKey, registry.Version]
	walks    walks

	grown   grown
	counted atomic.Bool // the upkeep has counted all versions and names of older servers

	formerPaths fault.Limit // of a project or group
}

var (
	_ auth.Records     = (*DB)(nil)
	_ projects.Records = (*DB)(nil)
	_ registry.Records = (*DB)(nil)
	_ webhooks.Records = (*DB)(nil)
	_ releases.Store   = (*DB)(nil)
	_ trail.Store      = (*DB)(nil)
)

// DefaultCacheMemory is how many bytes the caches may hold without LimitCaches.
const DefaultCacheMemory = 8 << 20

const (
	lookupLife = 10 * time.Second // how long an expired membership may still count
	filesLife  = time.Hour
)

// defaultSortWait is how long clients wait for a part of a large answer.
const defaultSortWait = 10 * time.Second

// newDB is a DB that has no database yet.
func newDB() *DB {
	db := &DB{
		waiting: make(chan struct{}, 1), sorts: make(chan struct{}, 1), sortWait: defaultSortWait,
		small: newPublicationPlan(true), stored: newPublicationPlan(false), formerPaths: projects.FormerPaths(), selections: newSelections(),
	}
	db.epochs.ask = db.askEpoch
	db.makeCaches()
	return db
}

// OpenSQLite opens the database file, creates it if it is missing, and migrates the
// schema. See Options.Attach for a file that a server has open. The caller holds the
// lock that keeps other servers away.
func OpenSQLite(ctx context.Context, path string, o sqldb.Options) (*DB, error) {
	return openLite(ctx, path, files(), o)
}

func openLite(ctx context.Context, path string, migrations fs.FS, o sqldb.Options) (*DB, error) {
	db := newDB()
	var err error
	db.DB, err = sqldb.OpenSQLite(ctx, path, schema(migrations), o, db.events())
	if err != nil {
		return nil, err
	}
	db.wording = sqliteWording()
	return db, nil
}

// OpenPostgres opens the database of a URL or of libpq's key=value words, and migrates
// the schema while other nodes wait. It waits for a server that does not answer yet:
// see Options.StartWait. TLS is required if the server is on another machine and the
// words do not say otherwise. No error holds a password.
func OpenPostgres(ctx context.Context, dsn string, o sqldb.Options) (*DB, error) {
	return openServer(ctx, dsn, files(), o)
}

func openServer(ctx context.Context, dsn string, migrations fs.FS, o sqldb.Options) (*DB, error) {
	db := newDB()
	var err error
	db.DB, err = sqldb.OpenPostgres(ctx, dsn, schema(migrations), o, db.events())
	if err != nil {
		return nil, err
	}
	db.wording, db.gatherer = postgresWording(), newGatherer(db.DB)
	return db, nil
}

// events are the functions that the database calls.
func (db *DB) events() sqldb.Events {
	return sqldb.Events{Posted: db.wake, Changed: db.changedElsewhere}
}

// changedElsewhere drops everything that was cached before another process wrote.
func (db *DB) changedElsewhere() {
	db.forget()
	db.walks.clear()
	db.wake() // it may have put something into the outbox
}

// Close waits for the transactions that have begun, and closes the database.
func (db *DB) Close() error {
	if db.gatherer != nil {
		db.gatherer.close()
	}
	err := db.DB.Close()
	db.budget.clear()
	return err
}

// LimitCaches sets how many bytes all caches may hold together, from the next entry
// on. For 0, call it before the first request.
func (db *DB) LimitCaches(bytes int64) { db.budget.limit.Store(bytes) }

func (db *DB) makeCaches() {
	db.budget = newBudget(DefaultCacheMemory)
	var named, tokens, files, chosen, walked sync.RWMutex
	db.routes = newCache(db.budget, &named, lookupLife, weighRoute)
	db.projects = newCache(db.budget, &named, lookupLife, weighProject)
	db.tokens = newCache(db.budget, &tokens, lookupLife, weighToken)
	db.files = newCache(db.budget, &files, filesLife, weighFile)
	db.choices = newCache(db.budget, &chosen, filesLife, weighChoice)
	db.walks = walks{newCache(db.budget, &walked, filesLife, weighWalks)}
}

// wake signals that something was put into the outbox.
func (db *DB) wake() {
	select {
	case db.waiting <- struct{}{}:
	default: // the last signal was not received yet
	}
}
