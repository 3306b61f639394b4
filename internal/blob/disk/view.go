package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"granary/internal/blob"
)

// View opens a store that another process may be writing to. Nothing is made or removed, and
// nothing may be written to it. Folders may be missing, as in a copy by a program that copies
// files only: what is in them is not there then. The error says why a directory is no store.
func View(dir string) (blob.Source, error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("there is no such directory: %w", err)
	case isMissing(err):
		err = fmt.Errorf("it is no directory: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("disk: %s cannot be read by this user: %w", dir, err)
	case err != nil:
		return nil, fmt.Errorf("disk: reading %s: %w", dir, err)
	case len(entries) == 0:
		err = errors.New("the directory is empty; if something should be there, mount it")
	default:
		for _, e := range entries {
			if ofStore(e) {
				return &Store{dir: dir, view: true}, nil
			}
		}
		err = fmt.Errorf("it is another directory: it has %s, but no identity, backup.json, or folder of blobs", entries[0].Name())
	}
	return nil, fmt.Errorf("disk: %s holds no blobs: %w", dir, err)
}

// ofStore reports whether an entry is one by which a store, a place of backups, or what is left
// of one, is known.
func ofStore(e fs.DirEntry) bool {
	name := e.Name()
	if !e.IsDir() {
		return name == "identity" || name == "backup.json"
	}
	switch name {
	case tmp, "records", "snapshots", "packs":
		return true
	}
	return len(name) == 2 && strings.Trim(name, "0123456789abcdef") == ""
}
