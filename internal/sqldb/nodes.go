package sqldb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"granary/internal/fault"
)

// Pace is how often a node says that it is running, and what follows if it does not.
// Tests set a faster one.
type Pace struct {
	Beat   time.Duration // between two words of a node
	Lease  time.Duration // without a word for so long, the node refuses to work
	Gone   time.Duration // without a word for so long, others take it for gone; much longer than Lease
	GiveUp time.Duration // how long an exclusive migration waits for older nodes
}

func (p Pace) orUsual() Pace {
	if p == (Pace{}) {
		return Pace{Beat: 5 * time.Second, Lease: 20 * time.Second, Gone: 30 * time.Second, GiveUp: 60 * time.Second}
	}
	return p
}

// nodeKept is how long the row of a node that was killed is kept.
const nodeKept = 24 * time.Hour

// ErrOutdated is why a server has to end: see DB.Outdated.
var ErrOutdated = errors.New("this node was taken for gone, and its granary is too old for the database now")

// Node is a server that runs on the database.
type Node struct {
	ID      string // of this start of it: its host's name and a random part
	Version string // of granary
	Schema  int64  // the newest migration that it knows
	Unseen  time.Duration
}

// String is how messages name a node.
func (n Node) String() string {
	return fmt.Sprintf("%s (granary %s, schema %d, seen %v ago)", n.ID, n.Version, n.Schema, max(n.Unseen, 0).Round(time.Second))
}

// heart keeps this server's row among the nodes. A nil heart is that of a
// program that is no server.
type heart struct {
	id, version string
	schema      int64
	pace        Pace
	log         *slog.Logger
	texts       nodeTexts
	shared      bool
	write       func(ctx context.Context, query string, args ...any) (changed int64, err error)
	again       func(ctx context.Context, register func(context.Context) error) error // while nobody migrates

	said     atomic.Pointer[time.Time] // when the last word that was written set out
	outdated chan error                // holds one
	stop     context.CancelFunc
	ended    chan struct{}
	conns    *sql.DB // its own; nil on SQLite
}

// nodeTexts are the statements. Nodes on several machines share the database's
// clock, for their own differ.
type nodeTexts struct{ enter, touch, leave, list, dead, older, prune string }

func textsOfNodes(d dialect) nodeTexts {
	const columns = `SELECT id, version, schema, `
	return nodeTexts{
		enter: `INSERT INTO nodes (id, version, schema, seen_at) VALUES ($1, $2, $3, ` + d.now + `)
			ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at`,
		touch: `UPDATE nodes SET seen_at = ` + d.now + ` WHERE id = $1`,
		leave: `DELETE FROM nodes WHERE id = $1`,
		list:  columns + d.now + ` - seen_at FROM nodes WHERE seen_at > ` + d.now + ` - $1 ORDER BY id`,
		dead:  `DELETE FROM nodes WHERE schema < $1 AND seen_at <= ` + d.now + ` - $2`,
		older: columns + d.now + ` - seen_at FROM nodes WHERE schema < $1 ORDER BY id`,
		prune: `DELETE FROM nodes WHERE seen_at <= ` + d.now + ` - $1`,
	}
}

// newHeart does nothing yet: register comes first, then start.
func newHeart(d dialect, o Options) *heart {
	if o.Node == "" {
		return nil
	}
	host, _ := os.Hostname() // for people only
	return &heart{
		id: host[:min(len(host), 63)] + "-" + strings.ToLower(rand.Text()[:10]), version: o.Node, pace: o.Pace.orUsual(), log: o.log(),
		texts: textsOfNodes(d), shared: d.shared, outdated: make(chan error, 1), ended: make(chan struct{}),
	}
}

// register makes the row, with a statement that run runs. Nobody migrates
// meanwhile.
func (h *heart) register(ctx context.Context, run func(ctx context.Context, query string, args ...any) (int64, error)) error {
	began := time.Now()
	_, err := run(ctx, h.texts.enter, h.id, h.version, h.schema)
	if err == nil {
		h.said.Store(&began)
	}
	return err
}

