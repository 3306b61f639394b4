package metadb

import (
	"sync"
	"sync/atomic"
	"time"
)

// budget is the memory that all caches share. If it is full, the heaviest cache drops
// some of its entries: a cache that grows takes from the others only until they are
// equal.
type budget struct {
	limit  atomic.Int64 // bytes; 0: nothing is cached
	began  time.Time
	caches []forgetter

	weight   atomic.Int64 // bytes of all caches
	trimming sync.Mutex
	waking   atomic.Bool // a sweep is scheduled
}

// forgetter is a cache as its budget sees it.
type forgetter interface {
	weighs() int64
	shed(bytes int64) (freed int64)      // drops about so many bytes
	sweep(now time.Duration) (left bool) // drops entries that are too old
	clear()
}

const (
	sweepPause = 10 * time.Second // between sweeps of entries that are too old
	shedParts  = 128              // a full budget drops this fraction of its limit
	mostOfOne  = 4                // an entry above this fraction of the limit is not cached
)

// newBudget is a budget without caches: newCache adds them.
func newBudget(limit int64) *budget {
	b := &budget{began: time.Now()}
	b.limit.Store(limit)
	return b
}

// now is the time since the budget was made, as entries hold it.
func (b *budget) now() time.Duration { return time.Since(b.began) }

// added makes room after an entry was put in, and schedules a sweep, so that it is
// dropped even if nobody asks again.
func (b *budget) added() {
	if b.weight.Load() > b.limit.Load() {
		b.trim()
	}
	b.wake()
}

// trim drops what exceeds the limit, and a little more, so that the next entry does
// not trim again.
func (b *budget) trim() {
	b.trimming.Lock()
	defer b.trimming.Unlock()
	for {
		over := b.weight.Load() - b.limit.Load()
		if over <= 0 {
			return
		}
		heaviest := b.caches[0]
		for _, c := range b.caches[1:] {
			if c.weighs() > heaviest.weighs() {
				heaviest = c
			}
		}
		if heaviest.shed(over+b.limit.Load()/shedParts) == 0 {
			return // others have dropped it meanwhile
		}
	}
}

func (b *budget) wake() {
	if !b.waking.Swap(true) {
		time.AfterFunc(sweepPause, b.sweep)
	}
}

func (b *budget) sweep() {
	b.waking.Store(false)
	left := false
	for _, c := range b.caches {
		if c.sweep(b.now()) {
			left = true
		}
	}
	if left {
		b.wake()
	}
}

// clear drops everything, and so ends the sweeps.
func (b *budget) clear() {
	for _, c := range b.caches {
		c.clear()
	}
}

// allocated estimates what so many bytes take on the heap, which allocates in size
// classes.
func allocated(bytes int) int64 {
	if bytes == 0 {
		return 0
	}
	return int64(bytes + bytes/16 + 8)
}

// texts estimates what strings take on the heap.
func texts(all ...string) int64 {
	var sum int64
	for _, s := range all {
		sum += allocated(len(s))
	}
	return sum
}
