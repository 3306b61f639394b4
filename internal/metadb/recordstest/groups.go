package recordstest

import (
	"strings"
	"testing"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/projects"
)

func groups() []promise {
	return []promise{
		{"FindGroup", "takes an id or a path of any case, and fills Standing", testFindGroup},
		{"FindGroup", "is NotFound if there is none now, also for an old path", testFindNoGroup},
		{"FindFormerGroup", "finds a group, and those below it, by a former path, else is NotFound", testFindFormerGroup},
		{"ListGroups", "returns those that the actor sees and the filter chooses", testListGroups},
		{"InsertGroup", "makes the creator its owner, if there is one", testInsertGroup},
		{"InsertGroup", "is a Conflict if the path is taken", testInsertTakenGroup},
		{"InsertGroup", "is Full in a parent, and at the top for its owner", testInsertGroupFull},
		{"UpdateGroup", "keeps what change makes, and records what it returns", testUpdateGroup},
		{"UpdateGroup", "changes nothing if change refuses", testUpdateGroupRefused},
		{"UpdateGroup", "moves everything below", testUpdateGroupPath},
		{"UpdateGroup", "is Full with more former paths than FormerPaths", testUpdateGroupFull},
		{"DeleteGroup", "hides the group and all below it", testDeleteGroup},
	}
}

func testFindGroup(t *testing.T, s *suite) {
	u, stranger := s.user(t), s.user(t)
	g := s.group(t, 0, u)
	for _, ref := range []string{id(g.ID), g.FullPath, strings.ToUpper(g.FullPath)} {
		for role, a := range map[access.Role]access.Actor{access.Owner: actorOf(u), access.NoRole: actorOf(stranger)} {
			found, err := s.FindGroup(t.Context(), ref, a)
			if must(t, found, err); found.ID != g.ID || found.FullPath != g.FullPath || found.Personal() {
				t.Errorf("%s leads to group %d, %s", ref, found.ID, found.FullPath)
			}
			wantSame(t, "the role", found.Standing.Role, role)
			wantSame(t, "the direct role", found.OwnRole, role)
			wantSame(t, "the visibility", found.Standing.Visibility, access.Private)
		}
	}
	inside, err := s.FindGroup(t.Context(), id(s.group(t, g.ID, stranger).ID), actorOf(u))
	if must(t, inside, err); inside.OwnRole != access.NoRole || inside.Standing.Role != access.Owner {
		t.Errorf("in a group within it the owner is %v and directly %v", inside.Standing.Role, inside.OwnRole)
	}
	for _, ref := range []string{id(u.NamespaceID), strings.ToUpper(u.Username)} {
		found, err := s.FindGroup(t.Context(), ref, actorOf(u))
		if must(t, found, err); found.OwnerID != u.ID || found.ID != u.NamespaceID || found.OwnRole != access.NoRole {
			t.Errorf("%s leads to %d of user %d, want %d of %d", ref, found.ID, found.OwnerID, u.NamespaceID, u.ID)
		}
	}
}

func testFindNoGroup(t *testing.T, s *suite) {
	u, moved, p := s.home(t)
	gone := s.group(t, 0, u)
	must(t, 0, s.DeleteGroup(t.Context(), gone.ID, now(), quiet()))
	_, err := s.UpdateGroup(t.Context(), moved.ID, regroup(s.name("group")))
	must(t, 0, err)
	for _, ref := range []string{"nothing", "999999", "0", "-1", "", gone.FullPath, id(gone.ID), moved.FullPath, p.FullPath} {
		_, err := s.FindGroup(t.Context(), ref, actorOf(u))
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %v, want NotFound", ref, err)
		}
	}
}

func testFindFormerGroup(t *testing.T, s *suite) {
	u := s.user(t)
	g := s.group(t, 0, u)
	below := s.group(t, g.ID, u)
	gone := s.group(t, 0, u)
	deleted := gone.FullPath
	_, err := s.UpdateGroup(t.Context(), g.ID, regroup(s.name("group")))
	must(t, 0, err)
	_, err = s.UpdateGroup(t.Context(), gone.ID, regroup(s.name("group")))
	must(t, 0, err)
	must(t, 0, s.DeleteGroup(t.Context(), gone.ID, now(), quiet()))
	for _, was := range []projects.Group{g, below} {
		found, err := s.FindFormerGroup(t.Context(), strings.ToUpper(was.FullPath), actorOf(u))
		wantSame(t, "the group", must(t, found, err).ID, was.ID)
		wantSame(t, "the role", found.Standing.Role, access.Owner)
		_, err = s.FindFormerGroup(t.Context(), found.FullPath, actorOf(u))
		wantKind(t, err, fault.NotFound)
	}
	for _, path := range []string{"nothing", deleted} {
		_, err := s.FindFormerGroup(t.Context(), path, actorOf(u))
		wantKind(t, err, fault.NotFound)
	}
}

