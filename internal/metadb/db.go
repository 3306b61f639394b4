// Package metadb keeps every record in a SQL database. It decides nothing
// about permission and moves no bytes but those small ones that ride with
// their record.
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

// DB is the records of all rooms. All methods are safe for concurrent use.
type DB struct {
	*sqldb.DB
	wording  wording
	gatherer *gatherer        // of PostgreSQL; nil on SQLite
	small    *publicationPlan // of publications whose bytes are kept here
	stored   *publicationPlan // of those whose bytes are in the store
	seals    sealer

	sorts    chan struct{} // holds one while a list is sorted here
	sortWait time.Duration // for a turn to sort
	waiting  chan struct{} // holds one where something was put into the outbox

	epochs   epochs       // to permission, on all nodes
	epoch    atomic.Int64 // the number of changes that what is remembered was found under
	reaching sync.Mutex

	budget   *budget
	routes   *cache[string, route] // by path in lower case; shares the lock of places
	projects *cache[projectKey, registry.Project]
	tokens   *cache[auth.SecretDigest, auth.Token]
	files    *cache[fileKey, foundFile]
	walks    walks

	formerPaths fault.Limit // that a project or group keeps
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
	lookupLife = 10 * time.Second // a membership may run out meanwhile
	filesLife  = time.Hour
)

// defaultSortWait is as long as clients wait for a part of a large answer.
const defaultSortWait = 10 * time.Second

// newDB is the records without a database.
func newDB() *DB {
	db := &DB{
		waiting: make(chan struct{}, 1), sorts: make(chan struct{}, 1), sortWait: defaultSortWait,
		small: newPublicationPlan(true), stored: newPublicationPlan(false), formerPaths: projects.FormerPaths(),
	}
	db.epochs.ask = db.askEpoch
	db.makeCaches()
	return db
}

// OpenSQLite opens the database file, creating it if it is missing, and brings its
// schema up to date. See Options.Attach for a file that a server has open. The caller
// holds the lock that keeps other servers away.
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

// OpenPostgres opens the database of a URL or of libpq's key=value words and brings
// its schema up to date while other nodes wait. It waits for a server that does not
// answer yet: Options.StartWait. TLS is required if the server is on another machine
// and the words do not say otherwise. No error holds a password.
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

// events are what the database tells the records.
func (db *DB) events() sqldb.Events {
	return sqldb.Events{Posted: db.wake, Changed: db.changedElsewhere}
}

// changedElsewhere forgets everything that was found before another process wrote.
func (db *DB) changedElsewhere() {
	db.forget()
	db.walks.clear()
	db.wake() // what was written may be for the sender
}

// Close commits what is under way, and closes the database.
func (db *DB) Close() error {
	if db.gatherer != nil {
		db.gatherer.close()
	}
	err := db.DB.Close()
	db.budget.clear()
	return err
}

// LimitCaches sets how many bytes all caches may hold together, from the next entry
// on. 0 is for none: call it before the first request.
func (db *DB) LimitCaches(bytes int64) { db.budget.limit.Store(bytes) }

func (db *DB) makeCaches() {
	db.budget = newBudget(DefaultCacheMemory)
	var named, tokens, files, walked sync.RWMutex
	db.routes = newCache(db.budget, &named, lookupLife, weighRoute)
	db.projects = newCache(db.budget, &named, lookupLife, weighProject)
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
