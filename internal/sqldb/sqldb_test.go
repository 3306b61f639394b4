package sqldb

import (
	"context"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

// nodesSince is the migration of the tests' schema that creates the table of nodes.
const nodesSince = 2

// files are the migrations of a program that stores words.
func files() fs.FS {
	all := fstest.MapFS{}
	for _, kind := range []string{"sqlite", "postgres"} {
		for name, text := range map[string]string{
			"0001_words.sql": `CREATE TABLE words (word TEXT NOT NULL PRIMARY KEY, bytes ` + map[string]string{"sqlite": "BLOB", "postgres": "BYTEA"}[kind] + `);`,
			"0002_nodes.sql": `CREATE TABLE nodes (id TEXT NOT NULL PRIMARY KEY, version TEXT NOT NULL, schema BIGINT NOT NULL, seen_at BIGINT NOT NULL);`,
			"0003_more.sql":  exclusiveLine + "\nSELECT 1;",
		} {
			all[kind+"/"+name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text + "\n")}
		}
	}
	return all
}

func wordSchema(files fs.FS) Schema {
	return Schema{Files: files, NodesSince: nodesSince, Filled: `SELECT EXISTS (SELECT 1 FROM words)`}
}

func openLite(ctx context.Context, path string, files fs.FS, o Options) (*DB, error) {
	return OpenSQLite(ctx, path, wordSchema(files), o, Events{func() {}, func() {}})
}

func openServer(ctx context.Context, dsn string, files fs.FS, o Options) (*DB, error) {
	return OpenPostgres(ctx, dsn, wordSchema(files), o, Events{func() {}, func() {}})
}

// openSQLite is a fresh database.
func openSQLite(t testing.TB) *DB {
	t.Helper()
	db, err := openLite(t.Context(), filepath.Join(metadbtest.Memory(t), "words.db"), files(), Options{})
	return closing(t, db, err)
}

func openPostgres(t testing.TB, o Options) *DB {
	t.Helper()
	db, err := openServer(t.Context(), metadbtest.Postgres(t, migrated), files(), o)
	return closing(t, db, err)
}

// migrated is the database of which all others are copies.
func migrated(dsn string) error {
	db, err := openServer(context.Background(), dsn, files(), Options{})
	if err != nil {
		return err
	}
	return db.Close()
}

func closing(t testing.TB, db *DB, err error) *DB {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// eachDatabase runs a test on both.
func eachDatabase(t *testing.T, test func(t *testing.T, db *DB)) {
	t.Run("sqlite", func(t *testing.T) { test(t, openSQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, openPostgres(t, Options{})) })
}

// must returns a value that came without an error.
func must[T any](t interface{ Fatal(...any) }, v T, err error) T {
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// addWord is a transaction that inserts a word, which must be new.
func addWord(word string) func(*Tx) error {
	return func(t *Tx) error { return t.Exec(`INSERT INTO words (word) VALUES ($1)`, word) }
}

// words are the stored words, in order.
func words(t *testing.T, db *DB) string {
	t.Helper()
	found, err := List(t.Context(), db, func(row Scanner) (w string, err error) { return w, row.Scan(&w) }, `SELECT word FROM words ORDER BY word`)
	return strings.Join(must(t, found, err), " ")
}

// waiting returns once a transaction of PostgreSQL waits for a lock.
func waiting(t *testing.T, db *DB) {
	t.Helper()
	eventually.Holds(t, "a transaction waits for a lock", func() bool {
		return count(t, db, `SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`) > 0
	})
}
