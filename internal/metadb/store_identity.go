package metadb

import (
	"context"
	"crypto/rand"

	"granary/internal/fault"
	"granary/internal/sqldb"
)

// StoreIdentity is the identity of the store of blobs that these records belong to.
// The first call makes it; later ones only read. placed reports that the store is known to
// hold it.
func (db *DB) StoreIdentity(ctx context.Context) (identity string, placed bool, err error) {
	read := func() error {
		return sqldb.Classify(db.Row(ctx, `SELECT identity, placed FROM blob_store WHERE id = 1`).Scan(&identity, &placed))
	}
	if err = read(); !fault.Is(err, fault.NotFound) {
		return identity, placed, err
	}
	err = db.do(ctx, func(t tx) error {
		return t.Exec(`INSERT INTO blob_store (id, identity, placed) VALUES (1, $1, 0) ON CONFLICT (id) DO NOTHING`, rand.Text())
	})
	if err == nil {
		err = read()
	}
	return identity, placed, err
}

// IdentityStored records that the store holds the identity.
func (db *DB) IdentityStored(ctx context.Context) error {
	return db.do(ctx, func(t tx) error { return t.Exec(`UPDATE blob_store SET placed = 1 WHERE id = 1`) })
}
