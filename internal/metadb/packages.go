package metadb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/registry"
)

// findFileQuery: the status of the package is named twice, so that SQLite sees
// that the partial index serves. The newest file is chosen inside, so that
// PostgreSQL does not look for it from the newest of all packages. Those published
// just before and after it, and the seconds of those that are gone, tell whether it
// has a twin.
const findFileQuery = `SELECT f.id, f.package_id, b.size, b.digest, f.status, f.created_at, c.blob_id, c.content,
		(SELECT o.created_at FROM package_files o
			WHERE o.package_id = f.package_id AND o.file_name = f.file_name AND o.id < f.id ORDER BY o.id DESC LIMIT 1),
		(SELECT o.created_at FROM package_files o
			WHERE o.package_id = f.package_id AND o.file_name = f.file_name AND o.id > f.id ORDER BY o.id LIMIT 1),
		EXISTS (SELECT 1 FROM former_files d WHERE d.project_id = p.project_id AND d.name = p.name AND d.version = p.version
			AND d.file_name = f.file_name AND d.second = f.created_at / 1000000)
	FROM packages p
	JOIN package_files f ON f.id = (SELECT n.id FROM package_files n
		WHERE n.package_id = p.id AND n.file_name = $1 AND n.status = 'default' ORDER BY n.id DESC LIMIT 1)
	JOIN blobs b ON b.id = f.blob_id
	LEFT JOIN blob_contents c ON c.blob_id = b.id
	WHERE p.project_id = $2 AND p.name = $3 AND p.version = $4
		AND p.status <> 'pending_destruction' AND p.status IN ('default', 'hidden', 'deprecated')`

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

// FindFile implements registry.Files. Files that were asked for are
// remembered until something is published to their place.
func (db *DB) FindFile(ctx context.Context, projectID int64, c registry.Coordinates) (registry.File, []byte, error) {
	if db.dialect.shared { // another node may publish to the same place
		found, err := db.findFile(ctx, projectID, c)
		return found.file, found.small, err
	}
	found, known, began := db.files.look(fileKey{projectID, c})
	if known {
		return found.file, found.small, nil
	}
	c = apart(c)
	found, err := db.findFile(ctx, projectID, c)
	if err == nil {
		db.files.put(fileKey{projectID, c}, found, began)
	}
	return found.file, found.small, err
}

// apart is the same coordinates in memory of their own: what a caller hands over is
// part of its whole request.
func apart(c registry.Coordinates) registry.Coordinates {
	all := string(c.Name) + string(c.Version) + string(c.File)
	name, rest := all[:len(c.Name)], all[len(c.Name):]
	version, file := rest[:len(c.Version)], rest[len(c.Version):]
	return registry.Coordinates{Name: registry.Name(name), Version: registry.Version(version), File: registry.FileName(file)}
}

// weighFile is what a file leads to. Its name is part of the key.
func weighFile(key fileKey, f foundFile) int64 {
	return allocated(len(key.at.Name)+len(key.at.Version)+len(key.at.File)) + texts(string(f.file.Status)) + allocated(cap(f.small))
}

func (db *DB) findFile(ctx context.Context, projectID int64, c registry.Coordinates) (foundFile, error) {
	found := foundFile{file: registry.File{ProjectID: projectID, Name: c.File}}
	f := &found.file
	var digest []byte
	var created int64
	var kept sql.NullInt64 // an empty file has content too
	var before, after sql.NullInt64
	err := db.row(ctx, findFileQuery, string(c.File), projectID, string(c.Name), string(c.Version)).
		Scan(&f.ID, &f.PackageID, &f.Size, &digest, &f.Status, &created, &kept, &found.small, &before, &after, &f.Twin)
	if err != nil {
		return found, classify(err)
	}
	copy(f.Digest[:], digest)
	f.CreatedAt = moment(created)
	if kept.Valid && found.small == nil {
		found.small = []byte{}
	}
	second := f.CreatedAt.Unix()
	f.Twin = f.Twin || before.Valid && moment(before.Int64).Unix() == second || after.Valid && moment(after.Int64).Unix() == second
	return found, verify(f.Digest, found.small)
}

// verify returns a *blob.DamageError if bytes that the database keeps are not those
// of the digest; nil bytes are none. A database page can rot like a file.
func verify(d blob.Digest, small []byte) error {
	if small == nil {
		return nil
	}
	return blob.Verify(d, sha256.Sum256(small))
}

// TouchDownloads implements registry.Publishing.
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

// PurgeDeleted implements registry.Sweeping.
func (db *DB) PurgeDeleted(ctx context.Context, limit int, now time.Time) (int, error) {
	defer db.files.clear()
	defer db.walks.clear()
	return write(freeing(ctx), db, func(t *tx) (int, error) {
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
		dates, err := t.forgetDates(limit, now)
		if err != nil {
			return 0, err
		}
		n += len(files) + len(uploads) + releases + int(dates)
		return n, t.countOff(slices.Concat(free, files, uploads), now)
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
// nothing that its holder still wants. The time of grace of a blob without
// files begins here.
func (t *tx) countOff(blobs []int64, now time.Time) error {
	slices.Sort(blobs)
	for len(blobs) > 0 {
		same := 1
		for same < len(blobs) && blobs[same] == blobs[0] {
			same++
		}
		if err := t.exec(`UPDATE blobs SET files = files - $1, touched_at = $2 WHERE id = $3`, same, micros(now), blobs[0]); err != nil {
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
	RETURNING id, digest, size`

// SweepBlob implements registry.Sweeping. The bytes go before the commit, so
// that a publisher of the same bytes, who waits at its pin for this
// transaction, finds them gone and writes them again.
func (db *DB) SweepBlob(ctx context.Context, before time.Time, remove func(blob.Digest) error) (size int64, found bool, err error) {
	err = db.writer.do(freeing(ctx), func(t *tx) error {
		var blobID int64
		var digest []byte
		err := t.row(ctx, sweepQuery, micros(before)).Scan(&blobID, &digest, &size)
		found = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return classify(err)
		}
		var d blob.Digest
		copy(d[:], digest)
		if err := remove(d); err != nil {
			return fault.Wrap(fault.Unavailable, "", err)
		}
		return t.exec(`DELETE FROM blobs WHERE id = $1`, blobID)
	})
	return size, found && err == nil, err
}
