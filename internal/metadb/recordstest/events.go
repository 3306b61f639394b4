package recordstest

import (
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/trail"
)

func events() []promise {
	return []promise{
		{"ListEvents", "keeps events as they were recorded", testKeepEvent},
		{"WalkEvents", "walks through them, an author's within a depth", testWalkEvents},
		{"ListEvents", "returns those that the filter chooses, newest first", testListEvents},
		{"FindEvent", "finds one of those, and is NotFound without", testFindEvent},
		{"PurgeEvents", "removes up to limit from before, the oldest first", testPurgeEvents},
	}
}

// record has an event recorded, by a deed that completes nothing in it.
func (s *suite) record(t *testing.T, e audit.Event) {
	t.Helper()
	name := s.name("flag")
	_, err := s.SetFeature(t.Context(), name, projects.FeatureChange{Value: new(true)}, roomy(), roomy(), quiet())
	must(t, 0, err)
	must(t, 0, s.DeleteFeature(t.Context(), name, e))
}

func testKeepEvent(t *testing.T, s *suite) {
	e := s.event()
	e.Author = audit.Author{
		UserID: 3, Username: "jane", Name: "Jane", Credential: audit.PersonalToken, CredentialID: 4, Address: "192.0.2.1", SudoID: 5, SudoUsername: "root",
	}
	e.Entity = audit.Entity{Type: audit.Group, ID: 6, Path: "some/group"}
	e = e.To("Thing", 7, "its name").With("what", "before", "after")
	s.record(t, e)
	got := s.wantTold(t, e, 1)
	if got.ID < e.At.UnixMicro() {
		t.Errorf("id %d is before %d", got.ID, e.At.UnixMicro())
	}
	e.ID = got.ID
	wantSame(t, "the event", got, e)
}

func testListEvents(t *testing.T, s *suite) {
	at := now().Add(-1000 * time.Hour) // no other event is so old
	var ids []int64
	for i, in := range []audit.Entity{{Type: audit.Project, ID: 700_071, Path: "a"}, {Type: audit.Group, ID: 700_071, Path: "b"}, {Type: audit.Project, ID: 700_072, Path: "c"}, {Type: audit.Project, ID: 700_071, Path: "a"}} {
		e := s.event()
		e.Entity, e.At = in, at.Add(time.Duration(i/2)*time.Minute) // two have the same moment
		s.record(t, e)
		ids = append(ids, s.wantTold(t, e, 1).ID)
	}
	between := trail.Filter{After: at, Before: at.Add(2 * time.Minute)}
	for _, tt := range []struct {
		name string
		f    trail.Filter
		want []int64
	}{
		{"between", between, reversed(ids)},
		{"of a place", trail.Filter{EntityType: audit.Project, EntityID: 700_071}, []int64{ids[3], ids[0]}},
		{"of a sort of place", trail.Filter{EntityType: audit.Group, Before: at.Add(time.Minute)}, []int64{ids[1]}},
		{"from a moment on", trail.Filter{EntityType: audit.Project, After: at.Add(time.Minute), Before: at.Add(time.Hour)}, []int64{ids[3], ids[2]}},
		{"up to a moment", trail.Filter{EntityType: audit.Project, Before: at}, []int64{ids[0]}},
		{"behind one", trail.Filter{EntityType: audit.Project, OlderThan: ids[2]}, []int64{ids[0]}},
	} {
		found, err := s.ListEvents(t.Context(), tt.f, all())
		wantSame(t, tt.name, idsOf(rows(t, found, err), idOfEvent), tt.want)
	}
	found, err := s.ListEvents(t.Context(), between, page.Request{Number: 2, Size: 3})
	wantSame(t, "the second page", idsOf(must(t, found, err).Rows, idOfEvent), ids[:1])
	wantSame(t, "the total", found.Total, 4)
}

func testWalkEvents(t *testing.T, s *suite) {
	at := now().Add(-500 * time.Hour)
	var ids []int64
	for i := range 6 {
		e := s.event()
		e.Entity, e.At = audit.Entity{Type: audit.Project, ID: 700_091, Path: "a"}, at.Add(time.Duration(i)*time.Minute)
		e.Author.UserID = 700_001 + int64(i%2)
		s.record(t, e)
		ids = append(ids, s.wantTold(t, e, 1).ID)
	}
	place := trail.Filter{EntityType: audit.Project, EntityID: 700_091}
	by := func(author, olderThan int64) trail.Filter {
		f := place
		f.AuthorID, f.OlderThan = author, olderThan
		return f
	}
	for _, tt := range []struct {
		name         string
		f            trail.Filter
		limit, depth int
		want         []int64
		next         int64
	}{
		{"all of a place", place, 10, 3, reversed(ids), 0},
		{"the first two", place, 2, 100, []int64{ids[5], ids[4]}, ids[4]},
		{"an author's", by(700_002, 0), 10, 100, []int64{ids[5], ids[3], ids[1]}, 0},
		{"an author's first", by(700_002, 0), 1, 100, []int64{ids[5]}, ids[5]},
		{"an author's within the depth", by(700_002, 0), 10, 2, []int64{ids[5]}, ids[4]},
		{"and on", by(700_002, ids[4]), 10, 2, []int64{ids[3]}, ids[2]},
		{"none within the depth", by(700_009, 0), 10, 2, []int64{}, ids[4]},
	} {
		found, next, err := s.WalkEvents(t.Context(), tt.f, min(tt.limit, 100), tt.depth)
		wantSame(t, tt.name, idsOf(must(t, found, err), idOfEvent), tt.want)
		wantSame(t, tt.name+": next", next, tt.next)
	}
}

func idOfEvent(e audit.Event) int64 { return e.ID }

func testFindEvent(t *testing.T, s *suite) {
	e := s.event()
	e.Entity = audit.Entity{Type: audit.Project, ID: 700_081, Path: "a"}
	s.record(t, e)
	want := s.wantTold(t, e, 1)
	for _, f := range []trail.Filter{{}, {EntityType: audit.Project, EntityID: 700_081}} {
		found, err := s.FindEvent(t.Context(), f, want.ID)
		wantSame(t, "the event", must(t, found, err), want)
	}
	_, err := s.FindEvent(t.Context(), trail.Filter{EntityType: audit.Project, EntityID: 700_082}, want.ID)
	wantKind(t, err, fault.NotFound)
	_, err = s.FindEvent(t.Context(), trail.Filter{}, 1)
	wantKind(t, err, fault.NotFound)
}

func testPurgeEvents(t *testing.T, s *suite) {
	at := now().Add(-2000 * time.Hour) // no other event is so old
	var ids []int64
	for i := range 4 {
		e := s.event()
		e.At = at.Add(time.Duration(i) * time.Minute)
		s.record(t, e)
		ids = append(ids, s.wantTold(t, e, 1).ID)
	}
	for _, step := range []struct {
		removed int
		left    []int64
	}{{2, ids[2:]}, {1, ids[3:]}, {0, ids[3:]}} {
		n, err := s.PurgeEvents(t.Context(), at.Add(3*time.Minute), 2)
		wantSame(t, "removed", must(t, n, err), step.removed)
		found, err := s.ListEvents(t.Context(), trail.Filter{Before: at.Add(time.Hour), After: at}, all())
		wantSame(t, "what is left", idsOf(rows(t, found, err), idOfEvent), reversed(step.left))
	}
}
