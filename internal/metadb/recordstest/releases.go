package recordstest

import (
	"strings"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/releases"
)

func releasesOf() []promise {
	return []promise{
		{"ListReleases", "returns those that the filter chooses, in any order", testListReleases},
		{"ListReleases", "leaves description and links of a large release Apart, in steps", testListReleasesApart},
		{"ListReleases", "ends a description with NotFound if the release was changed", testListReleasesChanged},
		{"ListLinks", "returns a page of those that the filter chooses, newest first", testListLinks},
		{"InsertRelease", "keeps the release with its links, and tells", testInsertRelease},
		{"InsertRelease", "is a Conflict if the tag has a release", testInsertTakenRelease},
		{"InsertRelease", "is Full if the project has as many as the limit", testInsertReleaseFull},
		{"InsertRelease", "makes the drafts final that are Alongside, and no others", testInsertReleaseFinals},
		{"InsertRelease", "inserts nothing if what is Alongside is refused", testInsertReleaseFinalsRefused},
		{"UpdateRelease", "keeps what change makes, and records what it returns", testUpdateRelease},
		{"UpdateRelease", "makes links without an id, and removes those left out", testUpdateLinks},
		{"UpdateRelease", "changes nothing if change refuses", testUpdateReleaseRefused},
		{"UpdateRelease", "is NotFound if the project has none of the tag", testNoRelease},
		{"DeleteRelease", "returns what it removed", testDeleteRelease},
		{"DeleteRelease", "is NotFound if the project has none of the tag", testNoRelease},
	}
}

func newRelease(projectID, authorID int64, tag string) releases.Release {
	return releases.Release{
		ProjectID: projectID, Tag: tag, Name: "Release " + tag, Description: "words", Ref: "main", Milestones: []string{"one", "two"},
		Author: releases.Author{ID: authorID}, CreatedAt: now(), UpdatedAt: now(), ReleasedAt: now(),
	}
}

func link(name string) releases.Link {
	return releases.Link{Name: name, URL: "https://example.com/" + name, Path: "/" + name, Type: releases.LinkPackage}
}

func filterTag(tag string) releases.Filter { return releases.Filter{Tag: tag} }

func (s *suite) release(t *testing.T, r releases.Release) releases.Release {
	t.Helper()
	made, err := s.InsertRelease(t.Context(), r, nil, roomy(), quiet())
	return must(t, made, err)
}

func (s *suite) releasesAt(t *testing.T, projectID int64, f releases.Filter) []releases.Release {
	t.Helper()
	found, err := s.ListReleases(t.Context(), projectID, f, all())
	return rows(t, found, err)
}

func tagsOf(found []releases.Release) string {
	tags := []string{}
	for _, r := range found {
		tags = append(tags, r.Tag)
	}
	return strings.Join(tags, " ")
}

func testListReleases(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	at := now()
	for i, tag := range []string{"v1.10", "v1.9", "v2"} { // by tag, by creation; they came out the other way round
		r := newRelease(p.ID, u.ID, tag)
		r.CreatedAt, r.UpdatedAt, r.ReleasedAt = at.Add(time.Duration(i)*time.Hour), at.Add(time.Duration(i)*time.Hour), at.Add(time.Duration(-i)*time.Hour)
		s.release(t, r)
	}
	s.release(t, newRelease(s.project(t, g.ID, u).ID, u.ID, "v3"))
	for order, want := range map[string]string{
		"": "v2 v1.9 v1.10", releases.ByRelease: "v2 v1.9 v1.10", releases.ByCreation: "v1.10 v1.9 v2", releases.ByTag: "v1.10 v1.9 v2", releases.ByVersion: "v1.9 v1.10 v2",
	} {
		ask := all()
		ask.OrderBy, ask.InSteps = order, order == releases.ByVersion
		found, err := s.ListReleases(t.Context(), p.ID, releases.Filter{Unlinked: true}, ask)
		must(t, 0, err)
		var got []releases.Release
		for rows, err := range found.InSteps(t.Context()) {
			got = append(got, must(t, rows, err)...)
		}
		wantSame(t, "by "+order, tagsOf(got), want)
	}
	whole := s.releasesAt(t, p.ID, filterTag("v2"))[0]
	for _, tt := range []struct {
		name string
		f    releases.Filter
		want string
	}{
		{"updated after", releases.Filter{UpdatedAfter: at}, "v2 v1.9"},
		{"updated before", releases.Filter{UpdatedBefore: at.Add(time.Minute)}, "v1.10"},
		{"released by", releases.Filter{ReleasedBy: at.Add(-time.Minute)}, "v2 v1.9"},
		{"by id", releases.Filter{ID: whole.ID}, "v2"},
		{"by a part of the tag", releases.Filter{Search: "V1."}, "v1.9 v1.10"},
		{"after one", releases.Filter{After: &whole}, "v1.9 v1.10"},
		{"in outline", releases.Filter{Outline: true}, "v2 v1.9 v1.10"},
	} {
		wantSame(t, tt.name, tagsOf(s.releasesAt(t, p.ID, tt.f)), tt.want)
	}
	brief := s.releasesAt(t, p.ID, releases.Filter{Tag: "v2", Brief: true})[0]
	whole.Description = ""
	wantSame(t, "in brief", brief, whole)
	brief = s.releasesAt(t, p.ID, releases.Filter{Tag: "v2", Brief: true, Opening: 3})[0]
	whole.Description = "wor"
	wantSame(t, "the opening", brief, whole)
}

