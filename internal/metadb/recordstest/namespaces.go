package recordstest

import (
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/projects"
)

func namespaces() []promise {
	return []promise{
		{"ListNamespaces", "returns groups and own namespaces as they were made", testListNamespaces},
		{"CountMembers", "counts each member of the group and of all in it once", testCountMembers},
	}
}

func testListNamespaces(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	below := s.group(t, g.ID, u)
	other := s.user(t)
	s.member(t, inGroup(below.ID), other, access.Developer, nil)
	for _, tt := range []struct {
		name string
		by   access.Actor
		f    projects.NamespaceFilter
		want []int64
	}{
		{"of an owner", actorOf(u), projects.NamespaceFilter{}, []int64{u.NamespaceID, g.ID, below.ID}},
		{"of a member", actorOf(other), projects.NamespaceFilter{}, []int64{below.ID, other.NamespaceID}},
		{"that a member owns", actorOf(other), projects.NamespaceFilter{Owned: true}, []int64{other.NamespaceID}},
		{"at the top", actorOf(u), projects.NamespaceFilter{TopLevelOnly: true}, []int64{u.NamespaceID, g.ID}},
		{"by a part of the path", actorOf(u), projects.NamespaceFilter{Search: g.Path + "/"}, []int64{below.ID}},
		{"of an administrator", access.Actor{Kind: access.User, Admin: true}, projects.NamespaceFilter{Search: g.Path}, []int64{g.ID, below.ID}},
	} {
		tt.f.Actor = tt.by
		found, err := s.ListNamespaces(t.Context(), tt.f, all())
		wantSame(t, tt.name, idsOf(rows(t, found, err), func(g projects.Group) int64 { return g.ID }), tt.want)
		for _, g := range found.Rows {
			if g.FullPath == "" || g.Name == "" {
				t.Errorf("%+v has no path or no name", g)
			}
		}
	}
}

func testCountMembers(t *testing.T, s *suite) {
	owner, g, p := s.home(t)
	below := s.group(t, g.ID, owner)
	users := []auth.User{s.user(t), s.user(t), s.user(t)}
	s.member(t, inGroup(g.ID), users[0], access.Guest, nil)
	s.member(t, inProject(p.ID), users[0], access.Developer, nil)
	s.member(t, inProject(s.project(t, below.ID, owner).ID), users[1], access.Guest, nil)
	s.member(t, inGroup(below.ID), users[2], access.Guest, new(now().Add(-time.Hour))) // is over
	for group, want := range map[int64]int{g.ID: 3, below.ID: 2} {
		n, err := s.CountMembers(t.Context(), group)
		wantSame(t, "members", must(t, n, err), want)
	}
}
