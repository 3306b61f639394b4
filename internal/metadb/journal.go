package metadb

import (
	"context"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/records"
	"granary/internal/sqldb"
)

// SmallBlobs implements records.Keeper.
func (db *DB) SmallBlobs(ctx context.Context, after int64, limit int) ([]records.BlobRow, error) {
	return sqldb.List(ctx, db, func(row sqldb.Scanner) (b records.BlobRow, err error) {
		var digest []byte
		if err = row.Scan(&b.ID, &digest, &b.Size, &b.Files); err == nil {
			b.Digest = blob.Digest(digest)
		}
		return b, err
	}, `SELECT b.id, b.digest, b.size, b.files FROM blob_contents c JOIN blobs b ON b.id = c.blob_id
		WHERE c.blob_id > $1 ORDER BY c.blob_id LIMIT $2`, after, limit)
}

// Bodies implements records.Keeper.
func (db *DB) Bodies(ctx context.Context, first, last int64) ([]records.Body, error) {
	return sqldb.List(ctx, db, func(row sqldb.Scanner) (b records.Body, err error) {
		err = row.Scan(&b.BlobID, &b.Bytes)
		return b, err
	}, `SELECT blob_id, content FROM blob_contents WHERE blob_id BETWEEN $1 AND $2 ORDER BY blob_id`, first, last)
}

// lastEventsQuery reads the ids of a range backwards.
const lastEventsQuery = `SELECT COUNT(*), COALESCE(MIN(e.id), 0) FROM (SELECT id FROM audit_events WHERE id > $1 AND id <= $2 ORDER BY id DESC LIMIT $3) e`

// CountEvents implements records.Keeper.
func (db *DB) CountEvents(ctx context.Context, after, to, limit int64) (n, above int64, err error) {
	var first int64
	err = db.Row(ctx, lastEventsQuery, after, to, limit).Scan(&n, &first)
	if above = after; n == limit && n > 0 {
		above = first - 1
	}
	return n, above, sqldb.Classify(err)
}

// EventsAround implements records.Keeper.
func (db *DB) EventsAround(ctx context.Context, id int64) (e records.EventsAround, err error) {
	var name string
	err = db.Row(ctx, `SELECT COALESCE((SELECT MAX(id) FROM audit_events), 0), EXISTS (SELECT 1 FROM audit_events WHERE id = $1),
		EXISTS (SELECT 1 FROM audit_events WHERE id < $1), COALESCE((SELECT MIN(id) FROM audit_events WHERE id > $1), 0),
		COALESCE((SELECT name FROM audit_events WHERE id > $1 ORDER BY id LIMIT 1), '')`, id).Scan(&e.Last, &e.Has, &e.Earlier, &e.Next, &name)
	e.Rebuilt = audit.Name(name) == audit.DatabaseRebuilt
	return e, sqldb.Classify(err)
}
