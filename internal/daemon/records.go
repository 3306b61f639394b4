package daemon

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"granary/internal/blob"
	"granary/internal/config"
	"granary/internal/records"
)

// lastRecords is how long an orderly stop may take to write what is left of the records.
const lastRecords = 10 * time.Second

// recordKeeper keeps the records of the database in its store.
type recordKeeper struct {
	every     time.Duration // 0: it does not
	retention time.Duration // of audit events
	began     bool          // begin has read the store
	written   atomic.Bool   // the store has records, by which a lost database is made again
	fell      bool          // the lag is that of damaged records that could not be replaced

	mu      sync.Mutex
	damaged records.Damage // found by reading, and not told the journal yet
	all     time.Time      // when the store had everything; zero while this node does not keep the records
	lag     prometheus.GaugeFunc
}

func newRecordKeeper(cfg config.Config) *recordKeeper {
	k := &recordKeeper{every: cfg.RecordsEvery, retention: cfg.AuditRetention}
	k.lag = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "granary_records_lag_seconds",
		Help: "Time since the store had all records: what was done since is lost with the database. 0 on nodes that do not write them, and if records-every is 0.",
	}, k.behind)
	return k
}

// behind is the lag in seconds.
func (k *recordKeeper) behind() float64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all.IsZero() {
		return 0
	}
	return max(time.Since(k.all).Seconds(), 0) // a clock may have been ahead
}

// reached notes when the store had everything.
func (k *recordKeeper) reached(at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = at
}

// begin notes until when the store had everything before this node began to keep the
// records: until its newest file, or if it has none or cannot be read, until now.
func (k *recordKeeper) begin(ctx context.Context, j *records.Journal) error {
	if k.began {
		return nil
	}
	until, err := j.Until(ctx)
	if err != nil || until.IsZero() {
		until = time.Now()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all.IsZero() || until.Before(k.all) {
		k.all = until
	}
	k.began = err == nil
	return err
}

// keepRecords writes the records into the store until ctx is done, and then what is left.
func (s *server) keepRecords(ctx context.Context, log *slog.Logger) {
	k := s.records
	if k.every == 0 {
		return
	}
	k.began = false
	defer k.reached(time.Time{})
	j := &records.Journal{Store: blob.ReadableNotes(s.blobs), Database: s.db, Now: time.Now, Retention: k.retention, CrashPoint: s.recordsPoint, Damaged: tellRecords(ctx, log), Missed: tellMissed(ctx, log)}
	write := func(ctx context.Context, last bool) {
		s.tasks.do(ctx, log, "records", func(ctx context.Context) (int, error) { return 0, s.writeRecords(ctx, j, last) })
	}
	write(ctx, false)
	var beside sync.WaitGroup
	beside.Go(func() { s.verifyRecords(ctx, log) })
	every(ctx, k.every, func() { write(ctx, false) })
	beside.Wait()
	left, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRecords)
	defer cancel()
	write(left, true)
}

// tellMissed logs that events came too late.
func tellMissed(ctx context.Context, log *slog.Logger) func(events int64) {
	return func(events int64) {
		log.LogAttrs(ctx, slog.LevelWarn, "the clocks of nodes are apart, or a transaction took longer than a minute: the store lacks records of what came more than a minute late. "+
			"They are written within an hour; until then a lost database loses them. Set the clocks of all nodes by NTP (chronyc tracking, or timedatectl, says how far one is off)",
			slog.Int64("events", events))
	}
}

// keepRecordsOnce writes what the store lacks for a server that ended before it had the lock
// of the upkeep. It does not wait for another node that has the lock and keeps the records.
func (s *server) keepRecordsOnce(ctx context.Context, log *slog.Logger) {
	ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRecords)
	defer cancel()
	err := s.db.ExclusiveInTurn(ended, exclusive, cancel, func(context.Context) error {
		s.keepRecords(ctx, log)
		return nil
	})
	if err != nil && ended.Err() == nil {
		log.Warn("the records were not written at the end of this server; the next start writes them", "error", err)
	}
}

// writeRecords writes what the store lacks.
func (s *server) writeRecords(ctx context.Context, j *records.Journal, last bool) (err error) {
	if j.Identity == "" {
		if j.Identity, _, err = s.db.StoreIdentity(ctx); err != nil {
			return err
		}
	}
	if err := s.records.begin(ctx, j); err != nil {
		return err
	}
	j.Renew(s.records.takeDamaged())
	began := time.Now()
	all, err := j.Step(ctx, last)
	switch {
	case err == nil && all:
		s.records.fell = false
		s.records.written.Store(true)
		s.records.reached(began)
	case err != nil && j.Damage().Found() && ctx.Err() == nil:
		s.records.fallBack(ctx, j)
	}
	return err
}
