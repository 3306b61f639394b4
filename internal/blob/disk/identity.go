package disk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"granary/internal/blob"
)

// identityFile holds the identity, next to the folders of blobs.
const identityFile = "identity"

var _ blob.Identified = (*Store)(nil)

// Identity implements blob.Identified.
func (s *Store) Identity(context.Context) (string, error) { return IdentityOf(s.dir) }

// IdentityOf returns the identity of the store in dir, "" if there is none, or no store. It
// creates nothing.
func IdentityOf(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, identityFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return "", nil
	}
	if err != nil {
		return "", reason("reading the identity", err)
	}
	return strings.TrimSpace(string(text)), nil // people may have written it
}

// SetIdentity implements blob.Identified.
func (s *Store) SetIdentity(_ context.Context, text string) error {
	f, err := os.CreateTemp(filepath.Join(s.dir, tmp), identityFile)
	if err != nil {
		return reason("writing the identity", err)
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.dir, identityFile))
	}
	if err == nil {
		return syncFolder(s.dir)
	}
	return reason("writing the identity", errors.Join(err, os.Remove(f.Name())))
}
