package recordstest

import (
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/projects"
)

func members() []promise {
	return []promise{
		{"ListMembers", "returns those of the groups above, and where they are from", testListMembersAbove},
		{"ListMembers", "returns those that the filter chooses, by user", testListMembers},
		{"ListMembers", "leaves out memberships that are over", testListMembersOver},
		{"InsertMember", "takes the user by id or name, and asks decide", testInsertMember},
		{"InsertMember", "takes the user by id if both are given", testInsertMemberByID},
		{"InsertMember", "shows decide the member that the user is", testInsertMemberThere},
		{"InsertMember", "changes nothing if decide refuses", testInsertMemberRefused},
		{"InsertMember", "is NotFound without such a user, Conflict if there is a membership", testInsertMemberFaults},
		{"InsertMember", "is Full if the place has as many as the limit", testInsertMemberFull},
		{"InsertMember", "is Hidden if the place is gone", testMembersOfGone},
		{"UpdateMember", "keeps the role and the end, and completes the event", testUpdateMember},
		{"UpdateMember", "changes nothing if edit refuses", testUpdateMemberRefused},
		{"UpdateMember", "is NotFound if there is none", testNoMember},
		{"UpdateMember", "is a Conflict if KeepOwner says so", testKeepOwner},
		{"UpdateMember", "is Hidden if the place is gone", testMembersOfGone},
		{"LastOwner", "returns the only permanent owner of a group at the top", testLastOwner},
		{"DeleteMember", "asks decide, and completes the event", testDeleteMember},
		{"DeleteMember", "changes nothing if decide refuses", testDeleteMemberRefused},
		{"DeleteMember", "is NotFound if there is none", testNoMember},
		{"DeleteMember", "is a Conflict if KeepOwner says so", testKeepOwner},
		{"DeleteMember", "is Hidden if the place is gone", testMembersOfGone},
	}
}

func userOf(m projects.Member) int64 { return m.UserID }

// membersAt are the direct members of a place, by user.
func (s *suite) membersAt(t *testing.T, at projects.Place) []projects.Member {
	t.Helper()
	found, err := s.ListMembers(t.Context(), projects.MemberFilter{Place: at}, all())
	return rows(t, found, err)
}

func testListMembers(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	one, two := s.user(t), s.user(t)
	s.member(t, inProject(p.ID), two, access.Guest, nil)
	s.member(t, inProject(p.ID), one, access.Reporter, nil)
	s.member(t, inGroup(g.ID), one, access.Maintainer, nil)
	at := inProject(p.ID)
	for _, tt := range []struct {
		name string
		f    projects.MemberFilter
		want []int64
	}{
		{"direct", projects.MemberFilter{Place: at}, []int64{one.ID, two.ID}},
		{"inherited", projects.MemberFilter{Place: at, Inherited: true}, []int64{u.ID, one.ID, two.ID}},
		{"one", projects.MemberFilter{Place: at, UserID: two.ID}, []int64{two.ID}},
		{"some", projects.MemberFilter{Place: at, Inherited: true, UserIDs: []int64{u.ID, two.ID}, SkipUsers: []int64{two.ID}}, []int64{u.ID}},
		{"by a part of the name", projects.MemberFilter{Place: at, Query: strings.ToUpper(one.Username)}, []int64{one.ID}},
	} {
		found, err := s.ListMembers(t.Context(), tt.f, all())
		wantSame(t, tt.name, idsOf(rows(t, found, err), userOf), tt.want)
	}
	found, err := s.ListMembers(t.Context(), projects.MemberFilter{Place: at, Inherited: true, UserID: one.ID}, all())
	highest := rows(t, found, err)[0]
	wantSame(t, "the highest role", highest.Role, access.Maintainer)
	wantSame(t, "where it is from", highest.In, inGroup(g.ID))
}

func testListMembersAbove(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	one := s.user(t)
	below := s.group(t, g.ID, u)
	s.member(t, inProject(p.ID), one, access.Owner, nil)
	s.member(t, inGroup(below.ID), one, access.Owner, nil)
	s.member(t, inGroup(g.ID), one, access.Guest, nil)
	for name, tt := range map[string]struct {
		at   projects.Place
		want []int64
	}{
		"a project": {inProject(p.ID), []int64{u.ID, one.ID}}, "a subgroup": {inGroup(below.ID), []int64{u.ID, one.ID}}, "a group at the top": {inGroup(g.ID), []int64{}},
	} {
		listed, err := s.ListMembers(t.Context(), projects.MemberFilter{Place: tt.at, Above: true}, all())
		found := rows(t, listed, err)
		wantSame(t, name, idsOf(found, userOf), tt.want)
		for _, m := range found {
			wantSame(t, name+": where it is from", m.In, inGroup(g.ID))
		}
	}
}

func testListMembersOver(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	over, lasting := s.user(t), s.user(t)
	s.member(t, inGroup(g.ID), over, access.Guest, new(now().Add(-time.Hour)))
	s.member(t, inGroup(g.ID), lasting, access.Guest, new(now().Add(time.Hour)))
	wantSame(t, "members", idsOf(s.membersAt(t, inGroup(g.ID)), userOf), []int64{u.ID, lasting.ID})
}

