package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"granary/internal/fault"
)

const readers = 4 // connections

// logLimit is the length in bytes to which the file of the write-ahead log is cut at
// the first write after a checkpoint. Under load it stays shorter. A checkpoint by
// itself does not shorten the file.
const logLimit = 64 << 20

// attachedCache is half of what a connection of the server keeps in memory: a command reads rows
// in their order, once each.
const attachedCache = "cache_size(-1024)"

// OpenSQLite opens the database file, creates it if it is missing, and migrates the
// schema. The caller holds the lock that keeps other servers away. With Options.Attach
// it needs no lock, and neither creates nor migrates. Only the owner of a file that was
// missing or empty may read it.
func OpenSQLite(ctx context.Context, path string, s Schema, o Options, on Events) (*DB, error) {
	at, err := openPlace(path, o)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	writes, err := openPool(at, 1, "&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	h := newHeart(sqliteDialect(), o)
	if err := prepareSQLite(ctx, writes, s, o, h); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", path, err), writes.Close())
	}
	pragmas := []string{"query_only(1)"}
	if o.Attach {
		pragmas = append(pragmas, attachedCache)
	}
	reads, err := openPool(at, readers, "", pragmas...)
	if err != nil {
		return nil, errors.Join(err, writes.Close())
	}
	conn, err := writerConn(ctx, writes)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", path, err), reads.Close(), writes.Close())
	}
	w := newWriter(conn, at, o, on)
	db := &DB{dialect: sqliteDialect(), schema: s, Reads: reads, Writes: writes, writer: w, clock: o.clock()}
	if o.Attach {
		go w.run()
		return db, nil
	}
	copies, err := openPool(at, 1, "")
	if err != nil {
		return nil, errors.Join(err, conn.Close(), reads.Close(), writes.Close())
	}
	db.log = newCheckpointer(copies, w, o.log())
	w.committed = db.log.committed
	go w.run()
	db.foreign = newWatcher(w, reads, on.Changed, o.log())
	if h != nil {
		h.rejoin, h.write = registerNow, func(ctx context.Context, query string, args ...any) (int64, error) {
			return Write(ctx, db, func(t *Tx) (int64, error) { return t.Count(query, args...) })
		}
		db.heart = h
		h.start()
	}
	return db, nil
}

// openPlace makes the file if it is missing: no connection does. SQLite gives its other files
// the mode of this one.
func openPlace(path string, o Options) (*place, error) {
	open, err := fileAt(path, o)
	if err != nil {
		return nil, err
	}
	at := &place{path: path, open: open, log: o.log(), whenLost: o.WhenLost}
	if open.Size() > 0 {
		return at, nil
	}
	if o.Attach { // a connection would begin to fill it
		return nil, fmt.Errorf("%w: its file is empty", ErrUnfilled)
	}
	at.narrow()
	return at, nil
}

// fileAt looks at the file. Only who keeps other servers away opens and closes it, which says
// what is wrong and makes it: the locks that this process has on the file are lost by that.
func fileAt(path string, o Options) (os.FileInfo, error) {
	if o.Attach {
		return os.Stat(path)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	made, err := f.Stat()
	return made, errors.Join(err, f.Close())
}

// prepareSQLite migrates the schema and registers the server. Rows of other nodes are
// of servers that were killed, for the file lock keeps others away: they count as gone.
func prepareSQLite(ctx context.Context, writes *sql.DB, s Schema, o Options, h *heart) error {
	if o.Attach {
		return sameSchema(ctx, writes, sqliteDialect(), s)
	}
	defer o.upgrading()()
	newest, err := migrate(ctx, writes, sqliteDialect(), s, o)
	if err != nil || h == nil {
		return err
	}
	h.schema = newest
	_, err = writes.ExecContext(ctx, `UPDATE nodes SET seen_at = MIN(seen_at, `+sqliteDialect().now+` - $1)`, Pace{}.orDefault().Gone.Microseconds())
	if err = errors.Join(err, h.register(ctx, execOn(writes))); err != nil {
		o.log().Warn("database: cannot write the row of this node; retrying", "node", h.id, "error", err)
	}
	return nil // with a full disk the server can still read
}

// registerNow is heart.rejoin on SQLite, where no other node migrates.
func registerNow(ctx context.Context, register func(context.Context) error) error {
	return register(ctx)
}

// execOn runs statements on the connections, and returns how many rows changed.
func execOn(conns *sql.DB) func(ctx context.Context, query string, args ...any) (int64, error) {
	return func(ctx context.Context, query string, args ...any) (int64, error) {
		result, err := conns.ExecContext(ctx, query, args...)
		if err != nil {
			return 0, Classify(err)
		}
		n, err := result.RowsAffected()
		return n, Classify(err)
	}
}

// writerConn is the connection of the writer. writer.begin waits for the lock, not
// SQLite.
func writerConn(ctx context.Context, writes *sql.DB) (*sql.Conn, error) {
	conn, err := writes.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 0"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// openPool opens n connections, and never makes the file (mode=rw). A commit is synced to disk
// before it returns (synchronous=FULL): a 201 relies on that. The checkpointer does the
// checkpoints.
func openPool(at *place, n int, parameters string, pragmas ...string) (*sql.DB, error) {
	pragmas = append([]string{
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "wal_autocheckpoint(0)",
		"cache_size(-2048)", "temp_store(MEMORY)", fmt.Sprintf("journal_size_limit(%d)", logLimit),
	}, pragmas...)
	connections, err := sqlite.NewConnector("file:" + (&url.URL{Path: at.path}).EscapedPath() + "?mode=rw" + parameters)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", at.path, err)
	}
	pool := sql.OpenDB(guarded{connections, at, "PRAGMA " + strings.Join(pragmas, "; PRAGMA ")})
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	return pool, nil
}

// busy reports whether another process holds the lock.
func busy(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// raisedInSQLite reports whether a trigger called RAISE with this text.
func raisedInSQLite(err error, text string) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code() == sqlite3.SQLITE_CONSTRAINT_TRIGGER && strings.Contains(e.Error(), text)
}

// sqliteFault turns SQLite's error into a fault.
func sqliteFault(e *sqlite.Error) error {
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT:
		if e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
			return fault.Wrap(fault.Conflict, "", e)
		}
	case sqlite3.SQLITE_FULL:
		return fault.Wrap(fault.Unavailable, "no space left for the database", e)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return fault.Wrap(fault.Unavailable, "", e)
	}
	return fault.Wrap(fault.Internal, "", e)
}
