// Package fresh opens databases for the tests of any room. It is apart from
// metadbtest, which metadb's own tests use: those cannot import what imports metadb.
package fresh

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"granary/internal/metadb"
	"granary/internal/metadb/metadbtest"
	"granary/internal/sqldb"
)

// Database is a database that only this test has, with the schema and nothing in it:
// of SQLite, or of what GRANARY_TEST_DATABASE says. It is closed at the test's end. at
// is its file, or its DSN.
func Database(tb testing.TB) (db *metadb.DB, at string) {
	tb.Helper()
	if !metadbtest.Wanted() {
		return SQLite(tb)
	}
	at = metadbtest.Postgres(tb, func(dsn string) error {
		db, err := metadb.OpenPostgres(context.Background(), dsn, sqldb.Options{})
		if err != nil {
			return err
		}
		return db.Close()
	})
	db, err := metadb.OpenPostgres(context.Background(), at, sqldb.Options{MaxConnections: 8})
	return closing(tb, db, err), at
}

// SQLite is Database for what is of SQLite in either pass.
func SQLite(tb testing.TB) (db *metadb.DB, file string) {
	tb.Helper()
	schema, err := template()
	if err != nil {
		tb.Fatal(err)
	}
	file = filepath.Join(metadbtest.Memory(tb), "granary.db")
	if err := os.WriteFile(file, schema, 0o600); err != nil {
		tb.Fatal(err)
	}
	db, err = metadb.OpenSQLite(context.Background(), file, sqldb.Options{})
	return closing(tb, db, err), file
}

func closing(tb testing.TB, db *metadb.DB, err error) *metadb.DB {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

// template is the file that every database is a copy of: making the schema costs
// more than most tests.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "granary-template-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "granary.db")
	made, err := makeTemplate(file)
	return made, errors.Join(err, os.RemoveAll(dir))
})

func makeTemplate(file string) ([]byte, error) {
	db, err := metadb.OpenSQLite(context.Background(), file, sqldb.Options{})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}
