package metadb

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"granary/internal/records"
	"granary/internal/sqldb"

	"github.com/google/go-cmp/cmp"
)

// column is one of the live schema.
type column struct {
	table, name, kind string
	required          bool
	refers            string // the table that it refers to
}

// allRows are the options of the export of a server that moves.
func allRows() records.ExportOptions {
	return records.ExportOptions{Kind: records.KindExport, Bodies: true}
}

// quoted is a list of columns.
func quoted(columns []string) string { return `"` + strings.Join(columns, `", "`) + `"` }

func columnsOf(t *testing.T, db *DB) map[string][]column {
	t.Helper()
	all := map[string][]column{}
	for _, exported := range exported(allRows()) {
		table := exported.name
		found, err := sqldb.List(t.Context(), db, func(row sqldb.Scanner) (c column, err error) {
			c.table = table
			return c, row.Scan(&c.name, &c.kind, &c.required, &c.refers)
		}, `SELECT c.name, c.type, c."notnull" OR c.pk > 0, COALESCE((SELECT MAX("table") FROM pragma_foreign_key_list($1) WHERE "from" = c.name), '')
			FROM pragma_table_info($1) c ORDER BY c.cid`, table)
		all[table] = must(t, found, err)
	}
	return all
}

// repeats reports whether a column repeats what other rows say: it is made again.
func (c column) repeats() bool {
	switch c.table + "." + c.name {
	case "blobs.files", "packages.files", "packages.bytes", "packages.counted":
		return true
	}
	return false
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
				if columns[i].repeats() {
					continue
				}
				found[table+"."+names[i]] = append(found[table+"."+names[i]], fmt.Sprintf("%T %[1]q", v))
			}
		}
	}
	return found
}

// TestReplayOfEveryColumn: every column of the live schema is replayed from SQLite to PostgreSQL and back: NULL
// if it may be, the empty text, the empty blob, zero, and values at the limits. The
// rows are equal on each side.
func TestReplayOfEveryColumn(t *testing.T) {
	for _, kind := range []string{missing, empty, extreme} {
		t.Run(kind, func(t *testing.T) {
			first, between := openSQLite(t), openPostgres(t, sqldb.Options{})
			all := columnsOf(t, first)
			fillTables(t, first, all, kind)
			want := rowsIn(t, first, all)
			for table, columns := range all {
				for _, c := range columns {
					if c.repeats() {
						continue
					}
					if value := fmt.Sprintf("%T %[1]q", c.value(kind)); len(want[table+"."+c.name]) != 1 || c.refers == "" && want[table+"."+c.name][0] != value {
						t.Errorf("%s.%s is filled with %v, want %s", table, c.name, want[table+"."+c.name], value)
					}
				}
			}
			must(t, 0, moved(t, first, between))
			if diff := cmp.Diff(want, rowsIn(t, between, all)); diff != "" {
				t.Errorf("in PostgreSQL, -want +got:\n%s", diff)
			}
			last := openSQLite(t)
			must(t, 0, moved(t, between, last))
			if diff := cmp.Diff(want, rowsIn(t, last, all)); diff != "" {
				t.Errorf("in SQLite again, -want +got:\n%s", diff)
			}
		})
	}
}
