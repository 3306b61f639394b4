package metadb

import (
	"sync"
	"time"
)

// cache remembers look-ups until they are dropped. A look-up that began before
// a drop cannot put in what it found once that is over: it holds a generation
// that has passed. Where everything written goes through this process, dropping
// after each write is enough; where others write too, reach comes before each
// look. The life bounds what depends on the clock.
type cache[K comparable, V any] struct {
	weigh func(V) int64 // nil: every entry weighs 1
	limit int64         // of all weights; a full cache starts over
	life  time.Duration

	mu         sync.RWMutex
	generation uint64
	version    int64 // of what others change too
	weight     int64
	entries    map[K]entry[V]
}

type entry[V any] struct {
	value V
	until time.Time
}

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
	c.put(key, entry[V]{value, now.Add(c.life)}, generation)
	return value, nil
}

func (c *cache[K, V]) put(key K, e entry[V], generation uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation != generation {
		return
	}
	c.remove(key)
	weight := c.weightOf(e.value)
	if c.entries == nil || c.weight+weight > c.limit {
		c.entries, c.weight = map[K]entry[V]{}, 0
	}
	c.entries[key] = e
	c.weight += weight
}

// drop forgets one entry.
func (c *cache[K, V]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	c.remove(key)
}

// clear forgets everything.
func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	c.entries, c.weight = nil, 0
}

// reach forgets everything that was found under another version. A version that
// comes late forgets too much, never too little.
func (c *cache[K, V]) reach(version int64) {
	c.mu.RLock()
	same := c.version == version
	c.mu.RUnlock()
	if same {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version != version {
		c.version = version
		c.generation++
		c.entries, c.weight = nil, 0
	}
}

func (c *cache[K, V]) remove(key K) {
	if old, ok := c.entries[key]; ok {
		c.weight -= c.weightOf(old.value)
		delete(c.entries, key)
	}
}

func (c *cache[K, V]) weightOf(v V) int64 {
	if c.weigh == nil {
		return 1
	}
	return c.weigh(v)
}
