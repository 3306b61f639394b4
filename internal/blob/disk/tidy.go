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

// Left implements blob.Tidier.
func (s *Store) Left(ctx context.Context, before time.Time) (n int, err error) {
	err = s.uploads(ctx, func(_ string, written time.Time) error {
		if written.Before(before) {
			n++
		}
		return nil
	})
	return n, err
}

// removeUploads removes uploads that were last written to at such a time.
func (s *Store) removeUploads(ctx context.Context, such func(time.Time) bool) (removed int, err error) {
	err = s.uploads(ctx, func(path string, written time.Time) error {
		if !such(written) {
			return nil
		}
		err := os.Remove(path)
		if err == nil {
			removed++
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it has ended, or another server was faster
			return reason("removing an unfinished upload", err)
		}
		return nil
	})
	return removed, err
}

// uploads calls each for the file of every unfinished upload, until it fails.
func (s *Store) uploads(ctx context.Context, each func(path string, written time.Time) error) error {
	entries, err := os.ReadDir(filepath.Join(s.dir, tmp))
	if s.view && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return reason("listing "+tmp, err)
	}
	for _, e := range entries {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has ended
		}
		if err != nil {
			return reason("looking up an unfinished upload", err)
		}
		if err := each(filepath.Join(s.dir, tmp, e.Name()), info.ModTime()); err != nil {
			return err
		}
	}
	return nil
}
