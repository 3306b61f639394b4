package ui_test

import "testing"

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
