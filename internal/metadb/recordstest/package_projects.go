package recordstest

import (
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/naming"
	"granary/internal/projects"
	"granary/internal/registry"
)

func places() []promise {
	return []promise{
		{"FindPackageProject", "takes an id or a path of any case, old ones too", testFindPackageProject},
		{"FindPackageProject", "is NotFound if there is no such project", testFindNoPlace},
		{"FindPackageProject", "has what publishing asks for", testFindWholePlace},
		{"FindPackageProject", "knows deploy tokens and jobs", testFindPackageProjectForTokens},
		{"FindPackageProjects", "returns those that there are, with the standing that FindPackageProject finds", testFindPackageProjects},
		{"MemberPackageProjects", "returns up to limit projects in which the user has a role, the newest first", testMemberPackageProjects},
		{"GroupPackageProjects", "returns the projects in a group, and below if so asked", testGroupPackageProjects},
	}
}

func testFindPackageProject(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	stranger, to := s.user(t), s.name("project")
	_, err := s.UpdateProject(t.Context(), p.ID, repath(to))
	must(t, 0, err)
	now := g.FullPath + "/" + to
	for range 2 { // the second time it may be remembered
		for ref, moved := range map[string]bool{id(p.ID): false, now: false, strings.ToUpper(now): false, p.FullPath: true, strings.ToUpper(p.FullPath): true} {
			for role, a := range map[access.Role]access.Actor{access.Owner: actorOf(u), access.NoRole: actorOf(stranger)} {
				place, err := s.FindPackageProject(t.Context(), ref, a)
				if must(t, place, err); place.ProjectID != p.ID || place.FullPath != now || place.Path != to || place.Moved != moved {
					t.Errorf("%s leads to %+v, want project %d at %s, moved: %v", ref, place, p.ID, now, moved)
				}
				wantSame(t, "the role", place.Standing.Role, role)
			}
		}
	}
}

func testFindNoPlace(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	_, err := s.FindPackageProject(t.Context(), p.FullPath, actorOf(u)) // it may be remembered
	must(t, 0, err)
	must(t, 0, s.DeleteProject(t.Context(), p.ID, now(), quiet()))
	for _, ref := range []string{"nothing/here", "999999", "0", "-1", "", "a", g.FullPath, p.FullPath, id(p.ID)} {
		_, err := s.FindPackageProject(t.Context(), ref, actorOf(u))
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %v, want NotFound", ref, err)
		}
	}
}

func testFindWholePlace(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	place, err := s.FindPackageProject(t.Context(), p.FullPath, actorOf(u))
	must(t, 0, err)
	if !place.FlagOn || place.Naming != nil || place.MaxFileSize != nil || !place.Duplicates.Permits(registry.Coordinates{}) || len(place.Protections) != 0 ||
		place.Drafts != "" || place.Standing.Finalisers != "" {
		t.Errorf("%+v, want the defaults", place)
	}
	_, err = s.UpdateGroup(t.Context(), g.ID, func(g *projects.Group) ([]audit.Event, error) {
		g.Duplicates = projects.Duplicates{Allowed: new(false), Exception: new("free.*")}
		return nil, nil
	})
	must(t, 0, err)
	_, err = s.UpdateProject(t.Context(), p.ID, func(p *projects.Project) ([]audit.Event, error) {
		p.Naming, p.MaxFileSize = new(naming.Relaxed), new(int64(7))
		p.Drafts, p.Finalisers = new(projects.DraftMode(registry.DraftsAtRelease)), new(access.People)
		return nil, nil
	})
	must(t, 0, err)
	s.rule(t, registry.ProtectionRule{ProjectID: p.ID, Pattern: "a*", PackageType: "generic", Push: access.Owner, Delete: access.Admin})
	s.rule(t, registry.ProtectionRule{ProjectID: p.ID, Pattern: "a*", PackageType: "npm", Push: access.Owner})
	s.feature(t, projects.GenericPackages, projects.FeatureChange{Value: new(false), Targets: projects.FeatureTargets{Projects: []string{p.FullPath}}})
	place, err = s.FindPackageProject(t.Context(), p.FullPath, actorOf(u))
	must(t, 0, err)
	wantSame(t, "the naming", place.Naming, new(naming.Relaxed))
	wantSame(t, "the size", place.MaxFileSize, new(int64(7)))
	wantSame(t, "the drafts", place.Drafts, registry.DraftsAtRelease)
	wantSame(t, "the finalisers", place.Standing.Finalisers, access.People)
	wantSame(t, "protections", place.Protections, []registry.Protection{{Pattern: "a*", Push: access.Owner, Delete: access.Admin}})
	for name, permitted := range map[registry.Name]bool{"tool": false, "free-tool": true} {
		wantSame(t, "duplicates of "+string(name), place.Duplicates.Permits(registry.Coordinates{Name: name, Version: "1"}), permitted)
	}
	wantSame(t, "the flag", place.FlagOn, false)
}

