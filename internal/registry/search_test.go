package registry_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/registry"
)

// shelf is a group with a project for each visibility and each access to packages, and one
// package in each.
type shelf struct {
	*faultyRegistry
	t      *testing.T
	places *projects.Service
	users  *auth.Service
	group  projects.Group
	all    []int64 // the projects
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	r := newRegistry(t)
	s := &shelf{faultyRegistry: r, t: t, places: r.Groups.(*projects.Service)}
	s.users = &auth.Service{Records: r.ledger.Records.(auth.Records), Places: s.places, Now: s.places.Now}
	var err error
	if s.group, err = s.places.CreateGroup(t.Context(), r.admin, projects.Group{Name: "acme", Path: "acme", Visibility: access.Public}); err != nil {
		t.Fatal(err)
	}
	for _, v := range []access.Visibility{access.Private, access.Internal, access.Public} {
		for _, packages := range []access.PackageAccess{access.PackagesDisabled, access.PackagesPrivate, access.PackagesEnabled, access.PackagesPublic} {
			s.add(fmt.Sprint("p", int(v), "-", int(packages)), v, packages)
		}
	}
	return s
}

// add makes a project with the package shared 1.0.0.
func (s *shelf) add(name string, v access.Visibility, packages access.PackageAccess) {
	s.t.Helper()
	ctx := s.t.Context()
	p, err := s.places.CreateProject(ctx, s.admin, s.group.ID, projects.Project{Name: name, Visibility: v, PackageAccess: access.PackagesEnabled})
	if err != nil {
		s.t.Fatal(err)
	}
	id := strconv.FormatInt(p.ID, 10)
	if _, err := s.Publish(ctx, s.admin, id, registry.Raw{Name: "shared", Version: "1.0.0", File: "f"}, strings.NewReader("f"), registry.PublishOptions{Length: 1}); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.places.EditProject(ctx, s.admin, id, projects.ProjectEdit{PackageAccess: &packages}); err != nil {
		s.t.Fatal(err)
	}
	s.all = append(s.all, p.ID)
}

func (s *shelf) person(name string) access.Actor {
	s.t.Helper()
	u, err := s.users.NewUser(s.t.Context(), audit.Author{}, auth.User{Username: name, Name: name, Email: name + "@example.com", External: name == "external", ProjectsLimit: 10})
	if err != nil {
		s.t.Fatal(err)
	}
	return access.Actor{Kind: access.User, UserID: u.ID, Username: name, External: u.External, Scopes: []access.Scope{access.ScopeAPI}}
}

// join makes an actor a member.
func (s *shelf) join(of projects.MembersOf, place string, a access.Actor, role access.Role) {
	s.t.Helper()
	if _, err := of.Add(s.t.Context(), s.admin, place, projects.Member{UserID: a.UserID, Role: role}); err != nil {
		s.t.Fatal(err)
	}
}

// TestSearchFindsWhatMayBeListed: a search finds the packages of the projects whose packages
// the actor may list: for people all of them, for jobs and deploy tokens no others.
func TestSearchFindsWhatMayBeListed(t *testing.T) {
	s := newShelf(t)
	ctx := t.Context()
	guest, reporter, part, outsider, external := s.person("guest"), s.person("reporter"), s.person("part"), s.person("outsider"), s.person("external")
	s.join(s.places.GroupMembers(), "acme", guest, access.Guest)
	s.join(s.places.GroupMembers(), "acme", reporter, access.Reporter)
	for _, id := range s.all[:6] {
		s.join(s.places.ProjectMembers(), strconv.FormatInt(id, 10), part, access.Developer)
	}
	job := reporter
	job.Kind, job.JobProjectID = access.Job, s.all[2]
	deploy, _, err := s.users.GroupDeployTokens().Create(ctx, s.admin, "acme", auth.DeployToken{Name: "t", Scopes: []access.Scope{access.ScopeReadPackage}})
	if err != nil {
		t.Fatal(err)
	}
	token := access.Actor{Kind: access.DeployToken, TokenID: deploy.ID, Scopes: []access.Scope{access.ScopeReadPackage, access.ScopeAPI}}
	for name, a := range map[string]access.Actor{
		"nobody": {}, "admin": s.admin, "guest": guest, "reporter": reporter, "part": part, "outsider": outsider, "external": external, "job": job, "token": token,
	} {
		var want []int64
		for _, id := range s.all {
			if _, err := s.ListPackages(ctx, a, strconv.FormatInt(id, 10), registry.PackageFilter{}, page.Request{Number: 1, Size: 1}); err == nil {
				want = append(want, id)
			}
		}
		for _, term := range []string{"share", "252f10c83610ebca1a059c0bae8255eba2f95be4d1d7bcfa89d7248a82d9f111"} { // the digest of "f"
			found, err := s.Search(ctx, a, term)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var got []int64
			for _, k := range found.Packages {
				got = append(got, k.ProjectID)
			}
			for _, f := range found.Files {
				got = append(got, f.ProjectID)
			}
			slices.Sort(got)
			switch {
			case a.Kind == access.Job || a.Kind == access.DeployToken:
				if slices.ContainsFunc(got, func(id int64) bool { return !slices.Contains(want, id) }) {
					t.Errorf("%s: %q finds %v, may list %v", name, term, got, want)
				}
			case !slices.Equal(got, want):
				t.Errorf("%s: %q finds %v, may list %v", name, term, got, want)
			}
		}
	}
}

// TestSearchPassesWhatMayNotBeListed: names that the actor may not list, many of them, do not
// hide those after them.
func TestSearchPassesWhatMayNotBeListed(t *testing.T) {
	s := newShelf(t)
	ctx, private := t.Context(), strconv.FormatInt(s.all[5], 10) // internal; its packages are its members'
	for i := range 100 {
		raw := registry.Raw{Name: fmt.Sprint("shared-", i), Version: "1.0.0", File: "f"}
		if _, err := s.Publish(ctx, s.admin, private, raw, strings.NewReader("f"), registry.PublishOptions{Length: 1}); err != nil {
			t.Fatal(err)
		}
	}
	found, err := s.Search(ctx, s.person("outsider"), "shared")
	if err != nil || found.MorePackages {
		t.Fatalf("%+v, %v", found, err)
	}
	var got []int64
	for _, k := range found.Packages {
		got = append(got, k.ProjectID)
	}
	if want := []int64{s.all[6], s.all[7], s.all[10], s.all[11]}; !slices.Equal(got, want) {
		t.Errorf("found in %v, want %v", got, want)
	}
}
