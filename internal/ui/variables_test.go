package ui_test

import (
	"strings"
	"testing"

	"granary/internal/page"
	"granary/internal/trail"
)

// TestVariables: of a project and of a group: no value is on a page before it is
// revealed, one at a time, which leaves an event.
func TestVariables(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("owner")
	for place, event := range map[string]string{"/acme/tools": "ci_variable_revealed", "/acme": "ci_group_variable_revealed"} {
		at := place + "/-/settings/variables"
		b.get(at).wants(t, 200, "No variables yet", "New variable")
		b.post(at, "key", "A-B", "value", "secret-value-1", "masked", "1").wants(t, 422, `value="A-B"`, `id="key-why"`).lacks(t, "secret-value-1")
		b.post(at, "key", "SHORT", "value", "tiny-7!", "masked", "1").wants(t, 422, `id="value-why"`, "at least 8 characters").lacks(t, "tiny-7!")
		b.post(at, "key", "HOST", "value", "secret-value-1", "description", "Where to").leads(t, at+"?done=made")
		b.post(at, "key", "HOST", "value", "secret-value-2", "environment_scope", "production", "masked", "1", "protected", "1").leads(t, at+"?done=made")
		b.post(at, "key", "HOST", "value", "x", "environment_scope", "production").wants(t, 422, "has already been taken")
		b.post(at, "key", "GONE", "value", "secret-value-3", "hidden", "1", "variable_type", "file").leads(t, at+"?done=made")
		list := b.get(at).wants(t, 200, "3 variables", "Where to", "production", "masked", "protected").lacks(t, "secret-value")
		reveal := strings.ReplaceAll(list.found(t, `action="([^"]+scope=production[^"]*)"><button class="btn small" aria-label="Reveal`), "&amp;", "&")
		shown := b.post(reveal).wants(t, 200, "secret-value-2").lacks(t, "secret-value-1", "secret-value-3")
		if got := shown.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control of a value: %q", got)
		}
		b.get(reveal).leads(t, strings.Replace(reveal, "/reveal?", "?", 1))
		b.post(at+"/GONE/reveal?scope=*").wants(t, 422, "nobody can read").lacks(t, "secret-value-3")
		b.post(at+"/NONE/reveal?scope=*").wants(t, 404)
		events, err := s.db.ListEvents(t.Context(), trail.Filter{}, page.Request{Number: 1, Size: 1})
		if err != nil || string(events.Rows[0].Name) != event || events.Rows[0].Target.Details != "HOST (production)" || events.Rows[0].Author.Username != "owner" {
			t.Errorf("%s: %+v, %v", place, events.Rows, err)
		}
	}
}

// TestEditVariable: an empty value keeps the value; what changed meanwhile is not
// changed, nor removed.
func TestEditVariable(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("maintainer")
	const at = "/acme/tools/-/settings/variables"
	b.post(at, "key", "HOST", "value", "secret-value-1", "environment_scope", "dev").leads(t, at+"?done=made")
	one := at + "/HOST?scope=dev"
	page := b.get(one).wants(t, 200, "Empty keeps the value", `value="dev"`, "Remove HOST").lacks(t, "secret-value-1", `name="hidden"`)
	tag := page.found(t, `name="tag" value="([^"]+)"`)
	b.post(one, "tag", tag, "environment_scope", "!", "value", "").wants(t, 422, `id="environment_scope-why"`, `value="!"`)
	b.post(one, "tag", tag, "environment_scope", "prod", "value", "", "description", "Where", "variable_type", "file").leads(t, at+"?done=saved")
	b.post(at+"/HOST/reveal?scope=prod").wants(t, 200, "secret-value-1", "Where", ">file<")
	b.get(one).wants(t, 404)
	one = at + "/HOST?scope=prod"
	b.post(one, "tag", tag, "environment_scope", "prod", "value", "other").wants(t, 409, "It changed while you looked")
	b.post(at+"/HOST/delete?scope=prod", "tag", tag).wants(t, 409, "It changed while you looked")
	tag = b.get(one).found(t, `name="tag" value="([^"]+)"`)
	b.post(one, "tag", tag, "environment_scope", "prod", "value", "secret-value-2").leads(t, at+"?done=saved")
	tag = b.get(one).found(t, `name="tag" value="([^"]+)"`)
	b.post(at+"/HOST/delete?scope=prod", "tag", tag).leads(t, at+"?done=removed")
	b.get(one).wants(t, 404)
	s.as("developer").post(at, "key", "K", "value", "v").wants(t, 403)
}
