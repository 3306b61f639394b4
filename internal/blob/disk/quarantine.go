package disk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"granary/internal/blob"
)

// damaged is the folder of blobs that were set aside, each named by the digest that it
// should have.
const damaged = "damaged"

var _ blob.Quarantiner = (*Store)(nil)

// Quarantine has nothing to copy: remove renames the blob's file, and syncs the folders that
// it leaves and enters.
func (s *Store) Quarantine(_ context.Context, d blob.Digest) (remove func() error, err error) {
	return func() error { return s.setAside(d) }, nil
}

func (s *Store) setAside(d blob.Digest) error {
	aside := filepath.Join(s.dir, damaged)
	err := os.Mkdir(aside, 0o700)
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err == nil {
		err = syncFolder(s.dir) // even if it was there: who made it may not have synced it yet
	}
	if err == nil {
		err = os.Rename(s.path(d), filepath.Join(aside, d.String()))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return reason("setting "+d.String()+" aside", err)
	}
	if err := errors.Join(syncFolder(aside), syncFolder(s.folder(d))); err != nil {
		return reason("setting "+d.String()+" aside", err)
	}
	return nil
}
