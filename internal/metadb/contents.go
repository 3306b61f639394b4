package metadb

import (
	"context"

	"granary/internal/sqldb"
)

// Content is the bytes of a blob that lie in the database.
type Content struct {
	BlobID int64
	Bytes  []byte
}

// Contents are the bytes that lie in the database of the blobs with ids from first to
// last, both included.
func (db *DB) Contents(ctx context.Context, first, last int64) ([]Content, error) {
	return sqldb.List(ctx, db.DB, func(row sqldb.Scanner) (c Content, err error) { return c, row.Scan(&c.BlobID, &c.Bytes) },
		`SELECT blob_id, content FROM blob_contents WHERE blob_id BETWEEN $1 AND $2 ORDER BY blob_id`, first, last)
}
