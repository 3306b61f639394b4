package recordstest

import (
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
)

func testUpdateUser(t *testing.T, s *suite) {
	before, e := s.user(t), s.event()
	want := before
	want.Name, want.Email, want.Note, want.External = "Another Name", s.name("mail")+"@example.com", "a note", true
	want = want.Bounded()
	changed, err := s.UpdateUser(t.Context(), before.ID, func(u *auth.User) ([]audit.Event, error) {
		wantSame(t, "what edit gets", *u, before)
		*u = want
		return []audit.Event{e, e}, nil
	})
	wantSame(t, "what is returned", must(t, changed, err), want)
	_, err = s.UpdateUser(t.Context(), before.ID, func(u *auth.User) ([]audit.Event, error) {
		u.Blocked = true
		return nil, nil
	})
	must(t, 0, err)
	found, err := s.FindUser(t.Context(), id(before.ID))
	wantSame(t, "what is kept", must(t, found, err), want)
	s.wantTold(t, e, 2)
}

func testUpdateUserRefused(t *testing.T, s *suite) {
	before, e := s.user(t), s.event()
	_, err := s.UpdateUser(t.Context(), before.ID, func(u *auth.User) ([]audit.Event, error) {
		u.Name = "Another Name"
		return []audit.Event{e}, errRefused
	})
	wantRefused(t, err)
	found, err := s.FindUser(t.Context(), id(before.ID))
	wantSame(t, "what is kept", must(t, found, err), before)
	s.wantTold(t, e, 0)
}

// rename gives a user another name.
func rename(to string) func(*auth.User) ([]audit.Event, error) {
	return func(u *auth.User) ([]audit.Event, error) {
		u.Username = to
		return nil, nil
	}
}

func testUpdateUsername(t *testing.T, s *suite) {
	u := s.user(t)
	p := s.project(t, u.NamespaceID, u)
	to := s.name("user")
	_, err := s.UpdateUser(t.Context(), u.ID, rename(to))
	must(t, 0, err)
	found, err := s.FindProject(t.Context(), to+"/"+p.Path, access.Actor{})
	if must(t, found, err); found.ID != p.ID || found.FullPath != to+"/"+p.Path {
		t.Errorf("the new path leads to %d, %s", found.ID, found.FullPath)
	}
	found, err = s.FindProject(t.Context(), p.FullPath, access.Actor{})
	if wantKind(t, err, fault.Moved); found.ID != p.ID {
		t.Errorf("the old path leads to %d, want %d", found.ID, p.ID)
	}
	_, err = s.FindUser(t.Context(), u.Username)
	wantKind(t, err, fault.NotFound)
}

func testUpdateTakenUser(t *testing.T, s *suite) {
	there, u := s.user(t), s.user(t)
	_, err := s.UpdateUser(t.Context(), u.ID, rename(there.Username))
	wantSame(t, "what is taken", faultOf(t, err, fault.Conflict).Field, "Username")
	_, err = s.UpdateUser(t.Context(), u.ID, func(u *auth.User) ([]audit.Event, error) {
		u.Email = there.Email
		return nil, nil
	})
	wantSame(t, "what is taken", faultOf(t, err, fault.Conflict).Field, "Email")
	found, err := s.FindUser(t.Context(), id(u.ID))
	wantSame(t, "what is kept", must(t, found, err), u)
}

func testDeleteUser(t *testing.T, s *suite) {
	_, g, p := s.home(t)
	u, e := s.user(t), s.event()
	e.Entity = audit.Entity{Type: audit.User, ID: u.ID}
	s.member(t, inGroup(g.ID), u, access.Developer, nil)
	_, d := s.token(t, u.ID)
	_, err := s.InsertRelease(t.Context(), newRelease(p.ID, u.ID, "v1"), nil, roomy(), quiet())
	must(t, 0, err)
	must(t, 0, s.DeleteUser(t.Context(), u.ID, false, e))
	wantSame(t, "the event's path", s.wantTold(t, e, 1).Entity.Path, u.Username)
	_, err = s.FindToken(t.Context(), d)
	wantKind(t, err, fault.NotFound)
	_, err = s.FindUser(t.Context(), u.Username)
	wantKind(t, err, fault.NotFound)
	_, err = s.FindGroup(t.Context(), u.Username, access.Actor{})
	wantKind(t, err, fault.NotFound)
	left, err := s.ListMembers(t.Context(), projects.MemberFilter{Place: inGroup(g.ID), UserID: u.ID}, all())
	wantSame(t, "memberships", len(rows(t, left, err)), 0)
	made, err := s.ListReleases(t.Context(), p.ID, filterTag("v1"), page.Request{Number: 1, Size: 1})
	author := rows(t, made, err)[0].Author
	if author.ID != u.ID || author.Username == u.Username || author.Name == u.Name || !author.Blocked {
		t.Errorf("the release is by %+v, want user %d without the old names", author, u.ID)
	}
	_, err = s.InsertUser(t.Context(), newUser(u.Username), quiet()) // name and email are free
	must(t, 0, err)
}

func testDeleteOnlyOwner(t *testing.T, s *suite) {
	u, other := s.user(t), s.user(t)
	g := s.group(t, 0, u)
	s.member(t, inGroup(g.ID), other, access.Owner, new(now().Add(time.Hour))) // not for good
	e := s.event()
	if err := faultOf(t, s.DeleteUser(t.Context(), u.ID, true, e), fault.Conflict); err.Msg == "" || err.Field != "" {
		t.Errorf("%+v, want words", err)
	}
	s.wantTold(t, e, 0)
	_, err := s.FindUser(t.Context(), id(u.ID))
	must(t, 0, err)
	must(t, 0, s.DeleteMember(t.Context(), inGroup(g.ID), access.Actor{}, other.ID, allow(quiet())))
	s.member(t, inGroup(g.ID), other, access.Owner, nil)
	must(t, 0, s.DeleteUser(t.Context(), u.ID, true, e))
}

func testDeleteUserWithProjects(t *testing.T, s *suite) {
	u := s.user(t)
	p := s.project(t, u.NamespaceID, u)
	if err := faultOf(t, s.DeleteUser(t.Context(), u.ID, false, quiet()), fault.Conflict); err.Msg == "" || err.Field != "" {
		t.Errorf("%+v, want words", err)
	}
	_, err := s.FindProject(t.Context(), id(p.ID), access.Actor{})
	must(t, 0, err)
	must(t, 0, s.DeleteUser(t.Context(), u.ID, true, quiet()))
	_, err = s.FindProject(t.Context(), id(p.ID), access.Actor{})
	wantKind(t, err, fault.NotFound)
}
