package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"granary/internal/fault"
)

const (
	leastPostgres = 150000 // server_version_num
	startWait     = 30 * time.Second
	leastConns    = 4 // a background task may hold one, a request two
)

// OpenPostgres opens the database of a URL or of libpq's key=value words, and migrates
// the schema while other nodes wait, unless Options.Attach is set. No error holds a
// password.
func OpenPostgres(ctx context.Context, dsn string, s Schema, o Options, on Events) (*DB, error) {
	config, err := postgresConfig(dsn)
	if err != nil {
		return nil, err
	}
	h := newHeart(postgresDialect(), o)
	if err := prepareSchema(ctx, config, s, o, h); err != nil {
		return nil, fmt.Errorf("database %s: %w", postgresName(config), err)
	}
	conns := stdlib.OpenDB(*config)
	n := o.MaxConnections
	if n == 0 {
		n = max(16, 4*runtime.GOMAXPROCS(0))
	}
	n = max(n, leastConns)
	conns.SetMaxOpenConns(n)
	conns.SetMaxIdleConns(n)
	conns.SetConnMaxIdleTime(5 * time.Minute)
	conns.SetConnMaxLifetime(time.Hour) // so that nodes find a new primary and spread over servers
	writes := &pool{db: conns, point: o.point(), log: o.log(), clock: o.clock(), may: h.current, posted: on.Posted}
	db := &DB{dialect: postgresDialect(), schema: s, Reads: conns, Writes: conns, writer: writes, clock: o.clock()}
	if h != nil {
		db.heart = h
		h.beatOver(db, config)
	}
	return db, nil
}

// beatOver lets the heart renew the row over a connection of its own, so that it never
// waits for the connections of requests.
func (h *heart) beatOver(db *DB, config *pgx.ConnConfig) {
	h.conns = stdlib.OpenDB(*config)
	h.conns.SetMaxOpenConns(1)
	h.conns.SetConnMaxLifetime(time.Hour)
	h.write = execOn(h.conns)
	h.rejoin = func(ctx context.Context, register func(context.Context) error) error {
		return db.Exclusive(ctx, schemaLock, func(ctx context.Context) error {
			have, err := schemaOf(ctx, h.conns)
			switch {
			case err != nil:
				return Classify(err)
			case have > h.schema:
				return fmt.Errorf("%w: it has schema version %d, newer than the %d that granary %s knows; start the newer granary", ErrOutdated, have, h.schema, h.version)
			}
			return register(ctx)
		})
	}
	h.start()
}

// postgresConfig is the settings of every connection. Those of the DSN take
// precedence. By default nothing waits forever, and both sides notice within half a
// minute that the other is gone.
func postgresConfig(dsn string) (*pgx.ConnConfig, error) {
	config, err := parseAddress(dsn)
	if err != nil {
		return nil, fmt.Errorf("the database's address: %w", err)
	}
	settings := map[string]string{
		"statement_timeout":                   "30s",
		"lock_timeout":                        "15s",
		"idle_in_transaction_session_timeout": "60s",
		"default_transaction_isolation":       "read committed",
		"tcp_keepalives_idle":                 "10",
		"tcp_keepalives_interval":             "5",
		"tcp_keepalives_count":                "3",
	}
	startup := map[string]string{"application_name": "granary"}
	for name, value := range config.RuntimeParams {
		if slices.Contains(atStartup(), name) {
			startup[name] = value
		} else {
			settings[name] = value
		}
	}
	config.RuntimeParams = startup
	// After a failover the old primary is not used.
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	setOnConnect(config, settings)
	onConnect(config, waitForDisk)
	config.StatementCacheCapacity = keptTexts
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	return config, nil
}

// postgresName names the database without its password.
func postgresName(c *pgx.ConnConfig) string {
	return fmt.Sprintf("%s on %s:%d as %s", c.Database, c.Host, c.Port, c.User)
}

// schemaLock is held by a node that migrates or registers, so that none registers
// while another migrates.
const schemaLock = "schema"

