package metadb

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/sqldb"

	"github.com/google/go-cmp/cmp"
)

// column is one of the live schema.
type column struct {
	table, name, kind string
	required          bool
	refers            string // the table that it refers to
}

// tablesOf lists the tables that hold records.
func tablesOf(t *testing.T, lite *DB) []string {
	t.Helper()
	names, err := sqldb.List(t.Context(), lite, func(row sqldb.Scanner) (name string, err error) { return name, row.Scan(&name) },
		`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT IN ('goose_db_version', 'nodes') ORDER BY name`)
	return must(t, names, err)
}

// quoted is a list of columns.
func quoted(columns []string) string { return `"` + strings.Join(columns, `", "`) + `"` }

func columnsOf(t *testing.T, db *DB) map[string][]column {
	t.Helper()
	all := map[string][]column{}
	for _, table := range tablesOf(t, db) {
		found, err := sqldb.List(t.Context(), db, func(row sqldb.Scanner) (c column, err error) {
			c.table = table
			return c, row.Scan(&c.name, &c.kind, &c.required, &c.refers)
		}, `SELECT c.name, c.type, c."notnull" OR c.pk > 0, COALESCE((SELECT MAX("table") FROM pragma_foreign_key_list($1) WHERE "from" = c.name), '')
			FROM pragma_table_info($1) c ORDER BY c.cid`, table)
		all[table] = must(t, found, err)
	}
	return all
}

// kinds of rows: each column is NULL if it may be, empty or zero, or at its limits.
const (
	missing = "missing"
	empty   = "empty"
	extreme = "extreme"
)

func (c column) value(kind string) any {
	switch {
	case c.name == "id" && c.kind == "INTEGER", c.refers != "" && c.kind == "INTEGER":
		return int64(1) // all tables have a row of that number
	case kind == missing && !c.required:
		return nil
	}
	switch c.kind {
	case "INTEGER":
		return map[string]int64{missing: 0, empty: 0, extreme: math.MinInt64 + int64(len(c.name))}[kind]
	case "TEXT":
		return map[string]string{missing: "", empty: "", extreme: "é\n\t\\N'\"日本 \U0001f4a9 NULL"}[kind]
	case "BLOB":
		return map[string][]byte{missing: {}, empty: {}, extreme: {0, 255, '\\', 'N', 0}}[kind]
	}
	return fmt.Sprint("a kind of column that this test does not know: ", c)
}

// fillTables inserts one row into each table, by its columns alone. Columns that a
// constraint does not allow together are left out in turn.
func fillTables(t *testing.T, db *DB, all map[string][]column, kind string) {
	t.Helper()
	triggers, err := sqldb.List(t.Context(), db, func(row sqldb.Scanner) (name string, err error) { return name, row.Scan(&name) },
		`SELECT name FROM sqlite_schema WHERE type = 'trigger'`)
	must(t, triggers, err)
	must(t, 0, db.do(t.Context(), func(tx tx) error {
		if err := tx.Exec(`PRAGMA defer_foreign_keys = 1`); err != nil {
			return err
		}
		for _, trigger := range triggers { // what they derive is filled like the rest
			if err := tx.Exec(`DROP TRIGGER ` + trigger); err != nil {
				return err
			}
		}
		for table := range all {
			if err := tx.Exec(`DELETE FROM ` + table); err != nil {
				return err
			}
		}
		for table, columns := range all {
			if err := fillTable(tx, table, columns, kind); err != nil {
				return fmt.Errorf("%s: %w", table, err)
			}
		}
		return nil
	}))
}

func fillTable(tx tx, table string, columns []column, kind string) (err error) {
	var names []string
	var optional []int
	for i, c := range columns {
		names = append(names, c.name)
		if c.refers != "" && !c.required {
			optional = append(optional, i)
		}
	}
	insert := `INSERT INTO ` + table + ` (` + quoted(names) + `) VALUES (?` + strings.Repeat(`, ?`, len(names)-1) + `)`
	for without := range 1 << len(optional) {
		values := make([]any, len(columns))
		for i, c := range columns {
			values[i] = c.value(kind)
		}
		for bit, i := range optional {
			if without>>bit&1 == 1 != (kind == missing) {
				values[i] = nil
			}
		}
		if err = tx.Exec(insert, values...); err == nil || !strings.Contains(err.Error(), "CHECK constraint") {
			return err
		}
	}
	return err
}

