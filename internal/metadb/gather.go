package metadb

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// gatherer sends publications to PostgreSQL. Those that wait during a round trip are
// sent as one batch: one round trip, one transaction, one sync.
type gatherer struct {
	db      *sqldb.DB
	queue   chan *publishing
	ended   chan struct{} // gets a value when a batch has ended
	quit    chan struct{}
	running sync.WaitGroup
}

const (
	fullBatch   = 32 // most publications in a batch: it holds the rows of all its packages
	mostBatches = 4  // sent at once

	// A batch that is not full waits for the one before it, for full ones are cheap;
	// but only for this long, for that one may wait for a lock.
	batchWait = 10 * time.Millisecond
)

// publishing is a publication that waits or is sent.
type publishing struct {
	ctx    context.Context //nolint:containedctx // of the caller; may end before the batch starts
	of     registry.Publication
	moment int // index of the event's id in the statement's Args
	done   chan struct{}
	sqldb.Statement
}

// newGatherer starts the goroutine that close ends.
func newGatherer(db *sqldb.DB) *gatherer {
	g := &gatherer{db: db, queue: make(chan *publishing), ended: make(chan struct{}, mostBatches+1), quit: make(chan struct{})}
	g.running.Go(g.loop)
	return g
}

// close waits for the batches that were sent.
func (g *gatherer) close() {
	close(g.quit)
	g.running.Wait()
}

// send queues a publication and waits until it ended.
func (g *gatherer) send(p *publishing) error {
	select {
	case g.queue <- p:
	case <-p.ctx.Done():
		return fault.Wrap(fault.Unavailable, "", p.ctx.Err())
	case <-g.quit:
		return fault.Wrap(fault.Unavailable, "", sqldb.ErrClosed)
	}
	<-p.done
	return p.Err
}

// loop collects publications into the next batch, and starts it.
func (g *gatherer) loop() {
	var batch []*publishing
	sent, late, timer := 0, false, time.NewTimer(batchWait)
	defer timer.Stop()
	for {
		queue := g.queue
		if len(batch) == fullBatch {
			queue = nil
		}
		select {
		case p := <-queue:
			batch = g.gather(append(batch, p))
		case <-g.ended:
			sent--
		case <-timer.C:
			late = true
		case <-g.quit:
			g.start(batch)
			return
		}
		if len(batch) > 0 && (sent == 0 || sent < mostBatches && (late || len(batch) == fullBatch)) {
			g.start(batch)
			batch, sent, late = nil, sent+1, false
			timer.Reset(batchWait)
		}
	}
}

// gather adds the publications that wait already.
func (g *gatherer) gather(batch []*publishing) []*publishing {
	for len(batch) < fullBatch {
		select {
		case p := <-g.queue:
			batch = append(batch, p)
		default:
			return batch
		}
	}
	return batch
}

// start runs a batch in the background.
func (g *gatherer) start(batch []*publishing) {
	g.running.Go(func() {
		g.run(batch)
		for _, p := range batch {
			close(p.done)
		}
		g.ended <- struct{}{}
	})
}

// run runs a batch. If PostgreSQL rolls it back, each publication is run as its own
// transaction, so that none fails or waits because of another.
func (g *gatherer) run(batch []*publishing) {
	waiting := slices.DeleteFunc(slices.Clone(batch), func(p *publishing) bool {
		p.Err = p.ctx.Err()
		return p.Err != nil
	})
	if len(waiting) > 1 {
		err := g.together(waiting)
		if err == nil {
			return
		}
		if !sqldb.IsUndone(err) {
			for _, p := range waiting {
				p.Err = err
			}
			return
		}
	}
	var all sync.WaitGroup
	for _, p := range waiting {
		all.Go(func() { g.single(p) })
	}
	all.Wait()
}

// together sends a batch as one transaction. Packages are locked in one order, so that
// deadlocks between batches are rare.
func (g *gatherer) together(batch []*publishing) error {
	slices.SortFunc(batch, func(a, b *publishing) int {
		return cmp.Or(cmp.Compare(a.of.ProjectID, b.of.ProjectID), cmp.Compare(a.of.Coordinates.Name, b.of.Coordinates.Name),
			cmp.Compare(a.of.Coordinates.Version, b.of.Coordinates.Version))
	})
	all := make([]*sqldb.Statement, len(batch))
	moments := map[int64]bool{}
	for i, p := range batch {
		for moments[p.eventID()] {
			p.later()
		}
		moments[p.eventID()] = true
		all[i] = &p.Statement
	}
	return g.db.RunTogether(all)
}

// single runs one publication. While another event has its id, it takes the next.
func (g *gatherer) single(p *publishing) {
	for sqldb.IsRefused(g.db.Run(p.ctx, &p.Statement), sqldb.UniqueViolation, "audit_events") {
		p.later()
	}
}

// eventID is the id of the event, a time: see recordOne.
func (p *publishing) eventID() int64 { return p.Args[p.moment].(int64) }

func (p *publishing) later() { p.Args[p.moment] = p.eventID() + 1 }
