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
)

// findFileQuery: the status of the package is named twice, so that SQLite sees
// that the partial index serves.
const findFileQuery = `SELECT f.id, f.package_id, b.size, b.digest, f.status, f.created_at, c.blob_id, c.content
	FROM packages p
	JOIN package_files f ON f.package_id = p.id
	JOIN blobs b ON b.id = f.blob_id
	LEFT JOIN blob_contents c ON c.blob_id = b.id
	WHERE p.project_id = $1 AND p.name = $2 AND p.version = $3
		AND p.status <> 'pending_destruction' AND p.status IN ('default', 'hidden', 'deprecated')
		AND f.file_name = $4 AND f.status = 'default'
	ORDER BY f.id DESC LIMIT 1`

// fileKey is where a file is found.
type fileKey struct {
	projectID int64
	at        registry.Coordinates
}

// foundFile is a file's record, and its bytes where the database keeps them.
type foundFile struct {
	file  registry.File
	small []byte
}

// weight is about how many bytes it takes to remember it.
func (f foundFile) weight() int64 { return 512 + int64(len(f.small)) }

// FindFile implements registry.Catalog. Files that were asked for are
// remembered until something is published to their place.
func (db *DB) FindFile(ctx context.Context, projectID int64, c registry.Coordinates) (registry.File, []byte, error) {
	if db.dialect.shared { // another node may publish to the same place
		found, err := db.findFile(ctx, projectID, c)
		return found.file, found.small, err
	}
	found, err := db.files.get(fileKey{projectID, c}, func() (foundFile, error) { return db.findFile(ctx, projectID, c) })
	return found.file, found.small, err
}

func (db *DB) findFile(ctx context.Context, projectID int64, c registry.Coordinates) (foundFile, error) {
	found := foundFile{file: registry.File{ProjectID: projectID, Name: c.File}}
	f := &found.file
	var digest []byte
	var created int64
	var kept sql.NullInt64 // an empty file has content too
	err := db.row(ctx, findFileQuery, projectID, string(c.Name), string(c.Version), string(c.File)).
		Scan(&f.ID, &f.PackageID, &f.Size, &digest, &f.Status, &created, &kept, &found.small)
	if err != nil {
		return found, classify(err)
	}
	copy(f.Digest[:], digest)
	f.CreatedAt = moment(created)
	if kept.Valid && found.small == nil {
		found.small = []byte{}
	}
	return found, nil
}

// PinBlob implements registry.Ledger.
func (db *DB) PinBlob(ctx context.Context, d blob.Digest, size int64, now time.Time) error {
	return db.writer.do(ctx, func(t *tx) error {
		_, err := t.pinBlob(d, size, 0, now)
		return err
	})
}

// pinBlob finds or makes the row of a blob, which from now on has so many more
// files.
func (t *tx) pinBlob(d blob.Digest, size int64, files int, now time.Time) (int64, error) {
	return t.insert(`INSERT INTO blobs (digest, size, files, touched_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (digest) DO UPDATE SET touched_at = excluded.touched_at, files = blobs.files + excluded.files
		RETURNING id`, d[:], size, files, micros(now))
}

// AddFile implements registry.Ledger.
func (db *DB) AddFile(ctx context.Context, p registry.Publication) (registry.File, error) {
	// A new status counts for every file of the package; without one only
	// what is found under this name changes.
	var grown bool
	defer func() {
		if grown || p.Status != nil {
			db.walks.drop(p.ProjectID)
		}
	}()
	if p.Status != nil {
		defer db.files.clear()
	} else {
		defer db.files.drop(fileKey{p.ProjectID, p.Coordinates})
	}
	return write(ctx, db, func(t *tx) (f registry.File, err error) {
		f, grown, err = t.addFile(ctx, p)
		return f, err
	})
}

// addFile reports beside the file whether its package is new.
func (t *tx) addFile(ctx context.Context, p registry.Publication) (f registry.File, grown bool, err error) {
	f = registry.File{
		ProjectID: p.ProjectID, Name: p.Coordinates.File, Size: p.Size, Digest: p.Digest,
		Status: registry.StatusDefault, CreatedAt: p.Now,
	}
	hooked, err := t.hooked(ctx, p.ProjectID)
	if fault.Is(err, fault.NotFound) {
		err = fault.Wrap(fault.Hidden, "", err)
	}
	if err != nil {
		return f, false, err
	}
	before, err := t.statusOf(ctx, p)
	if err != nil {
		return f, false, err
	}
	if f.PackageID, grown, err = t.upsertPackage(ctx, p); err != nil {
		return f, false, err
	}
	if p.NoDuplicate {
		if err := t.refuseDuplicate(ctx, f); err != nil {
			return f, false, err
		}
	}
	blobID, err := t.blobOf(ctx, p)
	if err != nil {
		return f, false, err
	}
	f.ID, err = t.insert(`INSERT INTO package_files (package_id, blob_id, file_name, status, created_at)
		VALUES ($1, $2, $3, $4, $5) RETURNING id`, f.PackageID, blobID, string(f.Name), string(f.Status), micros(p.Now))
	if err != nil {
		return f, grown, err
	}
	if p.PipelineID != 0 {
		if err := t.addPipeline(f, p.PipelineID); err != nil {
			return f, grown, err
		}
	}
	if hooked {
		if err := t.tellPublished(ctx, p, f); err != nil {
			return f, grown, err
		}
	}
	return f, grown, t.recordPublication(ctx, p, f, before)
}

