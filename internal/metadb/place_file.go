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
const upsertPackage = `INSERT INTO packages (name, version, status, creator_id, created_at, updated_at, project_id)
	SELECT $1, $2, $3, $4, $5, $5, o.id FROM projects o WHERE o.id = $6 AND o.deleted_at IS NULL
	ON CONFLICT (project_id, name, version) WHERE status <> 'pending_destruction'
	DO UPDATE SET updated_at = excluded.updated_at,
		status = CASE WHEN $7 = 1 THEN excluded.status ELSE packages.status END
	RETURNING id, created_at = $5 AS is_new,
		EXISTS (SELECT 1 FROM hooks h WHERE h.project_id = packages.project_id AND h.package_events = 1) AS hooked`

// packageValues are the arguments of upsertPackage.
func packageValues(p registry.Publication) []any {
	status, change := registry.StatusDefault, 0
	if p.Status != nil {
		status, change = *p.Status, 1
	}
	return []any{
		string(p.Coordinates.Name), string(p.Coordinates.Version), string(status), id(p.CreatorID), micros(p.Now), p.ProjectID, change,
	}
}

// placeFile records the package, the bytes, the file, and the event that tells
// of it, a statement each.
func (t *tx) placeFile(ctx context.Context, p registry.Publication) (put landed, err error) {
	err = t.row(ctx, upsertPackage, packageValues(p)...).Scan(&put.packageID, &put.isNew, &put.hooked)
	if errors.Is(err, sql.ErrNoRows) {
		return put, errProjectGone
	}
	if err != nil {
		return put, classify(err)
	}
	blobID, err := t.blobOf(ctx, p)
	if err != nil {
		return put, err
	}
	put.fileID, err = t.insert(`INSERT INTO package_files (package_id, blob_id, file_name, status, created_at)
		VALUES ($1, $2, $3, 'default', $4) RETURNING id`, put.packageID, blobID, string(p.Coordinates.File), micros(p.Now))
	if err != nil {
		return put, err
	}
	return put, t.record(ctx, published(p, put.fileID))
}

var (
	errProjectGone = fault.Wrap(fault.Hidden, "", errors.New("the project was deleted while a file was published"))
	errSwept       = fault.Wrap(fault.Unavailable, "", errors.New("the blob was swept while it was published"))
)

// published is the event that tells of the file.
func published(p registry.Publication, fileID int64) audit.Event {
	return p.Event.To("PackageFile", fileID, title(p)+"/"+string(p.Coordinates.File))
}

// pinBlob finds or makes the row of a blob, which from now on has so many more
// files.
func (t *tx) pinBlob(d blob.Digest, size int64, files int, now time.Time) (int64, error) {
	return t.insert(`INSERT INTO blobs (digest, size, files, touched_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (digest) DO UPDATE SET touched_at = excluded.touched_at, files = blobs.files + excluded.files
		RETURNING id`, d[:], size, files, micros(now))
}

// blobOf is the row of the bytes. Small ones are kept here and now; others
// were pinned before their bytes were stored, and must still be.
func (t *tx) blobOf(ctx context.Context, p registry.Publication) (int64, error) {
	if p.Small == nil {
		var blobID int64
		err := t.row(ctx, `UPDATE blobs SET files = files + 1 WHERE digest = $1 RETURNING id`, p.Digest[:]).Scan(&blobID)
		if errors.Is(err, sql.ErrNoRows) {
			return 0, errSwept
		}
		return blobID, classify(err)
	}
	blobID, err := t.pinBlob(p.Digest, p.Size, 1, p.Now)
	if err != nil {
		return 0, err
	}
	return blobID, t.exec(`INSERT INTO blob_contents (blob_id, content) VALUES ($1, $2)
		ON CONFLICT (blob_id) DO NOTHING`, blobID, p.Small)
}

// The same in one statement, for a database that takes statements within one:
// there is one answer to wait for instead of five. Each part begins with what
// the one before it found, so that locks are taken in one order: package, blob,
// name.
const (
	packagePart = `WITH p AS (` + upsertPackage + `), `
	smallPart   = `b AS (INSERT INTO blobs (digest, size, files, touched_at) SELECT $8, $9, 1, $5 FROM p
			ON CONFLICT (digest) DO UPDATE SET touched_at = excluded.touched_at, files = blobs.files + 1 RETURNING id),
		c AS (INSERT INTO blob_contents (blob_id, content) SELECT b.id, $10 FROM b ON CONFLICT (blob_id) DO NOTHING), `
	storedPart = `b AS (UPDATE blobs SET files = files + 1 FROM p
			WHERE digest = $8 AND size = $9 AND CAST($10 AS BYTEA) IS NULL RETURNING blobs.id), `
	filePart = `f AS (INSERT INTO package_files (file_name, package_id, blob_id, status, created_at)
			SELECT $11, p.id, b.id, 'default', $5 FROM p, b RETURNING id),
		e AS (INSERT INTO audit_events (` + eventColumns + `)
			SELECT $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, f.id FROM f
			ON CONFLICT (id) DO NOTHING RETURNING id)
		SELECT p.id, p.is_new, p.hooked, f.id, (SELECT COUNT(*) FROM e) FROM p LEFT JOIN f ON TRUE`
)

// placeFileAtOnce is placeFile in one statement.
func (t *tx) placeFileAtOnce(ctx context.Context, p registry.Publication) (put landed, err error) {
	query := packagePart + smallPart + filePart
	if p.Small == nil {
		query = packagePart + storedPart + filePart
	}
	event, err := t.eventValues(ctx, published(p, 0))
	if err != nil {
		return put, err
	}
	args := append(packageValues(p), p.Digest[:], p.Size, p.Small, string(p.Coordinates.File))
	args = append(args, event[:len(event)-1]...) // the last is the file's id
	var fileID sql.NullInt64
	var told int
	err = t.row(ctx, query, args...).Scan(&put.packageID, &put.isNew, &put.hooked, &fileID, &told)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return put, errProjectGone
	case err != nil:
		return put, classify(err)
	case !fileID.Valid:
		return put, errSwept
	}
	put.fileID = fileID.Int64
	if told == 0 { // another event has its moment
		return put, t.record(ctx, published(p, put.fileID))
	}
	return put, nil
}
