package daemon

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	flushEvery = 5 * time.Second // how much of "last downloaded" and "last used" a crash may forget
	sweepEvery = time.Hour
)

// startUpkeep begins the work that goes on beside the requests. stop ends it
// and waits for it. Audit events older than the retention are removed; 0 keeps
// them for ever.
func (s *server) startUpkeep(ctx context.Context, log *slog.Logger, retention time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { every(ctx, flushEvery, func() { s.flush(ctx, log) }) })
	running.Go(func() { every(ctx, sweepEvery, func() { s.sweep(ctx, log) }) })
	if retention > 0 {
		running.Go(func() { every(ctx, sweepEvery, func() { s.purgeAudit(ctx, log, retention) }) })
	}
	return func() { cancel(); running.Wait() }
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
