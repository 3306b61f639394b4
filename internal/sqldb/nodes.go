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

// Pace is how often a node renews its row, and when others count it as gone. Tests set
// a faster one.
type Pace struct {
	Beat   time.Duration // between two renewals
	Lease  time.Duration // a node that could not renew its row for so long refuses requests
	Gone   time.Duration // a node that did not renew its row for so long counts as gone; much longer than Lease
	GiveUp time.Duration // how long an exclusive migration waits for older nodes
}

func (p Pace) orDefault() Pace {
	if p == (Pace{}) {
		return Pace{Beat: 5 * time.Second, Lease: 20 * time.Second, Gone: 30 * time.Second, GiveUp: 60 * time.Second}
	}
	return p
}

// leaveWithin is how long the end of a server waits for the removal of its row.
const leaveWithin = 5 * time.Second

// nodeKept is how long the row of a node that was killed stays at most.
const nodeKept = 24 * time.Hour

// ErrOutdated is the error of DB.Outdated.
var ErrOutdated = errors.New("other nodes counted this one as gone, and its granary is now too old for the database")

// Node is a server that runs on the database.
type Node struct {
	ID      string // of one start of a server: the host's name and a random part
	Version string // of granary
	Schema  int64  // the newest migration that its granary knows
	Unseen  time.Duration
}

// String is the node as messages name it.
func (n Node) String() string {
	return fmt.Sprintf("%s (granary %s, schema %d, seen %v ago)", n.ID, n.Version, n.Schema, max(n.Unseen, 0).Round(time.Second))
}

// heart keeps this server's row among the nodes. It is nil in a program that is no
// server.
type heart struct {
	id, version string
	schema      int64
	pace        Pace
	log         *slog.Logger
	texts       nodeTexts
	shared      bool
	write       func(ctx context.Context, query string, args ...any) (changed int64, err error)
	rejoin      func(ctx context.Context, register func(context.Context) error) error // calls register while no node migrates

	renewed  atomic.Pointer[time.Time] // when the last successful renewal began
	outdated chan error                // of capacity 1
	stop     context.CancelFunc
	ended    chan struct{}
	conns    *sql.DB // its own; nil on SQLite
}

// nodeTexts are the statements. They use the database's clock, which is the same for
// all nodes.
type nodeTexts struct{ enter, touch, leave, list, dead, older, prune, killed, drop string }

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

		killed: `SELECT id, seen_at FROM nodes WHERE seen_at <= ` + d.now + ` - $1 AND id <> $2 ORDER BY seen_at, id`,
		drop:   `DELETE FROM nodes WHERE id = $1 AND seen_at = $2`,
	}
}

// newHeart returns a heart that does nothing yet: call register, then start.
func newHeart(d dialect, o Options) *heart {
	if o.Node == "" {
		return nil
	}
	host, _ := os.Hostname() // for people only
	return &heart{
		id: host[:min(len(host), 63)] + "-" + strings.ToLower(rand.Text()[:10]), version: o.Node, pace: o.Pace.orDefault(), log: o.log(),
		texts: textsOfNodes(d), shared: d.shared, outdated: make(chan error, 1), ended: make(chan struct{}),
	}
}

// register inserts the row, by run. The caller sees to it that no node migrates
// meanwhile.
func (h *heart) register(ctx context.Context, run func(ctx context.Context, query string, args ...any) (int64, error)) error {
	began := time.Now()
	_, err := run(ctx, h.texts.enter, h.id, h.version, h.schema)
	if err == nil {
		h.renewed.Store(&began)
	}
	return err
}

// start renews the row in the background until close.
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
			h.renewed.Store(&time.Time{})
			h.outdated <- err
			return
		case err != nil && !failing:
			h.log.Warn("database: cannot renew the row of this node; retrying, and if that takes long, requests get 503", "node", h.id, "error", err)
		case err == nil && failing:
			h.log.Info("database: the row of this node is renewed again", "node", h.id)
		}
		failing = err != nil
	}
}

