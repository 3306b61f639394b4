package metadb

import (
	"fmt"

	"granary/internal/blob"
	"granary/internal/records"
	"granary/internal/sqldb"
)

// Settle implements records.Filler. A blob that was purged and published again has a later
// id.
func (f *filler) Settle() error {
	for _, text := range []string{
		`DELETE FROM blobs WHERE digest IN (SELECT digest FROM blobs GROUP BY digest HAVING COUNT(*) > 1)
			AND id NOT IN (SELECT MAX(id) FROM blobs GROUP BY digest HAVING COUNT(*) > 1)`,
		`DELETE FROM package_files WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.id = package_files.blob_id)
			OR NOT EXISTS (SELECT 1 FROM packages k WHERE k.id = package_files.package_id)`,
		`DELETE FROM uploads WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.id = uploads.blob_id)`,
		`DELETE FROM release_links WHERE NOT EXISTS (SELECT 1 FROM releases e WHERE e.id = release_links.release_id)`,
		`DELETE FROM package_file_pipelines WHERE NOT EXISTS (SELECT 1 FROM package_files f WHERE f.id = package_file_pipelines.package_file_id)`,
		`DELETE FROM package_pipelines WHERE NOT EXISTS (SELECT 1 FROM packages k WHERE k.id = package_pipelines.package_id)`,
	} {
		if err := f.Exec(text); err != nil {
			return err
		}
	}
	return nil
}

// Blobs implements records.Filler.
func (f *filler) Blobs(each func(records.BlobRow) error) error {
	rows, err := f.Rows(f.ctx, `SELECT id, digest, size, files FROM blobs`)
	if err != nil {
		return sqldb.Classify(err)
	}
	defer rows.Close()
	for rows.Next() {
		var b records.BlobRow
		var digest []byte
		var files int64
		if err := rows.Scan(&b.ID, &digest, &b.Size, &files); err != nil {
			return sqldb.Classify(err)
		}
		if len(digest) != len(b.Digest) {
			return fmt.Errorf("table blobs: the digest of the row %d has %d bytes, and should have %d", b.ID, len(digest), len(b.Digest))
		}
		b.Digest, b.Used = blob.Digest(digest), files > 0
		if err := each(b); err != nil {
			return err
		}
	}
	return sqldb.Classify(rows.Err())
}
