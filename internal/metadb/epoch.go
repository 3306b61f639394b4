package metadb

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"granary/internal/fault"
	"granary/internal/sqldb"
)

// epochs asks for the permission epoch: how many transactions have changed what
// permission depends on, on all nodes. A request needs an answer that was asked for
// after the request came. Requests that wait during one query share the next.
type epochs struct {
	ask func(context.Context) (int64, error)

	mu     sync.Mutex
	next   *answer // of the next query; nil if no request waits for it
	asking bool
}

type answer struct {
	ready chan struct{} // closed once the fields below are set
	epoch int64
	err   error
}

// answerWait bounds what a dead connection costs the requests that share it.
const answerWait = 5 * time.Second

// now is the epoch at the time of the call, or a later one.
func (c *epochs) now(ctx context.Context) (int64, error) {
	c.mu.Lock()
	if c.next == nil {
		c.next = &answer{ready: make(chan struct{})}
	}
	a := c.next
	if !c.asking {
		c.asking = true
		go c.answerAll()
	}
	c.mu.Unlock()
	select {
	case <-a.ready:
		return a.epoch, a.err
	case <-ctx.Done():
		return 0, fault.Wrap(fault.Unavailable, "", ctx.Err())
	}
}

// answerAll asks until no request waits.
func (c *epochs) answerAll() {
	for {
		c.mu.Lock()
		a := c.next
		c.next = nil
		c.asking = a != nil
		c.mu.Unlock()
		if a == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), answerWait)
		a.epoch, a.err = c.ask(ctx)
		cancel()
		close(a.ready)
	}
}

func (db *DB) askEpoch(ctx context.Context) (epoch int64, err error) {
	if err := db.Current(); err != nil {
		return 0, err
	}
	err = db.Row(ctx, `SELECT made FROM permission_changes`).Scan(&epoch)
	return epoch, sqldb.Classify(err)
}

type requestKey struct{}

// WithRequest is ctx for the look-ups of one request. The epoch that FindToken asks
// for counts for FindPackageProject, too, until FindToken is called again.
func WithRequest(ctx context.Context) context.Context {
	return context.WithValue(ctx, requestKey{}, new(atomic.Bool))
}

// catchUp asks for the epoch and drops what was cached in an earlier one. So a change
// of permission counts from its commit on.
func (db *DB) catchUp(ctx context.Context) error {
	if !db.Shared() {
		return nil // this process drops what its own writes outdate; see changedElsewhere for granary admin
	}
	epoch, err := db.epochs.now(ctx)
	if err != nil {
		return err
	}
	db.reachEpoch(epoch)
	if known, ok := ctx.Value(requestKey{}).(*atomic.Bool); ok {
		known.Store(true)
	}
	return nil
}

// catchUpOnce is catchUp, unless it was called in this request before.
func (db *DB) catchUpOnce(ctx context.Context) error {
	if known, ok := ctx.Value(requestKey{}).(*atomic.Bool); ok && known.Load() {
		return nil
	}
	return db.catchUp(ctx)
}

// reachEpoch drops what was cached in another epoch. An answer that comes late drops
// too much, never too little.
func (db *DB) reachEpoch(epoch int64) {
	if db.epoch.Load() == epoch {
		return
	}
	db.reaching.Lock()
	defer db.reaching.Unlock()
	if db.epoch.Load() == epoch {
		return
	}
	db.routes.clear()
	db.projects.clear()
	db.tokens.clear()
	db.epoch.Store(epoch)
}
