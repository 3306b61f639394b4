package metadb

import (
	"cmp"
	"context"
	"database/sql"
	"slices"

	"granary/internal/blob"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// versionFilesQuery reads the newest file of each name by an index. PostgreSQL would
// answer EXISTS by reading all of blob_contents.
const versionFilesQuery = `SELECT f.id, f.file_name, b.size, b.digest, b.crc32, f.created_at,
		(SELECT c.blob_id FROM blob_contents c WHERE c.blob_id = b.id) IS NOT NULL
	FROM package_files f JOIN blobs b ON b.id = f.blob_id
	WHERE f.package_id = $1 AND f.status = 'default' AND NOT EXISTS (SELECT 1 FROM package_files n
		WHERE n.package_id = f.package_id AND n.file_name = f.file_name AND n.id > f.id AND n.status = 'default')
	ORDER BY f.file_name LIMIT $2`

// VersionFiles implements registry.Versions.
func (db *DB) VersionFiles(ctx context.Context, packageID int64, limit int) ([]registry.VersionFile, error) {
	return versionFiles(ctx, db, packageID, limit)
}

func versionFiles(ctx context.Context, q sqldb.Queries, packageID int64, limit int) ([]registry.VersionFile, error) {
	found, err := sqldb.List(ctx, q, func(row sqldb.Scanner) (f registry.VersionFile, err error) {
		var digest []byte
		var crc sql.NullInt64
		var created int64
		err = row.Scan(&f.ID, &f.Name, &f.Size, &digest, &crc, &created, &f.Small)
		copy(f.Digest[:], digest)
		f.CreatedAt = sqldb.Moment(created)
		f.CRC32, f.Summed = uint32(crc.Int64), crc.Valid //nolint:gosec // of 32 bits
		return f, err
	}, versionFilesQuery, packageID, limit)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b registry.VersionFile) int { return cmp.Compare(a.Name.Path(), b.Name.Path()) })
	return found, nil
}

const contentQuery = `SELECT c.content FROM blobs b JOIN blob_contents c ON c.blob_id = b.id WHERE b.digest = $1`

// FindContent implements registry.Versions.
func (db *DB) FindContent(ctx context.Context, d blob.Digest) ([]byte, error) {
	var content []byte
	err := db.Row(ctx, contentQuery, d[:]).Scan(&content)
	if err != nil {
		return nil, sqldb.Classify(err)
	}
	content = append([]byte{}, content...) // an empty file has content, too
	return content, verify(d, content)
}