// regroup gives a group another path.
func regroup(to string) func(*projects.Group) ([]audit.Event, error) {
	return func(g *projects.Group) ([]audit.Event, error) {
		g.Path = to
		return nil, nil
	}
}

func testListGroups(t *testing.T, s *suite) {
	u, stranger := s.user(t), s.user(t)
	parent := s.group(t, 0, u)
	b, a := s.group(t, parent.ID, u), s.group(t, parent.ID, u)
	for g, name := range map[int64]string{a.ID: "aa " + a.Path, b.ID: "bb " + b.Path} {
		_, err := s.UpdateGroup(t.Context(), g, func(g *projects.Group) ([]audit.Event, error) {
			g.Name = name
			return nil, nil
		})
		must(t, 0, err)
	}
	for _, tt := range []struct {
		name string
		by   auth.User
		f    projects.GroupFilter
		want []int64
	}{
		{"in a group, by name", u, projects.GroupFilter{ParentID: parent.ID}, []int64{a.ID, b.ID}},
		{"that a stranger sees", stranger, projects.GroupFilter{ParentID: parent.ID}, []int64{}},
		{"by a part of the name", u, projects.GroupFilter{ParentID: parent.ID, Search: "BB "}, []int64{b.ID}},
		{"at the top", u, projects.GroupFilter{TopLevelOnly: true, Owned: true}, []int64{parent.ID}},
		{"above", u, projects.GroupFilter{Above: a.ID, SkipIDs: []int64{a.ID}}, []int64{parent.ID}},
		{"of a visibility", u, projects.GroupFilter{ParentID: parent.ID, Visibility: new(access.Public)}, []int64{}},
	} {
		tt.f.Actor = actorOf(tt.by)
		found, err := s.ListGroups(t.Context(), tt.f, all())
		wantSame(t, tt.name, idsOf(rows(t, found, err), func(g projects.Group) int64 { return g.ID }), tt.want)
	}
}

func testInsertGroup(t *testing.T, s *suite) {
	u, e := s.user(t), s.event()
	want := newGroup(s.name("group"), 0)
	want.Description, want.Visibility, want.Duplicates = "words", access.Internal, projects.Duplicates{Allowed: new(false), Exception: new("x.*")}
	made, err := s.InsertGroup(t.Context(), want, u.ID, roomy(), e)
	must(t, 0, err)
	wantSame(t, "the creator's role", made.Standing.Role, access.Owner)
	wantSame(t, "the target", s.wantTold(t, e, 1).Target, audit.Target{Type: "Group", ID: made.ID, Details: want.Path})
	found, err := s.FindGroup(t.Context(), want.Path, access.Actor{})
	must(t, 0, err)
	if found.Name != want.Name || found.Description != want.Description || found.Visibility != want.Visibility || !found.CreatedAt.Equal(want.CreatedAt) {
		t.Errorf("%+v, want %+v", found, want)
	}
	wantSame(t, "duplicates", found.Duplicates, want.Duplicates)
	below, err := s.InsertGroup(t.Context(), newGroup(s.name("group"), made.ID), 0, roomy(), quiet())
	wantSame(t, "the path below", must(t, below, err).FullPath, made.FullPath+"/"+below.Path)
	owners, err := s.ListMembers(t.Context(), projects.MemberFilter{Place: inGroup(below.ID)}, all())
	wantSame(t, "members without a creator", len(rows(t, owners, err)), 0)
}

func testInsertTakenGroup(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	for _, taken := range []projects.Group{newGroup(strings.ToUpper(g.Path), 0), newGroup(u.Username, 0), newGroup(p.Path, g.ID)} {
		e := s.event()
		_, err := s.InsertGroup(t.Context(), taken, u.ID, roomy(), e)
		wantKind(t, err, fault.Conflict)
		s.wantTold(t, e, 0)
	}
}

func testInsertGroupFull(t *testing.T, s *suite) {
	u, e := s.user(t), s.event()
	parent := s.group(t, 0, u)
	s.group(t, parent.ID, u)
	for _, in := range []int64{0, parent.ID} {
		path := s.name("group")
		_, err := s.InsertGroup(t.Context(), newGroup(path, in), u.ID, most(1), e)
		wantFull(t, err, 1)
		s.wantTold(t, e, 0)
		_, err = s.InsertGroup(t.Context(), newGroup(path, in), u.ID, most(2), quiet())
		must(t, 0, err)
	}
	_, err := s.InsertGroup(t.Context(), newGroup(s.name("group"), 0), s.user(t).ID, most(1), quiet()) // another's first
	must(t, 0, err)
}