// statusOf is the status of the package that a new one may replace; "" where
// there is no package, or no new status.
func (t *tx) statusOf(ctx context.Context, p registry.Publication) (status registry.Status, err error) {
	if p.Status == nil {
		return "", nil
	}
	err = t.row(ctx, `SELECT status FROM packages
		WHERE project_id = $1 AND name = $2 AND version = $3 AND status <> 'pending_destruction'`,
		p.ProjectID, string(p.Coordinates.Name), string(p.Coordinates.Version)).Scan(&status)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return status, classify(err)
}

// recordPublication tells of the file, and of the package's new status.
func (t *tx) recordPublication(ctx context.Context, p registry.Publication, f registry.File, before registry.Status) error {
	title := string(p.Coordinates.Name) + "/" + string(p.Coordinates.Version)
	if err := t.record(ctx, p.Event.To("PackageFile", f.ID, title+"/"+string(f.Name))); err != nil || before == "" || before == *p.Status {
		return err
	}
	e := p.Event.To("Package", f.PackageID, title).With("status", string(before), string(*p.Status))
	e.Name = audit.PackageStatusUpdated
	return t.record(ctx, e)
}

// upsertPackage finds or makes the package. Two publishers of one new version
// meet on the unique index and share the row. A package that may be new counts
// as new.
func (t *tx) upsertPackage(ctx context.Context, p registry.Publication) (packageID int64, isNew bool, err error) {
	status, change := registry.StatusDefault, 0
	if p.Status != nil {
		status, change = *p.Status, 1
	}
	err = t.row(ctx, `INSERT INTO packages (project_id, name, version, status, creator_id, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $6)
		ON CONFLICT (project_id, name, version) WHERE status <> 'pending_destruction'
		DO UPDATE SET updated_at = excluded.updated_at,
			status = CASE WHEN $7 = 1 THEN excluded.status ELSE packages.status END
		RETURNING id, created_at = $6`,
		p.ProjectID, string(p.Coordinates.Name), string(p.Coordinates.Version), string(status), id(p.CreatorID), micros(p.Now), change).
		Scan(&packageID, &isNew)
	return packageID, isNew, classify(err)
}

func (t *tx) refuseDuplicate(ctx context.Context, f registry.File) error {
	var n int
	err := t.row(ctx, `SELECT COUNT(*) FROM package_files WHERE package_id = $1 AND file_name = $2 AND status <> 'pending_destruction'`,
		f.PackageID, string(f.Name)).Scan(&n)
	if err == nil && n > 0 {
		return registry.ErrDuplicate()
	}
	return classify(err)
}

// blobOf is the row of the bytes. Small ones are kept here and now; others
// were pinned before their bytes were stored, and must still be.
func (t *tx) blobOf(ctx context.Context, p registry.Publication) (int64, error) {
	if p.Small == nil {
		var blobID int64
		err := t.row(ctx, `UPDATE blobs SET files = files + 1 WHERE digest = $1 RETURNING id`, p.Digest[:]).Scan(&blobID)
		if errors.Is(err, sql.ErrNoRows) {
			return 0, fault.Wrap(fault.Unavailable, "", errors.New("the blob was swept while it was published"))
		}
		return blobID, classify(err)
	}
	blobID, err := t.pinBlob(p.Digest, p.Size, 1, p.Now)
	if err != nil {
		return 0, err
	}
	return blobID, t.exec(`INSERT INTO blob_contents (blob_id, content) VALUES ($1, $2)
		ON CONFLICT (blob_id) DO NOTHING`, blobID, p.Small)
}

// addPipeline records which pipeline published the file.
func (t *tx) addPipeline(f registry.File, pipelineID int64) error {
	err := t.exec(`INSERT INTO package_pipelines (package_id, pipeline_id) VALUES ($1, $2)
		ON CONFLICT (package_id, pipeline_id) DO NOTHING`, f.PackageID, pipelineID)
	if err != nil {
		return err
	}
	return t.exec(`INSERT INTO package_file_pipelines (package_file_id, pipeline_id) VALUES ($1, $2)`, f.ID, pipelineID)
}

// TouchDownloads implements registry.Ledger.
func (db *DB) TouchDownloads(ctx context.Context, at map[int64]time.Time) error {
	return db.touch(ctx, `UPDATE packages SET last_downloaded_at = $1
		WHERE id = $2 AND (last_downloaded_at IS NULL OR last_downloaded_at < $1)`, at)
}

