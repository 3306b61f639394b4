package sqldb

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

// pool runs each transaction on a connection to PostgreSQL, which shares syncs between
// them itself.
type pool struct {
	db     *sql.DB
	point  func(point string)
	log    *slog.Logger
	clock  func() time.Time
	may    func() error // fails if other nodes may count this one as gone
	posted func()       // Events.Posted
}

const (
	tries    = 8                // of a transaction after deadlocks and serialization failures
	longest  = 60 * time.Second // from waiting for a connection to the end of a transaction
	pauseMax = 20 * time.Millisecond
)

// do runs fn again after a deadlock or a serialization failure. If the connection
// breaks during the commit it does not: the transaction may be committed.
func (p *pool) do(ctx context.Context, fn func(*Tx) error) error {
	return retry(ctx, func() error { return p.once(ctx, fn) })
}

// retry runs try again after a deadlock or a serialization failure, up to tries times.
func retry(ctx context.Context, try func() error) error {
	for n := 1; ; n++ {
		err := try()
		if err == nil || n == tries || !isConflict(err) {
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

func (p *pool) once(ctx context.Context, fn func(*Tx) error) error {
	running, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
	defer cancel()
	on, err := p.db.BeginTx(running, nil)
	if err != nil {
		return Classify(err)
	}
	t := &Tx{Via: session{running, on}, clock: p.clock}
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
		return Classify(err)
	}
	p.point("after-commit")
	if t.posted {
		p.posted()
	}
	return nil
}

// close does nothing: DB.Close closes the connections.
func (p *pool) close() error { return nil }

// isConflict reports whether err is a deadlock or a serialization failure.
func isConflict(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01")
}

// session is the Runner of a transaction. pgx prepares and keeps its statements.
type session struct {
	ctx context.Context //nolint:containedctx // of the transaction, not of a caller
	on  *sql.Tx
}

func (s session) Exec(query string, args ...any) (sql.Result, error) {
	return s.on.ExecContext(s.ctx, query, args...)
}

func (s session) Row(query string, args ...any) *sql.Row {
	return s.on.QueryRowContext(s.ctx, query, args...)
}

func (s session) Rows(query string, args ...any) (*sql.Rows, error) {
	return s.on.QueryContext(s.ctx, query, args...)
}
