package metadb

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// landed is the ids of a published file.
type landed struct {
	packageID int64
	blobID    int64
	fileID    int64
	isNew     bool            // the package may be new
	status    registry.Status // of the package
	hooked    bool            // a webhook wants the event
}

var (
	errNotTaken = errors.New("the version does not take the file, or the project is deleted")
	errSwept    = errors.New("the blob was swept while it was published")
)

// planOf is the plan for bytes in the database, or in the store.
func (db *DB) planOf(p registry.Publication) *publicationPlan {
	if p.Small != nil {
		return db.small
	}
	return db.stored
}

// publishInSteps writes a publication and its event, one statement for each part.
func (db *DB) publishInSteps(ctx context.Context, t tx, p registry.Publication) (put landed, err error) {
	all := values(p, nil)
	for _, s := range db.planOf(p).steps {
		if err := t.step(ctx, s, p, all, &put); err != nil {
			return put, err
		}
	}
	return put, t.record(ctx, published(p, put.fileID))
}

// keepBytes writes only the parts of the bytes, for an upload.
func (db *DB) keepBytes(ctx context.Context, t tx, p registry.Publication) (blobID int64, err error) {
	var put landed
	all := values(p, nil)
	all[packageWord] = int64(0)
	for _, s := range db.planOf(p).steps {
		if s.name != "b" && s.name != "c" {
			continue
		}
		if err := t.step(ctx, s, p, all, &put); err != nil {
			return 0, err
		}
	}
	return put.blobID, nil
}

// linkPipeline writes only the parts of the pipeline, for a file that exists.
func (db *DB) linkPipeline(ctx context.Context, t tx, p registry.Publication, f registry.File) error {
	all := values(p, nil)
	all[packageWord], all[fileWord] = f.PackageID, f.ID
	for _, s := range db.stored.steps {
		if s.needs == nil {
			continue
		}
		if err := t.step(ctx, s, p, all, &landed{}); err != nil {
			return err
		}
	}
	return nil
}

// step runs one part, and stores the id that it returns in values and in put.
func (t tx) step(ctx context.Context, s step, p registry.Publication, values []any, put *landed) (err error) {
	if s.needs != nil && !s.needs(p) {
		return nil
	}
	args := s.args(values)
	switch s.name {
	case "p":
		err = t.Row(ctx, s.numbered.text, args...).Scan(&put.packageID, &put.isNew, &put.status, &put.hooked)
		if errors.Is(err, sql.ErrNoRows) || sqldb.Raised(err, numberReserved) {
			return errNotTaken
		}
		values[packageWord] = put.packageID
	case "b":
		err = t.Row(ctx, s.numbered.text, args...).Scan(&put.blobID)
		if errors.Is(err, sql.ErrNoRows) {
			return fault.Wrap(fault.Unavailable, "", errSwept)
		}
		values[blobWord] = put.blobID
	case "f":
		err = t.Row(ctx, s.numbered.text, args...).Scan(&put.fileID)
		values[fileWord] = put.fileID
	default:
		return t.Exec(s.numbered.text, args...)
	}
	return sqldb.Classify(err)
}

// pinBlob inserts the row of a blob, or updates its time: the sweep leaves it until it
// has a file.
func (t tx) pinBlob(d blob.Digest, size int64, now time.Time) error {
	return t.Exec(`INSERT INTO blobs (digest, size, files, touched_at) VALUES ($1, $2, 0, $3)
		ON CONFLICT (digest) DO UPDATE SET touched_at = excluded.touched_at`, d[:], size, sqldb.Micros(now))
}
