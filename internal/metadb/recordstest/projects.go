package recordstest

import (
	"strings"
	"testing"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/naming"
	"granary/internal/projects"
)

func projectsOf() []promise {
	return []promise{
		{"FindProject", "takes an id or a path of any case, and fills the roles", testFindProject},
		{"FindProject", "is NotFound if there is none", testFindNoProject},
		{"FindProject", "is Moved, with the project, for an old path", testFindMovedProject},
		{"ListProjects", "returns those that the actor sees and the filter chooses", testListProjects},
		{"InsertProject", "keeps the project, and makes the creator a member with the role", testInsertProject},
		{"InsertProject", "is a Conflict if the path is taken", testInsertTakenProject},
		{"InsertProject", "is Full in a group, and in an own namespace at the user's limit", testInsertProjectFull},
		{"UpdateProject", "keeps what change makes, and records what it returns", testUpdateProject},
		{"UpdateProject", "changes nothing if change refuses", testUpdateProjectRefused},
		{"UpdateProject", "leaves an old path that leads here", testFindMovedProject},
		{"UpdateProject", "is Full with more former paths than FormerPaths", testUpdateProjectFull},
		{"DeleteProject", "hides the project", testDeleteProject},
	}
}

func testFindProject(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	both, stranger := s.user(t), s.user(t)
	s.member(t, inGroup(g.ID), both, access.Reporter, nil)
	s.member(t, inProject(p.ID), both, access.Maintainer, nil)
	for _, ref := range []string{id(p.ID), p.FullPath, strings.ToUpper(p.FullPath)} {
		for _, tt := range []struct {
			by                  auth.User
			standing, own, over access.Role
		}{
			{u, access.Owner, access.NoRole, access.Owner},
			{both, access.Maintainer, access.Maintainer, access.Reporter},
			{stranger, access.NoRole, access.NoRole, access.NoRole},
		} {
			found, err := s.FindProject(t.Context(), ref, actorOf(tt.by))
			if must(t, found, err); found.ID != p.ID || found.FullPath != p.FullPath || found.Namespace.ID != g.ID {
				t.Errorf("%s leads to project %d, %s in %d", ref, found.ID, found.FullPath, found.Namespace.ID)
			}
			if found.Standing.Role != tt.standing || found.OwnRole != tt.own || found.GroupRole != tt.over {
				t.Errorf("roles %v, %v, %v of %s, want %v", found.Standing.Role, found.OwnRole, found.GroupRole, tt.by.Username, tt)
			}
		}
	}
}

func testFindNoProject(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	must(t, 0, s.DeleteProject(t.Context(), p.ID, now(), quiet()))
	for _, ref := range []string{"nothing/here", "999999", "0", "-1", "", "a", g.FullPath, p.FullPath, id(p.ID)} {
		_, err := s.FindProject(t.Context(), ref, actorOf(u))
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %v, want NotFound", ref, err)
		}
	}
}

// repath gives a project another path.
func repath(to string) func(*projects.Project) ([]audit.Event, error) {
	return func(p *projects.Project) ([]audit.Event, error) {
		p.Path = to
		return nil, nil
	}
}

func testFindMovedProject(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	to := s.name("project")
	_, err := s.UpdateProject(t.Context(), p.ID, repath(to))
	must(t, 0, err)
	found, err := s.FindProject(t.Context(), strings.ToUpper(p.FullPath), actorOf(u))
	wantKind(t, err, fault.Moved)
	if found.ID != p.ID || found.FullPath != g.FullPath+"/"+to || found.Standing.Role != access.Owner {
		t.Errorf("the old path leads to project %d, %s, as %v", found.ID, found.FullPath, found.Standing.Role)
	}
	_, err = s.FindProject(t.Context(), id(p.ID), actorOf(u))
	must(t, 0, err)
	next, err := s.InsertProject(t.Context(), newProject(p.Path, g.ID, u.ID), access.NoRole, roomy(), quiet()) // who is there now counts
	must(t, 0, err)
	found, err = s.FindProject(t.Context(), p.FullPath, actorOf(u))
	wantSame(t, "the project that took the path", must(t, found, err).ID, next.ID)
}

