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
	askAgain  = time.Second     // for a lock that another node has
	stillOurs = time.Second     // how often a lock that we have is looked after
	notOurs   = 5 * time.Second // without an answer it is no more
)

// ErrLockLost is why the context of exclusive work ended.
var ErrLockLost = errors.New("the connection that held the lock is gone, and the lock with it")

// Exclusive waits until nobody else, on any node, does the named work, and does
// it: fn. Its context ends as soon as the lock may have been lost: another node
// takes over within seconds. The error is fn's, or what kept it from running.
func (db *DB) Exclusive(ctx context.Context, name string, fn func(context.Context) error) error {
	return db.ExclusiveInTurn(ctx, name, func() {}, fn)
}

// ExclusiveInTurn is Exclusive that calls waits whenever the database says that
// another node does the work: about once a second.
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

// advisory holds one of PostgreSQL's locks on a connection of its own. The
// server gives it back when that connection ends, however that comes.
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
			return keep(ctx, conn, key, fn)
		}
		if err = errors.Join(err, conn.Close()); err != nil {
			return Classify(err)
		}
		waits()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(askAgain):
		}
	}
}

// keep runs fn for as long as the connection answers.
func keep(ctx context.Context, conn *sql.Conn, key int64, fn func(context.Context) error) error {
	working, lose := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(stillOurs)
		defer tick.Stop()
		for {
			select {
			case <-working.Done():
				return
			case <-tick.C:
			}
			answer, cancel := context.WithTimeout(working, notOurs)
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
	return errors.Join(err, giveBack(conn, key))
}

// giveBack unlocks; where that fails the connection is thrown away, which
// unlocks too.
func giveBack(conn *sql.Conn, key int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), notOurs)
	defer cancel()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock($1)`, key); err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	if err := conn.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) && !errors.Is(err, driver.ErrBadConn) {
		return fmt.Errorf("giving a lock back: %w", err)
	}
	return nil
}