// prepareSchema checks the server, migrates and registers the node, one node at a
// time. Its connections have no timeouts: building an index may take long.
func prepareSchema(ctx context.Context, config *pgx.ConnConfig, s Schema, o Options, h *heart) error {
	unlimited := config.Copy()
	setOnConnect(unlimited, map[string]string{"statement_timeout": "0", "lock_timeout": "0"})
	conns := stdlib.OpenDB(*unlimited)
	defer conns.Close()
	conns.SetMaxOpenConns(leastConns)
	if err := awaitServer(ctx, conns, o); err != nil {
		return err
	}
	if err := checkPooler(ctx, unlimited); err != nil {
		return err
	}
	if err := checkServer(ctx, conns); err != nil {
		return err
	}
	if o.Attach {
		return sameSchema(ctx, conns, postgresDialect(), s)
	}
	defer o.upgrading()()
	return advisory(ctx, conns, schemaLock, func() {}, func(ctx context.Context) error {
		newest, err := migrate(ctx, conns, postgresDialect(), s, o)
		if err != nil || h == nil {
			return err
		}
		h.schema = newest
		return h.register(ctx, execOn(conns))
	})
}

// awaitServer waits until the server answers. It returns at once if the server answers
// with an error that is not "starting" or "stopping".
func awaitServer(ctx context.Context, conns *sql.DB, o Options) error {
	wait := o.StartWait
	if wait == 0 {
		wait = startWait
	}
	until := time.Now().Add(wait)
	for {
		err := conns.PingContext(ctx)
		if err == nil {
			return nil
		}
		if advice := adviceOnTLS(err); advice != "" {
			return fmt.Errorf("%w; %s", oneLine{err}, advice)
		}
		answer, answered := errors.AsType[*pgconn.PgError](err)
		if answered && answer.Code != "57P03" || ctx.Err() != nil { // 57P03: it is starting or stopping
			return oneLine{err}
		}
		if time.Now().After(until) {
			return fmt.Errorf("it did not answer for %v; start it, or correct the address: %w", wait, oneLine{err})
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func checkServer(ctx context.Context, conns *sql.DB) error {
	var number, version, encoding string
	err := conns.QueryRowContext(ctx, `SELECT current_setting('server_version_num'), current_setting('server_version'),
		current_setting('server_encoding')`).Scan(&number, &version, &encoding)
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(number); err != nil || n < leastPostgres {
		return fmt.Errorf("the server is PostgreSQL %s; granary needs 15 or later", version)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("its encoding is %s; create one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0", encoding)
	}
	return nil
}

// ErrEmptied says that tables of granary are not in the database of PostgreSQL: it was dropped
// and made anew, for example. The fault that has it as its cause says what to do.
var ErrEmptied = errors.New("tables of granary are not in the database")

const emptied = "the database lacks tables of granary: it was made anew, or is another, and nothing is read or written; " +
	"stop the server, and then put the database back; if it is gone for good, granary rebuild or granary restore fills an empty one"

// postgresFault turns PostgreSQL's error into a fault.
func postgresFault(e *pgconn.PgError) error {
	switch e.Code {
	case undefinedTable:
		return fault.Wrap(fault.Unavailable, emptied, fmt.Errorf("%w: %w", ErrEmptied, e))
	case "23505": // unique_violation
		return fault.Wrap(fault.Conflict, "", e)
	case "22021", "22P05": // a character that a text cannot have, a zero byte for example
		return fault.Wrap(fault.Invalid, "a text is not valid UTF-8, or has a zero byte in it", e)
	case "53100": // disk_full
		return fault.Wrap(fault.Unavailable, "no space left for the database", e)
	case "40001", "40P01", // still a serialization failure or a deadlock after all tries
		"55P03", "57014", // lock_timeout, statement_timeout
		"25006", "25P03": // read-only since a failover, idle for too long
		return fault.Wrap(fault.Unavailable, "", e)
	}
	switch e.Code[:min(2, len(e.Code))] {
	case "08", "28", "3D", "53", "57", "58": // connection, login, no database, resources, shutdown, system
		return fault.Wrap(fault.Unavailable, "", e)
	}
	return fault.Wrap(fault.Internal, "", e)
}
