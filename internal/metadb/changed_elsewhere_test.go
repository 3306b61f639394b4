package metadb

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/eventually"
	"granary/internal/sqldb"
)

// What another process writes counts in a server soon, and drops what was cached.
func TestWritesFromBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "granary.db")
	db, err := OpenSQLite(t.Context(), path, sqldb.Options{})
	closing(t, db, err)
	beside, err := OpenSQLite(t.Context(), path, sqldb.Options{Attach: true})
	closing(t, beside, err)
	ada := newUser(t, db, "ada", false)
	newToken(t, db, ada.ID, "secret")
	db.tokens.life = time.Hour // it is not to pass because an entry is too old
	for _, blocked := range []bool{true, false, true} {
		seen := func() bool {
			token, err := db.FindToken(t.Context(), auth.DigestOf("secret"))
			return must(t, token, err).User.Blocked
		}
		if seen() == blocked {
			t.Fatalf("blocked: %v before it was done", blocked)
		}
		if _, err := beside.SetBlocked(t.Context(), ada.ID, blocked, audit.Event{}); err != nil {
			t.Fatal(err)
		}
		eventually.Holds(t, fmt.Sprintf("blocked %v is seen", blocked), func() bool { return seen() == blocked })
	}
}
