package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Loading is a transaction that fills an empty database. After Start its tables are bare:
// they have no triggers, no foreign keys, and no indexes but those of primary keys. Finish
// makes all of that again.
type Loading struct {
	*Tx
	on     loader
	db     *DB
	schema int64 // version, as it is now
	newest int64 // version that this program knows

	whole []string // statements that make whole what is bare
	early []string // indexes that MakeIndex has made
}

// loader is what differs between the databases.
type loader interface {
	// strip makes the tables bare, and returns the statements that make them whole.
	strip(tables []string) (whole []string, err error)

	// quiet stops the tables' triggers, and returns the statements that let them run
	// again.
	quiet(tables []string) (undo []string, err error)

	// insert inserts rows until next returns io.EOF.
	insert(table string, columns []string, next func() ([]any, error)) error

	// each runs a statement with the arguments of next, until it returns io.EOF.
	each(query string, next func() ([]any, error)) error

	// number sets the id after which new rows of a table are numbered, if they are.
	number(table string, last int64) error

	// drop drops those of a kind that are there.
	drop(kind string, names []string) error

	// raw calls fn with the transaction's connection.
	raw(fn func(driver.Conn) error) error

	// refer fails if a row refers to one that is not there.
	refer() error
}

// Load runs fn in a transaction that fills the database. fn sees that it is empty, calls
// Start, inserts rows, and calls Finish. If it fails, nothing is left. Nothing else may
// write to the database meanwhile: a server that starts on PostgreSQL waits.
func (db *DB) Load(ctx context.Context, fn func(*Loading) error) error {
	filled := func(t *Tx, on loader) error {
		l := &Loading{Tx: t, on: on, db: db}
		if err := t.Via.Row(`SELECT MAX(version_id) FROM goose_db_version`).Scan(&l.newest); err != nil {
			return Classify(err)
		}
		l.schema = l.newest
		return fn(l)
	}
	if db.dialect.shared {
		return loadPostgres(ctx, db, filled)
	}
	return loadSQLite(ctx, db, filled)
}

// Start makes the empty schema of a version, and strips it.
func (l *Loading) Start(ctx context.Context, schema int64) error {
	if err := l.known(schema); err != nil {
		return err
	}
	if schema < l.schema {
		if err := l.clear(); err != nil {
			return err
		}
		if err := l.up(ctx, schema); err != nil {
			return err
		}
	}
	return l.strip(ctx)
}

// Upgrade brings the schema to a later version. The rows stay.
func (l *Loading) Upgrade(ctx context.Context, schema int64) error {
	if err := l.known(schema); err != nil {
		return err
	}
	if err := l.makeWhole(); err != nil {
		return err
	}
	if err := l.up(ctx, schema); err != nil {
		return err
	}
	return l.strip(ctx)
}

// Finish makes the tables whole, brings the schema up to date, and runs derive while
// triggers do not run. It fails if a row refers to one that is not there.
func (l *Loading) Finish(ctx context.Context, derive func() error) error {
	if err := l.makeWhole(); err != nil {
		return err
	}
	if err := l.up(ctx, l.newest); err != nil {
		return err
	}
	tables, err := l.Tables(ctx)
	if err != nil {
		return err
	}
	undo, err := l.on.quiet(tables)
	if err != nil {
		return Classify(err)
	}
	if err := derive(); err != nil {
		return err
	}
	if err := l.all(undo); err != nil {
		return err
	}
	return l.on.refer()
}

// Insert inserts rows until next returns io.EOF. A row is read before the next call.
func (l *Loading) Insert(table string, columns []string, next func() ([]any, error)) error {
	return l.on.insert(table, columns, next)
}

// Each runs a statement with the arguments of next, until it returns io.EOF.
func (l *Loading) Each(query string, next func() ([]any, error)) error {
	return l.on.each(query, next)
}

// Number says which id a row of each table got last. New rows get later ones than these,
// and than the rows that are there.
func (l *Loading) Number(ctx context.Context, last map[string]int64) error {
	tables, err := l.Tables(ctx)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := l.on.number(table, last[table]); err != nil {
			return Classify(err)
		}
	}
	return nil
}

