package daemon

import (
	"context"
	"fmt"
	"time"

	"granary/internal/metadb"
	"granary/internal/records"
)

// LastBackup is the newest complete backup.
type LastBackup = metadb.LastBackup

// Kept is where the records are, should the database be lost.
type Kept struct {
	Every      time.Duration // records-every; 0: nothing is written into the store
	Journal    bool          // the store has records
	Behind     time.Duration // age of the first event that they lack; 0 if they have all
	LastBackup *LastBackup   // nil: none was made
}

// Kept looks at the records in the store, and for the last backup. It fails if the records
// in the store cannot be read, or are of a newer database.
func (a *Admin) Kept(ctx context.Context) (*Kept, error) {
	store, err := openSource(ctx, a.cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot open the blobs in %s: %w", a.cfg.Blobs, err)
	}
	defer closeStore(store)
	k := &Kept{Every: a.cfg.RecordsEvery}
	if k.Behind, k.Journal, err = records.Behind(ctx, store, a.server.db, time.Now()); err != nil {
		return nil, fmt.Errorf("the records in %s: %w", a.cfg.Blobs, err)
	}
	if k.LastBackup, err = a.server.db.LastBackup(ctx); err != nil {
		return nil, fmt.Errorf("cannot read the %s: %w", a.cfg.Database, err)
	}
	return k, nil
}
