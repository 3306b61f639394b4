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

// landed is where a published file went.
type landed struct {
	packageID int64
	fileID    int64
	isNew     bool // the package may be new
	hooked    bool // somebody wants to be told
}

// upsertPackage finds or makes the package of a project that is there. Two
// publishers of one new version meet on the unique index and share the row.
const (
	upsertPackage = packageOf + packageUpserted + `, ` + packageHooked + ` AS hooked`

	packageOf = `INSERT INTO packages AS k (name, version, status, creator_id, created_at, updated_at, project_id)
		SELECT $1, $2, $3, $4, $5, $5, o.id FROM projects o WHERE o.id = $6 AND o.deleted_at IS NULL`
	packageUpserted = ` ON CONFLICT (project_id, name, version) WHERE status <> 'pending_destruction'
		DO UPDATE SET updated_at = excluded.updated_at, status = CASE WHEN $7 = 1 THEN excluded.status ELSE k.status END
		RETURNING id, created_at = $5 AS is_new`
	packageHooked = `EXISTS (SELECT 1 FROM hooks h WHERE h.project_id = $6 AND h.package_events = 1)`
)

// packageValues are the arguments of upsertPackage.
func packageValues(p registry.Publication) []any {
	status, change := registry.StatusDefault, 0
	if p.Status != nil {
		status, change = *p.Status, 1
	}
	return []any{
		string(p.Coordinates.Name), string(p.Coordinates.Version), string(status), sqldb.NullID(p.CreatorID), sqldb.Micros(p.Now), p.ProjectID, change,
	}
}

// placeFile records the package, the bytes, the file, and the event that tells
// of it, a statement each.
func (t tx) placeFile(ctx context.Context, p registry.Publication) (put landed, err error) {
	err = t.Row(ctx, upsertPackage, packageValues(p)...).Scan(&put.packageID, &put.isNew, &put.hooked)
	if errors.Is(err, sql.ErrNoRows) {
		return put, fault.Wrap(fault.Hidden, "", errors.New("the project was deleted while a file was published"))
	}
	if err != nil {
		return put, sqldb.Classify(err)
	}
	blobID, err := t.blobOf(ctx, p)
	if err != nil {
		return put, err
	}
	put.fileID, err = t.Insert(`INSERT INTO package_files (package_id, blob_id, file_name, status, created_at)
		VALUES ($1, $2, $3, 'default', $4) RETURNING id`, put.packageID, blobID, string(p.Coordinates.File), sqldb.Micros(p.Now))
	if err != nil {
		return put, err
	}
	return put, t.record(ctx, published(p, put.fileID))
}

var errSwept = errors.New("the blob was swept while it was published")

// published is the event that tells of the file.
func published(p registry.Publication, fileID int64) audit.Event {
	return p.Event.To("PackageFile", fileID, title(p)+"/"+string(p.Coordinates.File))
}

// pinBlob finds or makes the row of a blob, which from now on has so many more
// files.
func (t tx) pinBlob(d blob.Digest, size int64, files int, now time.Time) (int64, error) {
	return t.Insert(`INSERT INTO blobs (digest, size, files, touched_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (digest) DO UPDATE SET touched_at = excluded.touched_at, files = blobs.files + excluded.files
		RETURNING id`, d[:], size, files, sqldb.Micros(now))
}

// contentMended lets bytes that are right take the place of kept ones that are not.
const contentMended = ` ON CONFLICT (blob_id) DO UPDATE SET content = excluded.content
	WHERE blob_contents.content <> excluded.content`

// blobOf is the row of the bytes. Small ones are kept here and now; others
// were pinned before their bytes were stored, and must still be.
func (t tx) blobOf(ctx context.Context, p registry.Publication) (int64, error) {
	if p.Small == nil {
		var blobID int64
		err := t.Row(ctx, `UPDATE blobs SET files = files + 1 WHERE digest = $1 RETURNING id`, p.Digest[:]).Scan(&blobID)
		if errors.Is(err, sql.ErrNoRows) {
			return 0, fault.Wrap(fault.Unavailable, "", errSwept)
		}
		return blobID, sqldb.Classify(err)
	}
	blobID, err := t.pinBlob(p.Digest, p.Size, 1, p.Now)
	if err != nil {
		return 0, err
	}
	return blobID, t.Exec(`INSERT INTO blob_contents (blob_id, content) VALUES ($1, $2)`+contentMended, blobID, p.Small)
}
