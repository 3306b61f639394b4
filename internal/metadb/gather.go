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

// gatherer sends publications to PostgreSQL. Those that wait while others are on
// their way go together: one way there and back, one transaction, one sync.
type gatherer struct {
	db      *sqldb.DB
	queue   chan *publishing
	ended   chan struct{} // a batch is back
	quit    chan struct{}
	running sync.WaitGroup
}

const (
	gatherMany  = 32 // publications in a batch, at most: they hold their packages' rows together
	mostBatches = 4  // on their way at once

	// A batch that is not full waits for the one before it, for full ones are
	// cheap; but not for longer than this, for that one may wait for a row.
	gatherTime = 10 * time.Millisecond
)

// publishing is a publication on its way.
type publishing struct {
	ctx    context.Context //nolint:containedctx // of the caller, who may leave before its turn
	of     registry.Publication
	moment int // where among the statement's Args the event's id is
	done   chan struct{}
	sqldb.Statement
}

// newGatherer starts the goroutine that close ends.
func newGatherer(db *sqldb.DB) *gatherer {
	g := &gatherer{db: db, queue: make(chan *publishing), ended: make(chan struct{}, mostBatches+1), quit: make(chan struct{})}
	g.running.Go(g.loop)
	return g
}

// close waits for what is on its way.
func (g *gatherer) close() {
	close(g.quit)
	g.running.Wait()
}

// send hands a publication over and waits for its end.
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

// loop gathers publications while a batch is on its way.
func (g *gatherer) loop() {
	var batch []*publishing
	onWay, late, timer := 0, false, time.NewTimer(gatherTime)
	defer timer.Stop()
	for {
		queue := g.queue
		if len(batch) == gatherMany {
			queue = nil
		}
		select {
		case p := <-queue:
			batch = g.gather(append(batch, p))
		case <-g.ended:
			onWay--
		case <-timer.C:
			late = true
		case <-g.quit:
			g.start(batch)
			return
		}
		if len(batch) > 0 && (onWay == 0 || onWay < mostBatches && (late || len(batch) == gatherMany)) {
			g.start(batch)
			batch, onWay, late = nil, onWay+1, false
			timer.Reset(gatherTime)
		}
	}
}

// gather adds who waits already.
func (g *gatherer) gather(batch []*publishing) []*publishing {
	for len(batch) < gatherMany {
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

// run runs a batch. If PostgreSQL undoes it, each publication is run on its own, so
// that none fails, or waits, for another.
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

// together sends a batch as one transaction. Packages are taken in one order, so
// that two batches seldom wait for each other in a circle.
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

// single runs one. If another event has its id, a moment, it takes the next.
func (g *gatherer) single(p *publishing) {
	for sqldb.IsRefused(g.db.Run(p.ctx, &p.Statement), sqldb.UniqueViolation, "audit_events") {
		p.later()
	}
}

// eventID is a moment: see recordOne.
func (p *publishing) eventID() int64 { return p.Args[p.moment].(int64) }

func (p *publishing) later() { p.Args[p.moment] = p.eventID() + 1 }
