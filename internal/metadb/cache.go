package metadb

import (
	"hash/maphash"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// cache holds look-ups until they are dropped, grow too old, or the budget is full and
// nobody asked for them again. A look-up that began before a drop cannot put in its
// result after it: its stamp is outdated. If this process makes all writes, a drop
// after each write is enough; if other nodes write, too, call DB.catchUp before each
// look. The life bounds what depends on the clock.
type cache[K comparable, V any] struct {
	budget *budget
	life   time.Duration
	weigh  func(K, V) int64 // bytes that key and value point to
	fixed  int64            // bytes of an entry itself
	slot   int64            // bytes of its slots in map and order
	seed   maphash.Seed

	mu      *sync.RWMutex // may be shared with another cache
	entries map[K]*entry[K, V]
	order   []*entry[K, V]  // all entries, in the order of shed
	hand    int             // where in order shed continues
	most    int             // slots of map and order, which do not shrink by themselves
	drops   [stripes]uint64 // number of drops, by the key's hash
	held    [stripes]int    // number of holds, by the key's hash
	weight  atomic.Int64
	swept   time.Duration
}

type entry[K comparable, V any] struct {
	key    K
	value  V
	index  int // in the cache's order
	until  time.Duration
	weight int64
	again  atomic.Bool // it was asked for since shed last passed it
}

// stamp is when a look-up began: the number of drops, and the time.
type stamp struct {
	drops uint64
	at    time.Duration
}

const (
	stripes  = 64   // a drop of one key outdates the look-ups of one in 64
	atOnce   = 1024 // entries that sweep checks before it releases the lock
	patience = 4096 // entries that one call of shed passes
	fewSlots = 64   // a smaller map is not worth shrinking
)

// newCache makes a cache. weigh is called with its lock held, once for each entry.
func newCache[K comparable, V any](b *budget, mu *sync.RWMutex, life time.Duration, weigh func(K, V) int64) *cache[K, V] {
	c := &cache[K, V]{
		budget: b, mu: mu, life: life, weigh: weigh, seed: maphash.MakeSeed(),
		fixed: allocated(int(reflect.TypeFor[entry[K, V]]().Size())),
		// A map's slots are between 7/16 and 7/8 full.
		slot: int64(reflect.TypeFor[K]().Size()+2*reflect.TypeFor[*entry[K, V]]().Size()+1) * 8 / 5,
	}
	b.caches = append(b.caches, c)
	return c
}

// look returns the cached value, or the stamp for put.
func (c *cache[K, V]) look(key K) (value V, found bool, s stamp) {
	now := c.budget.now()
	c.mu.RLock()
	defer c.mu.RUnlock()
	if e := c.live(key, now); e != nil {
		return e.value, true, stamp{}
	}
	return value, false, stamp{c.drops[c.stripe(key)], now}
}

// live is the entry of the key, nil if there is none or it is too old. The caller
// holds the lock.
func (c *cache[K, V]) live(key K, now time.Duration) *entry[K, V] {
	e := c.entries[key]
	if e == nil || now >= e.until {
		return nil
	}
	if !e.again.Load() { // so that parallel readers seldom write
		e.again.Store(true)
	}
	return e
}

func (c *cache[K, V]) stripe(key K) uint64 { return maphash.Comparable(c.seed, key) % stripes }

// stampOf is the stamp for a put that replaces a value.
func (c *cache[K, V]) stampOf(key K) stamp {
	now := c.budget.now()
	c.mu.RLock()
	defer c.mu.RUnlock()
	return stamp{c.drops[c.stripe(key)], now}
}

// get returns the cached value, or calls find and caches its result unless that is an
// error.
func (c *cache[K, V]) get(key K, find func() (V, error)) (V, error) {
	value, found, s := c.look(key)
	if found {
		return value, nil
	}
	value, err := find()
	if err == nil {
		c.put(key, value, s)
	}
	return value, err
}

// put caches a value that was found under the stamp. The strings of key and value must
// not be parts of longer ones, which they would keep in memory.
func (c *cache[K, V]) put(key K, value V, s stamp) {
	if c.budget.limit.Load() == 0 {
		return
	}
	e := &entry[K, V]{key: key, value: value, until: s.at + c.life, weight: c.fixed + c.weigh(key, value)}
	if e.weight+c.slot > c.budget.limit.Load()/mostOfOne {
		return
	}
	c.mu.Lock()
	if stripe := c.stripe(key); c.drops[stripe] == s.drops && c.held[stripe] == 0 {
		c.set(key, e)
	}
	c.mu.Unlock()
	c.budget.added()
}

func (c *cache[K, V]) set(key K, e *entry[K, V]) {
	c.remove(key)
	if c.entries == nil {
		c.entries = map[K]*entry[K, V]{}
	}
	c.entries[key] = e
	e.index = len(c.order)
	c.order = append(c.order, e)
	c.grow(e.weight)
	if len(c.entries) > c.most {
		c.most = len(c.entries)
		c.grow(c.slot)
	}
}

func (c *cache[K, V]) grow(bytes int64) {
	c.weight.Add(bytes)
	c.budget.weight.Add(bytes)
}

// drop removes one entry, and outdates look-ups of it.
func (c *cache[K, V]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops[c.stripe(key)]++
	c.remove(key)
	c.shrink()
}

// clear is drop for all entries.
func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.drops {
		c.drops[i]++
	}
	c.grow(-c.weight.Load())
	c.entries, c.order, c.hand, c.most = nil, nil, 0, 0
}

