package metadb

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"granary/internal/registry"
)

// grown is how many bytes further files have added to the versions of names. A statement
// for each would cost a publish a fifth of its CPU: they are kept in memory and written
// every few seconds. What a killed node forgets is added by RecheckNames.
type grown struct {
	mu      sync.Mutex
	bytes   map[grownKey]int64
	flushed time.Time             // when FlushGrown last wrote all, or had nothing to write
	unsure  map[grownKey]struct{} // names that may or may not have been written
}

type grownKey struct {
	projectID int64
	name      registry.Name
}

// lateFlush is how old the bytes in memory may be when they are added to names. If this node
// stood still for longer, others may have counted it as killed, and added them.
const lateFlush = doubt / 2

// grow notes a file that was published into a version that was there.
func (db *DB) grow(p registry.Publication, put landed) {
	if put.isNew || !put.status.Listed() {
		return
	}
	db.grown.mu.Lock()
	defer db.grown.mu.Unlock()
	if db.grown.bytes == nil {
		db.grown.bytes = map[grownKey]int64{}
	}
	db.grown.bytes[grownKey{p.ProjectID, p.Coordinates.Name}] += p.Size
}

// FlushGrown writes what further files have added to names. Every node does it for its own.
// Names of which it is not known whether they were written are summed later.
func (db *DB) FlushGrown(ctx context.Context) error {
	began := time.Now()
	db.grown.mu.Lock()
	all, last := db.grown.bytes, db.grown.flushed
	db.grown.bytes = nil
	db.grown.mu.Unlock()
	var err error
	late := !last.IsZero() && max(began.Sub(last), began.Round(0).Sub(last.Round(0))) > lateFlush
	if len(all) > 0 && !late {
		err = db.addGrown(ctx, all)
	}
	db.grown.mu.Lock()
	if err != nil || late {
		if db.grown.unsure == nil {
			db.grown.unsure = map[grownKey]struct{}{}
		}
		for k := range all {
			db.grown.unsure[k] = struct{}{}
		}
	}
	if err == nil {
		db.grown.flushed = began
	}
	unsure := slices.Collect(maps.Keys(db.grown.unsure))
	db.grown.mu.Unlock()
	if err != nil {
		return err
	}
	return db.recheckUnsure(ctx, unsure)
}

func (db *DB) addGrown(ctx context.Context, all map[grownKey]int64) error {
	keys := slices.SortedFunc(maps.Keys(all), func(a, b grownKey) int {
		return cmp.Or(cmp.Compare(a.projectID, b.projectID), cmp.Compare(a.name, b.name))
	})
	return db.do(ctx, func(t tx) error {
		for _, k := range keys {
			if err := t.Exec(db.wording.grow, k.projectID, string(k.name), all[k]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (db *DB) recheckUnsure(ctx context.Context, unsure []grownKey) error {
	for _, k := range unsure {
		settled, err := db.recheckName(ctx, k)
		if err != nil {
			return err
		}
		if settled {
			db.grown.mu.Lock()
			delete(db.grown.unsure, k)
			db.grown.mu.Unlock()
		}
	}
	return nil
}
