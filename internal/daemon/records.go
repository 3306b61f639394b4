package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"granary/internal/records"
)

const (
	baseEvery  = 24 * time.Hour
	lookAtBase = time.Minute // how often a base that is due is looked for
)

// keepRecords writes the records into the store until ctx is done: a base when there is
// none, and then each day.
func (s *server) keepRecords(ctx context.Context, log *slog.Logger, retention time.Duration) {
	s.writeBase(ctx, log, retention)
	every(ctx, lookAtBase, func() { s.writeBase(ctx, log, retention) })
}

// writeBase writes a base if one is due.
func (s *server) writeBase(ctx context.Context, log *slog.Logger, retention time.Duration) {
	s.tasks.do(ctx, log, "records", func(ctx context.Context) (int, error) {
		identity, _, err := s.db.StoreIdentity(ctx)
		if err != nil {
			return 0, err
		}
		j := &records.Journal{Store: s.blobs, Database: s.db, Identity: identity, Now: time.Now, Retention: retention, CrashPoint: s.recordsPoint}
		head, has, err := j.Head(ctx)
		if err != nil || has && time.Since(head.At) < baseEvery {
			return 0, err
		}
		if _, err := j.Base(ctx); err != nil {
			return 0, fmt.Errorf("writing the records into the store: %w", err)
		}
		return 0, nil
	})
}
