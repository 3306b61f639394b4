package sqldb

import (
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
)

// dialect is what differs between the databases. All else is one text.
type dialect struct {
	migrations goose.Dialect
	folder     string // below migrations
	now        string // the database's clock, in microseconds

	shared bool // other nodes write too, and transactions run in parallel
	// prepares: statements are prepared here. pgx does it by itself.
	prepares bool
	// once comes before the arguments of a query that is not to be kept prepared.
	once any
	// view is how a transaction sees one state throughout.
	view *sql.TxOptions
}

func sqliteDialect() dialect {
	return dialect{
		migrations: goose.DialectSQLite3, folder: "sqlite", prepares: true,
		now: `CAST(unixepoch('subsec') * 1000000 AS INTEGER)`,
	}
}

func postgresDialect() dialect {
	return dialect{
		migrations: goose.DialectPostgres, folder: "postgres", shared: true, once: pgx.QueryExecModeDescribeExec,
		now:  `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`,
		view: &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
	}
}

// pgx keeps the texts that a connection has prepared, those used last. A long text
// has ids of projects in it, of which there are as many as somebody likes: together
// they would take tens of MiB of each connection, here and in the server.
const (
	keptTexts = 256  // a connection; there are about a hundred that count
	longText  = 4096 // bytes, from which on none is kept
)

// passing is the arguments of a query that only reads, as they are passed on.
func (d dialect) passing(query string, args []any) []any {
	if d.once == nil || len(query) < longText {
		return args
	}
	return append([]any{d.once}, args...)
}
