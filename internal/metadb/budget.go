package metadb

import (
	"sync"
	"sync/atomic"
	"time"
)

// budget is the memory that all caches share. Where it is full, the heaviest cache
// forgets some of its entries: whoever fills one cache takes from the others until
// they are equal, and no further.
type budget struct {
	limit  atomic.Int64 // bytes; 0: nothing is remembered
	began  time.Time
	caches []forgetter

	weight   atomic.Int64 // bytes of all caches
	trimming sync.Mutex
	waking   atomic.Bool // the next sweep is on its way
}

// forgetter is a cache as its budget sees it.
type forgetter interface {
	weighs() int64
	shed(bytes int64) (freed int64)      // forgets about so much
	sweep(now time.Duration) (left bool) // forgets what is too old
	clear()
}

const (
	sweepPause = 10 * time.Second // between looks for what is too old
	shedParts  = 128              // a full budget is freed by one of so many parts
	mostOfOne  = 4                // an entry above this fraction of the budget is not remembered
)

// newBudget is a budget without caches, which newCache adds.
func newBudget(limit int64) *budget {
	b := &budget{began: time.Now()}
	b.limit.Store(limit)
	return b
}

// now is the time as entries have it.
func (b *budget) now() time.Duration { return time.Since(b.began) }

// added makes room after something was remembered, and sees to it that it is
// forgotten at last though nobody asks again.
func (b *budget) added() {
	if b.weight.Load() > b.limit.Load() {
		b.trim()
	}
	b.wake()
}

// trim frees what is too much, and a little more, so that it is not to be done at
// the next entry again.
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
			return // others have freed it meanwhile
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

// clear forgets everything, and ends the sweeps.
func (b *budget) clear() {
	for _, c := range b.caches {
		c.clear()
	}
}

// allocated is about what so many bytes take on the heap, which hands out memory in
// pieces of certain sizes.
func allocated(bytes int) int64 {
	if bytes == 0 {
		return 0
	}
	return int64(bytes + bytes/16 + 8)
}

// texts is about what strings take on the heap.
func texts(all ...string) int64 {
	var sum int64
	for _, s := range all {
		sum += allocated(len(s))
	}
	return sum
}
