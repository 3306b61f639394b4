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

// markFile holds the mark, next to the folders of blobs.
const markFile = "identity"

var _ blob.Marked = (*Store)(nil)

// Mark implements blob.Marked.
func (s *Store) Mark(context.Context) (string, error) { return MarkOf(s.dir) }

// MarkOf returns the mark of the store in dir, "" if there is no mark or no store. It
// creates nothing.
func MarkOf(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, markFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return "", nil
	}
	if err != nil {
		return "", reason("reading the mark", err)
	}
	return strings.TrimSpace(string(text)), nil // people may have written it
}

// SetMark implements blob.Marked.
func (s *Store) SetMark(_ context.Context, text string) error {
	f, err := os.CreateTemp(filepath.Join(s.dir, tmp), markFile)
	if err != nil {
		return reason("writing the mark", err)
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.dir, markFile))
	}
	if err == nil {
		return syncFolder(s.dir)
	}
	return reason("writing the mark", errors.Join(err, os.Remove(f.Name())))
}
