package metadb

import (
	"context"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/registry"
)

// AddUpload implements registry.Uploads.
func (db *DB) AddUpload(ctx context.Context, u registry.Upload, most fault.Limit, e audit.Event) (registry.Upload, error) {
	return write(ctx, db, func(t *tx) (registry.Upload, error) {
		if err := t.room(ctx, uploadRows(), 1, most, u.ProjectID); err != nil {
			return u, err
		}
		blobID, err := t.blobOf(ctx, registry.Publication{Digest: u.Digest, Size: u.Size, Small: u.Small, Now: u.CreatedAt})
		if err != nil {
			return u, err
		}
		u.ID, err = t.insert(`INSERT INTO uploads (project_id, secret, file_name, blob_id, creator_id, created_at)
			VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
			u.ProjectID, u.Secret, string(u.Name), blobID, u.CreatorID, micros(u.CreatedAt))
		if err != nil {
			return u, err
		}
		return u, t.record(ctx, e.To("Upload", u.ID, string(u.Name)))
	})
}

// FindUpload implements registry.Uploads.
func (db *DB) FindUpload(ctx context.Context, projectID int64, secret string, name registry.FileName) (registry.Upload, error) {
	u := registry.Upload{ProjectID: projectID, Secret: secret, Name: name}
	var digest []byte
	var created int64
	var kept bool // an empty file has content too
	err := db.row(ctx, `SELECT u.id, u.creator_id, u.created_at, b.size, b.digest, c.blob_id IS NOT NULL, c.content
		FROM uploads u JOIN blobs b ON b.id = u.blob_id LEFT JOIN blob_contents c ON c.blob_id = b.id
		WHERE u.project_id = $1 AND u.secret = $2 AND u.file_name = $3`, projectID, secret, string(name)).
		Scan(&u.ID, &u.CreatorID, &created, &u.Size, &digest, &kept, &u.Small)
	if err != nil {
		return u, classify(err)
	}
	copy(u.Digest[:], digest)
	u.CreatedAt = moment(created)
	if kept && u.Small == nil {
		u.Small = []byte{}
	}
	return u, nil
}

// purgeUploads removes up to limit uploads of deleted projects, and returns
// their blobs.
func (t *tx) purgeUploads(ctx context.Context, limit int) ([]int64, error) {
	return t.ids(ctx, `DELETE FROM uploads WHERE id IN (
		SELECT u.id FROM projects p CROSS JOIN uploads u WHERE p.deleted_at IS NOT NULL AND u.project_id = p.id LIMIT $1)
		RETURNING blob_id`, limit)
}

// purgeReleases removes up to limit releases of deleted projects.
func (t *tx) purgeReleases(limit int) (int, error) {
	n, err := t.count(`DELETE FROM releases WHERE id IN (
		SELECT e.id FROM projects p CROSS JOIN releases e WHERE p.deleted_at IS NOT NULL AND e.project_id = p.id LIMIT $1)`, limit)
	return int(n), err
}

var _ registry.Uploads = (*DB)(nil)
