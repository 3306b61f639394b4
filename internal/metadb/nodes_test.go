package metadb

import (
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/eventually"
	"granary/internal/fault"
	"granary/internal/metadb/metadbtest"
	"granary/internal/sqldb"
)

// A node that others may count as gone refuses to publish and to check permission.
func TestNodeCutOff(t *testing.T) {
	db := openPostgres(t, sqldb.Options{Node: "v1", Pace: sqldb.Pace{Beat: 100 * time.Millisecond, Lease: 300 * time.Millisecond, Gone: time.Minute}})
	p := demo(t, db)
	holder, err := db.Reads.BeginTx(t.Context(), nil)
	must(t, holder, err)
	_, err = holder.ExecContext(t.Context(), `DELETE FROM nodes`)
	must(t, 0, err)
	eventually.Holds(t, "it refuses to say who may", func() bool {
		_, err := db.FindToken(t.Context(), auth.DigestOf("secret"))
		return fault.Is(err, fault.Unavailable)
	})
	if _, err := db.AddFile(t.Context(), publication(p.ID, "1.0.0", "f")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("it publishes: %v", err)
	}
	must(t, 0, holder.Rollback())
	eventually.Holds(t, "it publishes again", func() bool {
		_, err := db.AddFile(t.Context(), publication(p.ID, "1.0.0", "f"))
		return err == nil
	})
}

// A session that a node remembers is over there with the next request, whichever node ended
// it, and so is one whose user was blocked or whose token was revoked.
func TestSessionsEndOnAllNodes(t *testing.T) {
	dsn := metadbtest.Postgres(t, migrated)
	nodes := make([]*DB, 2)
	for i := range nodes {
		db, err := OpenPostgres(t.Context(), dsn, sqldb.Options{})
		nodes[i] = closing(t, db, err)
	}
	here, there := nodes[0], nodes[1]
	e := func() audit.Event { return audit.Event{At: time.Now(), Entity: audit.WholeInstance()} }
	for name, end := range map[string]func(u auth.User, token auth.PersonalToken, s auth.Session) error{
		"ended": func(_ auth.User, _ auth.PersonalToken, s auth.Session) error {
			return there.EndSession(t.Context(), s.ID, e())
		},
		"all-ended": func(u auth.User, _ auth.PersonalToken, _ auth.Session) error {
			return there.EndSessions(t.Context(), u.ID, e())
		},
		"blocked": func(u auth.User, _ auth.PersonalToken, _ auth.Session) error {
			_, err := there.SetBlocked(t.Context(), u.ID, true, e())
			return err
		},
		"revoked": func(_ auth.User, token auth.PersonalToken, _ auth.Session) error {
			return there.RevokePersonalTokens(t.Context(), token.ID, false, e())
		},
	} {
		u, d := newUser(t, here, name, false), auth.DigestOf("session of "+name)
		token := newToken(t, here, u.ID, name)
		s, err := here.InsertSession(t.Context(), auth.Session{
			UserID: u.ID, TokenID: token.ID, Method: auth.MethodToken, SeenAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
		}, d, 10, e())
		must(t, 0, err)
		for range 2 {
			found, err := here.FindSession(t.Context(), d)
			if must(t, 0, err); found.Session.ID != s.ID || found.User.Blocked || found.Origin.Revoked {
				t.Fatalf("%s: %+v before", name, found)
			}
		}
		must(t, 0, end(u, token, s))
		found, err := here.FindSession(t.Context(), d)
		if !fault.Is(err, fault.NotFound) && (err != nil || !found.Origin.Revoked) {
			t.Errorf("%s on another node: %+v, %v", name, found, err)
		}
	}
}
