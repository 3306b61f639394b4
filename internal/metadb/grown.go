package metadb

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"granary/internal/registry"
)

// grown is how many bytes further files have added to the versions of names. A statement
// for each would cost a publish a fifth of its CPU: they are kept in memory and written
// every few seconds. A crash forgets them; the row of each version is exact.
type grown struct {
	mu    sync.Mutex
	bytes map[grownKey]int64
}

type grownKey struct {
	projectID int64
	name      registry.Name
}

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
func (db *DB) FlushGrown(ctx context.Context) error {
	db.grown.mu.Lock()
	all := db.grown.bytes
	db.grown.bytes = nil
	db.grown.mu.Unlock()
	if len(all) == 0 {
		return nil
	}
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
