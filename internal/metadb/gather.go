package metadb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"granary/internal/fault"
	"granary/internal/registry"
)

// gatherer sends publications to PostgreSQL. Those that wait while others are on
// their way go together: one way there and back, one transaction, one sync.
type gatherer struct {
	pool    *pool
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
	ctx   context.Context //nolint:containedctx // of the caller, who may leave before its turn
	of    registry.Publication
	query string
	args  []any
	put   landed
	err   error // as the database said it; sql.ErrNoRows where nothing was done
	done  chan struct{}
}

// newGatherer starts the goroutine that close ends.
func newGatherer(p *pool) *gatherer {
	g := &gatherer{pool: p, queue: make(chan *placement), ended: make(chan struct{}, mostBatches+1), quit: make(chan struct{})}
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
		return fault.Wrap(fault.Unavailable, "", errClosed)
	}
	<-p.done
	return p.err
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
		p.err = p.ctx.Err()
		return p.err != nil
	})
	if len(waiting) > 1 {
		err := g.together(waiting)
		if err == nil {
			return
		}
		if !undone(err) {
			for _, p := range waiting {
				p.err = err
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

// undone reports that PostgreSQL refused a transaction and goes on. After any
// other error it may have been kept.
func undone(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.SeverityUnlocalized == "ERROR"
}

// together sends a batch as one transaction. Packages are taken in one order, so
// that two batches seldom wait for each other in a circle.
func (g *gatherer) together(batch []*placement) error {
	slices.SortFunc(batch, func(a, b *placement) int {
		return cmp.Or(cmp.Compare(a.of.ProjectID, b.of.ProjectID), cmp.Compare(a.of.Coordinates.Name, b.of.Coordinates.Name),
			cmp.Compare(a.of.Coordinates.Version, b.of.Coordinates.Version))
	})
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	conn, err := g.pool.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := g.pool.may(); err != nil {
		return err
	}
	g.pool.point("before-commit")
	err = conn.Raw(func(driver any) error {
		var all pgx.Batch
		moments := map[int64]bool{}
		for _, p := range batch {
			for moments[p.moment()] {
				p.later()
			}
			moments[p.moment()] = true
			all.Queue(p.query, p.args...)
		}
		answers := driver.(*stdlib.Conn).Conn().SendBatch(ctx, &all)
		for _, p := range batch {
			p.err = answers.QueryRow().Scan(&p.put.packageID, &p.put.isNew, &p.put.fileID)
			if errors.Is(p.err, pgx.ErrNoRows) {
				p.err = sql.ErrNoRows
			} else if p.err != nil {
				return errors.Join(p.err, answers.Close())
			}
		}
		return answers.Close()
	})
	g.pool.point("after-commit")
	return err
}

// byItself sends one. An event's moment may be another's: it takes the next.
func (g *gatherer) byItself(p *placement) {
	for {
		p.err = g.pool.statement(p.ctx, p.query, p.args, &p.put.packageID, &p.put.isNew, &p.put.fileID)
		if !refused(p.err, uniqueViolation, "audit_events") {
			return
		}
		p.later()
	}
}

// moment is the event's id: see recordOne.
func (p *placement) moment() int64 { return p.args[momentArg].(int64) }

func (p *placement) later() { p.args[momentArg] = p.moment() + 1 }
