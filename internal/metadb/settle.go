package metadb

import (
	"granary/internal/blob"
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
	if _, there := f.tables["package_downloads"]; !there { // in an older schema
		return nil
	}
	return f.Exec(`DELETE FROM package_downloads WHERE NOT EXISTS (SELECT 1 FROM packages k WHERE k.id = package_downloads.package_id)`)
}

// Bodies implements records.Filler. The index by which a body finds its blob is made again before
// all others.
func (f *filler) Bodies(next func() (blob.Digest, []byte, error)) error {
	if err := f.MakeIndex("blobs_digest"); err != nil {
		return err
	}
	err := f.Each(`INSERT INTO blob_contents (blob_id, content) SELECT id, $1 FROM blobs WHERE digest = $2 AND size = $3 ON CONFLICT DO NOTHING`,
		func() ([]any, error) {
			d, body, err := next()
			return []any{body, d[:], int64(len(body))}, err
		})
	return sqldb.Classify(err)
}

// Bodied implements records.Filler.
func (f *filler) Bodied() (all, used int64, err error) {
	err = f.Row(f.ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN b.files > 0 THEN 1 ELSE 0 END), 0)
		FROM blob_contents c JOIN blobs b ON b.id = c.blob_id`).Scan(&all, &used)
	return all, used, sqldb.Classify(err)
}