// start begins to beat. close ends it.
func (h *heart) start() {
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	go h.run(ctx)
}

func (h *heart) run(ctx context.Context) {
	defer close(h.ended)
	failing := false
	for {
		pause := h.pace.Beat
		if failing {
			pause /= 5
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		err := h.beat(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrOutdated):
			h.said.Store(&time.Time{})
			h.outdated <- err
			return
		case err != nil && !failing:
			h.log.Warn("database: this node cannot say that it is there; it tries again, and answers 503 meanwhile where that takes long", "node", h.id, "error", err)
		case err == nil && failing:
			h.log.Info("database: this node says again that it is there", "node", h.id)
		}
		failing = err != nil
	}
}

// beat says that this node is there. Where its row is gone, others took it for
// gone, and it begins anew: see awaitOlder.
func (h *heart) beat(ctx context.Context) error {
	began := time.Now()
	answer, cancel := context.WithTimeout(ctx, h.pace.Beat)
	changed, err := h.write(answer, h.texts.touch, h.id)
	cancel()
	switch {
	case err != nil:
		return err
	case changed == 0:
		return h.again(ctx, func(ctx context.Context) error { return h.register(ctx, h.write) })
	}
	h.said.Store(&began)
	return nil
}

// current refuses the work of a node that others may have taken for gone, for
// they may have changed what its granary relies on. On SQLite there are none.
func (h *heart) current() error {
	if h == nil || !h.shared {
		return nil
	}
	// By both clocks: one stands still while a machine sleeps.
	said, now := *h.said.Load(), time.Now()
	silent := max(now.Sub(said), now.Round(0).Sub(said.Round(0)))
	if silent <= h.pace.Lease {
		return nil
	}
	return fault.Wrap(fault.Unavailable, "", errors.New("this node could not tell the database for too long that it is there"))
}

// close takes the row away, after the last that this node writes. One that
// could not be taken away grows old.
func (h *heart) close() {
	if h == nil {
		return
	}
	h.stop()
	<-h.ended
	ctx, cancel := context.WithTimeout(context.Background(), h.pace.Beat)
	defer cancel()
	if _, err := h.write(ctx, h.texts.leave, h.id); err != nil {
		h.log.Warn("database: this node could not say that it stops; for a while others take it for running", "node", h.id, "error", err)
	}
	if h.conns != nil {
		if err := h.conns.Close(); err != nil {
			h.log.Warn("database: closing the connection of the node's row", "error", err)
		}
	}
}

// Outdated gets an error, at most one, where this server must end: others took
// it for gone and brought the schema to a version that its granary does not
// know.
func (db *DB) Outdated() <-chan error {
	if db.heart == nil {
		return nil
	}
	return db.heart.outdated
}

// NodeID names this server among the nodes; "" where it is none.
func (db *DB) NodeID() string {
	if db.heart == nil {
		return ""
	}
	return db.heart.id
}

// Nodes lists the servers that were seen within the last 30 s, this one too.
func (db *DB) Nodes(ctx context.Context) ([]Node, error) {
	gone := Pace{}.orUsual().Gone
	return List(ctx, db, scanNode, textsOfNodes(db.dialect).list, gone.Microseconds())
}

// PruneNodes forgets the nodes that were not seen for a day, and reports how
// many.
func (db *DB) PruneNodes(ctx context.Context) (int, error) {
	return Write(ctx, db, func(t *Tx) (int, error) {
		n, err := t.Count(textsOfNodes(db.dialect).prune, nodeKept.Microseconds())
		return int(n), err
	})
}

func scanNode(row Scanner) (Node, error) {
	var n Node
	var us int64
	err := row.Scan(&n.ID, &n.Version, &n.Schema, &us)
	n.Unseen = time.Duration(us) * time.Microsecond
	return n, err
}
