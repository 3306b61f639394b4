package metadb

import (
	"database/sql"

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
		migrations: goose.DialectPostgres, folder: "postgres", shared: true,
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
