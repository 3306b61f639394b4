package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/disk"
	"granary/internal/metadb"
	"granary/internal/sqldb"
)

// lookAtTarget is openTarget for a dry run: it refuses the same databases and stores, and
// makes nothing.
func (r *restore) lookAtTarget(ctx context.Context) error {
	if !r.o.DatabaseOnly {
		if err := r.lookAtStore(ctx); err != nil {
			return fmt.Errorf("cannot restore to %s: %w", r.cfg.Blobs, err)
		}
	}
	db, err := r.attach(ctx)
	if db == nil || err != nil {
		return err
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

// attach opens the database; nil if there is none yet.
func (r *restore) attach(ctx context.Context) (db *metadb.DB, err error) {
	if r.cfg.Database.Scheme == "postgres" {
		db, err = metadb.OpenPostgres(ctx, r.cfg.Database.URL.Reveal(), sqldb.Options{Attach: true, StartWait: 5 * time.Second})
	} else {
		path, failed := sqliteFile(r.cfg)
		if failed != nil {
			return nil, failed
		}
		info, failed := os.Stat(path)
		if errors.Is(failed, os.ErrNotExist) || failed == nil && info.Size() == 0 {
			return nil, nil
		}
		db, err = metadb.OpenSQLite(ctx, path, sqldb.Options{Attach: true})
	}
	if errors.Is(err, sqldb.ErrNoSchema) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot tell whether the database is empty: %w", err)
	}
	return db, nil
}

func (r *restore) lookAtStore(ctx context.Context) error {
	var blobs blob.Source
	var err error
	if r.cfg.Blobs.Scheme == "file" {
		if err := r.lookAtDirectory(r.cfg.Blobs.Path); err != nil {
			return err
		}
		if blobs, err = disk.View(r.cfg.Blobs.Path); err != nil {
			return nil // nothing of a store is there yet
		}
	} else if blobs, err = openSource(ctx, r.cfg); err != nil {
		return fmt.Errorf("cannot open the blob store: %w", err)
	}
	defer closeStore(blobs)
	return r.mayFill(ctx, blobs)
}
