package metadb

import (
	"sync"
	"time"
)

// cache remembers look-ups until clear. A look-up that began before a clear
// cannot put what it found in after it: it holds a generation that is over.
// Everything written goes through this process, so a clear after each write
// is enough; the life bounds what depends on the clock.
type cache[K comparable, V any] struct {
	mu         sync.RWMutex
	generation uint64
	entries    map[K]entry[V]
}

type entry[V any] struct {
	value V
	until time.Time
}

const (
	cacheLimit = 10000 // entries; a full cache starts over
	cacheLife  = 10 * time.Second
)

// get returns what is remembered, or calls find and remembers what it returns
// unless that is an error.
func (c *cache[K, V]) get(key K, find func() (V, error)) (V, error) {
	now := time.Now()
	c.mu.RLock()
	found, ok := c.entries[key]
	generation := c.generation
	c.mu.RUnlock()
	if ok && now.Before(found.until) {
		return found.value, nil
	}
	value, err := find()
	if err != nil {
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation != generation {
		return value, nil
	}
	if c.entries == nil || len(c.entries) >= cacheLimit {
		c.entries = map[K]entry[V]{}
	}
	c.entries[key] = entry[V]{value, now.Add(cacheLife)}
	return value, nil
}

func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	c.entries = nil
}
