package daemon

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	flushEvery  = 5 * time.Second // how much of "last downloaded" and "last used" a crash may forget
	sweepFirst  = time.Minute     // after the upkeep came to this node
	sweepEvery  = time.Hour
	foldEvery   = 5 * time.Second
	retryUpkeep = 2 * time.Second // after it was lost
)

// exclusive names the work that one node does for all.
const exclusive = "upkeep"

// startUpkeep begins the work that goes on beside the requests. stop ends it
// and waits for it. Audit events older than the retention are removed; 0 keeps
// them for ever.
func (s *server) startUpkeep(ctx context.Context, log *slog.Logger, retention time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { every(ctx, flushEvery, func() { s.flush(ctx, log) }) })
	running.Go(func() { s.upkeepInTurn(ctx, log, retention) })
	return func() { cancel(); running.Wait() }
}

// upkeepInTurn does what one node does for all, whenever this node is the one.
func (s *server) upkeepInTurn(ctx context.Context, log *slog.Logger, retention time.Duration) {
	for ctx.Err() == nil {
		err := s.db.Exclusive(ctx, exclusive, func(ctx context.Context) error {
			s.leads.Set(1)
			defer s.leads.Set(0)
			s.upkeep(ctx, log, retention)
			return nil
		})
		if err == nil || ctx.Err() != nil {
			continue
		}
		log.Warn("the upkeep stopped here; it goes on where the database answers", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(retryUpkeep):
		}
	}
}

// upkeep sweeps and folds until ctx is done.
func (s *server) upkeep(ctx context.Context, log *slog.Logger, retention time.Duration) {
	var both sync.WaitGroup
	both.Go(func() {
		every(ctx, foldEvery, func() {
			if err := s.db.Fold(ctx); err != nil && ctx.Err() == nil {
				log.Warn("counters were not folded; they will be later", "error", err)
			}
		})
	})
	both.Go(func() {
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepFirst):
		}
		clean := func() {
			s.sweep(ctx, log)
			if retention > 0 {
				s.purgeAudit(ctx, log, retention)
			}
		}
		clean()
		every(ctx, sweepEvery, clean)
	})
	both.Wait()
}

// every calls do again and again until ctx is done.
func every(ctx context.Context, pause time.Duration, do func()) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do()
		}
	}
}

func (s *server) flush(ctx context.Context, log *slog.Logger) {
	if err := s.registry.Flush(ctx); err != nil {
		log.Warn("last downloads were not recorded", "error", err)
	}
	if err := s.auth.Flush(ctx); err != nil {
		log.Warn("last uses of tokens were not recorded", "error", err)
	}
}

func (s *server) sweep(ctx context.Context, log *slog.Logger) {
	n, err := s.registry.Sweep(ctx)
	if err != nil {
		log.Warn("the sweep stopped early", "error", err, "removed", n)
	} else if n > 0 {
		log.Info("swept", "removed", n)
	}
}

func (s *server) purgeAudit(ctx context.Context, log *slog.Logger, retention time.Duration) {
	n, err := s.audit.Purge(ctx, retention)
	if err != nil {
		log.Warn("old audit events were not all removed", "error", err, "removed", n)
	} else if n > 0 {
		log.Info("old audit events removed", "removed", n)
	}
}
