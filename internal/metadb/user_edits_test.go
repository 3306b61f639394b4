package metadb

import (
	"testing"

	"granary/internal/audit"
)

// TestDeletedUserStaysBlocked: a user that was deleted meanwhile can neither be
// blocked nor unblocked.
func TestDeletedUserStaysBlocked(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		newUser(t, db, "root", false)
		ada := newUser(t, db, "ada", false)
		must(t, 0, db.DeleteUser(t.Context(), ada.ID, false, audit.Event{}))
		before := count(t, db, `SELECT COUNT(*) FROM audit_events`)
		for _, blocked := range []bool{false, true} {
			changed, err := db.SetBlocked(t.Context(), ada.ID, blocked, audit.Event{})
			if must(t, changed, err) {
				t.Errorf("blocked is %v now", blocked)
			}
		}
		if n := count(t, db, `SELECT blocked FROM users WHERE deleted_at IS NOT NULL`); n != 1 {
			t.Errorf("blocked: %d", n)
		}
		if after := count(t, db, `SELECT COUNT(*) FROM audit_events`); after != before {
			t.Errorf("%d events were recorded", after-before)
		}
	})
}
