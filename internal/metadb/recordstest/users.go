package recordstest

import (
	"strings"
	"testing"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
)

func users() []promise {
	return []promise{
		{"FindUser", "takes an id or a user name of any case", testFindUser},
		{"FindUser", "is NotFound if there is none", testFindNoUser},
		{"ListUsers", "returns those that the filter chooses", testListUsers},
		{"InsertUser", "makes the own namespace, and tells", testInsertUser},
		{"InsertUser", "is a Conflict about the email or the user name that is taken", testInsertTakenUser},
		{"SetBlocked", "reports and records a change only", testSetBlocked},
		{"SetBlocked", "is refused to the LastAdministrator", testLastAdministrator},
		{"UpdateUser", "keeps what edit makes, and records what it returns", testUpdateUser},
		{"UpdateUser", "changes nothing if edit refuses", testUpdateUserRefused},
		{"UpdateUser", "moves the own namespace, and old paths lead on", testUpdateUsername},
		{"UpdateUser", "is a Conflict about what is taken", testUpdateTakenUser},
		{"UpdateUser", "is refused to the LastAdministrator", testLastAdministrator},
		{"DeleteUser", "takes what lets in, and leaves what was made", testDeleteUser},
		{"DeleteUser", "is a Conflict for the only owner of a group", testDeleteOnlyOwner},
		{"DeleteUser", "is a Conflict with projects, unless withProjects", testDeleteUserWithProjects},
		{"DeleteUser", "is refused to the LastAdministrator", testLastAdministrator},
	}
}

func testFindUser(t *testing.T, s *suite) {
	want := s.user(t)
	for _, ref := range []string{id(want.ID), want.Username, strings.ToUpper(want.Username)} {
		found, err := s.FindUser(t.Context(), ref)
		wantSame(t, ref, must(t, found, err), want)
	}
}

func testFindNoUser(t *testing.T, s *suite) {
	gone := s.user(t)
	must(t, 0, s.DeleteUser(t.Context(), gone.ID, false, quiet()))
	for _, ref := range []string{"nobody", "999999", "0", "-1", "", "no/body", "ghost", gone.Username, id(gone.ID)} {
		_, err := s.FindUser(t.Context(), ref)
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %v, want NotFound", ref, err)
		}
	}
}

func testListUsers(t *testing.T, s *suite) {
	one, two := s.user(t), s.user(t)
	_, err := s.SetBlocked(t.Context(), two.ID, true, quiet())
	must(t, 0, err)
	for _, tt := range []struct {
		name string
		f    auth.UserFilter
		want []int64
	}{
		{"by user name", auth.UserFilter{Username: strings.ToUpper(one.Username)}, []int64{one.ID}},
		{"by a part of the name", auth.UserFilter{Search: "of " + two.Username}, []int64{two.ID}},
		{"by email", auth.UserFilter{Search: one.Email, ByEmail: true}, []int64{one.ID}},
		{"by email without ByEmail", auth.UserFilter{Search: one.Email}, []int64{}},
		{"active", auth.UserFilter{Username: two.Username, Active: true}, []int64{}},
		{"blocked", auth.UserFilter{Username: two.Username, Blocked: true}, []int64{two.ID}},
	} {
		found, err := s.ListUsers(t.Context(), tt.f, all())
		wantSame(t, tt.name, idsOf(rows(t, found, err), func(u auth.User) int64 { return u.ID }), tt.want)
	}
}

func testInsertUser(t *testing.T, s *suite) {
	e := s.event()
	u, err := s.InsertUser(t.Context(), newUser(s.name("user")), e)
	must(t, 0, err)
	own, err := s.FindGroup(t.Context(), u.Username, access.Actor{})
	if must(t, own, err); own.OwnerID != u.ID || own.ID != u.NamespaceID {
		t.Errorf("namespace %d of user %d, want %d of %d", own.ID, own.OwnerID, u.NamespaceID, u.ID)
	}
	wantSame(t, "the target", s.wantTold(t, e, 1).Target, audit.Target{Type: "User", ID: u.ID, Details: u.Username})
}

func testInsertTakenUser(t *testing.T, s *suite) {
	there, owner := s.user(t), s.user(t)
	g := s.group(t, 0, owner)
	fresh := s.name("user")
	for _, tt := range []struct{ username, email, field string }{
		{strings.ToUpper(there.Username), fresh + "@example.com", "Username"},
		{g.Path, fresh + "@example.com", "Username"},
		{fresh, strings.ToUpper(there.Email), "Email"},
	} {
		u, e := newUser(tt.username), s.event()
		u.Email = tt.email
		_, err := s.InsertUser(t.Context(), u, e)
		if taken := faultOf(t, err, fault.Conflict); taken.Field != tt.field {
			t.Errorf("%s, %s: %q is taken, want %s", tt.username, tt.email, taken.Field, tt.field)
		}
		s.wantTold(t, e, 0)
	}
	_, err := s.FindUser(t.Context(), fresh)
	wantKind(t, err, fault.NotFound)
}

func testSetBlocked(t *testing.T, s *suite) {
	u := s.user(t)
	for i, step := range []struct{ blocked, changed bool }{{false, false}, {true, true}, {true, false}, {false, true}} {
		e := s.event()
		changed, err := s.SetBlocked(t.Context(), u.ID, step.blocked, e)
		if must(t, changed, err); changed != step.changed {
			t.Errorf("step %d reports %v, want %v", i, changed, step.changed)
		}
		s.wantTold(t, e, map[bool]int{true: 1}[step.changed])
		found, err := s.FindUser(t.Context(), id(u.ID))
		if must(t, found, err); found.Blocked != step.blocked {
			t.Errorf("step %d leaves blocked %v, want %v", i, found.Blocked, step.blocked)
		}
	}
}

// testLastAdministrator tries all three ways to lose the last administrator, and one
// of them again once there is another. It leaves one behind, for the next time.
func testLastAdministrator(t *testing.T, s *suite) {
	u, err := s.FindUser(t.Context(), "admin")
	if fault.Is(err, fault.NotFound) {
		u = s.administrator(t, "admin")
	}
	e := s.event()
	_, blocked := s.SetBlocked(t.Context(), u.ID, true, e)
	_, demoted := s.UpdateUser(t.Context(), u.ID, func(u *auth.User) ([]audit.Event, error) {
		u.Admin = false
		return []audit.Event{e}, nil
	})
	deleted := s.DeleteUser(t.Context(), u.ID, false, e)
	for deed, err := range map[string]error{"blocked": blocked, "demoted": demoted, "deleted": deleted} {
		if refused, ok := fault.As(err, fault.Denied); !ok || refused.Error() != auth.LastAdministrator().Error() {
			t.Errorf("%s: %v, want %v", deed, err, auth.LastAdministrator())
		}
	}
	s.wantTold(t, e, 0)
	found, err := s.FindUser(t.Context(), id(u.ID))
	wantSame(t, "the administrator", must(t, found, err), u)
	another := s.administrator(t, s.name("admin"))
	must(t, 0, s.DeleteUser(t.Context(), u.ID, false, quiet()))
	_, err = s.UpdateUser(t.Context(), another.ID, rename("admin"))
	must(t, 0, err)
}

func (s *suite) administrator(t *testing.T, name string) auth.User {
	t.Helper()
	u := newUser(name)
	u.Admin = true
	u, err := s.InsertUser(t.Context(), u, quiet())
	return must(t, u, err)
}
