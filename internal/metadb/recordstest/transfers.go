package recordstest

import (
	"testing"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/projects"
)

func transfers() []promise {
	return []promise{
		{"TransferProject", "asks judge with both ends, and does what it says", testTransferProject},
		{"TransferProject", "changes nothing if judge refuses", testTransferProjectRefused},
		{"TransferProject", "is Hidden if an end is gone", testTransferProjectGone},
		{"TransferProject", "is a Conflict if the path is taken", testTransferProjectTaken},
		{"TransferProject", "is Full in a group, and OverLimit, with the number, at a user", testTransferProjectFull},
		{"TransferProject", "is Full with more former paths than FormerPaths", testTransferProjectFormer},
		{"TransferGroup", "asks judge with both ends, and moves all that is in it", testTransferGroup},
		{"TransferGroup", "hides what would be more visible", testTransferGroupHides},
		{"TransferGroup", "makes the actor the owner of what nobody would keep", testTransferGroupOwner},
		{"TransferGroup", "changes nothing if judge refuses", testTransferGroupRefused},
		{"TransferGroup", "is Hidden if an end is gone", testTransferGroupGone},
		{"TransferGroup", "is a Conflict if the path is taken", testTransferGroupTaken},
		{"TransferGroup", "is Full in a parent, and at the top for the actor", testTransferGroupFull},
		{"TransferGroup", "is Full with more former paths than FormerPaths", testTransferGroupFormer},
	}
}

// carry puts a project into the group.
func carry(e audit.Event) func(*projects.Project, projects.Group) ([]audit.Event, error) {
	return func(p *projects.Project, to projects.Group) ([]audit.Event, error) {
		p.Namespace, p.UpdatedAt = to, now()
		return []audit.Event{e}, nil
	}
}

func testTransferProject(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	to, e := s.group(t, 0, u), s.event()
	before, err := s.FindProject(t.Context(), id(p.ID), actorOf(u))
	must(t, 0, err)
	must(t, 0, s.TransferProject(t.Context(), p.ID, to.ID, actorOf(u), roomy(), func(p *projects.Project, g projects.Group) ([]audit.Event, error) {
		wantSame(t, "the project", *p, before)
		if g.ID != to.ID || g.FullPath != to.FullPath || g.Standing.Role != access.Owner {
			t.Errorf("%+v, want group %d as its owner", g, to.ID)
		}
		p.Visibility = access.Public
		return carry(e)(p, g)
	}))
	found, err := s.FindProject(t.Context(), to.FullPath+"/"+p.Path, actorOf(u))
	if must(t, found, err); found.ID != p.ID || found.Namespace.ID != to.ID || found.Visibility != access.Public {
		t.Errorf("%+v, want project %d, public in %d", found, p.ID, to.ID)
	}
	_, err = s.FindProject(t.Context(), p.FullPath, actorOf(u))
	wantKind(t, err, fault.Moved)
	s.wantTold(t, e, 1)
}

func testTransferProjectRefused(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	to, e := s.group(t, 0, u), s.event()
	err := s.TransferProject(t.Context(), p.ID, to.ID, actorOf(u), roomy(), func(p *projects.Project, g projects.Group) ([]audit.Event, error) {
		events, _ := carry(e)(p, g)
		return events, errRefused
	})
	wantRefused(t, err)
	s.wantStays(t, p, e)
}

// wantStays wants a project as it was, and no event.
func (s *suite) wantStays(t *testing.T, p projects.Project, e audit.Event) {
	t.Helper()
	found, err := s.FindProject(t.Context(), p.FullPath, access.Actor{})
	if must(t, found, err); found.ID != p.ID || found.Namespace.ID != p.Namespace.ID {
		t.Errorf("project %d in %d, want %d in %d", found.ID, found.Namespace.ID, p.ID, p.Namespace.ID)
	}
	s.wantTold(t, e, 0)
}

func testTransferProjectGone(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	gone, e := s.group(t, 0, u), s.event()
	lost := s.project(t, gone.ID, u)
	must(t, 0, s.DeleteGroup(t.Context(), gone.ID, now(), quiet()))
	for _, ends := range [][2]int64{{p.ID, gone.ID}, {lost.ID, p.Namespace.ID}, {999999, p.Namespace.ID}} {
		err := s.TransferProject(t.Context(), ends[0], ends[1], actorOf(u), roomy(), carry(e))
		wantKind(t, err, fault.Hidden)
	}
	s.wantStays(t, p, e)
}

func testTransferProjectTaken(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	to, e := s.group(t, 0, u), s.event()
	_, err := s.InsertProject(t.Context(), newProject(p.Path, to.ID, u.ID), access.NoRole, roomy(), quiet())
	must(t, 0, err)
	wantKind(t, s.TransferProject(t.Context(), p.ID, to.ID, actorOf(u), roomy(), carry(e)), fault.Conflict)
	s.wantStays(t, p, e)
}

func testTransferProjectFull(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	to, e := s.group(t, 0, u), s.event()
	s.project(t, to.ID, u)
	wantFull(t, s.TransferProject(t.Context(), p.ID, to.ID, actorOf(u), most(1), carry(e)), 1)
	s.wantStays(t, p, e)
	_, err := s.UpdateUser(t.Context(), u.ID, func(u *auth.User) ([]audit.Event, error) {
		u.ProjectsLimit = 1
		return nil, nil
	})
	must(t, 0, err)
	s.project(t, u.NamespaceID, u)
	err = s.TransferProject(t.Context(), p.ID, u.NamespaceID, actorOf(u), roomy(), carry(e))
	wantSame(t, "the number", faultOf(t, err, fault.OverLimit).Most, 1)
	s.wantStays(t, p, e)
}

func testTransferProjectFormer(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	for range FormerPaths {
		must(t, 0, s.TransferProject(t.Context(), p.ID, s.group(t, 0, u).ID, actorOf(u), roomy(), carry(quiet())))
	}
	before, err := s.FindProject(t.Context(), id(p.ID), access.Actor{})
	must(t, 0, err)
	e := s.event()
	wantFull(t, s.TransferProject(t.Context(), p.ID, s.group(t, 0, u).ID, actorOf(u), roomy(), carry(e)), FormerPaths)
	s.wantStays(t, before, e)
}
