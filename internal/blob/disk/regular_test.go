//go:build unix

package disk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
)

// strangers are things that are no blob, each with the words that name it.
func strangers(t *testing.T) map[string]func(path string) error {
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("a secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]func(path string) error{
		"a named pipe":    func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a directory":     func(path string) error { return os.Mkdir(path, 0o700) },
		"a symbolic link": func(path string) error { return os.Symlink(outside, path) },
	}
}

// soon fails the test if fn hangs.
func soon[T any](t *testing.T, fn func() (T, error)) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { _, err := fn(); done <- err }()
	select {
	case err := <-done:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("it hangs")
		return nil
	}
}

// TestOnlyRegularFiles: what lies in the place of a blob is neither read, followed nor
// waited for, and it is not said that the blob is missing.
func TestOnlyRegularFiles(t *testing.T) {
	for what, put := range strangers(t) {
		t.Run(what, func(t *testing.T) {
			s := open(t, t.TempDir())
			data := blobtest.Bytes(1, 1000)
			d := blobtest.Digest(data)
			if err := put(s.path(d)); err != nil {
				t.Fatal(err)
			}
			says := func(doing string, err error) {
				t.Helper()
				if err == nil || errors.Is(err, blob.ErrNotFound) || !strings.Contains(err.Error(), what) {
					t.Errorf("%s: %v; want an error that names %s", doing, err, what)
				}
			}
			says("Open", soon(t, func() (any, error) { return s.Open(t.Context(), d) }))
			says("OpenOnce", soon(t, func() (any, error) { return s.OpenOnce(t.Context(), d) }))
			says("Stat", soon(t, func() (int64, error) { return s.Stat(t.Context(), d) }))
			for info, err := range s.List(t.Context(), "") {
				t.Errorf("List: %v, %v; want nothing", info, err)
			}
			// Right bytes take its place once it was set aside.
			blobtest.SetAside(t, s, d)
			blobtest.Put(t, s, data)
			if got, err := blobtest.Read(context.Background(), s, d); err != nil || string(got) != string(data) {
				t.Errorf("read %d bytes, %v, want all", len(got), err)
			}
		})
	}
}

// TestOnlyRegularNotes: the same of notes, but that a folder that is not empty is one of other
// notes. A new note takes the place of anything else.
func TestOnlyRegularNotes(t *testing.T) {
	for what, put := range strangers(t) {
		t.Run(what, func(t *testing.T) {
			s := open(t, t.TempDir())
			if err := put(s.notePath("identity")); err != nil {
				t.Fatal(err)
			}
			err := soon(t, func() (any, error) { return s.Note(t.Context(), "identity") })
			if !errors.Is(err, blob.ErrUnreadable) || errors.Is(err, blob.ErrNotFound) || !strings.Contains(err.Error(), what) {
				t.Errorf("Note: %v", err)
			}
			blobtest.PutNoteOf(t, s, "identity", []byte("ours"))
			if r, err := s.Note(t.Context(), "identity"); err != nil {
				t.Error(err)
			} else if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFolderThatCannotBeListed: it is told, and the others are listed.
func TestFolderThatCannotBeListed(t *testing.T) {
	s := open(t, t.TempDir())
	var folders []string
	for i := range 20 {
		data := blobtest.Bytes(uint64(i), 100)
		blobtest.Put(t, s, data)
		folders = append(folders, s.folder(blobtest.Digest(data)))
	}
	slices.Sort(folders)
	folders = slices.Compact(folders)
	closed := folders[1]
	lost, err := os.ReadDir(closed)
	if err = errors.Join(err, os.RemoveAll(closed), os.WriteFile(closed, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	there, unreadable := 0, 0
	for info, err := range s.List(t.Context(), "") {
		switch {
		case err == nil:
			there++
		case errors.Is(err, blob.ErrUnreadable) && s.folder(info.Digest) == closed:
			unreadable++
		default:
			t.Error(err)
		}
	}
	if there != 20-len(lost) || unreadable != 1 {
		t.Errorf("%d blobs and %d folders that cannot be read", there, unreadable)
	}
}