func testFindPackageProjectForTokens(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	other := s.project(t, g.ID, u)
	_, err := s.UpdateProject(t.Context(), p.ID, func(p *projects.Project) ([]audit.Event, error) {
		p.JobTokenScope = true
		return nil, nil
	})
	must(t, 0, err)
	deploy := s.deployToken(t, newDeployToken(inGroup(g.ID), u))
	stranger := s.deployToken(t, newDeployToken(inProject(other.ID), u))
	for token, covered := range map[int64]bool{deploy.ID: true, stranger.ID: false} {
		place, err := s.FindPackageProject(t.Context(), p.FullPath, access.Actor{Kind: access.DeployToken, TokenID: token})
		wantSame(t, "covered", must(t, place, err).Standing.Covered, covered)
	}
	job := actorOf(u)
	job.Kind, job.JobProjectID = access.Job, other.ID
	for _, listed := range []bool{false, true} {
		place, err := s.FindPackageProject(t.Context(), p.FullPath, job)
		wantSame(t, "listed", must(t, place, err).Standing.Listed, listed)
		if !listed {
			s.letIn(t, p.ID, inProject(other.ID))
		}
	}
}

func testFindPackageProjects(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	other := s.project(t, g.ID, u)
	own := s.project(t, u.NamespaceID, u)
	gone := s.project(t, g.ID, u)
	must(t, 0, s.DeleteProject(t.Context(), gone.ID, now(), quiet()))
	_, err := s.UpdateProject(t.Context(), p.ID, func(p *projects.Project) ([]audit.Event, error) {
		p.JobTokenScope, p.Finalisers, p.Archived, p.PackageAccess = true, new(access.People), true, access.PackagesPrivate
		return nil, nil
	})
	must(t, 0, err)
	member, outsider := s.user(t), s.user(t)
	s.member(t, inProject(p.ID), member, access.Reporter, nil)
	s.member(t, inGroup(g.ID), member, access.Guest, nil)
	s.member(t, inProject(other.ID), member, access.Owner, new(now().Add(-time.Hour)))
	deploy, stranger := s.deployToken(t, newDeployToken(inGroup(g.ID), u)), s.deployToken(t, newDeployToken(inProject(other.ID), u))
	job := actorOf(u)
	job.Kind, job.JobProjectID = access.Job, other.ID
	for name, a := range map[string]access.Actor{
		"nobody": {}, "the owner": actorOf(u), "a member": actorOf(member), "an outsider": actorOf(outsider), "a job": job,
		"a token of the group": {Kind: access.DeployToken, TokenID: deploy.ID}, "a token of a project": {Kind: access.DeployToken, TokenID: stranger.ID},
	} {
		found, err := s.FindPackageProjects(t.Context(), []int64{p.ID, other.ID, 999999, own.ID, gone.ID, p.ID}, a)
		if must(t, found, err); len(found) != 3 {
			t.Errorf("%s: %+v, want 3 projects", name, found)
		}
		for _, place := range found {
			whole, err := s.FindPackageProject(t.Context(), id(place.ProjectID), a)
			must(t, 0, err)
			if place.Path != whole.Path || place.FullPath != whole.FullPath || place.Standing != whole.Standing {
				t.Errorf("%s: %+v, want paths and standing of %+v", name, place, whole)
			}
		}
	}
	found, err := s.FindPackageProjects(t.Context(), nil, actorOf(u))
	wantSame(t, "of no ids", len(must(t, found, err)), 0)
}

func testGroupPackageProjects(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	inside := s.project(t, s.group(t, g.ID, u).ID, u)
	gone := s.project(t, g.ID, u)
	must(t, 0, s.DeleteProject(t.Context(), gone.ID, now(), quiet()))
	member := s.user(t)
	s.member(t, inProject(inside.ID), member, access.Developer, nil)
	for below, want := range map[bool][]projects.Project{false: {p}, true: {p, inside}} {
		for _, by := range []access.Actor{actorOf(u), actorOf(member), {}} {
			found, err := s.GroupPackageProjects(t.Context(), g.ID, below, by)
			if must(t, found, err); len(found) != len(want) {
				t.Fatalf("%d projects, want %d", len(found), len(want))
			}
			for i, place := range found {
				whole, err := s.FindPackageProject(t.Context(), id(want[i].ID), by)
				must(t, 0, err)
				if place.ProjectID != whole.ProjectID || place.FullPath != whole.FullPath || place.Standing != whole.Standing {
					t.Errorf("%+v, want id, path and standing of %+v", place, whole)
				}
			}
		}
	}
}

func testMemberPackageProjects(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	inside := s.project(t, s.group(t, g.ID, u).ID, u)
	gone := s.project(t, g.ID, u)
	must(t, 0, s.DeleteProject(t.Context(), gone.ID, now(), quiet()))
	member := s.user(t)
	s.member(t, inProject(inside.ID), member, access.Developer, nil)
	hermit := s.user(t)
	own := s.project(t, hermit.NamespaceID, u)
	for _, tt := range []struct {
		name  string
		by    access.Actor
		limit int
		want  []int64
	}{
		{"above", actorOf(u), 10, []int64{inside.ID, p.ID}},
		{"up to the limit", actorOf(u), 1, []int64{inside.ID}},
		{"in one", actorOf(member), 10, []int64{inside.ID}},
		{"in its own namespace", actorOf(hermit), 10, []int64{own.ID}},
		{"in none", actorOf(s.user(t)), 10, []int64{}},
	} {
		found, err := s.MemberPackageProjects(t.Context(), tt.by, tt.limit)
		ids := []int64{}
		for _, place := range must(t, found, err) {
			whole, err := s.FindPackageProject(t.Context(), id(place.ProjectID), tt.by)
			must(t, 0, err)
			if place.FullPath != whole.FullPath || place.Standing != whole.Standing {
				t.Errorf("%s: %+v, want path and standing of %+v", tt.name, place, whole)
			}
			ids = append(ids, place.ProjectID)
		}
		wantSame(t, tt.name, ids, tt.want)
	}
}
