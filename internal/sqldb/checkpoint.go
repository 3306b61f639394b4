package sqldb

import (
	"context"
	"database/sql"
	"log/slog"
	"sync/atomic"
	"time"

	"granary/internal/trouble"
)

// checkpointer copies the write-ahead log into the database file. SQLite would do that
// inside the commit that fills the log, and every publisher would wait for it. Here most
// of it is copied in parallel with commits; the writer copies only what was written
// meanwhile. Then the log starts over: else it would grow for as long as somebody
// publishes.
type checkpointer struct {
	db      *sql.DB
	writer  *writer
	trouble *trouble.Trouble
	grown   atomic.Int64 // transactions since the last checkpoint
	wake    chan struct{}
	quit    chan struct{}
	ended   chan struct{}
}

const (
	checkpointAfter = 2000            // transactions; some 20 MiB of log with small bodies
	checkpointEvery = 5 * time.Second // if there was any transaction
)

func newCheckpointer(db *sql.DB, w *writer, log *slog.Logger) *checkpointer {
	c := &checkpointer{
		db: db, writer: w, wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
		trouble: trouble.New(log, "database: checkpoint of the write-ahead log failed; it will be retried", "database: checkpoints of the write-ahead log work again"),
	}
	go c.run()
	return c
}

// committed counts n transactions as committed.
func (c *checkpointer) committed(n int) {
	if c.grown.Add(int64(n)) < checkpointAfter {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default: // a checkpoint is due already
	}
}

func (c *checkpointer) run() {
	defer close(c.ended)
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.quit:
			return
		case <-c.wake:
		case <-tick.C:
		}
		if c.grown.Swap(0) == 0 {
			continue
		}
		c.trouble.Saw(c.checkpoint())
	}
}

func (c *checkpointer) checkpoint() error {
	const passive = "PRAGMA wal_checkpoint(PASSIVE)"
	c.writer.point("before-checkpoint")
	if _, err := c.db.Exec(passive); err != nil {
		return err
	}
	c.writer.point("half-checkpoint")
	return c.writer.outside(context.Background(), func(*Tx) error {
		_, err := c.writer.conn.conn.ExecContext(context.Background(), passive)
		return err
	})
}

func (c *checkpointer) close() error {
	close(c.quit)
	<-c.ended
	return c.db.Close()
}
