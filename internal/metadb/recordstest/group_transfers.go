package recordstest

import (
	"testing"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/projects"
)

// rehang puts a group where it is to go, as visible as that is.
func rehang(e audit.Event) func(*projects.Group, projects.Destination) ([]audit.Event, error) {
	return func(g *projects.Group, to projects.Destination) ([]audit.Event, error) {
		g.ParentID, g.FullPath, g.UpdatedAt = 0, g.Path, now()
		if to.Parent != nil {
			g.ParentID, g.FullPath, g.Visibility = to.Parent.ID, to.Parent.FullPath+"/"+g.Path, min(g.Visibility, to.Parent.Visibility)
		}
		return []audit.Event{e}, nil
	}
}

func (s *suite) transferGroup(t *testing.T, g, parent projects.Group, a access.Actor, e audit.Event) (projects.Group, error) {
	t.Helper()
	return s.TransferGroup(t.Context(), g.ID, parent.ID, a, roomy(), quiet(), rehang(e))
}

func testTransferGroup(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	below, parent, e := s.group(t, g.ID, u), s.group(t, 0, u), s.event()
	judge := func(g *projects.Group, to projects.Destination) ([]audit.Event, error) {
		if to.Parent == nil || to.Parent.ID != parent.ID || to.Parent.Standing.Role != access.Owner || g.Standing.Role != access.Owner || to.Below {
			t.Errorf("%+v to %+v, want an owner of both ends", *g, to)
		}
		return rehang(e)(g, to)
	}
	moved, err := s.TransferGroup(t.Context(), g.ID, parent.ID, actorOf(u), roomy(), quiet(), judge)
	must(t, 0, err)
	path := parent.FullPath + "/" + g.Path
	if moved.ID != g.ID || moved.FullPath != path || moved.ParentID != parent.ID {
		t.Errorf("%+v, want group %d at %s", moved, g.ID, path)
	}
	found, err := s.FindGroup(t.Context(), path+"/"+below.Path, actorOf(u))
	wantSame(t, "the group below", must(t, found, err).ID, below.ID)
	there, err := s.FindProject(t.Context(), path+"/"+p.Path, actorOf(u))
	wantSame(t, "the project in it", must(t, there, err).ID, p.ID)
	_, err = s.FindProject(t.Context(), p.FullPath, actorOf(u))
	wantKind(t, err, fault.Moved)
	s.wantTold(t, e, 1)
	for _, inside := range []projects.Group{g, below} { // into itself
		_, err = s.TransferGroup(t.Context(), g.ID, inside.ID, actorOf(u), roomy(), quiet(), func(_ *projects.Group, to projects.Destination) ([]audit.Event, error) {
			wantSame(t, "Below", to.Below, true)
			return nil, errRefused
		})
		wantRefused(t, err)
	}
}

func testTransferGroupHides(t *testing.T, s *suite) {
	u := s.user(t)
	open := func(parentID int64) projects.Group {
		g := newGroup(s.name("group"), parentID)
		g.Visibility = access.Public
		g, err := s.InsertGroup(t.Context(), g, u.ID, roomy(), quiet())
		return must(t, g, err)
	}
	top := open(0)
	below := open(top.ID)
	p := newProject(s.name("project"), below.ID, u.ID)
	p.Visibility = access.Internal
	p, err := s.InsertProject(t.Context(), p, access.NoRole, roomy(), quiet())
	must(t, 0, err)
	_, err = s.transferGroup(t, top, s.group(t, 0, u), actorOf(u), quiet())
	must(t, 0, err)
	for _, g := range []int64{top.ID, below.ID} {
		found, err := s.FindGroup(t.Context(), id(g), actorOf(u))
		wantSame(t, "the visibility of a group", must(t, found, err).Visibility, access.Private)
	}
	found, err := s.FindProject(t.Context(), id(p.ID), actorOf(u))
	wantSame(t, "the visibility of the project", must(t, found, err).Visibility, access.Private)
}

