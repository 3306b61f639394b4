package metadb

import (
	"slices"
	"testing"

	"granary/internal/sqldb"
)

// Every table of the live schema is in one class, and has the key that the classes say.
// A table stands after those to which its rows refer.
func TestEveryTableHasAClass(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		kind, live := "sqlite", `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'goose%'`
		key := `SELECT COALESCE((SELECT group_concat(name) FROM (SELECT name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY pk)), '')`
		refers := `SELECT "table" FROM pragma_foreign_key_list($1)`
		if db.Shared() {
			kind, live = "postgres", `SELECT CAST(relname AS TEXT) FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND relname NOT LIKE 'goose%'`
			key = `SELECT COALESCE((SELECT string_agg(a.attname, ',' ORDER BY array_position(i.indkey, a.attnum)) FROM pg_index i
				JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) WHERE i.indisprimary AND i.indrelid = CAST($1 AS regclass)), '')`
			refers = `SELECT CAST(confrelid::regclass AS TEXT) FROM pg_constraint WHERE contype = 'f' AND conrelid = CAST($1 AS regclass)`
		}
		texts := func(query string, args ...any) []string {
			found, err := sqldb.List(t.Context(), db, func(row sqldb.Scanner) (s string, err error) { return s, row.Scan(&s) }, query, args...)
			return must(t, found, err)
		}
		var classed []string
		for _, table := range recordTables() {
			if table.only != "" && table.only != kind {
				continue
			}
			if slices.Contains(classed, table.name) {
				t.Errorf("%s is in two classes", table.name)
			}
			classed = append(classed, table.name)
			for _, parent := range texts(refers, table.name) {
				if !slices.Contains(classed, parent) {
					t.Errorf("%s stands before %s, to which its rows refer", table.name, parent)
				}
			}
			keyless := table.class == own || table.class == derived || table.name == "job_token_allowlist" // which is written whole
			if got := texts(key, table.name)[0]; got != table.key && !keyless {
				t.Errorf("the key of %s is %s, and the classes say %s", table.name, got, table.key)
			}
		}
		for _, name := range texts(live) {
			if !slices.Contains(classed, name) {
				t.Errorf("table %s is in no class: say in recordTables which of its rows are written down", name)
			}
		}
		if n := len(texts(live)); n != len(classed) {
			t.Errorf("%d tables have a class, and %d are there", len(classed), n)
		}
	})
}
