package metadb

import (
	"context"
	"database/sql"
	"log/slog"
	"sync/atomic"
	"time"

	"granary/internal/trouble"
)

// checkpointer folds the write-ahead log back into the database file. SQLite
// would do it inside the commit that fills the log, and let every publisher
// wait for it. Here the bulk is copied beside the commits, and the writer only
// folds in what came meanwhile, after which the log starts over: without that
// step it would grow as long as somebody publishes.
type checkpointer struct {
	db      *sql.DB
	writer  *writer
	trouble *trouble.Trouble
	grown   atomic.Int64 // transactions since the last fold
	wake    chan struct{}
	quit    chan struct{}
	ended   chan struct{}
}

const (
	foldAfter = 2000            // transactions; some 20 MiB of log with small bodies
	foldEvery = 5 * time.Second // and whatever there is, this often
)

func newCheckpointer(db *sql.DB, w *writer, log *slog.Logger) *checkpointer {
	c := &checkpointer{
		db: db, writer: w, wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
		trouble: trouble.New(log, "database: the write-ahead log was not folded back; it will be later", "database: the write-ahead log is folded back again"),
	}
	go c.run()
	return c
}

// committed notes that n transactions were committed.
func (c *checkpointer) committed(n int) {
	if c.grown.Add(int64(n)) < foldAfter {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default: // it is awake
	}
}

func (c *checkpointer) run() {
	defer close(c.ended)
	tick := time.NewTicker(foldEvery)
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
		c.trouble.Saw(c.fold())
	}
}

func (c *checkpointer) fold() error {
	const passive = "PRAGMA wal_checkpoint(PASSIVE)"
	c.writer.point("before-fold")
	if _, err := c.db.Exec(passive); err != nil {
		return err
	}
	c.writer.point("half-fold")
	return c.writer.alone(context.Background(), func(*tx) error {
		_, err := c.writer.conn.conn.ExecContext(context.Background(), passive)
		return err
	})
}

func (c *checkpointer) close() error {
	close(c.quit)
	<-c.ended
	return c.db.Close()
}
