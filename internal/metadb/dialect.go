package metadb

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

	// shared: other nodes write too. Nothing is remembered but what
	// permission_changes answers for, and transactions run side by side.
	shared bool
	// prepares: statements are prepared here. pgx does it by itself.
	prepares bool
	// once comes before the arguments of a query that is not to be kept prepared.
	once any
	// skipLocked ends a query that claims a row, so that two claim two.
	skipLocked string
	// view is how a transaction sees one state throughout.
	view *sql.TxOptions
	// firstOfEach joins scope p with the first packages of each project in it,
	// as k; rest is what follows in a query over packages o.
	firstOfEach func(rest string) string
	// appends: counters are appended to, and added up now and then (Fold).
	appends bool
	// listed is how many listed packages have a name of package_names, n.
	listed string
}

func sqliteDialect() dialect {
	return dialect{
		migrations: goose.DialectSQLite3, folder: "sqlite", prepares: true, listed: "n.listed",
		now: `CAST(unixepoch('subsec') * 1000000 AS INTEGER)`,
		firstOfEach: func(rest string) string {
			return `scope p CROSS JOIN packages k ON k.id IN (SELECT o.id FROM packages o` + rest + `)`
		},
	}
}

func postgresDialect() dialect {
	return dialect{
		migrations: goose.DialectPostgres, folder: "postgres", shared: true, once: pgx.QueryExecModeDescribeExec,
		now:        `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`,
		skipLocked: ` FOR UPDATE SKIP LOCKED`,
		view:       &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
		firstOfEach: func(rest string) string {
			return `scope p CROSS JOIN LATERAL (SELECT o.* FROM packages o` + rest + `) k`
		},
		appends: true,
		listed: `n.listed + CAST(COALESCE((SELECT SUM(c.listed) FROM package_name_changes c
			WHERE c.project_id = n.project_id AND c.name = n.name), 0) AS BIGINT)`,
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
