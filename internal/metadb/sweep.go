package metadb

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// purgeQuery: CROSS JOIN makes SQLite start with the deleted projects, which are few.
// Removed packages of theirs are found by removedQuery.
const purgeQuery = `SELECT k.id FROM projects p CROSS JOIN packages k
	WHERE p.deleted_at IS NOT NULL AND k.project_id = p.id AND k.status <> 'pending_destruction' LIMIT $1`

const removedQuery = `SELECT k.id FROM packages k WHERE k.status = 'pending_destruction' ORDER BY k.id LIMIT $1`

// PurgeDeleted implements registry.Sweeping.
func (db *DB) PurgeDeleted(ctx context.Context, limit int, now time.Time) (int, error) {
	defer db.files.clear()
	defer db.forgetVersions()
	defer db.walks.clear()
	return write(sqldb.Freeing(ctx), db, func(t tx) (int, error) {
		var n int
		var free []int64 // blobs, once for each removed file
		for _, which := range []string{purgeQuery, removedQuery} {
			packages, err := t.IDs(ctx, which, limit)
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
		if err := t.purgeChannels(); err != nil {
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

// deletePackage deletes the rows of a package and returns the blobs of its files. The
// sweep removes their bytes.
func (t tx) deletePackage(ctx context.Context, packageID int64) ([]int64, error) {
	blobs, err := t.IDs(ctx, `DELETE FROM package_files WHERE package_id = $1 RETURNING blob_id`, packageID)
	if err != nil {
		return nil, err
	}
	return blobs, t.Exec(`DELETE FROM packages WHERE id = $1`, packageID)
}

// countOff subtracts removed files from the counts of their blobs. It locks blobs
// after packages and by id, as publishers do, so that they cannot deadlock. The grace
// period of a blob without files begins here.
func (t tx) countOff(blobs []int64, now time.Time) error {
	slices.Sort(blobs)
	for len(blobs) > 0 {
		same := 1
		for same < len(blobs) && blobs[same] == blobs[0] {
			same++
		}
		if err := t.Exec(`UPDATE blobs SET files = files - $1, touched_at = $2 WHERE id = $3`, same, sqldb.Micros(now), blobs[0]); err != nil {
			return err
		}
		blobs = blobs[same:]
	}
	return nil
}

// sweepQuery locks the row of a blob that nothing refers to. Its conditions are
// repeated because PostgreSQL evaluates only the outer ones again after waiting for a
// lock.
const sweepQuery = `UPDATE blobs SET touched_at = touched_at WHERE files = 0 AND touched_at < $1 AND id = (
	SELECT b.id FROM blobs b WHERE b.files = 0 AND b.touched_at < $1
		AND NOT EXISTS (SELECT 1 FROM package_files f WHERE f.blob_id = b.id)
		AND NOT EXISTS (SELECT 1 FROM uploads u WHERE u.blob_id = b.id) LIMIT 1)
	RETURNING id, digest, size`

// SweepBlob implements registry.Sweeping. The bytes are removed before the commit. A
// publisher of the same bytes waits in PinBlob for this transaction, then finds them
// gone and writes them again.
func (db *DB) SweepBlob(ctx context.Context, before time.Time, remove func(blob.Digest) error) (size int64, found bool, err error) {
	err = db.do(sqldb.Freeing(ctx), func(t tx) error {
		var blobID int64
		var digest []byte
		err := t.Row(ctx, sweepQuery, sqldb.Micros(before)).Scan(&blobID, &digest, &size)
		found = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return sqldb.Classify(err)
		}
		var d blob.Digest
		copy(d[:], digest)
		if err := remove(d); err != nil {
			return fault.Wrap(fault.Unavailable, "", err)
		}
		if err := t.Exec(`DELETE FROM damage WHERE digest = $1`, digest); err != nil {
			return err
		}
		return t.Exec(`DELETE FROM blobs WHERE id = $1`, blobID)
	})
	return size, found && err == nil, err
}

// purgeFiles deletes up to limit rows of files that were removed without their
// package, and returns their blobs.
func (t tx) purgeFiles(ctx context.Context, limit int) ([]int64, error) {
	return t.IDs(ctx, `DELETE FROM package_files WHERE id IN (
		SELECT f.id FROM package_files f WHERE f.status = 'pending_destruction' ORDER BY f.id LIMIT $1) RETURNING blob_id`, limit)
}

// purgeUploads deletes up to limit uploads of deleted projects, and returns their
// blobs.
func (t tx) purgeUploads(ctx context.Context, limit int) ([]int64, error) {
	return t.IDs(ctx, `DELETE FROM uploads WHERE id IN (
		SELECT u.id FROM projects p CROSS JOIN uploads u WHERE p.deleted_at IS NOT NULL AND u.project_id = p.id LIMIT $1)
		RETURNING blob_id`, limit)
}

// purgeReleases deletes up to limit releases of deleted projects.
func (t tx) purgeReleases(limit int) (int, error) {
	n, err := t.Count(`DELETE FROM releases WHERE id IN (
		SELECT e.id FROM projects p CROSS JOIN releases e WHERE p.deleted_at IS NOT NULL AND e.project_id = p.id LIMIT $1)`, limit)
	return int(n), err
}

// purgeChannels deletes the channels of deleted projects: they are few.
func (t tx) purgeChannels() error {
	return t.Exec(`DELETE FROM package_channels WHERE project_id IN (SELECT p.id FROM projects p WHERE p.deleted_at IS NOT NULL)`)
}

// SweepsSince is the newest migration that a server must know to do a requested sweep.
const SweepsSince = 14

// sweepsKept is how long the outcome of a sweep is kept if nobody asks for it.
const sweepsKept = 24 * time.Hour

// AskSweep implements registry.Sweeping.
func (db *DB) AskSweep(ctx context.Context, e audit.Event) (id int64, err error) {
	return write(sqldb.Freeing(ctx), db, func(t tx) (int64, error) {
		err := t.Exec(`DELETE FROM sweeps WHERE asked_at < `+db.ClockSQL()+` - $1`, sweepsKept.Microseconds())
		if err != nil {
			return 0, err
		}
		id, err := t.Insert(`INSERT INTO sweeps (asked_at) VALUES (` + db.ClockSQL() + `) RETURNING id`)
		if err != nil {
			return 0, err
		}
		return id, t.record(ctx, e.To("Sweep", id, ""))
	})
}

// AskedSweep is the newest of the requested sweeps that were not done yet; 0 for none.
func (db *DB) AskedSweep(ctx context.Context) (id int64, err error) {
	err = db.Row(ctx, `SELECT COALESCE(MAX(id), 0) FROM sweeps WHERE done_at IS NULL`).Scan(&id)
	return id, sqldb.Classify(err)
}

// AnswerSweeps records the outcome of all requested sweeps up to an id that were not
// done yet. failure says what went wrong, "" for nothing.
func (db *DB) AnswerSweeps(ctx context.Context, upTo int64, swept registry.Swept, failure string) error {
	why := sql.Null[string]{V: failure, Valid: failure != ""}
	return db.do(sqldb.Freeing(ctx), func(t tx) error {
		return t.Exec(`UPDATE sweeps SET done_at = `+db.ClockSQL()+`, blobs = $1, bytes = $2, failure = $3
			WHERE id <= $4 AND done_at IS NULL`, swept.Blobs, swept.Bytes, why, upTo)
	})
}

// TakeSweep returns and deletes the outcome of a sweep, or reports that it is not
// done. NotFound if there is no such sweep.
func (db *DB) TakeSweep(ctx context.Context, id int64) (swept registry.Swept, done bool, failure string, err error) {
	var at sql.Null[int64]
	var failed sql.Null[string]
	err = db.Row(ctx, `SELECT done_at, blobs, bytes, failure FROM sweeps WHERE id = $1`, id).
		Scan(&at, &swept.Blobs, &swept.Bytes, &failed)
	if err = sqldb.Classify(err); fault.Is(err, fault.NotFound) || err == nil && !at.Valid {
		return registry.Swept{}, false, "", err
	}
	if err == nil {
		err = db.WithdrawSweep(ctx, id)
	}
	return swept, err == nil, failed.V, err
}

// WithdrawSweep deletes a requested sweep.
func (db *DB) WithdrawSweep(ctx context.Context, id int64) error {
	return db.do(sqldb.Freeing(ctx), func(t tx) error { return t.Exec(`DELETE FROM sweeps WHERE id = $1`, id) })
}

// CountBlobs counts up to limit blobs after an id, in the order of ids. last is the
// greatest id among them, 0 if there are none; bytes is their total size.
func (db *DB) CountBlobs(ctx context.Context, after int64, limit int) (last int64, blobs int, bytes int64, err error) {
	err = db.Row(ctx, `SELECT COALESCE(MAX(b.id), 0), COUNT(*), CAST(COALESCE(SUM(b.size), 0) AS BIGINT)
		FROM (SELECT id, size FROM blobs WHERE id > $1 ORDER BY id LIMIT $2) b`, after, limit).Scan(&last, &blobs, &bytes)
	return last, blobs, bytes, sqldb.Classify(err)
}
