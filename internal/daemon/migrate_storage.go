package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"granary/internal/blob"
	"granary/internal/blob/disk"
	"granary/internal/config"
)

// Copied is how far a MigrateStorage has come.
type Copied = blob.Copied

// MigrateStorage copies the blobs and notes of one store to another; a server may be running:
// see blob.Copy. Of the settings from and to it uses only those of the store. report
// is called after each blob, never concurrently. Damaged blobs in the source are an
// error at the end, any other error ends the copying at once; the blobs copied until
// then stay, and are counted in the result.
func MigrateStorage(ctx context.Context, from, to config.Config, verify bool, report func(Copied)) (Copied, error) {
	if err := supported(); err != nil {
		return Copied{}, err
	}
	if from.Blobs == to.Blobs {
		return Copied{}, fmt.Errorf("the blobs are in %s already; --to names another store", from.Blobs)
	}
	source, err := openSource(ctx, from)
	if err != nil {
		return Copied{}, fmt.Errorf("cannot open the blobs in %s: %w", from.Blobs, err)
	}
	defer closeStore(source)
	var locks server // the lock on the target, as a server on it would have
	defer func() { _ = locks.unlock() }()
	if to.Blobs.Scheme == "file" {
		if err := os.MkdirAll(to.Blobs.Path, 0o700); err != nil {
			return Copied{}, fmt.Errorf("cannot make the directory %s: %w", to.Blobs.Path, plain(err))
		}
		if err := locks.lock(to.Blobs.Path, toFlag); err != nil {
			return Copied{}, err
		}
	}
	target, err := openBlobs(ctx, to, crashPoints{})
	if err != nil {
		return Copied{}, fmt.Errorf("cannot open the blobs in %s: %w", to.Blobs, err)
	}
	defer closeStore(target)
	if err := checkTarget(ctx, target, source); err != nil {
		return Copied{}, fmt.Errorf("nothing was copied to %s: %w", to.Blobs, err)
	}
	done, err := blob.Copy(ctx, target, source, blob.CopyOptions{Verify: verify, Report: report})
	if dir, is := source.(*disk.Store); is && err == nil {
		var strange []blob.Digest
		strange, err = dir.NotFiles(ctx)
		done.Damaged = append(done.Damaged, strange...)
	}
	if err == nil {
		err = copyNotes(ctx, target, source)
	}
	if err != nil {
		return done, fmt.Errorf("%w; run it again to continue", err)
	}
	return done, damaged(done.Damaged)
}

// openSource opens a store that a server may be running on.
func openSource(ctx context.Context, cfg config.Config) (blob.Source, error) {
	if cfg.Blobs.Scheme == "file" {
		return disk.View(cfg.Blobs.Path)
	}
	return openBlobs(ctx, cfg, crashPoints{})
}

// closeStore lets go of a store; nothing of it is left to be written.
func closeStore(s any) {
	if c, ok := s.(io.Closer); ok {
		_ = c.Close()
	}
}

const damagedShown = 10

// damaged is the error that names the blobs that were not copied.
func damaged(digests []blob.Digest) error {
	if len(digests) == 0 {
		return nil
	}
	var names []string
	for _, d := range digests[:min(len(digests), damagedShown)] {
		names = append(names, d.String())
	}
	if len(digests) > damagedShown {
		names = append(names, "...")
	}
	return errors.New(fmt.Sprint(len(digests)) + " blobs are damaged in the source, and were not copied: " + strings.Join(names, ", "))
}