func testListReleasesApart(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	large := newRelease(p.ID, u.ID, "large")
	large.Description, large.Links = strings.Repeat("ä and more; ", page.Large/6), []releases.Link{link("b"), link("a")}
	large = s.release(t, large)
	small := s.release(t, newRelease(p.ID, u.ID, "small"))
	ask := all()
	ask.InSteps = true
	found, err := s.ListReleases(t.Context(), p.ID, releases.Filter{}, ask)
	must(t, 0, err)
	for rows, err := range found.InSteps(t.Context()) {
		for _, r := range must(t, rows, err) {
			if r.Tag == small.Tag {
				wantSame(t, "the small one", r, small)
				continue
			}
			if r.Apart == nil || r.Description != "" || r.Links != nil {
				t.Fatalf("%+v, want its parts apart", r)
			}
			for part, err := range r.Apart.Description {
				r.Description += must(t, part, err)
			}
			for links, err := range r.Apart.Links.InSteps(t.Context()) {
				r.Links = append(r.Links, must(t, links, err)...)
			}
			r.Apart = nil
			wantSame(t, "the large one", r, large)
		}
	}
}

func testListReleasesChanged(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	large := newRelease(p.ID, u.ID, "large")
	large.Description = strings.Repeat("many words ", page.Large)
	s.release(t, large)
	ask := all()
	ask.InSteps = true
	found, err := s.ListReleases(t.Context(), p.ID, releases.Filter{}, ask)
	must(t, 0, err)
	var last error
	for rows, err := range found.InSteps(t.Context()) {
		for _, err := range must(t, rows, err)[0].Apart.Description {
			if last = err; err != nil {
				break
			}
			_, err = s.UpdateRelease(t.Context(), p.ID, "large", func(r *releases.Release) (audit.Event, error) {
				r.UpdatedAt = r.UpdatedAt.Add(time.Second)
				return quiet(), nil
			})
			must(t, 0, err)
		}
	}
	wantKind(t, last, fault.NotFound)
}

func testListLinks(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	r := newRelease(p.ID, u.ID, "v1")
	r.Links = []releases.Link{link("a"), link("b"), {Name: "c", URL: "https://example.com", Type: releases.LinkOther}}
	r = s.release(t, r)
	c, b, a := r.Links[0], r.Links[1], r.Links[2]
	for _, tt := range []struct {
		name string
		f    releases.LinkFilter
		want []releases.Link
	}{
		{"all", releases.LinkFilter{}, []releases.Link{c, b, a}},
		{"by id", releases.LinkFilter{ID: b.ID}, []releases.Link{b}},
		{"by path", releases.LinkFilter{Paths: []string{"/a", "a", ""}}, []releases.Link{a}},
	} {
		found, err := s.ListLinks(t.Context(), r.ID, tt.f, all())
		wantSame(t, tt.name, rows(t, found, err), tt.want)
	}
	found, err := s.ListLinks(t.Context(), r.ID, releases.LinkFilter{}, page.Request{Number: 2, Size: 1})
	if must(t, found, err); found.Total != 3 || len(found.Rows) != 1 || found.Rows[0] != b {
		t.Errorf("%+v, want the second of 3", found)
	}
}
