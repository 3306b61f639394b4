package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"
)

const (
	lockRetry   = time.Second     // how often a lock that another node holds is tried again
	lockCheck   = time.Second     // how often the connection of a lock is checked
	lockTimeout = 5 * time.Second // without an answer for so long, the lock is taken for lost
)

// ErrLockLost is the cause if the context of exclusive work ends because the lock is
// lost.
var ErrLockLost = errors.New("the lock was lost with the connection that held it")

// Exclusive waits for the lock of that name, which one node holds at a time, and runs
// fn. The context of fn ends as soon as the lock may be lost: another node takes over
// within seconds. The error is fn's, or of the lock.
func (db *DB) Exclusive(ctx context.Context, name string, fn func(context.Context) error) error {
	return db.ExclusiveInTurn(ctx, name, func() {}, fn)
}

// ExclusiveInTurn is Exclusive that calls waits each time, about once a second, that
// another node turns out to hold the lock.
func (db *DB) ExclusiveInTurn(ctx context.Context, name string, waits func(), fn func(context.Context) error) error {
	if db.dialect.shared {
		return advisory(ctx, db.Reads, name, waits, fn)
	}
	lock, _ := db.locks.LoadOrStore(name, make(chan struct{}, 1)) // other processes are kept away by the file lock
	held := lock.(chan struct{})
	select {
	case held <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-held }()
	return fn(ctx)
}

// advisory holds one of PostgreSQL's advisory locks on a connection of its own. The
// server releases it when that connection ends, for whatever reason.
func advisory(ctx context.Context, conns *sql.DB, name string, waits func(), fn func(context.Context) error) error {
	h := fnv.New64a()
	_, _ = h.Write([]byte("granary " + name)) // never fails
	key := int64(h.Sum64())                   //nolint:gosec // any 64 bits will do
	for {
		conn, err := conns.Conn(ctx)
		if err != nil {
			return Classify(err)
		}
		var ours bool
		err = conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, key).Scan(&ours)
		if ours {
			return whileLocked(ctx, conn, key, fn)
		}
		if err = errors.Join(err, conn.Close()); err != nil {
			return Classify(err)
		}
		waits()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockRetry):
		}
	}
}

// whileLocked runs fn, whose context ends if the connection of the lock does not answer.
func whileLocked(ctx context.Context, conn *sql.Conn, key int64, fn func(context.Context) error) error {
	working, lose := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(lockCheck)
		defer tick.Stop()
		for {
			select {
			case <-working.Done():
				return
			case <-tick.C:
			}
			answer, cancel := context.WithTimeout(working, lockTimeout)
			if err := conn.PingContext(answer); err != nil {
				lose(fmt.Errorf("%w: %w", ErrLockLost, oneLine{err}))
			}
			cancel()
		}
	})
	err := fn(working)
	lose(nil)
	watching.Wait()
	if lost := context.Cause(working); errors.Is(lost, ErrLockLost) {
		err = errors.Join(err, lost)
	}
	return errors.Join(err, release(conn, key))
}

// release unlocks. If that fails it closes the connection, which unlocks, too.
func release(conn *sql.Conn, key int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), lockTimeout)
	defer cancel()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock($1)`, key); err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	if err := conn.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) && !errors.Is(err, driver.ErrBadConn) {
		return fmt.Errorf("releasing a lock: %w", err)
	}
	return nil
}
