package registry

import (
	"context"
	"time"
)

const (
	// LeaseLife is how long a lease lives after it was taken or renewed last.
	LeaseLife = 10 * time.Minute
	// LongestLease is how long a lease lives however often it is renewed: what hangs must
	// not fill the store.
	LongestLease = 7 * 24 * time.Hour
)

// Lease keeps the sweep from removing bytes, while a backup copies them.
type Lease struct {
	Name    string // what holds it, for people: "backup to file:/backup"
	Holder  string // the process, another at each start
	TakenAt time.Time
}

// Leases keeps leases, by the database's clock.
type Leases interface {
	// TakeLease makes a lease, or takes over a dead one of that name. Conflict if it lives,
	// whoever holds it.
	TakeLease(ctx context.Context, name, holder string) error
	// RenewLease lets a living lease live for another LeaseLife. NotFound if it is dead, or
	// another's: bytes may have been removed since.
	RenewLease(ctx context.Context, name, holder string) error
	// DropLease ends the holder's lease. It is no error if there is none.
	DropLease(ctx context.Context, name, holder string) error
	// HeldLease is the oldest living lease; nil if none lives.
	HeldLease(ctx context.Context) (*Lease, error)
}
