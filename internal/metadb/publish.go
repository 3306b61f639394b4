package metadb

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// PinBlob implements registry.Publishing.
func (db *DB) PinBlob(ctx context.Context, d blob.Digest, size int64, now time.Time) error {
	return db.do(ctx, func(t tx) error {
		return t.pinBlob(d, size, now)
	})
}

// AddFile implements registry.Publishing.
func (db *DB) AddFile(ctx context.Context, p registry.Publication) (registry.File, error) {
	if p.Restored != nil {
		return db.restoreFile(ctx, p)
	}
	for range takings {
		f, err := db.addFile(ctx, p)
		if errors.Is(err, errReleased) {
			p.Into, p.Unreleased = registry.IntoOpen, registry.ReleaseTags{}
			continue
		}
		if !errors.Is(err, errNotTaken) {
			return f, err
		}
		n, err := db.FindNumber(ctx, p.ProjectID, p.Coordinates)
		if err != nil {
			return f, err
		}
		there, err := n.Admit(p.Coordinates, p.Into, &p.Digest, p.Size)
		if err != nil {
			return f, err
		}
		if there != nil {
			return *there, nil
		}
	}
	return registry.File{}, fault.Wrap(fault.Unavailable, "", errNotTaken)
}

// takings is how often a publication is tried if the version changes each time before it
// is known why it did not take the file.
const takings = 3

func (db *DB) addFile(ctx context.Context, p registry.Publication) (registry.File, error) {
	put, done, err := db.publishAtOnce(ctx, p)
	if done || err != nil {
		if done {
			db.grow(p, put)
		}
		return fileOf(p, put), err
	}
	// A new status affects every file of the package; without one only this file is
	// affected.
	var release func()
	defer func() { db.letGo(release, p.ProjectID) }()
	if p.Status != nil {
		db.files.holdAll()
		defer db.files.releaseAll()
	} else {
		db.files.hold(fileKey{p.ProjectID, p.Coordinates})
		defer db.files.release(fileKey{p.ProjectID, p.Coordinates})
	}
	var before registry.Status
	f, err := write(ctx, db, func(t tx) (f registry.File, err error) {
		if err := db.unreleased(ctx, t, p); err != nil {
			return f, err
		}
		if before, err = t.statusOf(ctx, p); err != nil {
			return f, err
		}
		if put, err = db.publishInSteps(ctx, t, p); err != nil {
			return f, err
		}
		if release == nil && (put.isNew || p.Status != nil) {
			release = db.holdChoices()
		}
		f = fileOf(p, put)
		return f, t.finish(ctx, p, f, before, put)
	})
	if err == nil && (p.Status == nil || before == *p.Status) { // else the trigger of statuses has added it
		db.grow(p, put)
	}
	return f, err
}

func fileOf(p registry.Publication, put landed) registry.File {
	return registry.File{
		ID: put.fileID, PackageID: put.packageID, ProjectID: p.ProjectID, Name: p.Coordinates.File, Size: p.Size, Digest: p.Digest,
		Status: registry.StatusDefault, CreatedAt: p.Now, Draft: put.status == registry.StatusDraft,
	}
}

// statusOf is the package's status before p.Status replaces it; "" if there is no
// package, or no new status.
func (t tx) statusOf(ctx context.Context, p registry.Publication) (status registry.Status, err error) {
	if p.Status == nil {
		return "", nil
	}
	err = t.Row(ctx, `SELECT status FROM packages
		WHERE project_id = $1 AND name = $2 AND version = $3 AND status <> 'pending_destruction'`,
		p.ProjectID, string(p.Coordinates.Name), string(p.Coordinates.Version)).Scan(&status)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return status, sqldb.Classify(err)
}

// finish does what only some publications need. The package's row is locked by now, so
// that what is read here stays true.
func (t tx) finish(ctx context.Context, p registry.Publication, f registry.File, before registry.Status, put landed) error {
	if p.NoDuplicate && put.status != registry.StatusDraft {
		if err := t.refuseDuplicate(ctx, f); err != nil {
			return err
		}
	}
	if p.If != nil {
		if err := t.judge(ctx, p.If, f); err != nil {
			return err
		}
	}
	if put.status == registry.StatusDraft { // nobody is told of it before it is final
		return nil
	}
	if put.hooked {
		if err := t.tellPublished(ctx, p, f); err != nil {
			return err
		}
	}
	return t.recordStatus(ctx, p, f.PackageID, before)
}

// recordStatus records a change of the package's status; before is "" if there was
// none.
func (t tx) recordStatus(ctx context.Context, p registry.Publication, packageID int64, before registry.Status) error {
	if before == "" || before == *p.Status {
		return nil
	}
	e := p.Event.To("Package", packageID, title(p)).With("status", string(before), string(*p.Status))
	e.Name = audit.PackageStatusUpdated
	return t.record(ctx, e)
}

// title names a package in events.
func title(p registry.Publication) string {
	return string(p.Coordinates.Name) + "/" + string(p.Coordinates.Version)
}

// refuseDuplicate looks for another file of the same name.
func (t tx) refuseDuplicate(ctx context.Context, f registry.File) error {
	var found bool
	err := t.Row(ctx, `SELECT EXISTS (SELECT 1 FROM package_files
		WHERE package_id = $1 AND file_name = $2 AND id <> $3 AND status <> 'pending_destruction')`,
		f.PackageID, string(f.Name), f.ID).Scan(&found)
	if err == nil && found {
		return registry.ErrDuplicate()
	}
	return sqldb.Classify(err)
}

// judge checks the condition against the file that f replaces. It is a statement of
// its own, after the one that waited for the package: a condition in that one would
// see what was there before the wait.
func (t tx) judge(ctx context.Context, c *registry.Condition, f registry.File) error {
	var digest []byte
	err := t.Row(ctx, `SELECT b.digest FROM package_files f
		JOIN packages p ON p.id = f.package_id AND p.status IN `+finalisable+`
		JOIN blobs b ON b.id = f.blob_id
		WHERE f.package_id = $1 AND f.file_name = $2 AND f.id <> $3 AND f.status = 'default'
		ORDER BY f.id DESC LIMIT 1`, f.PackageID, string(f.Name), f.ID).Scan(&digest)
	if errors.Is(err, sql.ErrNoRows) {
		return c.Judge(nil)
	}
	if err != nil {
		return sqldb.Classify(err)
	}
	return c.Judge((*blob.Digest)(digest))
}

// touch runs a statement for each time and id, in the order of ids, so that two of
// these transactions cannot deadlock. A later time, of another node, stays.
func (db *DB) touch(ctx context.Context, query string, at map[int64]time.Time) error {
	return db.do(ctx, func(t tx) error {
		for _, id := range slices.Sorted(maps.Keys(at)) {
			if err := t.Exec(query, sqldb.Micros(at[id]), id); err != nil {
				return err
			}
		}
		return nil
	})
}
