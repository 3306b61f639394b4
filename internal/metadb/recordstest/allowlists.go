package recordstest

import (
	"testing"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/projects"
)

func allowlists() []promise {
	return []promise{
		{"ListAllowedProjects", "has those that were allowed, and the project itself", testListAllowed},
		{"ListAllowedGroups", "has those that were allowed", testListAllowed},
		{"AllowJobs", "lists the source, and tells of it", testAllowJobs},
		{"AllowJobs", "is a Conflict if the source is listed", testAllowJobsTwice},
		{"AllowJobs", "is Full if the list has as many as the limit", testAllowJobsFull},
		{"DisallowJobs", "takes the source off the list, and tells of it", testAllowJobs},
		{"DisallowJobs", "is NotFound if the source is not listed", testDisallowJobsNotListed},
	}
}

// allowed are the ids of the projects and of the groups that are let in.
func (s *suite) allowed(t *testing.T, projectID int64) (ofProjects, ofGroups []int64) {
	t.Helper()
	p, err := s.ListAllowedProjects(t.Context(), projectID, all())
	ofProjects = idsOf(rows(t, p, err), func(p projects.Project) int64 { return p.ID })
	g, err := s.ListAllowedGroups(t.Context(), projectID, all())
	return ofProjects, idsOf(rows(t, g, err), func(g projects.Group) int64 { return g.ID })
}

func (s *suite) letIn(t *testing.T, projectID int64, source projects.Place) {
	t.Helper()
	must(t, 0, s.AllowJobs(t.Context(), projectID, source, roomy(), quiet()))
}

func testListAllowed(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	before, after := s.project(t, g.ID, u), s.project(t, g.ID, u)
	s.letIn(t, after.ID, inProject(p.ID))
	s.letIn(t, after.ID, inProject(before.ID))
	s.letIn(t, after.ID, inGroup(g.ID))
	s.letIn(t, before.ID, inProject(after.ID)) // another list
	gotProjects, gotGroups := s.allowed(t, after.ID)
	wantSame(t, "projects", gotProjects, []int64{p.ID, before.ID, after.ID})
	wantSame(t, "groups", gotGroups, []int64{g.ID})
	must(t, 0, s.DeleteProject(t.Context(), p.ID, now(), quiet()))
	gotProjects, _ = s.allowed(t, after.ID)
	wantSame(t, "projects without one that is gone", gotProjects, []int64{before.ID, after.ID})
}

func testAllowJobs(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	other := s.project(t, g.ID, u)
	for source, want := range map[projects.Place]audit.Target{
		inProject(other.ID): {Type: "Project", ID: other.ID, Details: other.FullPath},
		inGroup(g.ID):       {Type: "Group", ID: g.ID, Details: g.FullPath},
	} {
		e := s.event()
		must(t, 0, s.AllowJobs(t.Context(), p.ID, source, roomy(), e))
		wantSame(t, "the source that was let in", s.wantTold(t, e, 1).Target, want)
		e = s.event()
		must(t, 0, s.DisallowJobs(t.Context(), p.ID, source, e))
		wantSame(t, "the source that was taken off", s.wantTold(t, e, 1).Target, want)
	}
	gotProjects, gotGroups := s.allowed(t, p.ID)
	wantSame(t, "projects", gotProjects, []int64{p.ID})
	wantSame(t, "groups", gotGroups, []int64{})
}

func testAllowJobsTwice(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	for _, source := range []projects.Place{inProject(s.project(t, g.ID, u).ID), inGroup(g.ID)} {
		e := s.event()
		s.letIn(t, p.ID, source)
		wantKind(t, s.AllowJobs(t.Context(), p.ID, source, roomy(), e), fault.Conflict)
		s.wantTold(t, e, 0)
	}
}

func testAllowJobsFull(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	e := s.event()
	s.letIn(t, p.ID, inProject(s.project(t, g.ID, u).ID))
	wantFull(t, s.AllowJobs(t.Context(), p.ID, inGroup(g.ID), most(1), e), 1)
	s.wantTold(t, e, 0)
	_, gotGroups := s.allowed(t, p.ID)
	wantSame(t, "groups", gotGroups, []int64{})
}

func testDisallowJobsNotListed(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	e := s.event()
	for _, source := range []projects.Place{inProject(s.project(t, g.ID, u).ID), inGroup(g.ID), inProject(p.ID)} {
		wantKind(t, s.DisallowJobs(t.Context(), p.ID, source, e), fault.NotFound)
	}
	s.wantTold(t, e, 0)
}
