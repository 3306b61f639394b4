package sqldb

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Exclusive work is done by one at a time, and by the next when the connection that
// holds the lock is cut.
func TestExclusive(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		var running, ran atomic.Int64
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				err := db.Exclusive(t.Context(), "work", func(context.Context) error {
					if running.Add(1) != 1 {
						t.Error("two at a time")
					}
					time.Sleep(10 * time.Millisecond)
					running.Add(-1)
					ran.Add(1)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if ran.Load() != 3 {
			t.Errorf("%d ran, want 3", ran.Load())
		}
	})
}

func TestExclusiveIsTakenOver(t *testing.T) {
	db := openPostgres(t, Options{})
	begun, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- db.Exclusive(t.Context(), "work", func(ctx context.Context) error {
			close(begun)
			<-ctx.Done()
			return nil
		})
	}()
	<-begun
	_, err := List(t.Context(), db, func(row Scanner) (cut bool, err error) { return cut, row.Scan(&cut) },
		`SELECT pg_terminate_backend(l.pid) FROM pg_locks l WHERE l.locktype = 'advisory'
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	must(t, 0, err)
	must(t, 0, db.Exclusive(t.Context(), "work", func(context.Context) error { return nil }))
	if err := <-ended; !errors.Is(err, ErrLockLost) || strings.Contains(err.Error(), "\n") {
		t.Errorf("who lost the lock got %q", err)
	}
}

// waits is called if another holds the lock, and only then.
func TestWaitingForExclusive(t *testing.T) {
	db := openPostgres(t, Options{})
	waited := make(chan struct{}, 100)
	must(t, 0, db.Exclusive(t.Context(), "work", func(ctx context.Context) error {
		short, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		go func() { <-waited; cancel() }()
		err := db.ExclusiveInTurn(short, "work", func() { waited <- struct{}{} }, func(context.Context) error { return errors.New("two at a time") })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("who waits got %v", err)
		}
		return nil
	}))
	must(t, 0, db.ExclusiveInTurn(t.Context(), "work", func() { t.Error("it waits for nobody") }, func(context.Context) error { return nil }))
}
