package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"granary/internal/blob"
)

// reason adds what was being done, and says in the contract's words that the
// disk is full.
func reason(doing string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = fmt.Errorf("%w: %w", blob.ErrNoSpace, err)
	}
	return fmt.Errorf("disk: %s: %w", doing, err)
}

// reasonRead is reason for a blob's own file, whose absence has a name. A
// missing file elsewhere is a broken store, not a missing blob.
func reasonRead(doing string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", blob.ErrNotFound, err)
	}
	return reason(doing, err)
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// makeFolder makes dir and what is missing above it, and syncs each folder
// that got a new entry.
func makeFolder(dir string) error {
	err := os.Mkdir(dir, 0o700)
	switch parent := filepath.Dir(dir); {
	case err == nil:
		return syncFolder(parent)
	case errors.Is(err, fs.ErrNotExist) && parent != dir:
		if err := makeFolder(parent); err != nil {
			return err
		}
		return makeFolder(dir)
	case errors.Is(err, fs.ErrExist):
		return nil // if it is no folder, the next step says so
	default:
		return err
	}
}
