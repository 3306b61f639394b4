package filelock_test

import (
	"os"
	"path/filepath"
	"testing"

	"granary/internal/filelock"
)

// One of two has the lock, until it closes the file; what the file holds can be
// read and written by both.
func TestTry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	first, second := open(), open()
	if mine, err := filelock.Try(first); !mine || err != nil {
		t.Fatal(mine, err)
	}
	if mine, err := filelock.Try(second); mine || err != nil {
		t.Fatal("two have it", mine, err)
	}
	if _, err := first.WriteAt([]byte("7"), 0); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "7" {
		t.Errorf("%q %v", text, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if mine, err := filelock.Try(second); !mine || err != nil {
		t.Error("it outlives its file", mine, err)
	}
	closed := open()
	_ = closed.Close() // that is the fault
	if mine, err := filelock.Try(closed); mine || err == nil {
		t.Error("a closed file was locked")
	}
}

// Many share a lock, and nobody has it alone meanwhile; nobody shares one that somebody has
// alone.
func TestTryShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	var files [3]*os.File
	for i := range files {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		files[i] = f
	}
	for _, f := range files[:2] {
		if shared, err := filelock.TryShared(f); !shared || err != nil {
			t.Fatal(shared, err)
		}
	}
	alone := func(want bool) {
		t.Helper()
		if mine, err := filelock.Try(files[2]); mine != want || err != nil {
			t.Error(mine, err)
		}
	}
	alone(false)
	if err := filelock.Close(files[0]); err != nil {
		t.Fatal(err)
	}
	alone(false)
	if err := filelock.Close(files[1]); err != nil {
		t.Fatal(err)
	}
	alone(true)
	late, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if shared, err := filelock.TryShared(late); shared || err != nil {
		t.Error("it is shared with one who has it alone", shared, err)
	}
}
