package metadb

import (
	"context"

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

// keptColumns are those of a registry.KeptBlob. The length of content is read without
// reading content.
const keptColumns = `SELECT b.id, b.digest, b.size, b.files,
		(SELECT COUNT(*) FROM package_files f WHERE f.blob_id = b.id) + (SELECT COUNT(*) FROM uploads u WHERE u.blob_id = b.id),
		COALESCE((SELECT length(c.content) FROM blob_contents c WHERE c.blob_id = b.id), -1)
	FROM blobs b `

const keptQuery = keptColumns + `WHERE b.digest >= $1 AND b.digest <= $2 ORDER BY b.digest LIMIT $3`

func scanKept(row sqldb.Scanner) (k registry.KeptBlob, err error) {
	var digest []byte
	err = row.Scan(&k.ID, &digest, &k.Size, &k.Files, &k.Uses, &k.Inline)
	copy(k.Digest[:], digest)
	return k, err
}

// KeptBlobs implements registry.Checking.
func (db *DB) KeptBlobs(ctx context.Context, from, to blob.Digest, limit int) ([]registry.KeptBlob, error) {
	return sqldb.ListFixed(ctx, db, scanKept, keptQuery, from[:], to[:], limit)
}

// KeptBlob implements registry.Checking.
func (db *DB) KeptBlob(ctx context.Context, d blob.Digest) (registry.KeptBlob, error) {
	k, err := scanKept(db.Row(ctx, keptColumns+`WHERE b.digest = $1`, d[:]))
	return k, sqldb.Classify(err)
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
