package metadb

import (
	"context"
	"crypto/rand"
)

// StoreIdentity is the identity of the store of blobs that the records belong
// to, made at the first call; placed tells that the store is known to have it.
func (db *DB) StoreIdentity(ctx context.Context) (identity string, placed bool, err error) {
	err = db.writer.do(ctx, func(t *tx) error {
		return t.exec(`INSERT INTO blob_store (id, identity, placed) VALUES (1, $1, 0) ON CONFLICT (id) DO NOTHING`, rand.Text())
	})
	if err == nil {
		err = classify(db.row(ctx, `SELECT identity, placed FROM blob_store WHERE id = 1`).Scan(&identity, &placed))
	}
	return identity, placed, err
}

// StorePlaced notes that the store has the identity.
func (db *DB) StorePlaced(ctx context.Context) error {
	return db.writer.do(ctx, func(t *tx) error { return t.exec(`UPDATE blob_store SET placed = 1 WHERE id = 1`) })
}
