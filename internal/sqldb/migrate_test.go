package sqldb

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/metadb/metadbtest"
)

// TestTablesOfOthers: a database that somebody else uses gets no schema, and is not changed. The
// tables of an extension, and what others put beside the schema later, are no reason to refuse.
func TestTablesOfOthers(t *testing.T) {
	t.Parallel()
	lite := filepath.Join(t.TempDir(), "granary.db")
	server := metadbtest.NewServer(t)
	for kind, at := range map[string]struct {
		driver, dsn string
		open        func(Options) (*DB, error)
	}{
		"SQLite":     {"sqlite", lite, func(o Options) (*DB, error) { return openLite(t.Context(), lite, files(), o) }},
		"PostgreSQL": {"pgx", server.DSN("granary"), func(o Options) (*DB, error) { return openServer(t.Context(), server.DSN("granary"), files(), o) }},
	} {
		t.Run(kind, func(t *testing.T) {
			theirs, err := sql.Open(at.driver, at.dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer theirs.Close()
			do := func(statements ...string) {
				t.Helper()
				for _, s := range statements {
					if _, err := theirs.ExecContext(t.Context(), s); err != nil {
						t.Fatal(s, err)
					}
				}
			}
			do(`CREATE TABLE invoices (id BIGINT)`)
			for _, attach := range []bool{false, true} {
				db, err := at.open(Options{Attach: attach})
				if err == nil {
					_ = db.Close()
				}
				if err == nil || !strings.Contains(err.Error(), `1 table of somebody else, such as "invoices"`) {
					t.Errorf("attached %v: %v", attach, err)
				}
			}
			if _, err := schemaOf(t.Context(), theirs); !noTable(err) {
				t.Errorf("something was made beside the table: %v", err)
			}
			do(`DROP TABLE invoices`)
			if kind == "PostgreSQL" {
				do(`CREATE TABLE members (id BIGINT)`, `ALTER EXTENSION plpgsql ADD TABLE members`)
			}
			for range 2 {
				db, err := at.open(Options{})
				if err != nil {
					t.Fatal(err)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
				do(`CREATE TABLE IF NOT EXISTS invoices (id BIGINT)`)
			}
		})
	}
}