func testListProjects(t *testing.T, s *suite) {
	u, g, one := s.home(t)
	below := s.group(t, g.ID, u)
	two, own := s.project(t, below.ID, u), s.project(t, u.NamespaceID, u)
	member := s.user(t)
	s.member(t, inProject(two.ID), member, access.Developer, nil)
	for _, tt := range []struct {
		name string
		by   auth.User
		f    projects.ProjectFilter
		want []int64
	}{
		{"all that the owner sees, as they were made", u, projects.ProjectFilter{}, []int64{one.ID, two.ID, own.ID}},
		{"all that a member sees", member, projects.ProjectFilter{}, []int64{two.ID}},
		{"with at least a role", member, projects.ProjectFilter{MinRole: access.Maintainer}, []int64{}},
		{"of a group", u, projects.ProjectFilter{GroupID: g.ID}, []int64{one.ID}},
		{"of a group and below", u, projects.ProjectFilter{GroupID: g.ID, Below: true}, []int64{one.ID, two.ID}},
		{"of a user", u, projects.ProjectFilter{OwnerID: u.ID}, []int64{own.ID}},
		{"by a part of the name", u, projects.ProjectFilter{Search: strings.ToUpper(two.Name)}, []int64{two.ID}},
		{"archived", u, projects.ProjectFilter{Archived: new(true)}, []int64{}},
		{"between ids", u, projects.ProjectFilter{IDAfter: one.ID, IDBefore: own.ID}, []int64{two.ID}},
	} {
		tt.f.Actor = actorOf(tt.by)
		found, err := s.ListProjects(t.Context(), tt.f, all())
		wantSame(t, tt.name, idsOf(rows(t, found, err), func(p projects.Project) int64 { return p.ID }), tt.want)
	}
}

func testInsertProject(t *testing.T, s *suite) {
	owner, e := s.user(t), s.event()
	g := s.group(t, 0, owner)
	u := s.user(t)
	want := newProject(s.name("project"), g.ID, u.ID)
	want.Description, want.Topics, want.MaxFileSize, want.Naming = "words", []string{"a", "b"}, new(int64(5)), new(naming.Relaxed)
	want.Drafts, want.Finalisers = new(projects.DraftMode("job")), new(access.Maintainers)
	want.Duplicates, want.JobTokenScope = projects.Duplicates{Allowed: new(false), Exception: new("x.*")}, true
	made, err := s.InsertProject(t.Context(), want, access.Maintainer, roomy(), e)
	must(t, 0, err)
	path := g.FullPath + "/" + want.Path
	wantSame(t, "the target", s.wantTold(t, e, 1).Target, audit.Target{Type: "Project", ID: made.ID, Details: path})
	found, err := s.FindProject(t.Context(), path, actorOf(u))
	wantSame(t, "the creator's role", must(t, found, err).OwnRole, access.Maintainer)
	if found.Description != want.Description || found.DefaultBranch != want.DefaultBranch || found.CreatorID != u.ID || !found.JobTokenScope || !found.CreatedAt.Equal(want.CreatedAt) {
		t.Errorf("%+v, want %+v", found, want)
	}
	wantSame(t, "topics", found.Topics, want.Topics)
	wantSame(t, "the size", found.MaxFileSize, want.MaxFileSize)
	wantSame(t, "the naming", found.Naming, want.Naming)
	wantSame(t, "duplicates", found.Duplicates, want.Duplicates)
	wantSame(t, "drafts", found.Drafts, want.Drafts)
	wantSame(t, "finalisers", found.Finalisers, want.Finalisers)
	without := s.project(t, g.ID, u)
	members, err := s.ListMembers(t.Context(), projects.MemberFilter{Place: inProject(without.ID)}, all())
	wantSame(t, "members without a role", len(rows(t, members, err)), 0)
}

func testInsertTakenProject(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	below := s.group(t, g.ID, u)
	for _, path := range []string{strings.ToUpper(p.Path), below.Path} {
		e := s.event()
		_, err := s.InsertProject(t.Context(), newProject(path, g.ID, u.ID), access.NoRole, roomy(), e)
		wantKind(t, err, fault.Conflict)
		s.wantTold(t, e, 0)
	}
}

