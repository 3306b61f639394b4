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
// transaction: all of it or nothing. It reads back what it wrote and compares the
// number of rows and a checksum over all values of each table before it commits.
// used is a query for whether the target has records already: that is an error.
// Nobody else may write to either database meanwhile. report is called for each
// table once its rows are compared.
func Copy(ctx context.Context, from, to *DB, used string, report func(table string, rows int64)) error {
	if from.dialect.shared == to.dialect.shared {
		return errors.New("records are copied from SQLite to PostgreSQL, or from PostgreSQL to SQLite")
	}
	source, err := from.Reads.BeginTx(ctx, from.dialect.view)
	if err != nil {
		return Classify(err)
	}
	defer func() { _ = source.Rollback() }() // it only reads
	on := session{ctx, source}
	if from.dialect.shared {
		if err := unhurry(on); err != nil {
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

// tablesOf lists the tables of SQLite's schema that hold records; PostgreSQL has the
// same, and some that are its own. The nodes of the one database are not those of the
// other.
func tablesOf(ctx context.Context, lite *DB) ([]string, error) {
	return List(ctx, lite, func(row Scanner) (name string, err error) { return name, row.Scan(&name) },
		`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT IN ('goose_db_version', 'nodes') ORDER BY name`)
}

// target is the database that records go into, inside of the one transaction.
type target interface {
	Runner
	// relax puts foreign keys off to the end and stops triggers. It returns the
	// statements that undo it.
	relax(tables []string) (undo []string, err error)
	// fill writes the rows of a table.
	fill(table string, columns []string, source *rowSource) error
	// number has new rows of a table numbered behind last.
	number(table string, last int64) error
}

type copying struct {
	from   Runner
	used   string
	to     target
	tables []string
	last   func(from Runner, table string) (int64, error) // the last number that was given to a row
	report func(table string, rows int64)
}

func (t *copying) run() error {
	var used bool
	if err := t.to.Row(t.used).Scan(&used); err != nil {
		return err
	}
	if used {
		return errors.New("it has records already; an empty database is wanted")
	}
	// What a row refers to may come later, and what triggers would derive is
	// copied like the rest.
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

// table copies one table, reads it back, and has new rows numbered behind its.
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
	if _, err := t.to.Exec(`DELETE FROM ` + name); err != nil { // what the schema begins with
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
		return fmt.Errorf("what was read back differs: %d rows instead of %d, or other values", written.rows, source.sum.rows)
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

// rowSource hands on the rows of a query, and adds them up.
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
	places := make([]any, len(s.values))
	for i := range s.values {
		places[i] = &s.values[i]
	}
	if s.err = s.rows.Scan(places...); s.err != nil {
		return nil, s.err
	}
	for i, v := range s.values {
		if b, ok := v.([]byte); ok && b == nil {
			s.values[i] = []byte{} // an empty blob, which would be taken for NULL
		}
	}
	s.err = s.sum.add(s.values)
	return s.values, s.err
}

// Err implements pgx.CopyFromSource.
func (s *rowSource) Err() error { return s.err }

// checksum is the same for the same rows in any order: the number of rows, and
// the sum of their SHA-256 in four parts.
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
