//go:build unix

package filelock_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"granary/internal/filelock"
)

// A lock ends with Close although a copy of its descriptor lives on, as in a process that is
// being started.
func TestCloseEndsTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first, second := open(), open()
	defer second.Close()
	if mine, err := filelock.Try(first); !mine || err != nil {
		t.Fatal(mine, err)
	}
	twin, err := syscall.Dup(int(first.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(twin)
	if err := filelock.Close(first); err != nil {
		t.Fatal(err)
	}
	if mine, err := filelock.Try(second); !mine || err != nil {
		t.Error("it outlives Close", mine, err)
	}
	if err := filelock.Close(first); err == nil {
		t.Error("closed twice")
	}
}