// hold is drop before a transaction that changes the key's value; release is to follow
// its end. In between nothing is cached: one reader might see the change in the database,
// and the next one the old value here.
func (c *cache[K, V]) hold(key K) {
	c.mu.Lock()
	c.held[c.stripe(key)]++
	c.remove(key)
	c.shrink()
	c.mu.Unlock()
}

func (c *cache[K, V]) release(key K) {
	c.mu.Lock()
	c.held[c.stripe(key)]--
	c.drops[c.stripe(key)]++
	c.mu.Unlock()
}

// holdAll is hold for all entries.
func (c *cache[K, V]) holdAll() {
	c.mu.Lock()
	for i := range c.held {
		c.held[i]++
	}
	c.mu.Unlock()
	c.clear()
}

func (c *cache[K, V]) releaseAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.held {
		c.held[i]--
		c.drops[i]++
	}
}

func (c *cache[K, V]) remove(key K) {
	old := c.entries[key]
	if old == nil {
		return
	}
	c.grow(-old.weight)
	delete(c.entries, key)
	last := len(c.order) - 1
	c.order[old.index] = c.order[last]
	c.order[old.index].index = old.index
	c.order[last] = nil
	c.order = c.order[:last]
}

// shrink copies map and order if they have far too many slots.
func (c *cache[K, V]) shrink() {
	now := len(c.order)
	if now > c.most/2 || now > 0 && c.most < fewSlots {
		return
	}
	c.grow(-int64(c.most-now) * c.slot)
	c.entries, c.order, c.most = make(map[K]*entry[K, V], now), slices.Clone(c.order), now
	for _, e := range c.order {
		c.entries[e.key] = e
	}
}

func (c *cache[K, V]) weighs() int64 { return c.weight.Load() }

// shed removes entries in a round that continues where the last call stopped. It
// passes entries that were asked for since its last round: what many ask for stays,
// however many other things one client asks for.
func (c *cache[K, V]) shed(bytes int64) (freed int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.weight.Load()
	least := before - bytes
	for passed := 0; c.weight.Load() > least && len(c.order) > 0; {
		if c.hand >= len(c.order) {
			c.hand = 0
		}
		e := c.order[c.hand]
		if e.again.Load() && passed < patience {
			e.again.Store(false)
			passed++
			c.hand++
			continue
		}
		c.remove(e.key)
	}
	c.shrink()
	return before - c.weight.Load()
}

// sweep removes entries that are too old, at most once per life, and reports whether
// any are left. It releases the lock now and then, and tolerates what others change
// meanwhile.
func (c *cache[K, V]) sweep(now time.Duration) (left bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now-c.swept < c.life {
		return len(c.entries) > 0
	}
	c.swept = now
	seen := 0
	for key, e := range c.entries {
		if now >= e.until && c.entries[key] == e {
			c.remove(key)
		}
		if seen++; seen%atOnce == 0 {
			c.mu.Unlock()
			c.mu.Lock()
		}
	}
	c.shrink()
	return len(c.entries) > 0
}
