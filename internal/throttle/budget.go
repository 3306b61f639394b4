package throttle

import (
	"context"
	"sync"
)

// Budget shares out bytes of memory, and gives no key more than its part. If it is
// full, callers wait: first come, first served, except that a key with its full part
// does not block others. A nil Budget has no limit. It is safe for concurrent use,
// and keeps only keys that hold memory.
type Budget struct {
	total, each int64

	mu    sync.Mutex
	held  int64
	keys  map[Key]int64
	queue []*waiter // in the order in which they came
}

// waiter is a caller that waits for n bytes. Its channel is closed when it has them.
type waiter struct {
	key Key
	n   int64
	in  chan struct{}
}

// NewBudget makes a Budget of total bytes, of which a key holds at most each.
func NewBudget(total, each int64) *Budget {
	return &Budget{total: total, each: min(each, total), keys: map[Key]int64{}}
}

// Take takes n bytes, at most as many as a key may hold, or waits for them until ctx
// is done and then returns its error. A caller that holds bytes must not take more:
// two such callers would wait for each other.
func (b *Budget) Take(ctx context.Context, k Key, n int64) error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	w := &waiter{key: k, n: min(n, b.each), in: make(chan struct{})}
	b.queue = append(b.queue, w)
	b.admit()
	b.mu.Unlock()
	select {
	case <-w.in:
		return nil
	default:
	}
	select {
	case <-w.in:
		return nil
	case <-ctx.Done():
		return b.leave(w, ctx.Err())
	}
}

// leave takes the waiter out of the queue, unless it was admitted just now.
func (b *Budget) leave(w *waiter, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.queue {
		if other == w {
			b.queue = append(b.queue[:i], b.queue[i+1:]...)
			b.admit() // those behind it may be smaller
			return err
		}
	}
	return nil
}

// Give gives n bytes back.
func (b *Budget) Give(k Key, n int64) {
	if b == nil || n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held -= n
	if b.keys[k] -= n; b.keys[k] <= 0 {
		delete(b.keys, k)
	}
	b.admit()
}

// admit serves the waiters that fit. The first one that waits only for the total
// stops all behind it, so that many small ones cannot starve a large one.
func (b *Budget) admit() {
	waiting := b.queue[:0]
	full := false
	for _, w := range b.queue {
		if full || b.keys[w.key]+w.n > b.each {
			waiting = append(waiting, w)
			continue
		}
		if b.held+w.n > b.total {
			full = true
			waiting = append(waiting, w)
			continue
		}
		b.held += w.n
		b.keys[w.key] += w.n
		close(w.in)
	}
	clear(b.queue[len(waiting):])
	b.queue = waiting
}

// Held is how many bytes are taken, and how many requests wait for some.
func (b *Budget) Held() (taken int64, waiting int) {
	if b == nil {
		return 0, 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held, len(b.queue)
}
