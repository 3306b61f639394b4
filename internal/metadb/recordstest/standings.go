package recordstest

import (
	"testing"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/gate"
	"granary/internal/projects"
)

func standings() []promise {
	return []promise{
		{"ProjectStanding", "returns the id and what the actor is to it, by id or path", testProjectStanding},
		{"ProjectStanding", "is Hidden if the actor may not know of it, or there is none", testProjectStandingHidden},
		{"ProjectStanding", "is Moved with the id for a former path, to who may", testProjectStandingMoved},
		{"ProjectStanding", "is the refusal for an actor who may not", testProjectStandingDenied},
		{"GroupStanding", "returns the id and what the actor is to it, by id or path", testGroupStanding},
		{"GroupStanding", "is Hidden if the actor may not know of it, or there is none", testGroupStandingHidden},
		{"GroupStanding", "is the refusal for an actor who may not", testGroupStandingDenied},
	}
}

// places are groups and projects as other rooms ask about them.
func (s *suite) places() gate.Places { return &projects.Service{Records: s, Now: now} }

func testProjectStanding(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	for _, ref := range []string{id(p.ID), p.FullPath} {
		got, standing, err := s.places().ProjectStanding(t.Context(), actorOf(u), ref, access.EditProject)
		wantSame(t, "the id", must(t, got, err), p.ID)
		wantSame(t, "the standing", standing, access.Resource{Visibility: access.Private, Packages: access.PackagesEnabled, Role: access.Owner})
	}
}

func testProjectStandingHidden(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	to := s.name("project")
	_, err := s.UpdateProject(t.Context(), p.ID, repath(to))
	must(t, 0, err)
	for ref, by := range map[string]auth.User{
		p.FullPath: s.user(t), g.FullPath + "/" + to: s.user(t), id(p.ID): s.user(t), "nothing/here": u, g.FullPath: u,
	} {
		_, _, err := s.places().ProjectStanding(t.Context(), actorOf(by), ref, access.ReadProject)
		wantSame(t, "the noun", faultOf(t, err, fault.Hidden).Msg, "Project")
	}
}

func testProjectStandingMoved(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	_, err := s.UpdateProject(t.Context(), p.ID, repath(s.name("project")))
	must(t, 0, err)
	_, _, err = s.places().ProjectStanding(t.Context(), actorOf(u), p.FullPath, access.ReadProject)
	wantSame(t, "the id", faultOf(t, err, fault.Moved).To, p.ID)
}

func testProjectStandingDenied(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	guest := s.user(t)
	s.member(t, inProject(p.ID), guest, access.Guest, nil)
	_, _, err := s.places().ProjectStanding(t.Context(), actorOf(guest), p.FullPath, access.EditProject)
	wantKind(t, err, fault.Denied)
	_, _, err = s.places().ProjectStanding(t.Context(), actorOf(guest), p.FullPath, access.ReadProject)
	must(t, 0, err)
}

func testGroupStanding(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	for _, ref := range []string{id(g.ID), g.FullPath} {
		got, standing, err := s.places().GroupStanding(t.Context(), actorOf(u), ref, access.EditGroup)
		wantSame(t, "the id", must(t, got, err), g.ID)
		wantSame(t, "the standing", standing, access.Resource{Visibility: access.Private, Role: access.Owner})
	}
}

func testGroupStandingHidden(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	for ref, by := range map[string]auth.User{
		g.FullPath: s.user(t), id(g.ID): s.user(t), "nothing": u, p.FullPath: u, u.Username: u, // the last is no group
	} {
		_, _, err := s.places().GroupStanding(t.Context(), actorOf(by), ref, access.ReadGroup)
		wantSame(t, "the noun", faultOf(t, err, fault.Hidden).Msg, "Group")
	}
	_, err := s.UpdateGroup(t.Context(), g.ID, regroup(s.name("group")))
	must(t, 0, err)
	_, _, err = s.places().GroupStanding(t.Context(), actorOf(u), g.FullPath, access.ReadGroup) // a former path is none
	wantKind(t, err, fault.Hidden)
}

func testGroupStandingDenied(t *testing.T, s *suite) {
	_, g, _ := s.home(t)
	guest := s.user(t)
	s.member(t, inGroup(g.ID), guest, access.Guest, nil)
	_, _, err := s.places().GroupStanding(t.Context(), actorOf(guest), g.FullPath, access.EditGroup)
	wantKind(t, err, fault.Denied)
}
