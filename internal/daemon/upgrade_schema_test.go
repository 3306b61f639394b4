package daemon

import (
	"database/sql"
	"slices"
	"strings"
	"testing"
)

// rowsOf counts the rows of each table.
func (u *upgraded) rowsOf(t *testing.T) map[string]int {
	t.Helper()
	names := column(t, u.db, tablesQuery(t, u.db))
	rows := map[string]int{}
	for _, name := range names {
		var n int
		if err := u.db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM `+name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		rows[name] = n
	}
	return rows
}

func tablesQuery(t *testing.T, db *sql.DB) string {
	t.Helper()
	if isPostgres(db) {
		return `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`
	}
	return `SELECT name FROM sqlite_master WHERE type = 'table'`
}

func isPostgres(db *sql.DB) bool { return db.QueryRow(`SELECT CAST(version() AS TEXT)`).Err() == nil }

// column reads one column.
func column(t *testing.T, db *sql.DB, query string) (found []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		found = append(found, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// checkDatabase compares the schema with a fresh one, and looks after what rows
// refer to.
func (u *upgraded) checkDatabase(t *testing.T, database string) {
	t.Helper()
	queries := map[string][]string{
		"sqlite": {`SELECT type || ' ' || tbl_name || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_master ORDER BY 1`},
		"postgres": {
			`SELECT concat_ws(' ', table_name, column_name, data_type, collation_name, is_nullable, column_default, is_identity) FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1`,
			`SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1`,
			`SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated) FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1`,
			`SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1`,
			`SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1`,
			`SELECT concat_ws(' ', relname, relkind, reloptions) FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1`,
		},
	}[database]
	for _, query := range queries {
		upgraded, fresh := column(t, u.db, query), column(t, u.fresh, query)
		if len(fresh) == 0 || !slices.Equal(upgraded, fresh) {
			t.Errorf("the schema is\n%s\nand of a fresh database\n%s", strings.Join(upgraded, "\n"), strings.Join(fresh, "\n"))
		}
	}
	if database == "sqlite" {
		if lost := column(t, u.db, `SELECT "table" || ' ' || rowid || ' ' || parent FROM pragma_foreign_key_check`); len(lost) > 0 {
			t.Errorf("rows that refer to nothing: %v", lost)
		}
		if said := column(t, u.db, `SELECT integrity_check FROM pragma_integrity_check`); !slices.Equal(said, []string{"ok"}) {
			t.Errorf("integrity: %v", said)
		}
	}
	if wrong := column(t, u.db, `SELECT CAST(id AS TEXT) FROM blobs WHERE files <> (SELECT COUNT(*) FROM package_files f WHERE f.blob_id = blobs.id)
		+ (SELECT COUNT(*) FROM uploads u WHERE u.blob_id = blobs.id)`); len(wrong) > 0 {
		t.Errorf("blobs with a wrong count: %v", wrong)
	}
}