// rowsIn is all rows of all tables as values: an empty text or blob is not NULL.
func rowsIn(t *testing.T, db *DB, all map[string][]column) map[string][]any {
	t.Helper()
	found := map[string][]any{}
	for table, columns := range all {
		names := make([]string, len(columns))
		for i, c := range columns {
			names[i] = c.name
		}
		rows, err := sqldb.List(t.Context(), db, func(row sqldb.Scanner) ([]any, error) {
			values, places := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				places[i] = &values[i]
			}
			return values, row.Scan(places...)
		}, `SELECT `+quoted(names)+` FROM `+table)
		for _, row := range must(t, rows, err) {
			for i, v := range row {
				found[table+"."+names[i]] = append(found[table+"."+names[i]], fmt.Sprintf("%T %[1]q", v))
			}
		}
	}
	return found
}

// Every column of the live schema is copied from SQLite to PostgreSQL and back: NULL
// if it may be, the empty text, the empty blob, zero, and values at the limits. The
// rows are equal on each side.
func TestTransferOfEveryColumn(t *testing.T) {
	for _, kind := range []string{missing, empty, extreme} {
		t.Run(kind, func(t *testing.T) {
			first, between := openSQLite(t), openPostgres(t, sqldb.Options{})
			all := columnsOf(t, first)
			fillTables(t, first, all, kind)
			want := rowsIn(t, first, all)
			for table, columns := range all {
				for _, c := range columns {
					if value := fmt.Sprintf("%T %[1]q", c.value(kind)); len(want[table+"."+c.name]) != 1 || c.refers == "" && want[table+"."+c.name][0] != value {
						t.Errorf("%s.%s is filled with %v, want %s", table, c.name, want[table+"."+c.name], value)
					}
				}
			}
			must(t, 0, Copy(t.Context(), first, between, func(string, int64) {}))
			if diff := cmp.Diff(want, rowsIn(t, between, all)); diff != "" {
				t.Errorf("in PostgreSQL, -want +got:\n%s", diff)
			}
			last := openSQLite(t)
			must(t, 0, Copy(t.Context(), between, last, func(string, int64) {}))
			if diff := cmp.Diff(want, rowsIn(t, last, all)); diff != "" {
				t.Errorf("in SQLite again, -want +got:\n%s", diff)
			}
		})
	}
}

// triggersOf are the texts of SQLite's triggers.
func triggersOf(t *testing.T, db *DB) []string {
	t.Helper()
	found, err := sqldb.List(t.Context(), db, func(row sqldb.Scanner) (text string, err error) { return text, row.Scan(&text) },
		`SELECT sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name`)
	return must(t, found, err)
}

// A copy from PostgreSQL works in SQLite like an original: triggers, foreign keys and
// counters, and ids are not reused. A copy that fails leaves nothing.
func TestTransferToSQLite(t *testing.T) {
	from := openPostgres(t, sqldb.Options{})
	p := demo(t, from)
	for version := range 5 {
		publishTo(t, from, p.ID, version)
	}
	gone := newUser(t, from, "gone", false)
	do(t, from, `DELETE FROM routes WHERE namespace_id = (SELECT id FROM namespaces WHERE path = 'gone')`,
		`DELETE FROM namespaces WHERE path = 'gone'`, `DELETE FROM users WHERE username = 'gone'`)
	path := filepath.Join(t.TempDir(), "granary.db")
	to, err := OpenSQLite(t.Context(), path, sqldb.Options{})
	closing(t, to, err)
	triggers := triggersOf(t, to)

	broken := func(table string, _ int64) {
		if table == "package_files" {
			panic("cut off")
		}
	}
	if err := Copy(t.Context(), from, to, broken); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("a transfer that was cut off: %v", err)
	}
	if n := rowsOf(t, to, "users") + rowsOf(t, to, "blobs"); n != 0 || !cmp.Equal(triggersOf(t, to), triggers) {
		t.Errorf("it left %d rows, and triggers %q", n, triggersOf(t, to))
	}

	must(t, 0, Copy(t.Context(), from, to, func(string, int64) {}))
	if diff := cmp.Diff(triggers, triggersOf(t, to)); diff != "" || len(triggers) == 0 {
		t.Errorf("triggers, -before +after:\n%s", diff)
	}
	publishTo(t, to, p.ID, 7)
	if later := newUser(t, to, "later", false); later.ID <= gone.ID {
		t.Errorf("the number %d of a user that is gone is given again: %d", gone.ID, later.ID)
	}
	if n := count(t, to, `SELECT packages FROM package_counts`); n != 6 {
		t.Errorf("%d packages are counted, want 6", n)
	}
	if n := count(t, to, `SELECT listed FROM package_names`); n != 6 {
		t.Errorf("%d are counted by name, want 6", n)
	}
	if n := count(t, to, `SELECT COUNT(*) FROM pragma_foreign_key_check`); n != 0 {
		t.Errorf("%d rows refer to nothing", n)
	}
	if err := Copy(t.Context(), from, to, nil); err == nil || !strings.Contains(err.Error(), "the target must be an empty database") {
		t.Errorf("a second transfer: %v", err)
	}
}
