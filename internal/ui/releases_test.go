package ui_test

import (
	"strings"
	"testing"

	"granary/internal/releases"
)

// TestReleases: one is made where no drafts wait for it, edited, and deleted by its tag
// alone.
func TestReleases(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("maintainer")
	const at = "/acme/tools/-/releases"
	b.post(at+"/new", "tag", "", "name", "Kept").wants(t, 422, `value="Kept"`)
	b.post(at+"/new", "tag", "v2.0.0", "name", "Second", "description", "*Notes*").leads(t, at+"/v2.0.0?done=made")
	b.get(at+"/v2.0.0").wants(t, 200, "Second", "<em>Notes</em>", "Type v2.0.0")
	b.post(at+"/v2.0.0/edit", "name", "Other", "description", "None").leads(t, at+"/v2.0.0?done=saved")
	for _, typed := range []string{"", "v2", "v1.0.0"} {
		b.post(at+"/v2.0.0/delete", "confirm", typed).wants(t, 422, "Is not v2.0.0", `id="confirm-why"`)
	}
	b.get(at+"/v2.0.0").wants(t, 200, "Other")
	b.post(at+"/v2.0.0/delete", "confirm", "v2.0.0").leads(t, at+"?done=deleted")
	b.get(at+"/v2.0.0").wants(t, 404)
	b.post(at+"/new", "tag", "release/3.0", "name", "Third").leads(t, at+"/release%2F3.0?done=made")
	b.get(at).wants(t, 200, at+"/release%2F3.0\"")
	b.get(at+"/release%2F3.0").wants(t, 200, "Third")
	b.post(at+"/release%2F3.0/delete", "confirm", "release/3.0").leads(t, at+"?done=deleted")
}

// TestLargeNotes: notes that are larger than a form takes survive the form of their
// release, which says that it cannot change them.
func TestLargeNotes(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("maintainer")
	for tag, notes := range map[string]string{
		"v2": strings.Repeat("A line of notes.\n", 20_000),
		"v3": "a" + strings.Repeat("é", 200_000), // the limit is within a character
	} {
		if _, err := s.releases.Create(t.Context(), s.actor("admin"), "acme/tools", releases.Release{Tag: tag, Description: notes}, nil); err != nil {
			t.Fatal(err)
		}
		at := "/acme/tools/-/releases/" + tag
		b.get(at).wants(t, 200, "The notes go on")
		b.get(at+"/edit").wants(t, 200, "larger than 256 KiB").lacks(t, "<textarea")
		b.post(at+"/edit", "name", "Other").leads(t, at+"?done=saved")
		if got := s.notes(tag); got != notes {
			t.Errorf("%s has %d bytes of notes, want %d", tag, len(got), len(notes))
		}
	}
	b.get("/acme/tools/-/releases/v1.0.0").wants(t, 200).lacks(t, "The notes go on")
	b.post("/acme/tools/-/releases/v1.0.0/edit", "name", "Other", "description", "").leads(t, "/acme/tools/-/releases/v1.0.0?done=saved")
	if got := s.notes("v1.0.0"); got != "" {
		t.Errorf("notes that were emptied are %q", got)
	}
}

// notes is the whole description of a release.
func (s *site) notes(tag string) string {
	s.t.Helper()
	found, err := s.releases.Find(s.t.Context(), s.actor("admin"), "acme/tools", tag)
	if err != nil {
		s.t.Fatal(err)
	}
	var text strings.Builder
	for rows, err := range found.InSteps(s.t.Context()) {
		if err != nil {
			s.t.Fatal(err)
		}
		for _, r := range rows {
			text.WriteString(r.Description)
			if r.Apart == nil {
				continue
			}
			for part, err := range r.Apart.Description {
				if err != nil {
					s.t.Fatal(err)
				}
				text.WriteString(part)
			}
		}
	}
	return text.String()
}
