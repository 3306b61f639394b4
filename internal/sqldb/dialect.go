package sqldb

import (
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
)

// dialect is what differs between the databases. All other SQL is the same.
type dialect struct {
	migrations goose.Dialect
	folder     string // below migrations
	now        string // the database's clock, in microseconds

	shared bool // other nodes write, too, and transactions run in parallel
	// prepares says that statements are prepared here; pgx prepares its own.
	prepares bool
	// once is put before the arguments of a query that must not be kept prepared.
	once any
	// view is the options of a transaction that reads one snapshot.
	view *sql.TxOptions
	// tables is a query of the names of all tables but goose's.
	tables string
	// others is a query of the number of tables, before there are those of granary, and of
	// the name of one.
	others string
	// last is a query of tables and the last ids that their rows got.
	last string
	// settle does at once what waits for the end of the transaction.
	settle []string
}

func sqliteDialect() dialect {
	return dialect{
		migrations: goose.DialectSQLite3, folder: "sqlite", prepares: true,
		now:  `CAST(unixepoch('subsec') * 1000000 AS INTEGER)`,
		last: lastOfSQLite, tables: tablesOfSQLite, others: othersOfSQLite,
	}
}

func postgresDialect() dialect {
	return dialect{
		migrations: goose.DialectPostgres, folder: "postgres", shared: true, once: pgx.QueryExecModeDescribeExec,
		now:  `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`,
		view: &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
		last: lastOfPostgres, tables: tablesOfPostgres, others: othersOfPostgres,
		settle: []string{`SET CONSTRAINTS ALL IMMEDIATE`, `SET CONSTRAINTS ALL DEFERRED`},
	}
}

// pgx keeps the statements that a connection used last. A long text holds ids of
// projects, in endless combinations: kept, such texts would take tens of MiB of each
// connection, here and in the server.
const (
	keptTexts = 256  // statements per connection; about a hundred are in use
	longText  = 4096 // bytes; a text of this length or more is not kept
)

// passedArgs is the arguments of a reading query as the driver gets them.
func (d dialect) passedArgs(query string, args []any) []any {
	if d.once == nil || len(query) < longText {
		return args
	}
	return append([]any{d.once}, args...)
}
