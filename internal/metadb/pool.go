package metadb

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"granary/internal/fault"
)

// pool runs each transaction by itself, on one of PostgreSQL's connections. It
// shares syncs between them without our help.
type pool struct {
	db    *sql.DB
	point func(point string)
	log   *slog.Logger
	clock func() time.Time
	may   func() error // refuses work of a node that others may have taken for gone
	wake  func()       // that something was put into the outbox
}

const (
	tries    = 8                // of a transaction that another one stood in the way of
	longest  = 60 * time.Second // from waiting for a connection to the end of a transaction
	pauseMax = 20 * time.Millisecond
)

// do runs fn again where PostgreSQL undid it to let another transaction pass.
// A commit that was cut off is not tried again: it may have been kept.
func (p *pool) do(ctx context.Context, fn func(*tx) error) error {
	return again(ctx, func() error { return p.once(ctx, fn) })
}

// statement runs one that is a transaction by itself, as do runs fn, and reads
// its row.
func (p *pool) statement(ctx context.Context, query string, args []any, into ...any) error {
	return again(ctx, func() error {
		running, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
		defer cancel()
		if err := p.may(); err != nil {
			return err
		}
		p.point("before-commit")
		err := p.db.QueryRowContext(running, query, args...).Scan(into...)
		p.point("after-commit")
		return err
	})
}

// again tries what others may stand in the way of.
func again(ctx context.Context, try func() error) error {
	for n := 1; ; n++ {
		err := try()
		if err == nil || n == tries || !stoodInTheWay(err) {
			return err
		}
		pause := time.Duration(n) * time.Duration(rand.Int64N(int64(pauseMax))) //nolint:gosec // a pause, not a secret
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

func (p *pool) once(ctx context.Context, fn func(*tx) error) error {
	running, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
	defer cancel()
	on, err := p.db.BeginTx(running, nil)
	if err != nil {
		return classify(err)
	}
	t := &tx{on: session{running, on}, clock: p.clock}
	if err = ctx.Err(); err != nil {
		err = fault.Wrap(fault.Unavailable, "", err)
	} else if err = p.may(); err == nil {
		err = protect(fn, t)
	}
	if err != nil {
		if undone := on.Rollback(); undone != nil && !errors.Is(undone, sql.ErrTxDone) && fault.KindOf(err) != fault.Unavailable {
			logRollback(p.log, undone)
		}
		return err
	}
	p.point("before-commit")
	if err := on.Commit(); err != nil {
		return classify(err)
	}
	p.point("after-commit")
	if t.posted {
		p.wake()
	}
	return nil
}

// close has nothing to wait for: the connections are closed with the database.
func (p *pool) close() error { return nil }

// stoodInTheWay reports a deadlock, or a serialization failure.
func stoodInTheWay(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01")
}

// session is a transaction of the pool. pgx prepares its texts and keeps them.
type session struct {
	ctx context.Context //nolint:containedctx // of the transaction, not of a caller
	on  *sql.Tx
}

func (s session) exec(query string, args ...any) (sql.Result, error) {
	return s.on.ExecContext(s.ctx, query, args...)
}

func (s session) row(query string, args ...any) *sql.Row {
	return s.on.QueryRowContext(s.ctx, query, args...)
}

func (s session) rows(query string, args ...any) (*sql.Rows, error) {
	return s.on.QueryContext(s.ctx, query, args...)
}
