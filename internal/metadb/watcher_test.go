package metadb

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/auth"
)

// server is a SQLite database, and where it is.
func server(t *testing.T) (db *DB, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "granary.db")
	db, err := OpenSQLite(t.Context(), path, Options{})
	return closing(t, db, err), path
}

// What is written beside a server counts there soon, and what was remembered is
// gone.
func TestWritesFromBeside(t *testing.T) {
	db, path := server(t)
	beside, err := OpenSQLite(t.Context(), path, Options{Beside: true})
	closing(t, beside, err)
	ada := newUser(t, db, "ada", false)
	newToken(t, db, ada.ID, "secret")
	db.tokens.life = time.Hour // it is not to pass because an entry is too old
	for _, blocked := range []bool{true, false, true} {
		seen := func() bool {
			token, err := db.FindToken(t.Context(), auth.DigestOf("secret"))
			return must(t, token, err).User.Blocked
		}
		if seen() == blocked {
			t.Fatalf("blocked: %v before it was done", blocked)
		}
		if _, err := beside.SetBlocked(t.Context(), ada.ID, blocked, audit.Event{}); err != nil {
			t.Fatal(err)
		}
		for until := time.Now().Add(30 * time.Second); seen() != blocked; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatalf("blocked: %v is never seen", blocked)
			}
		}
	}
}

// A server's own commits and folds are no reason to forget anything.
func TestOwnWritesAreNotForeign(t *testing.T) {
	db, path := server(t)
	version := func() (v int64) {
		err := sqliteWriter(db).alone(t.Context(), func(*tx) error {
			return sqliteWriter(db).conn.conn.QueryRowContext(context.Background(), "PRAGMA data_version").Scan(&v)
		})
		return must(t, v, err)
	}
	before := version()
	newUser(t, db, "ada", false)
	if err := db.folds.fold(); err != nil {
		t.Fatal(err)
	}
	newUser(t, db, "bob", false)
	if after := version(); after != before {
		t.Errorf("data_version went from %d to %d", before, after)
	}
	beside, err := OpenSQLite(t.Context(), path, Options{Beside: true})
	closing(t, beside, err)
	newUser(t, beside, "eve", false)
	if version() == before {
		t.Error("what another wrote left no trace")
	}
}

// Both get their turn, however busy the server is, and nothing is lost.
func TestBesideABusyServer(t *testing.T) {
	db, path := server(t)
	beside, err := OpenSQLite(t.Context(), path, Options{Beside: true})
	closing(t, beside, err)
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	var written [4]int
	for i := range written {
		busy.Go(func() {
			for ; ctx.Err() == nil; written[i]++ {
				if err := db.writer.do(context.Background(), addFlag(fmt.Sprintf("s%d-%d", i, written[i]))); err != nil {
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
		if err := beside.writer.do(ctx, addFlag(fmt.Sprint("b", i))); err != nil {
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
	if got := len(strings.Fields(flagNames(t, db))); got != want {
		t.Errorf("%d are there, want %d", got, want)
	}
}

// Beside a server nothing is created, and no other schema is touched.
func TestBesideRefuses(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.db")
	if db, err := OpenSQLite(t.Context(), missing, Options{Beside: true}); err == nil {
		closing(t, db, err)
		t.Error("a database that is not there was opened")
	}
	if _, err := os.Stat(missing); !os.IsNotExist(err) {
		t.Errorf("it was made: %v", err)
	}
	for _, tt := range []struct{ spoil, want string }{
		{`DROP TABLE goose_db_version`, "it holds no records of granary; granary serve makes them"},
		{`DELETE FROM goose_db_version WHERE version_id > 3`, "it has schema version 3, older than the"},
		{`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`, "it has schema version 9999, newer than the"},
	} {
		eachDatabase(t, func(t *testing.T, db *DB) {
			err := db.writer.do(t.Context(), func(x *tx) error { return x.exec(tt.spoil) })
			must(t, 0, err)
			if err := sameSchema(t.Context(), db.reads, db.dialect, Options{}); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%s: %v", tt.spoil, err)
			}
		})
	}
}
