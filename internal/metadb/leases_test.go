package metadb

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"granary/internal/fault"
	"granary/internal/registry"
)

// wantLease wants whether the lease "backup" lives, by all that depends on it.
func wantLease(t *testing.T, db *DB, lives bool) {
	t.Helper()
	l, err := db.HeldLease(t.Context())
	must(t, 0, err)
	renewed := db.RenewLease(t.Context(), "backup", "one")
	if l != nil != lives || renewed == nil != lives || !lives && !fault.Is(renewed, fault.NotFound) {
		t.Errorf("held %+v, renewed %v, want alive %v", l, renewed, lives)
	}
}

// A lease lives for ten minutes after it was renewed, and for seven days at most. A dead one
// stays dead, and is taken over.
func TestLeasesDie(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		later := func(d time.Duration) {
			do(t, db, fmt.Sprintf(`UPDATE leases SET taken_at = taken_at - %d, seen_at = seen_at - %[1]d`, d.Microseconds()))
		}
		const moment = 5 * time.Second // longer than these statements take
		must(t, 0, db.TakeLease(t.Context(), "backup", "one"))
		for range 3 {
			later(registry.LeaseLife - moment)
			wantLease(t, db, true)
		}
		later(registry.LeaseLife)
		wantLease(t, db, false)
		must(t, 0, db.TakeLease(t.Context(), "backup", "two"))
		if err := db.RenewLease(t.Context(), "backup", "one"); !fault.Is(err, fault.NotFound) {
			t.Errorf("one renews the lease of two: %v", err)
		}
		do(t, db, `DELETE FROM leases`)

		must(t, 0, db.TakeLease(t.Context(), "backup", "one"))
		left := registry.LongestLease
		for step := registry.LeaseLife / 2; left > step; left -= step {
			later(step)
			if db.RenewLease(t.Context(), "backup", "one") != nil {
				t.Fatalf("dead with %v of its life left", left)
			}
		}
		later(left)
		wantLease(t, db, false)
		must(t, 0, db.TakeLease(t.Context(), "backup", "one"))
		wantLease(t, db, true)
	})
}

// Of many that take a lease at once one gets it.
func TestOneTakesALease(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		for range 5 {
			var taken atomic.Int32
			var all sync.WaitGroup
			for n := range 8 {
				all.Go(func() {
					switch err := db.TakeLease(t.Context(), "backup", fmt.Sprint(n)); {
					case err == nil:
						taken.Add(1)
					case !fault.Is(err, fault.Conflict):
						t.Error(err)
					}
				})
			}
			all.Wait()
			if taken.Load() != 1 {
				t.Errorf("%d took it", taken.Load())
			}
			do(t, db, fmt.Sprintf(`UPDATE leases SET seen_at = seen_at - %d`, registry.LeaseLife.Microseconds())) // dead, and taken over
		}
	})
}
