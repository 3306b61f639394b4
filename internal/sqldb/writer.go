package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"granary/internal/fault"
)

// writer runs all transactions of SQLite on one connection. Transactions that wait
// during a sync run together in the next batch, each in its own savepoint: many
// publishers share one sync (group commit), and one that fails does not affect the
// others.
type writer struct {
	conn      *kept
	tx        *Tx
	queue     chan *job
	quit      chan struct{}
	ended     chan struct{}
	point     func(point string)
	committed func(n int) // called after n transactions were committed; set before run
	posted    func()      // Events.Posted
	place     *place      // of the file

	reserve func() bool // Options.Reserve
}

// job is one caller's transaction.
type job struct {
	ctx     context.Context
	do      func(*Tx) error
	outside bool // of any transaction
	err     error
	done    chan struct{}
}

const (
	queueLength = 256
	batchLimit  = 128 // transactions in a batch
)

func newWriter(conn *sql.Conn, at *place, o Options, on Events) *writer {
	k := &kept{conn: conn, log: o.log(), stmts: map[string]*sql.Stmt{}}
	w := &writer{
		conn:  k,
		tx:    &Tx{Via: k, clock: o.clock()},
		queue: make(chan *job, queueLength),
		quit:  make(chan struct{}),
		ended: make(chan struct{}),
		point: o.point(), place: at, reserve: o.Reserve, posted: on.Posted,
		committed: func(int) {},
	}
	return w
}

// ErrClosed is the error of a transaction that comes after Close.
var ErrClosed = errors.New("the database is closed")

// do runs fn in a transaction and returns once it is durable. If fn fails, its
// savepoint is rolled back and its error returned. A caller whose context ends before
// fn runs changes nothing; after that it waits for the end.
func (w *writer) do(ctx context.Context, fn func(*Tx) error) error {
	err := w.wait(&job{ctx: ctx, do: fn, done: make(chan struct{})})
	if w.retriesWithReserve(ctx, err) {
		err = w.wait(&job{ctx: ctx, do: fn, done: make(chan struct{})})
	}
	return err
}

// outside runs fn on the writer's connection between two transactions.
func (w *writer) outside(ctx context.Context, fn func(*Tx) error) error {
	return w.wait(&job{ctx: ctx, do: fn, outside: true, done: make(chan struct{})})
}

func (w *writer) wait(j *job) error {
	ctx := j.ctx
	select {
	case w.queue <- j:
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, "", ctx.Err())
	case <-w.quit:
		return fault.Wrap(fault.Unavailable, "", ErrClosed)
	}
	select {
	case <-j.done:
		return j.err
	case <-w.ended:
	}
	select {
	case <-j.done: // it was in the last batch
		return j.err
	default:
		return fault.Wrap(fault.Unavailable, "", ErrClosed)
	}
}

func (w *writer) close() error {
	close(w.quit)
	<-w.ended
	return w.conn.close()
}

func (w *writer) run() {
	defer close(w.ended)
	batch := make([]*job, 0, batchLimit)
	for {
		select {
		case j := <-w.queue:
			if j.outside {
				w.runOutside(j)
				continue
			}
			batch = append(batch[:0], j)
		case <-w.quit:
			return
		}
		var next *job
		for len(batch) < batchLimit && len(w.queue) > 0 && next == nil {
			if j := <-w.queue; j.outside {
				next = j
			} else {
				batch = append(batch, j)
			}
		}
		w.commit(batch)
		clear(batch)
		if next != nil {
			w.runOutside(next)
		}
	}
}

func (w *writer) runOutside(j *job) {
	j.err = Classify(protect(j.do, w.tx))
	close(j.done)
}

// commit runs a batch. If its transaction fails, every job in it fails.
func (w *writer) commit(batch []*job) {
	err := w.place.check()
	if err == nil {
		err = w.begin()
	}
	if err == nil {
		err = w.runAll(batch)
		if err == nil {
			w.point("before-commit")
			err = w.exec("COMMIT")
		}
		if err != nil {
			w.conn.undo()
		} else {
			w.point("after-commit")
			w.committed(len(batch))
			if w.tx.posted {
				w.tx.posted = false
				w.posted()
			}
		}
	}
	for _, j := range batch {
		if err != nil {
			j.err = Classify(err)
		}
		close(j.done)
	}
}

const (
	lockWait  = 10 * time.Second
	lockPause = time.Millisecond
)

// begin takes SQLite's lock, which granary admin next to a server may hold. A server
// under load releases it only for a moment between two transactions. SQLite's own wait
// polls up to 100 ms apart, and would often miss that moment.
func (w *writer) begin() error {
	for until := time.Now().Add(lockWait); ; time.Sleep(lockPause) {
		err := w.exec("BEGIN IMMEDIATE")
		if !busy(err) || time.Now().After(until) {
			return err
		}
	}
}

func (w *writer) runAll(batch []*job) error {
	for _, j := range batch {
		if j.err = j.ctx.Err(); j.err != nil {
			j.err = fault.Wrap(fault.Unavailable, "", j.err)
			continue
		}
		if err := w.exec("SAVEPOINT one"); err != nil {
			return err
		}
		if j.err = protect(j.do, w.tx); j.err != nil {
			if err := w.exec("ROLLBACK TO one"); err != nil {
				return errors.Join(j.err, err)
			}
		}
		if err := w.exec("RELEASE one"); err != nil {
			return err
		}
	}
	return nil
}

// protect turns a panic of fn into an error: the writer must go on.
func protect(fn func(*Tx) error, t *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a transaction: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(t)
}

func (w *writer) exec(query string) error { return w.tx.Exec(query) }

// kept is the writer's connection with its prepared statements. They are short, and
// are not cancelled if a caller's context ends.
type kept struct {
	conn  *sql.Conn
	log   *slog.Logger
	stmts map[string]*sql.Stmt // by text
}

func (k *kept) prepared(query string) (*sql.Stmt, error) {
	if stmt, ok := k.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := k.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	k.stmts[query] = stmt
	return stmt, nil
}

func (k *kept) Exec(query string, args ...any) (sql.Result, error) {
	stmt, err := k.prepared(query)
	if err != nil {
		return nil, err
	}
	return stmt.Exec(args...)
}

func (k *kept) Row(query string, args ...any) *sql.Row {
	if stmt, err := k.prepared(query); err == nil {
		return stmt.QueryRow(args...)
	}
	return k.conn.QueryRowContext(context.Background(), query, args...)
}

func (k *kept) Rows(query string, args ...any) (*sql.Rows, error) {
	return k.conn.QueryContext(context.Background(), query, args...)
}

// undo rolls back a failed transaction. SQLite may have done that already, on a full
// disk for example.
func (k *kept) undo() {
	_, err := k.conn.ExecContext(context.Background(), "ROLLBACK")
	if err != nil && !strings.Contains(err.Error(), "no transaction is active") {
		logRollback(k.log, err)
	}
}

func (k *kept) close() error {
	var err error
	for _, stmt := range k.stmts {
		err = errors.Join(err, stmt.Close())
	}
	return errors.Join(err, k.conn.Close())
}
