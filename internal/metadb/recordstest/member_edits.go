package recordstest

import (
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/projects"
)

// toRole gives a member another role.
func toRole(role access.Role, e audit.Event) func(access.Resource, *projects.Member) (audit.Event, error) {
	return func(_ access.Resource, m *projects.Member) (audit.Event, error) {
		m.Role = role
		return e, nil
	}
}

func testUpdateMember(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	for _, at := range []projects.Place{inGroup(g.ID), inProject(p.ID)} {
		who, e, end := s.user(t), s.event(), now().Add(48*time.Hour)
		s.member(t, at, who, access.Guest, nil)
		changed, err := s.UpdateMember(t.Context(), at, actorOf(u), who.ID, func(r access.Resource, m *projects.Member) (audit.Event, error) {
			if r.Role != access.Owner || m.UserID != who.ID || m.Role != access.Guest || m.ExpiresAt != nil {
				t.Errorf("edit gets %v and %+v, want an owner, and guest %d", r.Role, *m, who.ID)
			}
			m.Role, m.ExpiresAt = access.Developer, &end
			return e, nil
		})
		must(t, 0, err)
		found, err := s.ListMembers(t.Context(), projects.MemberFilter{Place: at, UserID: who.ID}, all())
		m := rows(t, found, err)[0]
		wantSame(t, "what is kept", m, changed)
		if m.Role != access.Developer || m.ExpiresAt == nil || !m.ExpiresAt.Equal(end) {
			t.Errorf("%v until %v, want a developer until %v", m.Role, m.ExpiresAt, end)
		}
		told := s.wantTold(t, e, 1)
		wantSame(t, "the target", told.Target, audit.Target{Type: "User", ID: who.ID, Details: who.Username})
		wantSame(t, "the change", told.Change, audit.Change{What: "access_level", From: "Guest", To: m.Standing()})
	}
}

func testUpdateMemberRefused(t *testing.T, s *suite) {
	_, g, _ := s.home(t)
	who := s.user(t)
	s.member(t, inGroup(g.ID), who, access.Guest, nil)
	before := s.membersAt(t, inGroup(g.ID))
	_, err := s.UpdateMember(t.Context(), inGroup(g.ID), access.Actor{}, who.ID, func(_ access.Resource, m *projects.Member) (audit.Event, error) {
		m.Role = access.Owner
		return audit.Event{}, errRefused
	})
	wantRefused(t, err)
	wantSame(t, "members", s.membersAt(t, inGroup(g.ID)), before)
}

// testNoMember tries to change a membership that never was, and one that is over.
func testNoMember(t *testing.T, s *suite) {
	_, g, _ := s.home(t)
	stranger, over, e := s.user(t), s.user(t), s.event()
	s.member(t, inGroup(g.ID), over, access.Guest, new(now().Add(-time.Hour)))
	for _, who := range []int64{stranger.ID, over.ID, 999999} {
		_, err := s.UpdateMember(t.Context(), inGroup(g.ID), access.Actor{}, who, toRole(access.Owner, e))
		wantKind(t, err, fault.NotFound)
		wantKind(t, s.DeleteMember(t.Context(), inGroup(g.ID), access.Actor{}, who, allow(e)), fault.NotFound)
	}
	s.wantTold(t, e, 0)
}

// testKeepOwner tries both ways to take the last owner from a group at the top.
func testKeepOwner(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	e := s.event()
	_, err := s.UpdateMember(t.Context(), inGroup(g.ID), actorOf(u), u.ID, toRole(access.Maintainer, e))
	wantKind(t, err, fault.Conflict)
	_, err = s.UpdateMember(t.Context(), inGroup(g.ID), actorOf(u), u.ID, func(_ access.Resource, m *projects.Member) (audit.Event, error) {
		m.ExpiresAt = new(now().Add(time.Hour))
		return e, nil
	})
	wantKind(t, err, fault.Conflict)
	wantKind(t, s.DeleteMember(t.Context(), inGroup(g.ID), actorOf(u), u.ID, allow(e)), fault.Conflict)
	s.wantTold(t, e, 0)
	if m := s.membersAt(t, inGroup(g.ID)); len(m) != 1 || !m[0].Keeps() {
		t.Errorf("%+v, want the owner", m)
	}
	s.member(t, inGroup(g.ID), s.user(t), access.Owner, nil)
	must(t, 0, s.DeleteMember(t.Context(), inGroup(g.ID), actorOf(u), u.ID, allow(e)))
	below := s.group(t, g.ID, u) // has the owners of those above
	must(t, 0, s.DeleteMember(t.Context(), inGroup(below.ID), actorOf(u), u.ID, allow(e)))
}

func testLastOwner(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	last := func(at projects.Group) int64 {
		t.Helper()
		id, err := s.LastOwner(t.Context(), at.ID)
		return must(t, id, err)
	}
	wantSame(t, "alone", last(g), u.ID)
	wantSame(t, "below", last(s.group(t, g.ID, u)), int64(0))
	s.member(t, inGroup(g.ID), s.user(t), access.Owner, new(now().Add(time.Hour)))
	s.member(t, inGroup(g.ID), s.user(t), access.Maintainer, nil)
	wantSame(t, "with one whose membership ends", last(g), u.ID)
	s.member(t, inGroup(g.ID), s.user(t), access.Owner, nil)
	wantSame(t, "with another", last(g), int64(0))
}

func testDeleteMember(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	for _, at := range []projects.Place{inGroup(g.ID), inProject(p.ID)} {
		who, e := s.user(t), s.event()
		s.member(t, at, who, access.Developer, nil)
		must(t, 0, s.DeleteMember(t.Context(), at, actorOf(u), who.ID, func(r access.Resource, m projects.Member) (audit.Event, error) {
			if r.Role != access.Owner || m.UserID != who.ID || m.Role != access.Developer {
				t.Errorf("decide gets %v and %+v, want an owner, and developer %d", r.Role, m, who.ID)
			}
			return e, nil
		}))
		found, err := s.ListMembers(t.Context(), projects.MemberFilter{Place: at, UserID: who.ID}, all())
		wantSame(t, "members", len(rows(t, found, err)), 0)
		told := s.wantTold(t, e, 1)
		wantSame(t, "the target", told.Target, audit.Target{Type: "User", ID: who.ID, Details: who.Username})
		wantSame(t, "the change", told.Change, audit.Change{What: "access_level", From: "Developer"})
	}
}

func testDeleteMemberRefused(t *testing.T, s *suite) {
	_, g, _ := s.home(t)
	who := s.user(t)
	s.member(t, inGroup(g.ID), who, access.Developer, nil)
	before := s.membersAt(t, inGroup(g.ID))
	wantRefused(t, s.DeleteMember(t.Context(), inGroup(g.ID), access.Actor{}, who.ID, refuse))
	wantSame(t, "members", s.membersAt(t, inGroup(g.ID)), before)
}
