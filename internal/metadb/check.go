package metadb

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// CountRecords implements registry.Checking.
func (db *DB) CountRecords(ctx context.Context) (n registry.RecordCounts, err error) {
	err = db.Row(ctx, `SELECT (SELECT COUNT(*) FROM package_files WHERE status <> 'pending_destruction'),
		(SELECT COUNT(*) FROM packages WHERE status <> 'pending_destruction'), (SELECT COUNT(*) FROM blobs)`).
		Scan(&n.Files, &n.Versions, &n.Blobs)
	return n, sqldb.Classify(err)
}

// inlineOf is the length of a blob's content, which is read without reading content.
const inlineOf = `COALESCE((SELECT length(c.content) FROM blob_contents c WHERE c.blob_id = b.id), -1)`

// blobRowsQuery counts no files: looking each blob up in the index of files takes as long
// as all the rest.
const blobRowsQuery = `SELECT b.digest, b.size, ` + inlineOf + `, (b.files <> 0 OR EXISTS (SELECT 1 FROM package_files f WHERE f.blob_id = b.id)
		OR EXISTS (SELECT 1 FROM uploads u WHERE u.blob_id = b.id))
	FROM blobs b WHERE b.digest >= $1 AND b.digest <= $2 ORDER BY b.digest LIMIT $3`

// BlobRows implements registry.Checking.
func (db *DB) BlobRows(ctx context.Context, from, to blob.Digest, limit int) ([]registry.BlobRow, error) {
	return sqldb.ListFixed(ctx, db, func(row sqldb.Scanner) (b registry.BlobRow, err error) {
		var digest []byte
		err = row.Scan(&digest, &b.Size, &b.Inline, &b.Used)
		copy(b.Digest[:], digest)
		return b, err
	}, blobRowsQuery, from[:], to[:], limit)
}

const keptQuery = `SELECT b.id, b.size, ` + inlineOf + `, b.files, ` + usesOf + ` FROM blobs b WHERE b.digest = $1`

// KeptBlob implements registry.Checking.
func (db *DB) KeptBlob(ctx context.Context, d blob.Digest) (registry.KeptBlob, error) {
	k := registry.KeptBlob{BlobRow: registry.BlobRow{Digest: d}}
	err := db.Row(ctx, keptQuery, d[:]).Scan(&k.ID, &k.Size, &k.Inline, &k.Files, &k.Uses)
	k.Used = k.Files != 0 || k.Uses != 0
	return k, sqldb.Classify(err)
}

// Miscounted implements registry.Checking. Rows and files are read in the order of ids,
// which is that of both their indexes.
func (db *DB) Miscounted(ctx context.Context, after int64, limit int) (wrong []blob.Digest, last int64, err error) {
	err = db.Row(ctx, `SELECT id FROM blobs WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2`, after, limit-1).Scan(&last)
	to := last
	if errors.Is(err, sql.ErrNoRows) {
		to, err = math.MaxInt64, nil
	}
	if err != nil {
		return nil, 0, sqldb.Classify(err)
	}
	wrong, err = sqldb.ListFixed(ctx, db, func(row sqldb.Scanner) (d blob.Digest, err error) {
		var digest []byte
		err = row.Scan(&digest)
		copy(d[:], digest)
		return d, err
	}, `SELECT b.digest FROM blobs b WHERE b.id > $1 AND b.id <= $2 AND b.files <> `+usesOf+` ORDER BY b.id`, after, to)
	return wrong, last, err
}

// usesQuery finds files by their blob, then uploads.
const usesQuery = `SELECT r.path, k.name, k.version, f.file_name FROM package_files f
	JOIN packages k ON k.id = f.package_id AND k.status <> 'pending_destruction'
	JOIN projects p ON p.id = k.project_id AND p.deleted_at IS NULL
	JOIN routes r ON r.project_id = p.id AND r.redirect = 0
	WHERE f.blob_id = $1 AND f.status <> 'pending_destruction' ORDER BY f.id DESC LIMIT $2`

const uploadUsesQuery = `SELECT r.path, '', '', u.file_name FROM uploads u
	JOIN projects p ON p.id = u.project_id AND p.deleted_at IS NULL
	JOIN routes r ON r.project_id = p.id AND r.redirect = 0
	WHERE u.blob_id = $1 ORDER BY u.id DESC LIMIT $2`

// BlobUses implements registry.Checking.
func (db *DB) BlobUses(ctx context.Context, blobID int64, limit int) (uses []registry.Use, err error) {
	for _, query := range []string{usesQuery, uploadUsesQuery} {
		found, err := sqldb.ListFixed(ctx, db, func(row sqldb.Scanner) (u registry.Use, err error) {
			var file registry.FileName
			err = row.Scan(&u.Project, &u.Package, &u.Version, &file)
			u.File = file.Path()
			return u, err
		}, query, blobID, limit-len(uses))
		if err != nil {
			return nil, err
		}
		uses = append(uses, found...)
	}
	return uses, nil
}

// MendContent implements registry.Checking.
func (db *DB) MendContent(ctx context.Context, d blob.Digest, content []byte) error {
	return db.do(ctx, func(t tx) error {
		n, err := t.Count(`UPDATE blob_contents SET content = $1 WHERE blob_id = (SELECT id FROM blobs WHERE digest = $2)`, content, d[:])
		if err == nil && n == 0 {
			err = fault.New(fault.NotFound, "")
		}
		return err
	})
}

// CountAnew implements registry.Checking. The first statement waits for those who count the
// blob up or down, and keeps others away; the second one sees all files of those who
// were before.
func (db *DB) CountAnew(ctx context.Context, d blob.Digest) error {
	return db.do(ctx, func(t tx) error {
		if err := t.Exec(`UPDATE blobs SET touched_at = touched_at WHERE digest = $1`, d[:]); err != nil {
			return err
		}
		return t.Exec(`UPDATE blobs AS b SET files = `+usesOf+` WHERE b.digest = $1 AND b.files <> `+usesOf, d[:])
	})
}