// beat renews the row. If the row is gone, others counted this node as gone, and it
// must register anew: see awaitOlder.
func (h *heart) beat(ctx context.Context) error {
	began := time.Now()
	answer, cancel := context.WithTimeout(ctx, h.pace.Beat)
	changed, err := h.write(answer, h.texts.touch, h.id)
	cancel()
	switch {
	case err != nil:
		return err
	case changed == 0:
		return h.rejoin(ctx, func(ctx context.Context) error { return h.register(ctx, h.write) })
	}
	h.renewed.Store(&began)
	return nil
}

// current refuses requests if others may count this node as gone, for they may have
// changed what its granary relies on. SQLite has no other nodes.
func (h *heart) current() error {
	if h == nil || !h.shared {
		return nil
	}
	// By the monotonic and the wall clock: one of them stops while a machine sleeps.
	renewed, now := *h.renewed.Load(), time.Now()
	silent := max(now.Sub(renewed), now.Round(0).Sub(renewed.Round(0)))
	if silent <= h.pace.Lease {
		return nil
	}
	return fault.Wrap(fault.Unavailable, "", errors.New("this node could not renew its row in the database for too long"))
}

// close removes the row, after the last write of this node. If that fails, the row
// expires.
func (h *heart) close() {
	if h == nil {
		return
	}
	h.stop()
	<-h.ended
	ctx, cancel := context.WithTimeout(context.Background(), leaveWithin)
	defer cancel()
	if _, err := h.write(ctx, h.texts.leave, h.id); err != nil {
		h.log.Warn("database: cannot remove the row of this node; for a while other nodes will count it as running", "node", h.id, "error", err)
	}
	if h.conns != nil {
		if err := h.conns.Close(); err != nil {
			h.log.Warn("database: cannot close the connection that renewed the row of this node", "error", err)
		}
	}
}

// Outdated gets at most one error, after which this server must end: others counted it
// as gone and upgraded the schema to a version that its granary does not know.
func (db *DB) Outdated() <-chan error {
	if db.heart == nil {
		return nil
	}
	return db.heart.outdated
}

// NodeID is the id of this server among the nodes; "" if it is none.
func (db *DB) NodeID() string {
	if db.heart == nil {
		return ""
	}
	return db.heart.id
}

// Nodes lists the servers that were seen within the last 30 s, including this one.
func (db *DB) Nodes(ctx context.Context) ([]Node, error) {
	gone := Pace{}.orDefault().Gone
	return List(ctx, db, scanNode, textsOfNodes(db.dialect).list, gone.Microseconds())
}

// PruneNodes removes the nodes that were not seen for a day, and returns their number.
func (db *DB) PruneNodes(ctx context.Context) (int, error) {
	return Write(ctx, db, func(t *Tx) (int, error) {
		n, err := t.Count(textsOfNodes(db.dialect).prune, nodeKept.Microseconds())
		return int(n), err
	})
}

// KilledNode is a server that never removed its row.
type KilledNode struct {
	ID     string
	SeenAt time.Time // when it renewed its row last, by the database's clock; on SQLite up to 30 s too early
}

// KilledNodes lists the nodes that count as gone, the first one first.
func (db *DB) KilledNodes(ctx context.Context) ([]KilledNode, error) {
	scan := func(row Scanner) (k KilledNode, err error) {
		var at int64
		err = row.Scan(&k.ID, &at)
		k.SeenAt = Moment(at)
		return k, err
	}
	return List(ctx, db, scan, textsOfNodes(db.dialect).killed, Pace{}.orDefault().Gone.Microseconds(), db.NodeID())
}

// DropNode removes the row of a killed node, unless the node has renewed it meanwhile.
func (db *DB) DropNode(ctx context.Context, k KilledNode) error {
	return db.Do(ctx, func(t *Tx) error { return t.Exec(textsOfNodes(db.dialect).drop, k.ID, Micros(k.SeenAt)) })
}

func scanNode(row Scanner) (Node, error) {
	var n Node
	var us int64
	err := row.Scan(&n.ID, &n.Version, &n.Schema, &us)
	n.Unseen = time.Duration(us) * time.Microsecond
	return n, err
}
