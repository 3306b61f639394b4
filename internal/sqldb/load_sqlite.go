package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
)

// sqliteLoader fills SQLite on the writer's connection. All that is in the file is ours.
type sqliteLoader struct{ *kept }

// loadSQLite runs a transaction in which foreign keys are not enforced: refer checks all
// at once.
func loadSQLite(ctx context.Context, db *DB, fn func(*Tx, loader) error) error {
	w := db.writer.(*writer)
	return w.outside(ctx, func(t *Tx) (err error) {
		if err := w.conn.set(`foreign_keys = 0`, `cache_size = -4096`, `temp_store = `+sortPlace()); err != nil {
			return err
		}
		defer func() {
			err = errors.Join(err, w.conn.set(`foreign_keys = 1`, `cache_size = -2048`, `temp_store = MEMORY`, `shrink_memory`))
		}()
		w.place.narrow()
		if err := w.begin(); err != nil {
			return err
		}
		if err = protect(func(t *Tx) error { return fn(t, sqliteLoader{w.conn}) }, t); err == nil {
			w.point("before-commit")
			if err = w.place.check(); err == nil {
				err = w.exec("COMMIT")
			}
		}
		if err != nil {
			w.conn.undo()
			return err
		}
		w.point("after-commit")
		w.committed(1)
		return nil
	})
}

// sortPlace is where SQLite sorts the entries of an index: in files if the machine has a
// folder for them, else in memory.
func sortPlace() string {
	f, err := os.CreateTemp("", "granary-")
	if err != nil {
		return "MEMORY"
	}
	_, _ = f.Close(), os.Remove(f.Name())
	return "FILE"
}

// set sets pragmas of the connection.
func (k *kept) set(pragmas ...string) error {
	for _, p := range pragmas {
		if _, err := k.conn.ExecContext(context.Background(), `PRAGMA `+p); err != nil {
			return err
		}
	}
	return nil
}

func (s sqliteLoader) strip([]string) (whole []string, err error) {
	// Indexes are made again before triggers, in the order in which they were made.
	return s.without(`type IN ('index', 'trigger') AND sql IS NOT NULL`)
}

func (s sqliteLoader) quiet([]string) (undo []string, err error) {
	return s.without(`type = 'trigger'`)
}

// without drops indexes and triggers, and returns the statements that make them again.
func (s sqliteLoader) without(which string) (again []string, err error) {
	var drops []string
	for _, list := range []struct {
		into *[]string
		what string
	}{{&again, `sql`}, {&drops, `'DROP ' || type || ' "' || name || '"'`}} {
		rows, err := s.Rows(`SELECT ` + list.what + ` FROM sqlite_schema WHERE ` + which + ` ORDER BY type, rowid`)
		if err != nil {
			return nil, err
		}
		if *list.into, err = allTexts(rows); err != nil {
			return nil, err
		}
	}
	for _, drop := range drops {
		if _, err := s.Exec(drop); err != nil {
			return nil, err
		}
	}
	return again, nil
}

func (s sqliteLoader) insert(table string, columns []string, next func() ([]any, error)) error {
	return s.each(`INSERT INTO `+pgx.Identifier{table}.Sanitize()+` (`+Columns(columns)+`) VALUES (?`+strings.Repeat(`, ?`, len(columns)-1)+`)`, next)
}

func (s sqliteLoader) each(query string, next func() ([]any, error)) error {
	stmt, err := s.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for {
		values, err := next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			_, err = stmt.Exec(values...)
		}
		if err != nil {
			return err
		}
	}
}

// number changes a table's row in sqlite_sequence, or inserts it if none was inserted
// with a row of the table.
func (s sqliteLoader) number(table string, last int64) error {
	if last == 0 {
		return nil
	}
	_, err := s.Exec(`INSERT INTO sqlite_sequence (name, seq) SELECT name, 0 FROM sqlite_schema WHERE name = $1 AND instr(sql, 'AUTOINCREMENT') > 0
		AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = $1)`, table)
	if err == nil {
		_, err = s.Exec(`UPDATE sqlite_sequence SET seq = MAX(seq, $1) WHERE name = $2`, last, table)
	}
	return err
}

func (s sqliteLoader) drop(kind string, names []string) error {
	for _, name := range names {
		if _, err := s.Exec(`DROP ` + kind + ` IF EXISTS ` + Columns([]string{name})); err != nil {
			return err
		}
	}
	return nil
}

func (s sqliteLoader) raw(fn func(driver.Conn) error) error {
	return s.conn.Raw(func(conn any) error { return fn(conn.(driver.Conn)) })
}

func (s sqliteLoader) refer() error {
	var table, parent string
	var id sql.NullInt64
	err := s.conn.QueryRowContext(context.Background(), `SELECT "table", rowid, parent FROM pragma_foreign_key_check LIMIT 1`).Scan(&table, &id, &parent)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	case id.Valid:
		return fmt.Errorf("row %d of table %s refers to a row of table %s that is not there", id.Int64, table, parent)
	}
	return fmt.Errorf("a row of table %s refers to a row of table %s that is not there", table, parent)
}

const othersOfSQLite = `SELECT COUNT(*), MIN(name) FROM (` + tablesOfSQLite + `) t`

const tablesOfSQLite = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name <> 'goose_db_version' ORDER BY name`

// lastOfSQLite are the last ids that rows got, by table.
const lastOfSQLite = `SELECT name, seq FROM sqlite_sequence`

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
