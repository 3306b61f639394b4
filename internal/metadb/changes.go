package metadb

import (
	"context"
	"sync"
	"time"

	"granary/internal/fault"
	"granary/internal/sqldb"
)

// changes asks how many changes were made to what permission depends on. Every
// request wants an answer that was asked for after it came; all who wait while
// one is under way share the next.
type changes struct {
	ask func(context.Context) (int64, error)

	mu     sync.Mutex
	next   *answer // of those who wait for the next one; nil: nobody does
	asking bool
}

type answer struct {
	here chan struct{} // closed when it is
	made int64
	err  error
}

// answerWait bounds what a dead connection costs those who share it.
const answerWait = 5 * time.Second

// made is the number, as it was when the caller came or later.
func (c *changes) made(ctx context.Context) (int64, error) {
	c.mu.Lock()
	if c.next == nil {
		c.next = &answer{here: make(chan struct{})}
	}
	a := c.next
	if !c.asking {
		c.asking = true
		go c.answerAll()
	}
	c.mu.Unlock()
	select {
	case <-a.here:
		return a.made, a.err
	case <-ctx.Done():
		return 0, fault.Wrap(fault.Unavailable, "", ctx.Err())
	}
}

// answerAll asks until nobody waits.
func (c *changes) answerAll() {
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
		a.made, a.err = c.ask(ctx)
		cancel()
		close(a.here)
	}
}

func (db *DB) changesMade(ctx context.Context) (made int64, err error) {
	if err := db.Current(); err != nil {
		return 0, err
	}
	err = db.Row(ctx, `SELECT made FROM permission_changes`).Scan(&made)
	return made, sqldb.Classify(err)
}
