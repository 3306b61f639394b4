package sqldb

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"granary/internal/trouble"
)

// lookEvery is how often the watcher looks: a change by another process must count
// within a second.
const lookEvery = 500 * time.Millisecond

// watcher notices that another process, granary admin next to a server, wrote to the
// SQLite file, and that the file is another.
type watcher struct {
	changed func() // Events.Changed
	writer  *writer
	reads   *sql.DB
	trouble *trouble.Trouble
	version int64 // PRAGMA data_version at the last look
	quit    chan struct{}
	ended   chan struct{}
}

// newWatcher starts to watch: what is written after it returns is noticed.
func newWatcher(w *writer, reads *sql.DB, changed func(), log *slog.Logger) *watcher {
	o := &watcher{changed: changed, writer: w, reads: reads, quit: make(chan struct{}), ended: make(chan struct{})}
	o.trouble = trouble.New(log, "database: cannot tell whether another process changed the database; retrying", "database: changes by other processes are seen again")
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
			o.writer.place.look()
			o.writer.place.end(o.reads)
			o.look()
		}
	}
}

// look asks on the writer's connection, whose own commits do not count. No other
// connection of this process commits.
func (o *watcher) look() {
	var version int64
	err := o.writer.outside(context.Background(), func(*Tx) error {
		return o.writer.conn.conn.QueryRowContext(context.Background(), "PRAGMA data_version").Scan(&version)
	})
	o.trouble.Saw(err)
	if err != nil || version == o.version {
		return
	}
	o.version = version
	o.changed()
}

func (o *watcher) close() {
	close(o.quit)
	<-o.ended
}
