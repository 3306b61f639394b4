package recordstest

import (
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/releases"
)

func testInsertRelease(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	want, e := newRelease(p.ID, u.ID, "v1"), s.event()
	want.Links = []releases.Link{link("old"), link("new")}
	made, err := s.InsertRelease(t.Context(), want, nil, roomy(), e)
	must(t, 0, err)
	if len(made.Links) != 2 || made.Links[0].Name != "new" || made.Links[1].Name != "old" {
		t.Fatalf("%+v, want the newest first", made.Links)
	}
	want.ID, want.ProjectPath, want.Links = made.ID, p.FullPath, made.Links
	want.Author = releases.Author{ID: u.ID, Username: u.Username, Name: u.Name}
	wantSame(t, "what is returned", made, want)
	wantSame(t, "what is kept", s.releasesAt(t, p.ID, filterTag("v1")), []releases.Release{want})
	wantSame(t, "the target", s.wantTold(t, e, 1).Target, audit.Target{Type: "Release", ID: made.ID, Details: "v1"})
}

func testInsertTakenRelease(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	there, e := s.release(t, newRelease(p.ID, u.ID, "v1")), s.event()
	_, err := s.InsertRelease(t.Context(), newRelease(p.ID, u.ID, "v1"), nil, roomy(), e)
	wantKind(t, err, fault.Conflict)
	s.wantTold(t, e, 0)
	wantSame(t, "what is kept", s.releasesAt(t, p.ID, releases.Filter{}), []releases.Release{there})
	s.release(t, newRelease(p.ID, u.ID, "V1"))
	s.release(t, newRelease(s.project(t, g.ID, u).ID, u.ID, "v1"))
}

func testInsertReleaseFull(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	s.release(t, newRelease(p.ID, u.ID, "v1"))
	e := s.event()
	_, err := s.InsertRelease(t.Context(), newRelease(p.ID, u.ID, "v2"), nil, most(1), e)
	wantFull(t, err, 1)
	s.wantTold(t, e, 0)
	wantSame(t, "what is kept", tagsOf(s.releasesAt(t, p.ID, releases.Filter{})), "v1")
}

func testUpdateRelease(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	before, e := newRelease(p.ID, u.ID, "v1"), s.event()
	before.Links = []releases.Link{link("a")}
	before = s.release(t, before)
	want := before
	want.Name, want.Description, want.Milestones = "Another", "more words", nil
	want.UpdatedAt, want.ReleasedAt = now(), now().Add(time.Hour)
	changed, err := s.UpdateRelease(t.Context(), p.ID, "v1", func(r *releases.Release) (audit.Event, error) {
		wantSame(t, "what change gets", *r, before)
		*r = want
		return e, nil
	})
	wantSame(t, "what is returned", must(t, changed, err), want)
	wantSame(t, "what is kept", s.releasesAt(t, p.ID, filterTag("v1")), []releases.Release{want})
	s.wantTold(t, e, 1)
}

func testUpdateLinks(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	r := newRelease(p.ID, u.ID, "v1")
	r.Links = []releases.Link{link("gone"), link("stays"), link("changes")}
	r = s.release(t, r)
	changes, stays, gone := r.Links[0], r.Links[1], r.Links[2]
	changes.Name = "changed"
	fresh := gone // what is new may have the name of what goes
	fresh.ID = 0
	changed, err := s.UpdateRelease(t.Context(), p.ID, "v1", func(r *releases.Release) (audit.Event, error) {
		r.Links = []releases.Link{fresh, stays, changes}
		return quiet(), nil
	})
	must(t, 0, err)
	if len(changed.Links) != 3 || changed.Links[0].ID == gone.ID {
		t.Fatalf("%+v, want three links, and another than %d", changed.Links, gone.ID)
	}
	fresh.ID = changed.Links[0].ID
	wantSame(t, "links", changed.Links, []releases.Link{fresh, changes, stays})
	wantSame(t, "what is kept", s.releasesAt(t, p.ID, filterTag("v1"))[0].Links, changed.Links)
}

func testUpdateReleaseRefused(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	before := s.release(t, newRelease(p.ID, u.ID, "v1"))
	_, err := s.UpdateRelease(t.Context(), p.ID, "v1", func(r *releases.Release) (audit.Event, error) {
		r.Name, r.Links = "Another", []releases.Link{link("a")}
		return audit.Event{}, errRefused
	})
	wantRefused(t, err)
	wantSame(t, "what is kept", s.releasesAt(t, p.ID, filterTag("v1")), []releases.Release{before})
}

// testNoRelease changes and deletes releases that there are not.
func testNoRelease(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	s.release(t, newRelease(p.ID, u.ID, "v1"))
	e := s.event()
	for tag, projectID := range map[string]int64{"v2": p.ID, "V1": p.ID, "v1": s.project(t, g.ID, u).ID} {
		_, err := s.UpdateRelease(t.Context(), projectID, tag, func(*releases.Release) (audit.Event, error) { return e, nil })
		wantKind(t, err, fault.NotFound)
		_, err = s.DeleteRelease(t.Context(), projectID, tag, e)
		wantKind(t, err, fault.NotFound)
	}
	s.wantTold(t, e, 0)
}

func testDeleteRelease(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	r, e := newRelease(p.ID, u.ID, "v1"), s.event()
	r.Links = []releases.Link{link("a")}
	r = s.release(t, r)
	s.release(t, newRelease(p.ID, u.ID, "v2"))
	removed, err := s.DeleteRelease(t.Context(), p.ID, "v1", e)
	wantSame(t, "what is returned", must(t, removed, err), r)
	wantSame(t, "what is left", tagsOf(s.releasesAt(t, p.ID, releases.Filter{})), "v2")
	links, err := s.ListLinks(t.Context(), r.ID, releases.LinkFilter{}, all())
	wantSame(t, "links", len(rows(t, links, err)), 0)
	wantSame(t, "the target", s.wantTold(t, e, 1).Target, audit.Target{Type: "Release", ID: r.ID, Details: "v1"})
}
