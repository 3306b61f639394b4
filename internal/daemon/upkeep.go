package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"granary/internal/registry"
	"granary/internal/trouble"
)

const (
	flushEvery  = 5 * time.Second // how much of "last downloaded" and "last used" a crash may forget
	sumEvery    = 5 * time.Second
	countEvery  = 5 * time.Second // the nodes
	learnEvery  = 5 * time.Second // the marks, which other nodes and fsck make, too; and what is to be marked
	retryUpkeep = 2 * time.Second // after it was lost
	keepEvery   = time.Second     // the reserve

	settleEvery = time.Minute // drafts of jobs that have ended, and what killed nodes have left

	keyedAtOnce   = 1000 // versions in a transaction
	orderedAtOnce = 100  // names in a transaction
)

// exclusive names the work that one node does for all.
const exclusive = "upkeep"

// startUpkeep starts the background tasks. stop ends them and waits for them. Audit
// events older than the retention are removed; 0 keeps them for ever. What changes the store
// waits for alone; if that fails, refuse is told.
func (s *server) startUpkeep(ctx context.Context, log *slog.Logger, retention time.Duration, alone func(context.Context) error, refuse func(error)) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { every(ctx, flushEvery, func() { s.flush(ctx, log) }) })
	running.Go(func() { every(ctx, countEvery, func() { s.countNodes(ctx) }) })
	running.Go(func() { every(ctx, answerEvery, func() { s.answerRollCall(ctx, log) }) })
	running.Go(func() { every(ctx, learnEvery, func() { s.learnMarks(ctx, log) }) })
	running.Go(func() { every(ctx, learnEvery, func() { s.recheckSuspects(ctx, log) }) })
	if s.space.reserve != nil {
		running.Go(func() { every(ctx, keepEvery, s.space.reserve.keep) })
	}
	running.Go(func() {
		if err := alone(ctx); err != nil {
			refuse(err)
			return
		}
		s.upkeepInTurn(ctx, log, retention)
	})
	return func() { cancel(); running.Wait() }
}

// upkeepInTurn does the upkeep of all nodes while this node has its lock. Every node
// logs that the database does not answer: running says whether the node did or does
// the upkeep.
func (s *server) upkeepInTurn(ctx context.Context, log *slog.Logger, retention time.Duration) {
	lost := trouble.New(log, "the background tasks cannot reach the database from this node; retrying", "the background tasks reach the database again from this node")
	led := false
	defer func() {
		if !led {
			s.keepRecordsOnce(ctx, log)
		}
	}()
	for ctx.Err() == nil {
		ran := false
		err := s.db.ExclusiveInTurn(ctx, exclusive, func() { lost.Saw(nil, "running", false) }, func(ctx context.Context) error {
			ran, led = true, true
			lost.Saw(nil, "running", true)
			s.tasks.lead(true)
			defer s.tasks.lead(false)
			defer s.tasks.stored.Reset()
			defer s.scrub.forget()
			defer s.sizes.forget()
			defer s.backup.forget()
			s.upkeep(ctx, log, retention)
			return nil
		})
		if err == nil || ctx.Err() != nil {
			continue
		}
		lost.Saw(err, "running", ran)
		select {
		case <-ctx.Done():
		case <-time.After(retryUpkeep):
		}
	}
}

// upkeep sums counters, sweeps, verifies stored bytes and removes expired data until ctx is done.
func (s *server) upkeep(ctx context.Context, log *slog.Logger, retention time.Duration) {
	var both sync.WaitGroup
	both.Go(func() {
		every(ctx, sumEvery, func() {
			s.tasks.do(ctx, log, "counters", func(ctx context.Context) (int, error) { return 0, s.sumCounters(ctx) })
		})
	})
	both.Go(func() { s.cleaning(ctx, log, retention) })
	both.Go(func() { s.keyVersions(ctx, log) })
	both.Go(func() { s.keepRecords(ctx, log) })
	both.Go(func() { s.watchBackups(ctx, log) })
	both.Go(func() { every(ctx, scrubEvery, func() { s.scrubStored(ctx, log) }) })
	both.Go(func() {
		every(ctx, settleEvery, func() {
			s.settleDrafts(ctx, log)
			s.tasks.do(ctx, log, "killed nodes", s.db.RecheckNames)
		})
	})
	both.Wait()
}

// sumCounters sums what publishers appended, shows it, and puts the names that changed into
// the orders of lists, in steps.
func (s *server) sumCounters(ctx context.Context) error {
	err := s.db.SumCounters(ctx)
	if err == nil {
		err = s.sizes.sum(ctx, s.db)
	}
	for n := orderedAtOnce; n == orderedAtOnce && err == nil && ctx.Err() == nil; {
		n, err = s.db.OrderNames(ctx, orderedAtOnce)
	}
	return err
}

// keyVersions gives the versions of older servers their keys, counts their files, and adds
// these up by project, in steps, so that others can write in between. What fails is tried again an hour later.
func (s *server) keyVersions(ctx context.Context, log *slog.Logger) {
	for left := 1; left > 0 && ctx.Err() == nil; {
		left = 0
		s.tasks.do(ctx, log, "version keys", func(ctx context.Context) (_ int, err error) {
			if left, err = s.db.KeyVersions(ctx, keyedAtOnce); err == nil && left == 0 {
				left, err = s.db.CountVersions(ctx, keyedAtOnce)
			}
			if err == nil && left == 0 {
				left, err = s.db.SizeProject(ctx)
			}
			return 0, err
		})
	}
}

// settleDrafts does what the ends of jobs have left to do with their drafts.
func (s *server) settleDrafts(ctx context.Context, log *slog.Logger) {
	s.tasks.do(ctx, log, "job drafts", func(ctx context.Context) (int, error) {
		return 0, s.registry.SettleLeftDrafts(ctx, s.auth.ActorOfJob)
	})
}

// clean removes expired data.
func (s *server) clean(ctx context.Context, log *slog.Logger, retention time.Duration) {
	s.tasks.do(ctx, log, "drafts", s.registry.ExpireDrafts)
	_, _ = s.sweep(ctx, log, registry.Grace) // which logs its error
	s.tasks.do(ctx, log, "webhook log", s.webhooks.Prune)
	s.tasks.do(ctx, log, "sessions", s.auth.PurgeSessions)
	s.tasks.do(ctx, log, "nodes", s.db.PruneNodes)
	s.keyVersions(ctx, log)
	s.tasks.do(ctx, log, "months of downloads", func(ctx context.Context) (int, error) { return 0, s.registry.SumDownloads(ctx) })
	if retention > 0 {
		s.tasks.do(ctx, log, "audit log", func(ctx context.Context) (int, error) { return s.audit.Purge(ctx, retention) })
	}
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

// flush records what this node gathered in memory: downloads, and last uses of tokens.
func (s *server) flush(ctx context.Context, log *slog.Logger) {
	s.tasks.do(ctx, log, "last uses", func(ctx context.Context) (int, error) {
		return 0, errors.Join(s.registry.Flush(ctx), s.auth.Flush(ctx), s.db.FlushGrown(ctx))
	})
}