// touch runs a statement for each time and id, in the order of the ids: two who
// touch the same rows do not wait for each other in a circle. What another node
// saw later stays.
func (db *DB) touch(ctx context.Context, query string, at map[int64]time.Time) error {
	return db.writer.do(ctx, func(t *tx) error {
		for _, id := range slices.Sorted(maps.Keys(at)) {
			if err := t.exec(query, micros(at[id]), id); err != nil {
				return err
			}
		}
		return nil
	})
}

// purgeQuery: CROSS JOIN makes SQLite begin with the few projects.
const purgeQuery = `SELECT k.id FROM projects p CROSS JOIN packages k
	WHERE p.deleted_at IS NOT NULL AND k.project_id = p.id LIMIT $1`

const removedQuery = `SELECT k.id FROM packages k WHERE k.status = 'pending_destruction' ORDER BY k.id LIMIT $1`

// PurgeDeleted implements registry.Ledger.
func (db *DB) PurgeDeleted(ctx context.Context, limit int) (int, error) {
	defer db.files.clear()
	defer db.walks.clear()
	return write(ctx, db, func(t *tx) (int, error) {
		var n int
		var free []int64 // blobs, once for each file that is gone
		for _, which := range []string{purgeQuery, removedQuery} {
			packages, err := t.ids(ctx, which, limit)
			if err != nil {
				return 0, err
			}
			for _, packageID := range packages {
				blobs, err := t.deletePackage(ctx, packageID)
				if err != nil {
					return 0, err
				}
				free = append(free, blobs...)
			}
			n += len(packages)
		}
		files, err := t.purgeFiles(ctx, limit)
		if err != nil {
			return 0, err
		}
		uploads, err := t.purgeUploads(ctx, limit)
		if err != nil {
			return 0, err
		}
		releases, err := t.purgeReleases(limit)
		if err != nil {
			return 0, err
		}
		n += len(files) + len(uploads) + releases
		return n, t.countOff(slices.Concat(free, files, uploads))
	})
}

// ids reads a column of ids, or of what a statement returns.
func (t *tx) ids(ctx context.Context, query string, args ...any) ([]int64, error) {
	return list(ctx, t, func(row scanner) (n int64, err error) { return n, row.Scan(&n) }, query, args...)
}

// deletePackage removes the records of a package and returns the blobs of its
// files. Their bytes are left to the sweep.
func (t *tx) deletePackage(ctx context.Context, packageID int64) ([]int64, error) {
	blobs, err := t.ids(ctx, `DELETE FROM package_files WHERE package_id = $1 RETURNING blob_id`, packageID)
	if err != nil {
		return nil, err
	}
	return blobs, t.exec(`DELETE FROM packages WHERE id = $1`, packageID)
}

// countOff counts files that are gone off their blobs. It comes after the
// packages and goes by id, as publishers take them: who waits for a blob holds
// nothing that its holder still wants.
func (t *tx) countOff(blobs []int64) error {
	slices.Sort(blobs)
	for len(blobs) > 0 {
		same := 1
		for same < len(blobs) && blobs[same] == blobs[0] {
			same++
		}
		if err := t.exec(`UPDATE blobs SET files = files - $1 WHERE id = $2`, same, blobs[0]); err != nil {
			return err
		}
		blobs = blobs[same:]
	}
	return nil
}

// sweepQuery takes the row of a blob that nothing refers to. The update holds
// it; the conditions are told twice for the one who had to wait for a publisher.
const sweepQuery = `UPDATE blobs SET touched_at = touched_at WHERE files = 0 AND touched_at < $1 AND id = (
	SELECT b.id FROM blobs b WHERE b.files = 0 AND b.touched_at < $1
		AND NOT EXISTS (SELECT 1 FROM package_files f WHERE f.blob_id = b.id)
		AND NOT EXISTS (SELECT 1 FROM uploads u WHERE u.blob_id = b.id) LIMIT 1)
	RETURNING id, digest`

// SweepBlob implements registry.Ledger. The bytes go before the commit, so
// that a publisher of the same bytes, who waits at its pin for this
// transaction, finds them gone and writes them again.
func (db *DB) SweepBlob(ctx context.Context, before time.Time, remove func(blob.Digest) error) (bool, error) {
	return write(ctx, db, func(t *tx) (bool, error) {
		var blobID int64
		var digest []byte
		err := t.row(ctx, sweepQuery, micros(before)).Scan(&blobID, &digest)
		if errors.Is(err, sql.ErrNoRows) {
			return false, nil
		}
		if err != nil {
			return false, classify(err)
		}
		var d blob.Digest
		copy(d[:], digest)
		if err := remove(d); err != nil {
			return false, fault.Wrap(fault.Unavailable, "", err)
		}
		return true, t.exec(`DELETE FROM blobs WHERE id = $1`, blobID)
	})
}

var (
	_ registry.Catalog = (*DB)(nil)
	_ registry.Ledger  = (*DB)(nil)
)
