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
	queue   chan *placement
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

// placement is a publication on its way: a statement, and where it led.
type placement struct {
	ctx  context.Context //nolint:containedctx // of the caller, who may leave before its turn
	of   registry.Publication
	done chan struct{}
	sqldb.Statement
}

// newGatherer starts the goroutine that close ends.
func newGatherer(db *sqldb.DB) *gatherer {
	g := &gatherer{db: db, queue: make(chan *placement), ended: make(chan struct{}, mostBatches+1), quit: make(chan struct{})}
	g.running.Go(g.run)
	return g
}

// close waits for what is on its way.
func (g *gatherer) close() {
	close(g.quit)
	g.running.Wait()
}

// place sends a placement and waits for its end.
func (g *gatherer) place(p *placement) error {
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

// run gathers what comes while a batch is on its way.
func (g *gatherer) run() {
	var batch []*placement
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
func (g *gatherer) gather(batch []*placement) []*placement {
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

// start sends a batch on its way.
func (g *gatherer) start(batch []*placement) {
	g.running.Go(func() {
		g.send(batch)
		for _, p := range batch {
			close(p.done)
		}
		g.ended <- struct{}{}
	})
}

// send places a batch. One that PostgreSQL refuses is undone as a whole; each of
// it then goes by itself, so that nobody fails, or waits, for another.
func (g *gatherer) send(batch []*placement) {
	waiting := slices.DeleteFunc(slices.Clone(batch), func(p *placement) bool {
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
		all.Go(func() { g.byItself(p) })
	}
	all.Wait()
}

// together sends a batch as one transaction. Packages are taken in one order, so
// that two batches seldom wait for each other in a circle.
func (g *gatherer) together(batch []*placement) error {
	slices.SortFunc(batch, func(a, b *placement) int {
		return cmp.Or(cmp.Compare(a.of.ProjectID, b.of.ProjectID), cmp.Compare(a.of.Coordinates.Name, b.of.Coordinates.Name),
			cmp.Compare(a.of.Coordinates.Version, b.of.Coordinates.Version))
	})
	all := make([]*sqldb.Statement, len(batch))
	moments := map[int64]bool{}
	for i, p := range batch {
		for moments[p.moment()] {
			p.later()
		}
		moments[p.moment()] = true
		all[i] = &p.Statement
	}
	return g.db.RunTogether(all)
}

// byItself sends one. An event's moment may be another's: it takes the next.
func (g *gatherer) byItself(p *placement) {
	for sqldb.IsRefused(g.db.Run(p.ctx, &p.Statement), sqldb.UniqueViolation, "audit_events") {
		p.later()
	}
}

// moment is the event's id: see recordOne.
func (p *placement) moment() int64 { return p.Args[momentArg].(int64) }

func (p *placement) later() { p.Args[momentArg] = p.moment() + 1 }
