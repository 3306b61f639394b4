package sqldb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Copy copies every record of one database into another of the other kind, in one
// transaction. Before the commit it reads back what it wrote, and compares the number
// of rows and a checksum of all values of each table. used is a query that returns
// whether the target has records: that is an error. Nothing else may write to either
// database meanwhile. report is called for each table after it was compared.
func Copy(ctx context.Context, from, to *DB, used string, report func(table string, rows int64)) error {
	if from.dialect.shared == to.dialect.shared {
		return errors.New("records can be copied only from SQLite to PostgreSQL, or from PostgreSQL to SQLite")
	}
	source, err := from.Reads.BeginTx(ctx, from.dialect.view)
	if err != nil {
		return Classify(err)
	}
	defer func() { _ = source.Rollback() }() // it only reads
	on := session{ctx, source}
	if from.dialect.shared {
		if err := noTimeouts(on); err != nil {
			return err
		}
	}
	t := &copying{from: on, used: used, report: report, last: lastOfSQLite}
	into := intoPostgres
	if from.dialect.shared {
		t.last, into = lastOfPostgres, intoSQLite
	}
	lite := from
	if from.dialect.shared {
		lite = to
	}
	if t.tables, err = tablesOf(ctx, lite); err != nil {
		return err
	}
	return into(ctx, to, func(to target) error { t.to = to; return t.run() })
}

// tablesOf lists the tables of SQLite's schema that hold records. PostgreSQL has them,
// too, and some of its own. Nodes are not copied: each database has its own.
func tablesOf(ctx context.Context, lite *DB) ([]string, error) {
	return List(ctx, lite, func(row Scanner) (name string, err error) { return name, row.Scan(&name) },
		`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT IN ('goose_db_version', 'nodes') ORDER BY name`)
}

// target is the database that is written, in its one transaction.
type target interface {
	Runner
	// relax defers foreign keys to the commit and stops triggers. It returns the
	// statements that undo this.
	relax(tables []string) (undo []string, err error)
	// fill inserts the rows of a table.
	fill(table string, columns []string, source *rowSource) error
	// number sets the id after which new rows of a table are numbered.
	number(table string, last int64) error
}

type copying struct {
	from   Runner
	used   string
	to     target
	tables []string
	last   func(from Runner, table string) (int64, error) // the last id that a row got
	report func(table string, rows int64)
}

func (t *copying) run() error {
	var used bool
	if err := t.to.Row(t.used).Scan(&used); err != nil {
		return err
	}
	if used {
		return errors.New("it already has records; the target must be an empty database")
	}
	// A row may refer to one that is copied later. Rows that triggers derive are
	// copied like all others.
	undo, err := t.to.relax(t.tables)
	if err != nil {
		return err
	}
	for _, table := range t.tables {
		if err := t.table(table); err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
	}
	for _, statement := range undo {
		if _, err := t.to.Exec(statement); err != nil {
			return err
		}
	}
	return nil
}

// table copies one table, compares it, and sets the id for new rows.
func (t *copying) table(table string) error {
	name := pgx.Identifier{table}.Sanitize()
	rows, err := t.from.Rows(`SELECT * FROM ` + name)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	if _, err := t.to.Exec(`DELETE FROM ` + name); err != nil { // the rows of a new schema
		return err
	}
	source := &rowSource{rows: rows, values: make([]any, len(columns))}
	err = t.to.fill(table, columns, source)
	if err = errors.Join(err, rows.Err()); err != nil {
		return err
	}
	written, err := t.readBack(name, columns)
	if err != nil {
		return err
	}
	if written != source.sum {
		return fmt.Errorf("the rows read back differ: %d instead of %d, or with other values", written.rows, source.sum.rows)
	}
	t.report(table, written.rows)
	if !slices.Contains(columns, "id") {
		return nil
	}
	last, err := t.last(t.from, table)
	if err != nil {
		return err
	}
	return t.to.number(table, last)
}

func (t *copying) readBack(name string, columns []string) (s checksum, err error) {
	rows, err := t.to.Rows(`SELECT ` + quoted(columns) + ` FROM ` + name)
	if err != nil {
		return s, err
	}
	defer rows.Close()
	source := &rowSource{rows: rows, values: make([]any, len(columns))}
	for source.Next() {
		if _, err := source.Values(); err != nil {
			return s, err
		}
	}
	return source.sum, rows.Err()
}

// quoted is a list of columns.
func quoted(columns []string) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = pgx.Identifier{c}.Sanitize()
	}
	return strings.Join(names, ", ")
}

// rowSource passes on the rows of a query, and adds them to a checksum.
type rowSource struct {
	rows   *sql.Rows
	values []any
	sum    checksum
	err    error
}

// Next implements pgx.CopyFromSource.
func (s *rowSource) Next() bool { return s.err == nil && s.rows.Next() }

// Values implements pgx.CopyFromSource.
func (s *rowSource) Values() ([]any, error) {
	into := make([]any, len(s.values))
	for i := range s.values {
		into[i] = &s.values[i]
	}
	if s.err = s.rows.Scan(into...); s.err != nil {
		return nil, s.err
	}
	for i, v := range s.values {
		if b, ok := v.([]byte); ok && b == nil {
			s.values[i] = []byte{} // an empty blob; nil would be NULL
		}
	}
	s.err = s.sum.add(s.values)
	return s.values, s.err
}

// Err implements pgx.CopyFromSource.
func (s *rowSource) Err() error { return s.err }

// checksum is independent of the order of rows: it is their number, and the sum of
// their SHA-256 in four parts.
type checksum struct {
	rows int64
	sum  [4]uint64
}

func (c *checksum) add(values []any) error {
	h := sha256.New()
	write := func(kind byte, text []byte) {
		h.Write(binary.BigEndian.AppendUint64([]byte{kind}, uint64(len(text))))
		h.Write(text)
	}
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			write('n', nil)
		case int64:
			write('i', binary.BigEndian.AppendUint64(nil, uint64(v))) //nolint:gosec // the same bits on both sides
		case string:
			write('t', []byte(v))
		case []byte:
			write('b', v)
		default:
			return fmt.Errorf("a value of type %T was not expected", v)
		}
	}
	digest := h.Sum(nil)
	for i := range c.sum {
		c.sum[i] += binary.BigEndian.Uint64(digest[8*i:])
	}
	c.rows++
	return nil
}
