package metadb

import (
	"context"
	"database/sql"
	"errors"

	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// living is the condition that a lease of the table leases lives, by the database's clock. It
// takes registry.LeaseLife and registry.LongestLease.
func (db *DB) living(life, longest string) string {
	return `leases.seen_at > ` + db.ClockSQL() + ` - ` + life + ` AND leases.taken_at > ` + db.ClockSQL() + ` - ` + longest
}

// TakeLease implements registry.Leases.
func (db *DB) TakeLease(ctx context.Context, name, holder string) error {
	now := db.ClockSQL()
	taken, err := write(ctx, db, func(t tx) (int64, error) {
		return t.Count(`INSERT INTO leases (name, holder, taken_at, seen_at) VALUES ($1, $2, `+now+`, `+now+`)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, taken_at = excluded.taken_at, seen_at = excluded.seen_at
			WHERE NOT (`+db.living("$3", "$4")+`)`, name, holder, registry.LeaseLife.Microseconds(), registry.LongestLease.Microseconds())
	})
	if err == nil && taken == 0 {
		return fault.New(fault.Conflict, name+" already runs: its lease lives until it ends, or "+registry.LeaseLife.String()+" longer than its process")
	}
	return err
}

// RenewLease implements registry.Leases.
func (db *DB) RenewLease(ctx context.Context, name, holder string) error {
	renewed, err := write(ctx, db, func(t tx) (int64, error) {
		return t.Count(`UPDATE leases SET seen_at = `+db.ClockSQL()+` WHERE name = $1 AND holder = $2 AND `+db.living("$3", "$4"),
			name, holder, registry.LeaseLife.Microseconds(), registry.LongestLease.Microseconds())
	})
	if err == nil && renewed == 0 {
		return fault.New(fault.NotFound, "the lease of "+name+" is dead: the sweep may have removed bytes since; begin anew")
	}
	return err
}

// DropLease implements registry.Leases.
func (db *DB) DropLease(ctx context.Context, name, holder string) error {
	return db.do(sqldb.Freeing(ctx), func(t tx) error {
		return t.Exec(`DELETE FROM leases WHERE name = $1 AND holder = $2`, name, holder)
	})
}

// HeldLease implements registry.Leases.
func (db *DB) HeldLease(ctx context.Context) (*registry.Lease, error) {
	var l registry.Lease
	var taken int64
	err := db.Row(ctx, `SELECT name, holder, taken_at FROM leases WHERE `+db.living("$1", "$2")+` ORDER BY taken_at, name LIMIT 1`,
		registry.LeaseLife.Microseconds(), registry.LongestLease.Microseconds()).Scan(&l.Name, &l.Holder, &taken)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	l.TakenAt = sqldb.Moment(taken)
	return &l, sqldb.Classify(err)
}
