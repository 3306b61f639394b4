package sqldb

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"modernc.org/sqlite"

	"granary/internal/eventually"
	"granary/internal/fault"
)

// TestNoConnectionMakesTheFile: however the pool's connections come and go once the file was
// removed, none makes it again, and reads and writes say from the first moment on what to do.
func TestNoConnectionMakesTheFile(t *testing.T) {
	for name, replace := range map[string]func(path string) error{
		"removed":  func(string) error { return nil },
		"replaced": func(path string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "granary.db")
			db, err := openLite(t.Context(), path, files(), Options{WhenLost: func() string { return "call the operator" }})
			closing(t, db, err)
			must(t, 0, db.Do(t.Context(), addWord("ada")))
			if got := words(t, db); got != "ada" {
				t.Fatal(got)
			}
			for _, end := range []string{"", "-wal", "-shm"} {
				if err := os.Remove(path + end); err != nil {
					t.Skip("the file cannot be removed here while it is open:", err)
				}
			}
			if err := replace(path); err != nil {
				t.Fatal(err)
			}
			refuses := func(what string, err error) {
				t.Helper()
				if err = Classify(err); !errors.Is(err, ErrReplaced) || fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "call the operator") {
					t.Errorf("%s: %v", what, err)
				}
			}
			refuses("a write at once", db.Do(t.Context(), addWord("bob")))
			db.Reads.SetMaxIdleConns(0) // as if all of the pool were in use
			_, err = List(t.Context(), db, ScanOne[string], `SELECT word FROM words`)
			refuses("a read", err)
			_, err = ListFixed(t.Context(), db, ScanOne[string], `SELECT word FROM words`)
			refuses("a prepared read", err)
			refuses("a ping", db.Ping(t.Context()))
			refuses("a checkpoint", db.log.checkpoint())
			if info, err := os.Stat(path); !os.IsNotExist(err) && info.Size() > 0 {
				t.Errorf("the file was made or filled: %v, %v", info, err)
			}
		})
	}
}

// replacing is a connector before whose connections the file is replaced.
type replacing struct {
	driver.Connector
	replace func() error
}

func (r replacing) Connect(ctx context.Context) (driver.Conn, error) {
	if err := r.replace(); err != nil {
		return nil, err
	}
	return r.Connector.Connect(ctx)
}

// TestReplacedWhileItConnects: a connection that finds another file changes neither that one nor
// the log at its path.
func TestReplacedWhileItConnects(t *testing.T) {
	db, path := server(t)
	must(t, 0, db.Do(t.Context(), addWord("ada")))
	before, err := os.ReadFile(path + "-wal")
	if err != nil || len(before) == 0 {
		t.Fatal(len(before), err)
	}
	connections, err := sqlite.NewConnector("file:" + path + "?mode=rw")
	if err != nil {
		t.Fatal(err)
	}
	late := replacing{connections, func() error {
		return errors.Join(os.Rename(path, path+".away"), os.WriteFile(path, nil, 0o600))
	}}
	_, err = guarded{late, sqliteWriter(db).place, "PRAGMA journal_mode(WAL)"}.Connect(t.Context())
	if !errors.Is(err, ErrReplaced) {
		t.Errorf("%v, want that the file was replaced", err)
	}
	after, err := os.ReadFile(path + "-wal")
	if info, failed := os.Stat(path); err != nil || failed != nil || info.Size() != 0 || !bytes.Equal(before, after) {
		t.Errorf("the other file is %v now, %v, and the log has %d bytes, %v", info, failed, len(after), err)
	}
}

// TestReadsEndWithTheFile: soon after the file is gone no connection reads on, each for itself.
func TestReadsEndWithTheFile(t *testing.T) {
	db, path := server(t)
	if got := words(t, db); got != "" {
		t.Fatal(got)
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Skip("the file cannot be moved here while it is open:", err)
	}
	eventually.Holds(t, "reads are refused", func() bool {
		_, err := List(t.Context(), db, ScanOne[string], `SELECT word FROM words`)
		return errors.Is(err, ErrReplaced)
	})
}

// TestModeOfTheFile: who makes or fills the file is the only one who may read it. The mode of
// a file that has records is the operator's.
func TestModeOfTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "granary.db")
	mode := func(of string) os.FileMode {
		t.Helper()
		info, err := os.Stat(path + of)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o664); err != nil {
		t.Fatal(err)
	}
	if mode("") != 0o664 {
		t.Skip("files have no modes here")
	}
	db, err := openLite(t.Context(), path, files(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if mode("") != 0o600 || mode("-wal") != 0o600 {
		t.Errorf("an empty file that a server began with: %v, and its log %v", mode(""), mode("-wal"))
	}
	if err := errors.Join(db.Close(), os.Chmod(path, 0o640)); err != nil {
		t.Fatal(err)
	}
	if db, err = openLite(t.Context(), path, files(), Options{}); err != nil {
		t.Fatal(err)
	}
	closing(t, db, nil)
	must(t, 0, db.Do(t.Context(), addWord("ada")))
	if mode("") != 0o640 || mode("-wal") != 0o640 {
		t.Errorf("a file to which a group was admitted: %v, and its log %v", mode(""), mode("-wal"))
	}
	if err := db.Load(t.Context(), func(*Loading) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for _, of := range []string{"", "-wal", "-shm"} {
		if mode(of) != 0o600 {
			t.Errorf("granary.db%s, after it was filled: %v", of, mode(of))
		}
	}
}

// TestBesideAnEmptyFile: an empty file is not begun by who only looks.
func TestBesideAnEmptyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "granary.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openLite(t.Context(), path, files(), Options{Attach: true}); !errors.Is(err, ErrUnfilled) {
		t.Errorf("%v, want that nothing is in it", err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("it was changed: %v, %v", info, err)
	}
}
