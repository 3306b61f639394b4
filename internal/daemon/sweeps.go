package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"granary/internal/registry"
)

const (
	sweepFirst = time.Minute // after the upkeep came to this node
	sweepEvery = time.Hour
	askedEvery = time.Second // between looks for a requested sweep

	countBlobsEvery = 10 * time.Second
	countBlobsStep  = 10_000 // rows that one query adds up
)

// cleaning cleans every hour, and sweeps on request, one after the other, until ctx is
// done.
func (s *server) cleaning(ctx context.Context, log *slog.Logger, retention time.Duration) {
	next := time.NewTimer(sweepFirst)
	defer next.Stop()
	asked := time.NewTicker(askedEvery)
	defer asked.Stop()
	var sum stored
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			s.clean(ctx, log, retention)
			next.Reset(sweepEvery)
			sum = stored{}
		case <-asked.C:
			if s.sweepAsked(ctx, log) {
				sum = stored{}
			}
		}
		s.countStored(ctx, log, &sum)
	}
}

// sweep sweeps once, sets the metrics and logs the result.
func (s *server) sweep(ctx context.Context, log *slog.Logger, grace time.Duration) (swept registry.Swept, err error) {
	s.tasks.do(ctx, log, "sweep", func(ctx context.Context) (int, error) {
		swept, err = s.registry.Sweep(ctx, grace)
		s.tasks.swept.Add(float64(swept.Bytes))
		if swept.Held != nil {
			log.Info("the sweep removes no bytes while a lease lives", "lease", swept.Held.Name, "holder", swept.Held.Holder, "taken", swept.Held.TakenAt)
		}
		return swept.Blobs + swept.Uploads, err
	})
	return swept, err
}

// sweepAsked does the sweep that administrators asked for, if they did, and
// answers them all.
func (s *server) sweepAsked(ctx context.Context, log *slog.Logger) (done bool) {
	s.tasks.do(ctx, log, "asked sweep", func(ctx context.Context) (int, error) {
		id, err := s.db.AskedSweep(ctx)
		if err != nil || id == 0 {
			return 0, err
		}
		swept, err := s.sweep(ctx, log, registry.GraceNow)
		if ctx.Err() != nil {
			return 0, ctx.Err() // the next node with the upkeep does it
		}
		failure := ""
		switch {
		case err != nil:
			failure = err.Error()
		case swept.Held != nil:
			failure = fmt.Sprintf("%s holds the bytes since %s", swept.Held.Name, swept.Held.TakenAt.Format(time.RFC3339))
		}
		done = true
		return 0, s.db.AnswerSweeps(ctx, id, swept, failure)
	})
	return done
}

// stored adds up the blobs on record by going through them once, in steps, and
// then through what came since. A sweep makes it begin anew.
type stored struct {
	after, bytes int64
	next         time.Time // when to look again
	whole        bool      // bytes is of all
}

// countStored goes a step further, when it is time to.
func (s *server) countStored(ctx context.Context, log *slog.Logger, c *stored) {
	if time.Now().Before(c.next) {
		return
	}
	s.tasks.do(ctx, log, "stored bytes", func(ctx context.Context) (int, error) {
		last, blobs, bytes, err := s.db.CountBlobs(ctx, c.after, countBlobsStep)
		if err != nil {
			return 0, err
		}
		c.after, c.bytes = max(c.after, last), c.bytes+bytes
		c.whole = c.whole || blobs < countBlobsStep
		if blobs < countBlobsStep {
			c.next = time.Now().Add(countBlobsEvery)
		}
		if c.whole {
			s.tasks.stored.WithLabelValues().Set(float64(c.bytes))
		}
		return 0, nil
	})
}