func testUpdateGroup(t *testing.T, s *suite) {
	g, e := s.group(t, 0, s.user(t)), s.event()
	changed, err := s.UpdateGroup(t.Context(), g.ID, func(g *projects.Group) ([]audit.Event, error) {
		g.Name, g.Description, g.Visibility, g.UpdatedAt = "Another", "words", access.Public, now()
		g.Duplicates = projects.Duplicates{Allowed: new(false)}
		return []audit.Event{e, e}, nil
	})
	must(t, 0, err)
	found, err := s.FindGroup(t.Context(), id(g.ID), access.Actor{})
	wantSame(t, "what is kept", must(t, found, err), changed)
	if found.Name != "Another" || found.Description != "words" || found.Visibility != access.Public || *found.Duplicates.Allowed {
		t.Errorf("%+v", found)
	}
	s.wantTold(t, e, 2)
	_, err = s.UpdateGroup(t.Context(), 999999, regroup("x"))
	wantKind(t, err, fault.NotFound)
}

func testUpdateGroupRefused(t *testing.T, s *suite) {
	g, e := s.group(t, 0, s.user(t)), s.event()
	_, err := s.UpdateGroup(t.Context(), g.ID, func(g *projects.Group) ([]audit.Event, error) {
		g.Name, g.Path = "Another", s.name("group")
		return []audit.Event{e}, errRefused
	})
	wantRefused(t, err)
	found, err := s.FindGroup(t.Context(), g.FullPath, access.Actor{})
	wantSame(t, "the name", must(t, found, err).Name, g.Name)
	s.wantTold(t, e, 0)
}

func testUpdateGroupPath(t *testing.T, s *suite) {
	u := s.user(t)
	top := s.group(t, 0, u)
	below := s.group(t, top.ID, u)
	p := s.project(t, below.ID, u)
	to := s.name("group")
	_, err := s.UpdateGroup(t.Context(), top.ID, regroup(to))
	must(t, 0, err)
	g, err := s.FindGroup(t.Context(), to+"/"+below.Path, access.Actor{})
	wantSame(t, "the group below", must(t, g, err).ID, below.ID)
	found, err := s.FindProject(t.Context(), to+"/"+below.Path+"/"+p.Path, access.Actor{})
	wantSame(t, "the project below", must(t, found, err).ID, p.ID)
	found, err = s.FindProject(t.Context(), p.FullPath, access.Actor{})
	wantKind(t, err, fault.Moved)
	wantSame(t, "the project at the old path", found.ID, p.ID)
}

func testUpdateGroupFull(t *testing.T, s *suite) {
	g := s.group(t, 0, s.user(t))
	for range FormerPaths {
		_, err := s.UpdateGroup(t.Context(), g.ID, regroup(s.name("group")))
		must(t, 0, err)
	}
	before, err := s.FindGroup(t.Context(), id(g.ID), access.Actor{})
	must(t, 0, err)
	_, err = s.UpdateGroup(t.Context(), g.ID, regroup(s.name("group")))
	wantFull(t, err, FormerPaths)
	found, err := s.FindGroup(t.Context(), before.FullPath, access.Actor{})
	wantSame(t, "the group", must(t, found, err), before)
	_, err = s.UpdateGroup(t.Context(), g.ID, regroup(g.Path)) // back to a former one: no more than before
	must(t, 0, err)
}

func testDeleteGroup(t *testing.T, s *suite) {
	u, e := s.user(t), s.event()
	top := s.group(t, 0, u)
	below := s.group(t, top.ID, u)
	p := s.project(t, below.ID, u)
	e.Entity = audit.Entity{Type: audit.Group, ID: top.ID}
	must(t, 0, s.DeleteGroup(t.Context(), top.ID, now(), e))
	wantSame(t, "the event's path", s.wantTold(t, e, 1).Entity.Path, top.FullPath)
	for _, ref := range []string{id(top.ID), below.FullPath} {
		_, err := s.FindGroup(t.Context(), ref, actorOf(u))
		wantKind(t, err, fault.NotFound)
	}
	_, err := s.FindPackageProject(t.Context(), p.FullPath, actorOf(u))
	wantKind(t, err, fault.NotFound)
	left, err := s.ListProjects(t.Context(), projects.ProjectFilter{Actor: actorOf(u), Membership: true}, all())
	wantSame(t, "projects", len(rows(t, left, err)), 0)
	_, err = s.InsertGroup(t.Context(), newGroup(top.Path, 0), u.ID, roomy(), quiet()) // the path is free
	must(t, 0, err)
}