func testInsertMember(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	for _, at := range []projects.Place{inGroup(g.ID), inProject(p.ID)} {
		for _, byName := range []bool{false, true} {
			who, e := s.user(t), s.event()
			m := projects.Member{UserID: who.ID, Role: access.Developer, CreatedAt: now(), CreatedBy: &projects.Creator{UserID: u.ID}, ExpiresAt: new(now().Add(time.Hour))}
			if byName {
				m.UserID, m.Username = 0, strings.ToUpper(who.Username)
			}
			made, err := s.InsertMember(t.Context(), at, actorOf(u), m, roomy(), func(r access.Resource, user projects.Member) (audit.Event, error) {
				if r.Role != access.Owner || user.UserID != who.ID || user.Username != who.Username || user.Role != access.NoRole {
					t.Errorf("decide gets %v and %+v, want an owner, and user %d without a role", r.Role, user, who.ID)
				}
				return e, nil
			})
			must(t, 0, err)
			if made.UserID != who.ID || made.Name != who.Name || made.Role != m.Role || !made.ExpiresAt.Equal(*m.ExpiresAt) || made.CreatedBy.Username != u.Username {
				t.Errorf("%+v, want %+v of %s", made, m, who.Name)
			}
			found, err := s.ListMembers(t.Context(), projects.MemberFilter{Place: at, UserID: who.ID}, all())
			wantSame(t, "what is kept", rows(t, found, err), []projects.Member{made})
			told := s.wantTold(t, e, 1)
			wantSame(t, "the target", told.Target, audit.Target{Type: "User", ID: who.ID, Details: who.Username})
			wantSame(t, "the change", told.Change, audit.Change{What: "access_level", To: made.Standing()})
		}
	}
}

func testInsertMemberByID(t *testing.T, s *suite) {
	_, g, p := s.home(t)
	one, two := s.user(t), s.user(t)
	for who, name := range map[int64]string{one.ID: two.Username, two.ID: one.Username} {
		m := projects.Member{UserID: who, Username: name, Role: access.Guest, CreatedAt: now()}
		made, err := s.InsertMember(t.Context(), inGroup(g.ID), access.Actor{}, m, roomy(), allow(quiet()))
		wantSame(t, "the member", must(t, made, err).UserID, who)
	}
	_, err := s.InsertMember(t.Context(), inProject(p.ID), access.Actor{}, projects.Member{UserID: 999999, Username: one.Username, Role: access.Guest}, roomy(), allow(quiet()))
	wantKind(t, err, fault.NotFound)
}

func testInsertMemberThere(t *testing.T, s *suite) {
	_, g, _ := s.home(t)
	there, over := s.user(t), s.user(t)
	s.member(t, inGroup(g.ID), there, access.Reporter, nil)
	s.member(t, inGroup(g.ID), over, access.Reporter, new(now().Add(-time.Hour)))
	for who, role := range map[int64]access.Role{there.ID: access.Reporter, over.ID: access.NoRole} {
		_, err := s.InsertMember(t.Context(), inGroup(g.ID), access.Actor{}, projects.Member{UserID: who, Role: access.Guest}, roomy(),
			func(_ access.Resource, m projects.Member) (audit.Event, error) {
				wantSame(t, "the role that decide gets", m.Role, role)
				return audit.Event{}, errRefused
			})
		wantRefused(t, err)
	}
	s.member(t, inGroup(g.ID), over, access.Guest, nil) // what is over is in nobody's way
}

func testInsertMemberRefused(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	m := projects.Member{UserID: s.user(t).ID, Role: access.Guest, CreatedAt: now()}
	_, err := s.InsertMember(t.Context(), inGroup(g.ID), access.Actor{}, m, roomy(), refuse)
	wantRefused(t, err)
	wantSame(t, "members", idsOf(s.membersAt(t, inGroup(g.ID)), userOf), []int64{u.ID})
}

func refuse(access.Resource, projects.Member) (audit.Event, error) { return audit.Event{}, errRefused }

func testInsertMemberFaults(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	e := s.event()
	for _, tt := range []struct {
		m    projects.Member
		kind fault.Kind
	}{
		{projects.Member{UserID: 999999}, fault.NotFound},
		{projects.Member{Username: "nobody"}, fault.NotFound},
		{projects.Member{UserID: u.ID}, fault.Conflict},
	} {
		tt.m.Role, tt.m.CreatedAt = access.Guest, now()
		_, err := s.InsertMember(t.Context(), inGroup(g.ID), access.Actor{}, tt.m, roomy(), allow(e))
		wantKind(t, err, tt.kind)
	}
	s.wantTold(t, e, 0)
	wantSame(t, "the role", s.membersAt(t, inGroup(g.ID))[0].Role, access.Owner)
}

func testInsertMemberFull(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	e := s.event()
	m := projects.Member{UserID: s.user(t).ID, Role: access.Guest, CreatedAt: now()}
	_, err := s.InsertMember(t.Context(), inGroup(g.ID), access.Actor{}, m, most(1), allow(e))
	wantFull(t, err, 1)
	s.wantTold(t, e, 0)
	wantSame(t, "members", idsOf(s.membersAt(t, inGroup(g.ID)), userOf), []int64{u.ID})
}

// testMembersOfGone tries all changes of members in places that are gone.
func testMembersOfGone(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	must(t, 0, s.DeleteGroup(t.Context(), g.ID, now(), quiet()))
	e := s.event()
	for _, at := range []projects.Place{inGroup(g.ID), inProject(p.ID)} {
		m := projects.Member{UserID: s.user(t).ID, Role: access.Guest, CreatedAt: now()}
		_, err := s.InsertMember(t.Context(), at, actorOf(u), m, roomy(), allow(e))
		wantKind(t, err, fault.Hidden)
		_, err = s.UpdateMember(t.Context(), at, actorOf(u), u.ID, toRole(access.Guest, e))
		wantKind(t, err, fault.Hidden)
		wantKind(t, s.DeleteMember(t.Context(), at, actorOf(u), u.ID, allow(e)), fault.Hidden)
	}
	s.wantTold(t, e, 0)
}
