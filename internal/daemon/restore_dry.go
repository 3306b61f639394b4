package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"granary/internal/blob"
	"granary/internal/blob/disk"
	"granary/internal/filelock"
	"granary/internal/records"
)

// lookAtTarget is openTarget for a dry run: it refuses the same databases and stores, and
// makes nothing.
func (r *restore) lookAtTarget(ctx context.Context) error {
	if !r.o.DatabaseOnly {
		if err := r.lookAtStore(ctx); err != nil {
			return fmt.Errorf("cannot restore to %s: %w", r.cfg.Blobs, err)
		}
	}
	return r.lookAtDatabase(ctx)
}

// lookAtDatabase refuses a database that is not empty, and changes nothing.
func (r *restore) lookAtDatabase(ctx context.Context) error {
	if err := logAlone(r.cfg); err != nil {
		return err
	}
	db, err := attach(ctx, r.cfg)
	if isNone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot tell whether the database is empty: %w", explainLost(ctx, r.cfg, err))
	}
	empty, err := db.IsEmpty(ctx)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if !empty {
		return r.notEmpty()
	}
	return nil
}

func (r *restore) notEmpty() error {
	return fmt.Errorf("%s is not empty; a backup is restored into an empty database", r.cfg.Database)
}

func (r *restore) lookAtStore(ctx context.Context) error {
	if r.cfg.Blobs.Scheme == "file" {
		if err := r.lookAtDirectory(r.cfg.Blobs.Path); err != nil {
			return err
		}
		if err := r.lookForServer(); err != nil {
			return err
		}
	}
	blobs, err := r.storeThere(ctx)
	if err != nil || blobs == nil {
		return err
	}
	defer closeStore(blobs)
	if err := r.mayFill(ctx, blobs); err != nil {
		return err
	}
	r.newest, err = records.Newest(ctx, blobs)
	return err
}

// lookForServer refuses a directory that a server uses. In a bucket one would have to ask.
func (r *restore) lookForServer() error {
	f, err := os.OpenFile(filepath.Join(r.cfg.Blobs.Path, lockName), os.O_RDWR, 0)
	if err != nil {
		return nil // no server has ever run on it, or the restore tells
	}
	defer func() { _ = filelock.Close(f) }()
	if free, err := filelock.Try(f); err == nil && !free {
		return heldError{holder(f), r.cfg.Blobs.Path, blobsFlag(r.cfg)}
	}
	return nil
}

// storeThere is the store to restore to; nil if nothing of one is there yet.
func (r *restore) storeThere(ctx context.Context) (blob.Source, error) {
	if r.cfg.Blobs.Scheme == "file" {
		blobs, err := disk.View(r.cfg.Blobs.Path)
		if err != nil {
			return nil, nil //nolint:nilerr,nilnil // lookAtDirectory has told what is wrong
		}
		return blobs, nil
	}
	blobs, err := openSource(ctx, r.cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot open the blob store: %w", err)
	}
	return blobs, nil
}

// tryOut counts what would be copied, what is there already, and what is missing.
func (r *restore) tryOut(ctx context.Context) error {
	there := records.NewKnown()
	if !r.o.DatabaseOnly {
		blobs, err := r.storeThere(ctx)
		if err != nil {
			return err
		}
		if blobs != nil {
			defer closeStore(blobs)
			if there, err = listed(ctx, blob.Readable(blobs)); err != nil {
				return err
			}
		}
	}
	return r.lookForBlobs(ctx, func(row records.BlobRow) {
		if _, has := there.Has(row.Digest, row.Size); has {
			r.done.Present++
			return
		}
		r.done.Files++
		r.done.Bytes += row.Size
	})
}
