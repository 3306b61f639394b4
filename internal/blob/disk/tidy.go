package disk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"granary/internal/blob"
)

var _ blob.Tidier = (*Store)(nil)

// Tidy removes uploads that were not written to since before.
func (s *Store) Tidy(ctx context.Context, before time.Time) (removed int, err error) {
	return s.removeUploads(ctx, func(written time.Time) bool { return written.Before(before) })
}

// removeUploads removes uploads that were last written to at such a time.
func (s *Store) removeUploads(ctx context.Context, such func(time.Time) bool) (removed int, err error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, tmp))
	if err != nil {
		return 0, reason("listing "+tmp, err)
	}
	for _, e := range entries {
		if ctx.Err() != nil {
			return removed, context.Cause(ctx)
		}
		info, err := e.Info()
		if err == nil && such(info.ModTime()) {
			if err = os.Remove(filepath.Join(s.dir, tmp, e.Name())); err == nil {
				removed++
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it has ended, or another server was faster
			return removed, reason("removing an unfinished upload", err)
		}
	}
	return removed, nil
}
