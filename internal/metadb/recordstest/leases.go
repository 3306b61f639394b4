package recordstest

import (
	"testing"
	"time"

	"granary/internal/fault"
)

func leases() []promise {
	return []promise{
		{"TakeLease", "is Conflict while a lease of the name lives, whoever asks", testTakeLease},
		{"RenewLease", "is NotFound of no lease, and of another's", testRenewLease},
		{"DropLease", "ends the holder's lease, and no other", testDropLease},
		{"HeldLease", "is the oldest that lives, nil for none", testHeldLease},
	}
}

// held is the name of the lease that is held; "" for none.
func (s *suite) held(t *testing.T) string {
	t.Helper()
	l, err := s.HeldLease(t.Context())
	if must(t, l, err); l == nil {
		return ""
	}
	return l.Name
}

func testTakeLease(t *testing.T, s *suite) {
	must(t, 0, s.TakeLease(t.Context(), "backup", "one"))
	for _, holder := range []string{"one", "two"} {
		wantKind(t, s.TakeLease(t.Context(), "backup", holder), fault.Conflict)
	}
	l, err := s.HeldLease(t.Context())
	wantSame(t, "the holder", must(t, l, err).Holder, "one")
	must(t, 0, s.DropLease(t.Context(), "backup", "one"))
	must(t, 0, s.TakeLease(t.Context(), "backup", "two"))
	must(t, 0, s.DropLease(t.Context(), "backup", "two"))
}

func testRenewLease(t *testing.T, s *suite) {
	wantKind(t, s.RenewLease(t.Context(), "backup", "one"), fault.NotFound)
	must(t, 0, s.TakeLease(t.Context(), "backup", "one"))
	must(t, 0, s.RenewLease(t.Context(), "backup", "one"))
	wantKind(t, s.RenewLease(t.Context(), "backup", "two"), fault.NotFound)
	wantKind(t, s.RenewLease(t.Context(), "other", "one"), fault.NotFound)
	must(t, 0, s.DropLease(t.Context(), "backup", "one"))
	wantKind(t, s.RenewLease(t.Context(), "backup", "one"), fault.NotFound)
}

func testDropLease(t *testing.T, s *suite) {
	must(t, 0, s.TakeLease(t.Context(), "backup", "one"))
	must(t, 0, s.DropLease(t.Context(), "backup", "two"))
	must(t, 0, s.DropLease(t.Context(), "other", "one"))
	wantSame(t, "held", s.held(t), "backup")
	for range 2 {
		must(t, 0, s.DropLease(t.Context(), "backup", "one"))
		wantSame(t, "held", s.held(t), "")
	}
}

func testHeldLease(t *testing.T, s *suite) {
	wantSame(t, "held", s.held(t), "")
	for _, name := range []string{"b", "a"} {
		must(t, 0, s.TakeLease(t.Context(), name, "one"))
		time.Sleep(5 * time.Millisecond) // SQLite's clock has milliseconds
	}
	must(t, 0, s.RenewLease(t.Context(), "b", "one"))
	wantSame(t, "held", s.held(t), "b")
	must(t, 0, s.DropLease(t.Context(), "b", "one"))
	wantSame(t, "held", s.held(t), "a")
	must(t, 0, s.DropLease(t.Context(), "a", "one"))
}
