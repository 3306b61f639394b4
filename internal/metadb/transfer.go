package metadb

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
	"github.com/jackc/pgx/v5/stdlib"
)

// Transfer copies every record of a SQLite database into a PostgreSQL database
// that has none yet, in one transaction: all of it or nothing. It reads back
// what it wrote and compares the number of rows and a checksum over all values
// of each table before it commits. Nobody else may write to either meanwhile.
// report is told of each table once it is right.
func Transfer(ctx context.Context, from, to *DB, report func(table string, rows int64)) error {
	if from.dialect.shared || !to.dialect.shared {
		return errors.New("records are transferred from SQLite to PostgreSQL")
	}
	tables, err := tablesOf(ctx, from)
	if err != nil {
		return err
	}
	conn, err := to.writes.Conn(ctx)
	if err != nil {
		return classify(err)
	}
	defer conn.Close()
	err = conn.Raw(func(driver any) error {
		pg := driver.(*stdlib.Conn).Conn()
		err := pgx.BeginFunc(ctx, pg, func(tx pgx.Tx) error {
			return (&transfer{from: from, tx: tx, report: report}).run(ctx, tables)
		})
		if err == nil {
			_, err = pg.Exec(ctx, `ANALYZE`)
		}
		return err
	})
	to.forget()
	return err
}

// tablesOf lists the tables that hold records. The nodes of the one database
// are not those of the other.
func tablesOf(ctx context.Context, db *DB) ([]string, error) {
	return list(ctx, db, func(row scanner) (name string, err error) { return name, row.Scan(&name) },
		`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT IN ('goose_db_version', 'nodes') ORDER BY name`)
}

type transfer struct {
	from   *DB
	tx     pgx.Tx
	report func(table string, rows int64)
}

func (t *transfer) run(ctx context.Context, tables []string) error {
	if err := t.exec(ctx, `SET LOCAL statement_timeout = 0`, `SET LOCAL lock_timeout = 0`, `SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
		return err
	}
	var used bool
	if err := t.tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM users)`).Scan(&used); err != nil {
		return err
	}
	if used {
		return errors.New("it has records already; an empty database is wanted")
	}
	// What a row refers to may come later, and what triggers would derive is
	// copied like the rest.
	undo, err := t.relax(ctx, tables)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := t.table(ctx, table); err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
	}
	return t.exec(ctx, append([]string{`SET CONSTRAINTS ALL IMMEDIATE`}, undo...)...)
}

// relax defers foreign keys to the end and stops triggers. It returns the
// statements that undo it.
func (t *transfer) relax(ctx context.Context, tables []string) (undo []string, err error) {
	var do []string
	keys, err := t.foreignKeys(ctx)
	for _, key := range keys {
		do, undo = append(do, key+` DEFERRABLE INITIALLY DEFERRED`), append(undo, key+` NOT DEFERRABLE`)
	}
	for _, table := range tables {
		alter := `ALTER TABLE ` + pgx.Identifier{table}.Sanitize()
		do, undo = append(do, alter+` DISABLE TRIGGER USER`), append(undo, alter+` ENABLE TRIGGER USER`)
	}
	if err == nil {
		err = t.exec(ctx, do...)
	}
	return undo, err
}

func (t *transfer) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := t.tx.Exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// foreignKeys is the beginning of a statement that alters each.
func (t *transfer) foreignKeys(ctx context.Context) ([]string, error) {
	rows, err := t.tx.Query(ctx, `SELECT format('ALTER TABLE %s ALTER CONSTRAINT %I', conrelid::regclass, conname)
		FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// table copies one table, reads it back, and has new rows numbered behind its.
func (t *transfer) table(ctx context.Context, table string) error {
	rows, err := t.from.reads.QueryContext(ctx, `SELECT * FROM `+table)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	name := pgx.Identifier{table}.Sanitize()
	if err := t.exec(ctx, `DELETE FROM `+name); err != nil { // what the schema begins with
		return err
	}
	source := &rowSource{rows: rows, values: make([]any, len(columns))}
	_, err = t.tx.CopyFrom(ctx, pgx.Identifier{table}, columns, source)
	if err = errors.Join(err, rows.Err()); err != nil {
		return err
	}
	written, err := t.readBack(ctx, name, columns)
	if err != nil {
		return err
	}
	if written != source.sum {
		return fmt.Errorf("what was read back differs: %d rows instead of %d, or other values", written.rows, source.sum.rows)
	}
	t.report(table, written.rows)
	return t.renumber(ctx, table, name, columns)
}

func (t *transfer) readBack(ctx context.Context, name string, columns []string) (s checksum, err error) {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = pgx.Identifier{c}.Sanitize()
	}
	rows, err := t.tx.Query(ctx, `SELECT `+strings.Join(quoted, ", ")+` FROM `+name)
	if err != nil {
		return s, err
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return s, err
		}
		if err := s.add(values); err != nil {
			return s, err
		}
	}
	return s, rows.Err()
}

func (t *transfer) renumber(ctx context.Context, table, name string, columns []string) error {
	if !slices.Contains(columns, "id") {
		return nil
	}
	_, err := t.tx.Exec(ctx, `SELECT setval(s.name, COALESCE((SELECT MAX(id) FROM `+name+`), 0) + 1, false)
		FROM (SELECT pg_get_serial_sequence($1, 'id') AS name) s WHERE s.name IS NOT NULL`, table)
	return err
}

// rowSource hands rows of SQLite to COPY.
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
			s.values[i] = []byte{} // an empty blob, which COPY would take for NULL
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
