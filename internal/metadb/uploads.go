package metadb

import (
	"context"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// AddUpload implements registry.Uploads.
func (db *DB) AddUpload(ctx context.Context, u registry.Upload, most fault.Limit, e audit.Event) (registry.Upload, error) {
	return write(ctx, db, func(t tx) (registry.Upload, error) {
		if err := t.room(ctx, uploadRows(), 1, most, u.ProjectID); err != nil {
			return u, err
		}
		blobID, err := db.keepBytes(ctx, t, registry.Publication{Digest: u.Digest, Size: u.Size, Small: u.Small, Now: u.CreatedAt})
		if err != nil {
			return u, err
		}
		u.ID, err = t.Insert(`INSERT INTO uploads (project_id, secret, file_name, blob_id, creator_id, created_at)
			VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
			u.ProjectID, u.Secret, string(u.Name), blobID, u.CreatorID, sqldb.Micros(u.CreatedAt))
		if err != nil {
			return u, err
		}
		return u, t.record(ctx, e.To("Upload", u.ID, string(u.Name)))
	})
}

// uploadAt is the condition for the row of an address: one of two fixed texts.
func uploadAt(at registry.UploadAddress) (condition string, args []any) {
	if at.ID != 0 {
		return `project_id = $1 AND id = $2`, []any{at.ProjectID, at.ID}
	}
	return `project_id = $1 AND secret = $2 AND file_name = $3`, []any{at.ProjectID, at.Secret, string(at.Name)}
}

// FindUpload implements registry.Uploads.
func (db *DB) FindUpload(ctx context.Context, at registry.UploadAddress) (registry.Upload, error) {
	u := registry.Upload{ProjectID: at.ProjectID}
	var digest []byte
	var created int64
	var kept bool // an empty file has content too
	condition, args := uploadAt(at)
	err := db.Row(ctx, `SELECT u.id, u.secret, u.file_name, u.creator_id, u.created_at, b.size, b.digest, c.blob_id IS NOT NULL, c.content
		FROM (SELECT * FROM uploads WHERE `+condition+`) u
		JOIN blobs b ON b.id = u.blob_id LEFT JOIN blob_contents c ON c.blob_id = b.id`, args...).
		Scan(&u.ID, &u.Secret, &u.Name, &u.CreatorID, &created, &u.Size, &digest, &kept, &u.Small)
	if err != nil {
		return u, sqldb.Classify(err)
	}
	copy(u.Digest[:], digest)
	u.CreatedAt = sqldb.Moment(created)
	if kept && u.Small == nil {
		u.Small = []byte{}
	}
	return u, verify(u.Digest, u.Small)
}

const uploadColumns = `u.id, u.project_id, u.secret, u.file_name, u.creator_id, u.created_at, b.size, b.digest, c.username, c.name`

// uploadTables start with the uploads, which an index has by project, newest first.
const uploadTables = `uploads u CROSS JOIN blobs b CROSS JOIN users c`

func scanUpload(row sqldb.Scanner) (registry.ListedUpload, error) {
	var u registry.ListedUpload
	var digest []byte
	var created int64
	err := row.Scan(&u.ID, &u.ProjectID, &u.Secret, &u.Name, &u.CreatorID, &created, &u.Size, &digest, &u.CreatorUsername, &u.CreatorName)
	copy(u.Digest[:], digest)
	u.CreatedAt = sqldb.Moment(created)
	return u, sqldb.Classify(err)
}

// ListUploads implements registry.Uploads.
func (db *DB) ListUploads(ctx context.Context, projectID int64, p page.Request) (page.Of[registry.ListedUpload], error) {
	var w sqldb.Where
	w.And("u.project_id = ? AND b.id = u.blob_id AND c.id = u.creator_id", projectID)
	return listPage(ctx, direct{db}, &w, p, scanUpload, uploadTables, uploadColumns, "u.id DESC")
}

// RemoveUpload implements registry.Uploads.
func (db *DB) RemoveUpload(ctx context.Context, at registry.UploadAddress, e audit.Event) error {
	condition, args := uploadAt(at)
	return db.do(sqldb.Freeing(ctx), func(t tx) error {
		var id, blobID int64
		var name string
		err := t.Row(ctx, `DELETE FROM uploads WHERE `+condition+` RETURNING id, file_name, blob_id`, args...).Scan(&id, &name, &blobID)
		if err != nil {
			return sqldb.Classify(err)
		}
		if err := t.countOff([]int64{blobID}, e.At); err != nil {
			return err
		}
		return t.record(ctx, e.To("Upload", id, name))
	})
}
