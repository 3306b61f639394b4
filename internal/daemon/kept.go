package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"granary/internal/blob"
	"granary/internal/metadb"
	"granary/internal/records"
)

// LastBackup is the newest complete backup.
type LastBackup = metadb.LastBackup

// Kept is where the records are, should the database be lost.
type Kept struct {
	Every      time.Duration // records-every; 0: nothing is written into the store
	Journal    bool          // the store has records
	Damaged    bool          // something of them is damaged or missing
	Behind     time.Duration // age of the first event that they lack; 0 if they have all
	LastBackup *LastBackup   // nil: none was made
}

// Kept looks at the records in the store, and for the last backup. Damaged is
// only said of the head: a Fsck looks at the rest. It fails if the records in the store cannot be
// read, or are of a newer database.
func (a *Admin) Kept(ctx context.Context) (*Kept, error) {
	store, err := openSource(ctx, a.cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot open the blobs in %s: %w", a.cfg.Blobs, err)
	}
	defer closeStore(store)
	k := &Kept{Every: a.cfg.RecordsEvery}
	k.Behind, k.Journal, err = records.Behind(ctx, blob.Readable(store), a.server.db, time.Now())
	if k.Damaged = errors.Is(err, records.ErrDamaged); err != nil && !k.Damaged {
		return nil, fmt.Errorf("the records in %s: %w", a.cfg.Blobs, err)
	}
	if k.LastBackup, err = a.server.db.LastBackup(ctx); err != nil {
		return nil, fmt.Errorf("cannot read the %s: %w", a.cfg.Database, err)
	}
	return k, nil
}

// checkRecords looks whether the database could be made again from the records in its store.
// whole reads them.
func (a *Admin) checkRecords(ctx context.Context, store blob.Source, whole bool, tell func(Finding) error) error {
	store = blob.Readable(store)
	identity, _, err := a.server.db.StoreIdentity(ctx)
	if err != nil {
		return fmt.Errorf("cannot read the %s: %w", a.cfg.Database, err)
	}
	var damage records.Damage
	if whole {
		damage, err = records.Verify(ctx, store, identity, a.server.db)
	} else {
		damage, err = records.Look(ctx, store, identity)
	}
	if err != nil {
		return fmt.Errorf("the records in %s: %w", a.cfg.Blobs, err)
	}
	if !damage.Found() {
		if damage, err = a.recordsGone(ctx, store); err != nil {
			return err
		}
	}
	for _, what := range damage.What {
		if err := tell(Finding{Kind: LostRecords, Reason: what}); err != nil {
			return err
		}
	}
	return nil
}

// mayLackRecords is how long after an event the store may still be without its records: a restore
// or an upgrade leaves them to the server, and its first base takes a while.
const mayLackRecords = 10 * time.Minute

// recordsGone is the damage of a store that lacks records, all of them or those of the end, if a
// server should have written them since.
func (a *Admin) recordsGone(ctx context.Context, store blob.Source) (damage records.Damage, err error) {
	if a.cfg.RecordsEvery == 0 {
		return damage, nil
	}
	behind, has, err := records.Behind(ctx, store, a.server.db, time.Now())
	switch {
	case errors.Is(err, records.ErrOlder): // Kept says so
		return damage, nil
	case err != nil:
		return damage, err
	case !has:
		events, err := a.server.db.EventsAround(ctx, 0)
		if err != nil {
			return damage, fmt.Errorf("cannot read the %s: %w", a.cfg.Database, err)
		}
		if events.Last > 0 {
			behind = time.Since(time.UnixMicro(events.Last))
		}
	}
	if behind > mayLackRecords {
		damage.What = append(damage.What, fmt.Sprintf("the store lacks records of what was done since %s: a running server writes them within a minute, any other at its next start",
			time.Now().Add(-behind).UTC().Format(time.RFC3339)))
	}
	return damage, nil
}