func testInsertProjectFull(t *testing.T, s *suite) {
	owner, g, _ := s.home(t)
	u := newUser(s.name("user"))
	u.ProjectsLimit = 1
	u, err := s.InsertUser(t.Context(), u, quiet())
	must(t, 0, err)
	s.project(t, u.NamespaceID, owner)
	for namespace, limit := range map[int64]int{g.ID: 1, u.NamespaceID: 1000} { // in the latter the user's own counts
		e, path := s.event(), s.name("project")
		_, err := s.InsertProject(t.Context(), newProject(path, namespace, u.ID), access.NoRole, most(limit), e)
		wantFull(t, err, 1)
		s.wantTold(t, e, 0)
		found, err := s.ListProjects(t.Context(), projects.ProjectFilter{Actor: access.Actor{Kind: access.User, Admin: true}, Search: path}, all())
		wantSame(t, "projects", len(rows(t, found, err)), 0)
	}
}

func testUpdateProject(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	e := s.event()
	want := p
	want.Name, want.Description, want.Visibility, want.Archived, want.UpdatedAt = "Another", "words", access.Public, true, now()
	want.Topics, want.PackageAccess, want.DefaultBranch, want.JobTokenScope = []string{"x"}, access.PackagesPrivate, "trunk", true
	_, err := s.UpdateProject(t.Context(), p.ID, func(p *projects.Project) ([]audit.Event, error) {
		*p = want
		return []audit.Event{e, e}, nil
	})
	must(t, 0, err)
	found, err := s.FindProject(t.Context(), id(p.ID), access.Actor{})
	must(t, 0, err)
	wantSame(t, "the standing's archived", found.Standing.Archived, true)
	want.Standing, want.FullName, want.Duplicates = found.Standing, found.FullName, found.Duplicates
	wantSame(t, "what is kept", found, want)
	s.wantTold(t, e, 2)
	_, err = s.UpdateProject(t.Context(), 999999, repath("x"))
	wantKind(t, err, fault.NotFound)
}

func testUpdateProjectRefused(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	e := s.event()
	_, err := s.UpdateProject(t.Context(), p.ID, func(p *projects.Project) ([]audit.Event, error) {
		p.Name, p.Path = "Another", s.name("project")
		return []audit.Event{e}, errRefused
	})
	wantRefused(t, err)
	found, err := s.FindProject(t.Context(), p.FullPath, access.Actor{})
	wantSame(t, "what is kept", must(t, found, err), p)
	s.wantTold(t, e, 0)
}

func testUpdateProjectFull(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	for range FormerPaths {
		_, err := s.UpdateProject(t.Context(), p.ID, repath(s.name("project")))
		must(t, 0, err)
	}
	before, err := s.FindProject(t.Context(), id(p.ID), access.Actor{})
	must(t, 0, err)
	_, err = s.UpdateProject(t.Context(), p.ID, repath(s.name("project")))
	wantFull(t, err, FormerPaths)
	found, err := s.FindProject(t.Context(), before.FullPath, access.Actor{})
	wantSame(t, "the project", must(t, found, err), before)
	_, err = s.UpdateProject(t.Context(), p.ID, repath(p.Path)) // back to a former one: no more than before
	must(t, 0, err)
}

func testDeleteProject(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	e := s.event()
	e.Entity = audit.Entity{Type: audit.Project, ID: p.ID}
	_, err := s.FindPackageProject(t.Context(), p.FullPath, actorOf(u)) // it may be remembered
	must(t, 0, err)
	must(t, 0, s.DeleteProject(t.Context(), p.ID, now(), e))
	wantSame(t, "the event's path", s.wantTold(t, e, 1).Entity.Path, p.FullPath)
	for _, ref := range []string{id(p.ID), p.FullPath} {
		_, err := s.FindProject(t.Context(), ref, actorOf(u))
		wantKind(t, err, fault.NotFound)
		_, err = s.FindPackageProject(t.Context(), ref, actorOf(u))
		wantKind(t, err, fault.NotFound)
	}
	left, err := s.ListProjects(t.Context(), projects.ProjectFilter{Actor: actorOf(u), GroupID: g.ID}, all())
	wantSame(t, "projects", len(rows(t, left, err)), 0)
	_, err = s.InsertProject(t.Context(), newProject(p.Path, g.ID, u.ID), access.NoRole, roomy(), quiet()) // the path is free
	must(t, 0, err)
}
