package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgresLoader fills PostgreSQL in a transaction on one connection.
type postgresLoader struct {
	session
	conn *sql.Conn
}

func loadPostgres(ctx context.Context, db *DB, fn func(*Tx, loader) error) error {
	conn, err := db.Writes.Conn(ctx)
	if err != nil {
		return Classify(err)
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return Classify(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing, after a commit
	l := postgresLoader{session{ctx, tx}, conn}
	if err := noTimeouts(l); err != nil {
		return Classify(err)
	}
	// A server that starts reads this table first.
	if _, err := l.Exec(`LOCK TABLE goose_db_version IN ACCESS EXCLUSIVE MODE`); err != nil {
		return Classify(err)
	}
	if err := fn(&Tx{Via: l, clock: db.clock}, l); err != nil {
		return err
	}
	if _, err := l.Exec(`ANALYZE`); err != nil { // the derived rows, too; after the commit nothing may fail
		return Classify(err)
	}
	point := db.writer.(*pool).point
	point("before-commit")
	if err := tx.Commit(); err != nil {
		return Classify(err)
	}
	point("after-commit")
	return nil
}

// noTimeouts lets a transaction of PostgreSQL run as long as it needs.
func noTimeouts(on Runner) error {
	for _, setting := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		if _, err := on.Exec(`SET LOCAL ` + setting + ` = 0`); err != nil {
			return err
		}
	}
	return nil
}

// What is stripped of tables, and what makes it again.
const (
	secondIndexes = `SELECT format('DROP INDEX %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid)
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY($1)
		AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype <> 'f') ORDER BY i.indexrelid`
	foreignKeys = `SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', c.oid::regclass, k.conname),
		format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.oid::regclass, k.conname, pg_get_constraintdef(k.oid))
		FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
		WHERE k.contype = 'f' AND c.relnamespace = current_schema()::regnamespace AND c.relname = ANY($1) ORDER BY k.oid`
	triggered = `SELECT format('ALTER TABLE %s DISABLE TRIGGER USER', c.oid::regclass), format('ALTER TABLE %s ENABLE TRIGGER USER', c.oid::regclass)
		FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY($1)
		AND EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) ORDER BY c.oid`
)

func (l postgresLoader) strip(tables []string) (whole []string, err error) {
	for _, list := range []string{foreignKeys, secondIndexes, triggered} {
		again, err := l.undoing(list, tables)
		if err != nil {
			return nil, err
		}
		whole = slices.Concat(again, whole)
	}
	return append(whole, `ANALYZE`), nil // without it, a query over all rows may take hours
}

func (l postgresLoader) quiet(tables []string) (undo []string, err error) {
	return l.undoing(triggered, tables)
}

// undoing runs the statements of a query's first column, and returns those of its second.
func (l postgresLoader) undoing(list string, tables []string) (undo []string, err error) {
	rows, err := l.Rows(list, tables)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var do []string
	for rows.Next() {
		var one, other string
		if err := rows.Scan(&one, &other); err != nil {
			return nil, err
		}
		do, undo = append(do, one), append(undo, other)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for _, statement := range do {
		if _, err := l.Exec(statement); err != nil {
			return nil, err
		}
	}
	return undo, nil
}

func (l postgresLoader) insert(table string, columns []string, next func() ([]any, error)) error {
	var failed error // of next: COPY would only quote it
	err := l.pgx(func(conn *pgx.Conn) error {
		_, err := conn.CopyFrom(l.ctx, pgx.Identifier{table}, columns, pgx.CopyFromFunc(func() ([]any, error) {
			values, err := next()
			if err == io.EOF {
				return nil, nil
			}
			failed = err
			return values, err
		}))
		return err
	})
	if failed != nil {
		return failed
	}
	return err
}

// together is how many statements each sends at once.
const together = 500

func (l postgresLoader) each(query string, next func() ([]any, error)) error {
	for more := true; more; {
		var batch pgx.Batch
		for more && batch.Len() < together {
			args, err := next()
			switch {
			case err == io.EOF:
				more = false
			case err != nil:
				return err
			default:
				batch.Queue(query, slices.Clone(args)...)
			}
		}
		if err := l.pgx(func(conn *pgx.Conn) error { return conn.SendBatch(l.ctx, &batch).Close() }); err != nil {
			return err
		}
	}
	return nil
}

const tablesOfPostgres = `SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
	AND relname <> 'goose_db_version' ORDER BY relname`

// othersOfPostgres leaves out the tables that belong to an extension.
const othersOfPostgres = `SELECT COUNT(*), MIN(c.relname) FROM pg_class c
	WHERE c.relkind IN ('r', 'p', 'f') AND c.relnamespace = current_schema()::regnamespace AND c.relname <> 'goose_db_version'
	AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`

// lastOfPostgres are the last ids that rows got, by table.
const lastOfPostgres = `SELECT c.relname, COALESCE(pg_sequence_last_value(s.oid), 0)
	FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
	JOIN pg_class c ON c.oid = d.refobjid
	WHERE s.relkind = 'S' AND c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace`

func (l postgresLoader) number(table string, last int64) error {
	var sequence sql.NullString
	err := l.Row(`SELECT pg_get_serial_sequence(c.oid::regclass::text, a.attname) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attidentity <> ''
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = $1`, table).Scan(&sequence)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		_, err = l.Exec(`SELECT setval(CAST($1 AS regclass), s.last) FROM (
			SELECT GREATEST($2, (SELECT MAX(id) FROM `+Columns([]string{table})+`)) AS last) s WHERE s.last > 0`, sequence.String, last)
	}
	return err
}

// drop is one statement: the tables refer to each other, and nothing else may go.
func (l postgresLoader) drop(kind string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	_, err := l.Exec(`DROP ` + kind + ` IF EXISTS ` + Columns(names))
	return err
}

func (l postgresLoader) raw(fn func(driver.Conn) error) error {
	return l.conn.Raw(func(conn any) error { return fn(conn.(driver.Conn)) })
}

func (l postgresLoader) pgx(fn func(*pgx.Conn) error) error {
	return l.conn.Raw(func(conn any) error { return fn(conn.(*stdlib.Conn).Conn()) })
}

// refer has nothing to do: foreign keys were checked when they were made again.
func (l postgresLoader) refer() error { return nil }
