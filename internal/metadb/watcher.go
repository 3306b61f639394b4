package metadb

import (
	"context"
	"log/slog"
	"time"

	"granary/internal/trouble"
)

// lookEvery is how often the watcher looks: a foreign change counts within a
// second, with time to spare.
const lookEvery = 500 * time.Millisecond

// watcher notices what another process wrote to the SQLite file, granary admin
// beside a server, and forgets everything that was remembered from before.
type watcher struct {
	db      *DB
	writer  *writer
	trouble *trouble.Trouble
	version int64 // as the writer's connection saw it last
	quit    chan struct{}
	ended   chan struct{}
}

// newWatcher begins to watch: what is written from here on is noticed.
func newWatcher(db *DB, w *writer, log *slog.Logger) *watcher {
	o := &watcher{db: db, writer: w, quit: make(chan struct{}), ended: make(chan struct{})}
	o.trouble = trouble.New(log, "database: whether another process wrote to it is not known; it is asked again", "database: what other processes write to it is known again")
	o.look()
	go o.run()
	return o
}

func (o *watcher) run() {
	defer close(o.ended)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-o.quit:
			return
		case <-tick.C:
			o.look()
		}
	}
}

// look asks on the writer's connection, whose own commits do not count: of this
// process nobody else commits.
func (o *watcher) look() {
	var version int64
	err := o.writer.alone(context.Background(), func(*tx) error {
		return o.writer.conn.conn.QueryRowContext(context.Background(), "PRAGMA data_version").Scan(&version)
	})
	o.trouble.Saw(err)
	if err != nil || version == o.version {
		return
	}
	o.version = version
	o.db.forget()
	o.db.walks.clear()
	o.db.wake() // what was written may be for the sender
}

func (o *watcher) close() {
	close(o.quit)
	<-o.ended
}
