package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// migrate applies the missing migrations, each in a transaction, logs that in one
// line, and returns the newest version. It refuses a database that is newer than this
// program. The caller holds the lock that keeps others away. If one of the migrations
// is exclusive, none is applied until no older node runs.
func migrate(ctx context.Context, db *sql.DB, d dialect, s Schema, o Options) (newest int64, err error) {
	if err := refuseOthers(ctx, db, d); err != nil { // before goose makes its table
		return 0, err
	}
	p, files, err := steps(db, d, s)
	if err != nil {
		return 0, err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return 0, err
	}
	if have > want {
		return 0, fmt.Errorf("it has schema version %d, newer than the %d that this granary knows; start the newer granary, or restore a backup from before it", have, want)
	}
	needed, err := lastExclusive(files, p.ListSources(), have)
	if err != nil {
		return 0, err
	}
	if needed > 0 && have >= s.NodesSince && d.shared { // else the file lock keeps others away
		if err := awaitOlder(ctx, db, d, needed, o); err != nil {
			return 0, err
		}
	}
	if _, err = p.Up(ctx); err != nil {
		return 0, err
	}
	switch {
	case have == 0:
		o.log().Info("schema created", "version", want)
	case have < want:
		o.log().Info("schema upgraded", "from", have, "to", want)
	}
	return want, nil
}

// ErrUnfilled is what the error of Options.Attach is to errors.Is for a database in which no
// server has ever run, and whose schema is missing, or half made: a restore or rebuild was
// stopped.
var ErrUnfilled = errors.New("it has no records of granary")

// sameSchema refuses a database whose schema is not this program's, and changes
// nothing. (goose would create its own table if it is missing.)
func sameSchema(ctx context.Context, db *sql.DB, d dialect, s Schema) error {
	p, _, err := steps(db, d, s)
	if err != nil {
		return err
	}
	all := p.ListSources()
	want := all[len(all)-1].Version
	have, err := schemaOf(ctx, db)
	if noTable(err) {
		if err := refuseOthers(ctx, db, d); err != nil {
			return err
		}
		return fmt.Errorf("%w, and no schema, which granary serve creates at its first start", ErrUnfilled)
	}
	if err != nil {
		return err
	}
	if have < want {
		if filled, err := isFilled(ctx, db, s); err != nil {
			return err
		} else if !filled {
			return fmt.Errorf("%w, and only a part of the schema (version %d of %d): what made it was stopped", ErrUnfilled, have, want)
		}
	}
	switch {
	case have < want:
		return fmt.Errorf("it has schema version %d, older than the %d of this granary; use the granary that the server runs, or start the server of this one, which upgrades the schema", have, want)
	case have > want:
		return fmt.Errorf("it has schema version %d, newer than the %d that this granary knows; use the granary that the server runs", have, want)
	}
	return nil
}

// refuseOthers refuses a database without a schema of granary that has tables all the same: they
// are somebody else's. What was put beside the schema later is not looked at.
func refuseOthers(ctx context.Context, db *sql.DB, d dialect) error {
	have, err := schemaOf(ctx, db)
	if err == nil && have > 0 || err != nil && !noTable(err) {
		return err
	}
	var number int
	var first sql.NullString
	if err := db.QueryRowContext(ctx, d.others).Scan(&number, &first); err != nil || number == 0 {
		return err
	}
	tables := "table"
	if number > 1 {
		tables = "tables"
	}
	return fmt.Errorf("it has no schema of granary, and %d %s of somebody else, such as %q: granary fills only an empty database; make one for it, or name the right one",
		number, tables, first.String)
}

// isFilled reports whether a server has ever run on a database, whose schema may be half made.
func isFilled(ctx context.Context, db *sql.DB, s Schema) (filled bool, err error) {
	err = db.QueryRowContext(ctx, s.Filled).Scan(&filled)
	if noTable(err) {
		return false, nil
	}
	return filled, err
}

const undefinedTable = "42P01" // of PostgreSQL

// noTable reports whether a query failed because its table is not there.
func noTable(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == undefinedTable
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code() == sqlite3.SQLITE_ERROR && strings.Contains(e.Error(), "no such table")
}

// schemaOf is the version of the schema.
func schemaOf(ctx context.Context, db *sql.DB) (have int64, err error) {
	err = db.QueryRowContext(ctx, `SELECT MAX(version_id) FROM goose_db_version`).Scan(&have)
	return have, err
}

// steps are the migrations of the dialect, and their files.
func steps(db *sql.DB, d dialect, s Schema) (*goose.Provider, fs.FS, error) {
	files, err := fs.Sub(s.Files, d.folder)
	if err != nil {
		return nil, nil, err
	}
	p, err := goose.NewProvider(d.migrations, db, files)
	return p, files, err
}
