package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is a SQLite database and its path.
func server(t *testing.T) (db *DB, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "granary.db")
	db, err := openLite(t.Context(), path, files(), Options{})
	return closing(t, db, err), path
}

// A server's own commits and checkpoints do not count as changes by others.
func TestOwnWritesAreNotForeign(t *testing.T) {
	db, path := server(t)
	version := func() (v int64) {
		err := sqliteWriter(db).outside(t.Context(), func(*Tx) error {
			return sqliteWriter(db).conn.conn.QueryRowContext(context.Background(), "PRAGMA data_version").Scan(&v)
		})
		return must(t, v, err)
	}
	before := version()
	must(t, 0, db.Do(t.Context(), addWord("ada")))
	if err := db.log.checkpoint(); err != nil {
		t.Fatal(err)
	}
	must(t, 0, db.Do(t.Context(), addWord("bob")))
	if after := version(); after != before {
		t.Errorf("data_version went from %d to %d", before, after)
	}
	beside, err := openLite(t.Context(), path, files(), Options{Attach: true})
	closing(t, beside, err)
	must(t, 0, beside.Do(t.Context(), addWord("eve")))
	if version() == before {
		t.Error("what another wrote left no trace")
	}
}

// Both processes can write, however busy the server is, and no write is lost.
func TestBesideABusyServer(t *testing.T) {
	db, path := server(t)
	beside, err := openLite(t.Context(), path, files(), Options{Attach: true})
	closing(t, beside, err)
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	var written [4]int
	for i := range written {
		busy.Go(func() {
			for ; ctx.Err() == nil; written[i]++ {
				if err := db.Do(context.Background(), addWord(fmt.Sprintf("s%d-%d", i, written[i]))); err != nil {
					t.Errorf("the server: %v", err)
					return
				}
			}
		})
	}
	const mine = 30
	began, longest := time.Now(), time.Duration(0)
	for i := range mine {
		at := time.Now()
		if err := beside.Do(ctx, addWord(fmt.Sprint("b", i))); err != nil {
			t.Errorf("beside: %v", err)
		}
		longest = max(longest, time.Since(at))
	}
	took := time.Since(began)
	cancel()
	busy.Wait()
	want := mine
	for _, n := range written {
		want += n
	}
	t.Logf("%d beside %d in %v, the longest wait %v", mine, want-mine, took, longest)
	if got := len(strings.Fields(words(t, db))); got != want {
		t.Errorf("%d are there, want %d", got, want)
	}
}

// With Attach nothing is created, and no other schema is touched.
func TestBesideRefuses(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.db")
	if db, err := openLite(t.Context(), missing, files(), Options{Attach: true}); err == nil {
		closing(t, db, err)
		t.Error("a database that is not there was opened")
	}
	if _, err := os.Stat(missing); !os.IsNotExist(err) {
		t.Errorf("it was made: %v", err)
	}
	for _, tt := range []struct {
		spoil []string
		want  string
	}{
		{[]string{`DROP TABLE goose_db_version`}, "it has no schema of granary, and 2 tables of somebody else"},
		{[]string{`DROP TABLE goose_db_version`, `DROP TABLE nodes`, `DROP TABLE words`}, "it has no records of granary, and no schema, which granary serve creates"},
		{[]string{`DELETE FROM goose_db_version WHERE version_id > 1`}, "it has no records of granary, and only a part of the schema (version 1 of 3)"},
		{[]string{`DELETE FROM goose_db_version WHERE version_id > 0`, `DROP TABLE words`}, "it has no records of granary, and only a part of the schema (version 0 of 3)"},
		{[]string{`DELETE FROM goose_db_version WHERE version_id > 1`, `INSERT INTO words (word) VALUES ('ada')`}, "it has schema version 1, older than the"},
		{[]string{`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`}, "it has schema version 9999, newer than the"},
	} {
		eachDatabase(t, func(t *testing.T, db *DB) {
			for _, spoil := range tt.spoil {
				must(t, 0, db.Do(t.Context(), func(x *Tx) error { return x.Exec(spoil) }))
			}
			err := sameSchema(t.Context(), db.Reads, db.dialect, wordSchema(files()))
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || errors.Is(err, ErrUnfilled) != strings.Contains(tt.want, "no records") {
				t.Errorf("%s: %v", tt.spoil, err)
			}
		})
	}
}
