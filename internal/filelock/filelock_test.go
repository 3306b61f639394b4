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
