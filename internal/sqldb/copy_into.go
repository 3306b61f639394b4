package sqldb

import (
	"context"
	"database/sql"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgresTarget is a transaction on one connection of PostgreSQL.
type postgresTarget struct {
	session
	conn *sql.Conn
}

func intoPostgres(ctx context.Context, to *DB, fn func(target) error) error {
	conn, err := to.Writes.Conn(ctx)
	if err != nil {
		return Classify(err)
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return Classify(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing, after a commit
	t := postgresTarget{session{ctx, tx}, conn}
	if err := noTimeouts(t); err != nil {
		return err
	}
	if err := fn(t); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, `ANALYZE`)
	return err
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

func (t postgresTarget) relax(tables []string) (undo []string, err error) {
	rows, err := t.Rows(`SELECT format('ALTER TABLE %s ALTER CONSTRAINT %I', conrelid::regclass, conname)
		FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	keys, err := allTexts(rows)
	if err != nil {
		return nil, err
	}
	var do []string
	undo = append(undo, `SET CONSTRAINTS ALL IMMEDIATE`)
	for _, key := range keys {
		do, undo = append(do, key+` DEFERRABLE INITIALLY DEFERRED`), append(undo, key+` NOT DEFERRABLE`)
	}
	for _, table := range tables {
		alter := `ALTER TABLE ` + pgx.Identifier{table}.Sanitize()
		do, undo = append(do, alter+` DISABLE TRIGGER USER`), append(undo, alter+` ENABLE TRIGGER USER`)
	}
	for _, statement := range do {
		if _, err := t.Exec(statement); err != nil {
			return nil, err
		}
	}
	return undo, nil
}

func (t postgresTarget) fill(table string, columns []string, source *rowSource) error {
	return t.conn.Raw(func(driver any) error {
		_, err := driver.(*stdlib.Conn).Conn().CopyFrom(t.ctx, pgx.Identifier{table}, columns, source)
		return err
	})
}

func (t postgresTarget) number(table string, last int64) error {
	_, err := t.Exec(`SELECT setval(s.name, s.last) FROM (SELECT pg_get_serial_sequence($1, 'id') AS name,
			GREATEST($2, (SELECT MAX(id) FROM `+pgx.Identifier{table}.Sanitize()+`)) AS last) s
		WHERE s.name IS NOT NULL AND s.last > 0`, table, last)
	return err
}

func lastOfPostgres(from Runner, table string) (last int64, err error) {
	err = from.Row(`SELECT COALESCE((SELECT pg_sequence_last_value(s.name) FROM (
		SELECT CAST(pg_get_serial_sequence($1, 'id') AS regclass) AS name) s WHERE s.name IS NOT NULL), 0)`, table).Scan(&last)
	return last, err
}

// sqliteTarget is the writer's transaction. Its foreign keys are checked at the
// commit.
type sqliteTarget struct{ Runner }

func intoSQLite(ctx context.Context, to *DB, fn func(target) error) error {
	return to.writer.do(ctx, func(t *Tx) error { return fn(sqliteTarget{t.Via}) })
}

func (t sqliteTarget) relax([]string) (undo []string, err error) {
	if _, err := t.Exec(`PRAGMA defer_foreign_keys = 1`); err != nil {
		return nil, err
	}
	rows, err := t.Rows(`SELECT sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	if undo, err = allTexts(rows); err != nil {
		return nil, err
	}
	if rows, err = t.Rows(`SELECT 'DROP TRIGGER "' || name || '"' FROM sqlite_schema WHERE type = 'trigger'`); err != nil {
		return nil, err
	}
	do, err := allTexts(rows)
	if err != nil {
		return nil, err
	}
	for _, statement := range do {
		if _, err := t.Exec(statement); err != nil {
			return nil, err
		}
	}
	return undo, nil
}

func (t sqliteTarget) fill(table string, columns []string, source *rowSource) error {
	insert := `INSERT INTO ` + pgx.Identifier{table}.Sanitize() + ` (` + quoted(columns) + `) VALUES (?` + strings.Repeat(`, ?`, len(columns)-1) + `)`
	for source.Next() {
		values, err := source.Values()
		if err != nil {
			return err
		}
		if _, err := t.Exec(insert, values...); err != nil {
			return err
		}
	}
	return source.Err()
}

// number changes the table's row in sqlite_sequence, or inserts it if the filled table
// has none yet.
func (t sqliteTarget) number(table string, last int64) error {
	if last == 0 {
		return nil
	}
	_, err := t.Exec(`INSERT INTO sqlite_sequence (name, seq) SELECT name, 0 FROM sqlite_schema WHERE name = $1 AND instr(sql, 'AUTOINCREMENT') > 0
		AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = $1)`, table)
	if err == nil {
		_, err = t.Exec(`UPDATE sqlite_sequence SET seq = MAX(seq, $1) WHERE name = $2`, last, table)
	}
	return err
}

func lastOfSQLite(from Runner, table string) (last int64, err error) {
	err = from.Row(`SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = $1`, table).Scan(&last)
	return last, err
}

// allTexts reads rows of one text column, and closes them.
func allTexts(rows *sql.Rows) (all []string, err error) {
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, rows.Err()
}