func testTransferGroupOwner(t *testing.T, s *suite) {
	u, parent, _ := s.home(t)
	e := s.event()
	g, err := s.InsertGroup(t.Context(), newGroup(s.name("group"), parent.ID), 0, roomy(), quiet())
	must(t, 0, err)
	kept := s.group(t, parent.ID, s.user(t))
	for _, tt := range []struct {
		g    projects.Group
		told int
	}{{kept, 0}, {g, 1}} {
		moved, err := s.TransferGroup(t.Context(), tt.g.ID, 0, actorOf(u), roomy(), e, rehang(quiet()))
		wantSame(t, "the path", must(t, moved, err).FullPath, tt.g.Path)
		found, err := s.ListMembers(t.Context(), projects.MemberFilter{Place: inGroup(tt.g.ID), UserID: u.ID}, all())
		if m := rows(t, found, err); len(m) != tt.told || len(m) > 0 && m[0].Role != access.Owner {
			t.Errorf("%+v, want %d owner", m, tt.told)
		}
		s.wantTold(t, e, tt.told)
	}
	wantSame(t, "the target", s.wantTold(t, e, 1).Target, audit.Target{Type: "User", ID: u.ID, Details: u.Username})
}

func testTransferGroupRefused(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	e := s.event()
	_, err := s.TransferGroup(t.Context(), g.ID, s.group(t, 0, u).ID, actorOf(u), roomy(), e, func(g *projects.Group, to projects.Destination) ([]audit.Event, error) {
		events, _ := rehang(e)(g, to)
		return events, errRefused
	})
	wantRefused(t, err)
	s.wantGroupStays(t, g, e)
}

// wantGroupStays wants a group as it was, and no event.
func (s *suite) wantGroupStays(t *testing.T, g projects.Group, e audit.Event) {
	t.Helper()
	found, err := s.FindGroup(t.Context(), g.FullPath, access.Actor{})
	if must(t, found, err); found.ID != g.ID || found.ParentID != g.ParentID {
		t.Errorf("group %d in %d, want %d in %d", found.ID, found.ParentID, g.ID, g.ParentID)
	}
	s.wantTold(t, e, 0)
}

func testTransferGroupGone(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	gone, e := s.group(t, 0, u), s.event()
	must(t, 0, s.DeleteGroup(t.Context(), gone.ID, now(), quiet()))
	for _, ends := range [][2]projects.Group{{g, gone}, {gone, g}, {gone, {}}} {
		_, err := s.transferGroup(t, ends[0], ends[1], actorOf(u), e)
		wantKind(t, err, fault.Hidden)
	}
	s.wantGroupStays(t, g, e)
}

func testTransferGroupTaken(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	parent, e := s.group(t, 0, u), s.event()
	_, err := s.InsertProject(t.Context(), newProject(g.Path, parent.ID, u.ID), access.NoRole, roomy(), quiet())
	must(t, 0, err)
	_, err = s.transferGroup(t, g, parent, actorOf(u), e)
	wantKind(t, err, fault.Conflict)
	s.wantGroupStays(t, g, e)
}

func testTransferGroupFull(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	parent, e := s.group(t, 0, u), s.event()
	below := s.group(t, parent.ID, u)
	_, err := s.TransferGroup(t.Context(), g.ID, parent.ID, actorOf(u), most(1), e, rehang(e))
	wantFull(t, err, 1)
	s.wantGroupStays(t, g, e)
	_, err = s.TransferGroup(t.Context(), below.ID, 0, actorOf(u), most(2), e, rehang(e))
	wantFull(t, err, 2)
	s.wantGroupStays(t, below, e)
}

func testTransferGroupFormer(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	for range FormerPaths {
		moved, err := s.transferGroup(t, g, s.group(t, 0, u), actorOf(u), quiet())
		g = must(t, moved, err)
	}
	e := s.event()
	_, err := s.transferGroup(t, g, s.group(t, 0, u), actorOf(u), e)
	wantFull(t, err, FormerPaths)
	s.wantGroupStays(t, g, e)
}