func (l *Loading) known(schema int64) error {
	if schema > l.newest {
		return fmt.Errorf("the records have schema version %d, newer than the %d that this granary knows; use a newer granary", schema, l.newest)
	}
	return nil
}

func (l *Loading) strip(ctx context.Context) error {
	tables, err := l.Tables(ctx)
	if err == nil {
		l.early = nil
		l.whole, err = l.on.strip(tables)
	}
	return Classify(err)
}

// MakeIndex makes an index again before Finish does; nothing, if it has made it already.
func (l *Loading) MakeIndex(name string) error {
	if slices.Contains(l.early, name) {
		return nil
	}
	i := slices.IndexFunc(l.whole, func(s string) bool { return strings.Contains(s, " INDEX "+name+" ON ") })
	if i < 0 {
		return fmt.Errorf("sqldb: no index of a table is named %s", name)
	}
	makes := l.whole[i]
	l.early = append(l.early, name)
	l.whole = slices.Delete(l.whole, i, i+1)
	return l.all([]string{makes})
}

func (l *Loading) makeWhole() error {
	whole := l.whole
	l.whole = nil
	return l.all(whole)
}

func (l *Loading) all(statements []string) error {
	for _, s := range statements {
		if _, err := l.Via.Exec(s); err != nil {
			if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Detail != "" {
				return fmt.Errorf("%w: %s", Classify(err), e.Detail)
			}
			return Classify(err)
		}
	}
	return nil
}

// up applies migrations up to a version, within this transaction.
func (l *Loading) up(ctx context.Context, schema int64) error {
	if schema == l.schema {
		return nil
	}
	err := l.on.raw(func(conn driver.Conn) error {
		one := within(conn, l.db.dialect.settle)
		defer one.Close() // the connection stays open
		p, _, err := steps(one, l.db.dialect, l.db.schema)
		if err == nil {
			_, err = p.UpTo(context.WithoutCancel(ctx), schema)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("the schema cannot be upgraded from version %d to %d: %w", l.schema, schema, err)
	}
	l.schema = schema
	return nil
}

// clear drops all that the migrations have made.
func (l *Loading) clear() error {
	made, err := l.made()
	if err != nil {
		return err
	}
	for _, kind := range []string{"TABLE", "FUNCTION"} {
		var names []string
		for _, m := range made {
			if m.kind == kind {
				names = append(names, m.name)
			}
		}
		if err := l.on.drop(kind, names); err != nil {
			return Classify(err)
		}
	}
	l.schema = 0
	return l.Exec(`DELETE FROM goose_db_version WHERE version_id > 0`)
}

// creation is something that a migration has made: a TABLE or a FUNCTION.
type creation struct{ kind, name string }

// made finds what the migrations have made, up to the newest. A database of PostgreSQL
// may have tables of others.
func (l *Loading) made() (all []creation, err error) {
	files, err := fs.Sub(l.db.schema.Files, l.db.dialect.folder)
	if err != nil {
		return nil, err
	}
	steps, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	create := regexp.MustCompile(`(?m)^CREATE (?:OR REPLACE )?(TABLE|FUNCTION) (\w+)`)
	for _, step := range steps {
		text, err := fs.ReadFile(files, step)
		if err != nil {
			return nil, err
		}
		for _, m := range create.FindAllStringSubmatch(string(text), -1) {
			all = append(all, creation{m[1], m[2]})
		}
	}
	return all, nil
}

// Tables are those of the schema as it is now, without goose's.
func (l *Loading) Tables(ctx context.Context) ([]string, error) {
	there, err := List(ctx, l, ScanOne[string], l.db.dialect.tables)
	if err != nil {
		return nil, err
	}
	made, err := l.made()
	return slices.DeleteFunc(there, func(name string) bool { return !slices.Contains(made, creation{"TABLE", name}) }), err
}

// Columns is a list of columns as SQL.
func Columns(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = pgx.Identifier{name}.Sanitize()
	}
	return strings.Join(quoted, ", ")
}
