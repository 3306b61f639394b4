package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

// exclusiveLine stands in a migration after which an older granary would read or write
// something wrong. It is applied only if no older node runs.
const exclusiveLine = "-- granary: exclusive"

// lastExclusive is the newest exclusive migration after a version; 0 if there is none.
func lastExclusive(files fs.FS, all []*goose.Source, have int64) (int64, error) {
	var last int64
	for _, step := range all {
		if step.Version <= have {
			continue
		}
		text, err := fs.ReadFile(files, step.Path)
		if err != nil {
			return 0, err
		}
		if isExclusive(string(text)) {
			last = max(last, step.Version)
		}
	}
	return last, nil
}

func isExclusive(text string) bool {
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == exclusiveLine {
			return true
		}
	}
	return false
}

// awaitOlder returns once no node is left that does not know the migration needed, and
// no transaction of such a node. The caller holds the lock without which no node
// registers. A node that comes back later finds its row gone, asks for that lock, and
// then finds a schema that it does not know: see heart.beat.
func awaitOlder(ctx context.Context, db *sql.DB, d dialect, needed int64, o Options) error {
	p := o.Pace.orDefault()
	until, told := time.Now().Add(p.GiveUp), false
	for {
		left, err := removeOlder(ctx, db, d, needed, p)
		if err != nil {
			return err
		}
		if len(left) == 0 {
			return awaitTransactions(ctx, db, needed, p, until)
		}
		names := make([]string, len(left))
		for i, n := range left {
			names[i] = n.String()
		}
		if time.Now().After(until) {
			return fmt.Errorf("the schema cannot be upgraded to version %d while older nodes run, and after %v these still do: %s; nothing was changed; stop these nodes, then start again",
				needed, p.GiveUp, strings.Join(names, ", "))
		}
		if !told {
			o.log().Warn("database: the upgrade of the schema waits until no older node runs; stop these nodes", "schema", needed, "wait", p.GiveUp, "nodes", strings.Join(names, ", "))
			told = true
		}
		if err := pause(ctx, p.Beat/5); err != nil {
			return err
		}
	}
}

// removeOlder removes the rows of older nodes if all of them are gone, and returns
// those that are not. A node that renews its row at the same time is either returned
// here, or finds its row gone: both lock the row.
func removeOlder(ctx context.Context, db *sql.DB, d dialect, needed int64, p Pace) ([]Node, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // nothing, after a commit
	texts := textsOfNodes(d)
	if _, err := tx.ExecContext(ctx, texts.dead, needed, p.Gone.Microseconds()); err != nil {
		return nil, err
	}
	left, err := List(ctx, plain{tx}, scanNode, texts.older, needed)
	if err != nil || len(left) > 0 {
		return left, err
	}
	return nil, tx.Commit()
}

// awaitTransactions waits for the transactions of nodes that are gone. PostgreSQL ends
// them within a minute, or when it notices that their client is gone.
func awaitTransactions(ctx context.Context, db *sql.DB, needed int64, p Pace, until time.Time) error {
	var now time.Time
	if err := db.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return err
	}
	for {
		var open int
		err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM pg_stat_activity WHERE xact_start < $1
			AND datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()`, now).Scan(&open)
		if err != nil || open == 0 {
			return err
		}
		if time.Now().After(until) {
			return fmt.Errorf("the schema cannot be upgraded to version %d while %d older transactions are open, and after %v they still are; nothing was changed; "+
				"end them (pg_stat_activity lists them), then start again", needed, open, p.GiveUp)
		}
		if err := pause(ctx, p.Beat/5); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// plain is a Reader of a transaction that belongs to no DB.
type plain struct{ on *sql.Tx }

func (p plain) Rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return p.on.QueryContext(ctx, query, args...)
}
