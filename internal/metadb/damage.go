package metadb

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// States of a mark.
const (
	markFound = "found"
	markAside = "aside"
)

// FindScrub implements registry.Scrubbing.
func (db *DB) FindScrub(ctx context.Context) (registry.ScrubState, error) {
	var s registry.ScrubState
	var began, since int64
	err := sqldb.Classify(db.Row(ctx, `SELECT after, began_at, since FROM scrubs WHERE id = 1`).Scan(&s.After, &began, &since))
	if fault.Is(err, fault.NotFound) {
		return registry.ScrubState{}, nil
	}
	s.Began, s.Since = sqldb.Moment(began), sqldb.Moment(since)
	return s, err
}

// KeepScrub implements registry.Scrubbing.
func (db *DB) KeepScrub(ctx context.Context, s registry.ScrubState) error {
	return db.do(ctx, func(t tx) error {
		return t.Exec(`INSERT INTO scrubs (id, after, began_at, since) VALUES (1, $1, $2, $3)
			ON CONFLICT (id) DO UPDATE SET after = excluded.after, began_at = excluded.began_at, since = excluded.since`,
			append([]byte{}, s.After...), sqldb.Micros(s.Began), sqldb.Micros(s.Since))
	})
}

// BlobsAfter implements registry.Scrubbing.
func (db *DB) BlobsAfter(ctx context.Context, after []byte, limit int) ([]registry.StoredBlob, error) {
	return sqldb.ListFixed(ctx, db, func(row sqldb.Scanner) (b registry.StoredBlob, err error) {
		var digest []byte
		err = row.Scan(&digest, &b.Size, &b.Small, &b.Summed)
		copy(b.Digest[:], digest)
		return b, err
	}, `SELECT b.digest, b.size, (SELECT c.blob_id FROM blob_contents c WHERE c.blob_id = b.id) IS NOT NULL, b.crc32 IS NOT NULL
		FROM blobs b WHERE b.digest > $1 AND b.files > 0 ORDER BY b.digest LIMIT $2`, append([]byte{}, after...), limit)
}

// MarkDamaged implements registry.Scrubbing.
func (db *DB) MarkDamaged(ctx context.Context, m registry.DamageMark, now time.Time, e audit.Event) (bool, error) {
	state := markFound
	if m.Aside {
		state = markAside
	}
	return write(ctx, db, func(t tx) (bool, error) {
		n, err := t.Count(`INSERT INTO damage (digest, kind, state, found_at)
			SELECT b.digest, $1, $2, $3 FROM blobs b WHERE b.digest = $4 AND b.files > 0 ON CONFLICT (digest) DO NOTHING`,
			string(m.Kind), state, sqldb.Micros(now), m.Digest[:])
		if err == nil && n == 0 && !m.Aside {
			err = t.Exec(`UPDATE damage SET state = $1 WHERE digest = $2`, markFound, m.Digest[:])
		}
		if err != nil || n == 0 {
			return false, err
		}
		return true, t.recordOfBlob(ctx, e, m.Digest)
	})
}

// recordOfBlob records an event whose target is a blob.
func (t tx) recordOfBlob(ctx context.Context, e audit.Event, d blob.Digest) error {
	var id int64
	if err := t.Row(ctx, `SELECT COALESCE(MAX(id), 0) FROM blobs WHERE digest = $1`, d[:]).Scan(&id); err != nil {
		return sqldb.Classify(err)
	}
	return t.record(ctx, e.To("Blob", id, d.String()))
}

// SetAside implements registry.Scrubbing. The update locks the mark until the bytes are
// removed: of two who set the same blob aside, the second finds it done.
func (db *DB) SetAside(ctx context.Context, d blob.Digest, remove func() error) error {
	return db.do(ctx, func(t tx) error {
		n, err := t.Count(`UPDATE damage SET state = $1 WHERE digest = $2 AND state = $3`, markAside, d[:], markFound)
		if err != nil || n == 0 {
			return err
		}
		if err := remove(); err != nil {
			return fault.Wrap(fault.Unavailable, "", err)
		}
		return nil
	})
}

// RemoveMark implements registry.Scrubbing.
func (db *DB) RemoveMark(ctx context.Context, m registry.DamageMark, e audit.Event) (bool, error) {
	state := markFound
	if m.Aside {
		state = markAside
	}
	return write(ctx, db, func(t tx) (bool, error) {
		n, err := t.Count(`DELETE FROM damage WHERE digest = $1 AND state = $2`, m.Digest[:], state)
		if err != nil || n == 0 {
			return false, err
		}
		return true, t.recordOfBlob(ctx, e, m.Digest)
	})
}

const markQuery = `SELECT d.digest, d.kind, d.state = 'aside', EXISTS (SELECT 1 FROM blobs b JOIN blob_contents c ON c.blob_id = b.id WHERE b.digest = d.digest) FROM damage d`

func scanMark(row sqldb.Scanner) (m registry.DamageMark, err error) {
	var digest []byte
	err = row.Scan(&digest, &m.Kind, &m.Aside, &m.Small)
	copy(m.Digest[:], digest)
	return m, err
}

// FindMark implements registry.Scrubbing.
func (db *DB) FindMark(ctx context.Context, d blob.Digest) (registry.DamageMark, error) {
	m, err := scanMark(db.Row(ctx, markQuery+` WHERE d.digest = $1`, d[:]))
	if errors.Is(err, sql.ErrNoRows) {
		return m, fault.New(fault.NotFound, "")
	}
	return m, sqldb.Classify(err)
}

// MarksAfter implements registry.Scrubbing.
func (db *DB) MarksAfter(ctx context.Context, after []byte, limit int) ([]registry.DamageMark, error) {
	return sqldb.ListFixed(ctx, db, scanMark, markQuery+` WHERE d.digest > $1 ORDER BY d.digest LIMIT $2`, append([]byte{}, after...), limit)
}

// NotAside implements registry.Scrubbing.
func (db *DB) NotAside(ctx context.Context, limit int) ([]blob.Digest, error) {
	return sqldb.ListFixed(ctx, db, func(row sqldb.Scanner) (d blob.Digest, err error) {
		var digest []byte
		err = row.Scan(&digest)
		copy(d[:], digest)
		return d, err
	}, `SELECT digest FROM damage WHERE state = $1 ORDER BY digest LIMIT $2`, markFound, limit)
}

// CountMarks implements registry.Scrubbing.
func (db *DB) CountMarks(ctx context.Context) (n int, err error) {
	err = db.Row(ctx, `SELECT COUNT(*) FROM damage`).Scan(&n)
	return n, sqldb.Classify(err)
}

// FilesWith implements registry.Scrubbing.
func (db *DB) FilesWith(ctx context.Context, d blob.Digest, limit int) ([]registry.FileAt, error) {
	return sqldb.ListFixed(ctx, db, func(row sqldb.Scanner) (f registry.FileAt, err error) {
		err = row.Scan(&f.Project, &f.Package, &f.Version, &f.File)
		return f, err
	}, `SELECT r.path, k.name, k.version, f.file_name FROM (SELECT f.id, f.package_id, f.file_name FROM blobs b JOIN package_files f ON f.blob_id = b.id
			WHERE b.digest = $1 AND f.status = 'default' ORDER BY f.id DESC LIMIT $2) f
		JOIN packages k ON k.id = f.package_id JOIN routes r ON r.project_id = k.project_id AND r.redirect = 0 ORDER BY f.id DESC`, d[:], limit)
}
