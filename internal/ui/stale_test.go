package ui_test

import (
	"fmt"
	"testing"

	"granary/internal/registry"
)

// TestStaleFinalise: what becomes final is what the page showed.
func TestStaleFinalise(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("maintainer")
	for name, files := range map[string]int{"few": 2, "many": 60} {
		at := "/acme/tools/-/packages/generic/" + name + "/1.0.0"
		for i := range files {
			s.publish("acme/tools", name, "1.0.0", fmt.Sprintf("file-%02d", i), "bytes")
		}
		s.publish("acme/tools", name, "1.0.0", "file-00", "newer bytes") // twice
		stale := b.get(at).wants(t, 200).hidden(t, at+"/finalise", "manifest")
		s.publish("acme/tools", name, "1.0.0", "file-01", "other bytes")
		got := b.post(at+"/finalise", "manifest", stale).wants(t, 409, "It changed while you looked.")
		for _, wrong := range []string{"", "x"} {
			b.post(at+"/finalise", "manifest", wrong).wants(t, 422)
		}
		if whole, err := s.registry.FindVersion(t.Context(), s.actor("admin"), "acme/tools", registry.Raw{Name: name, Version: "1.0.0"}, nil); err != nil || whole.FinalAt != nil {
			t.Fatalf("%s is final: %v, %v", name, whole.FinalAt, err)
		}
		b.post(at+"/finalise", "manifest", got.hidden(t, at+"/finalise", "manifest")).leads(t, at+"?done=finalised")
	}
}

// TestStaleDraft: so it is with a draft.
func TestStaleDraft(t *testing.T) {
	s := newSite(t)
	s.acme()
	s.registry.Drafts = "always"
	b := s.as("maintainer")
	const at = "/acme/tools/-/packages/generic/drafted/1.0.0"
	s.publish("acme/tools", "drafted", "1.0.0", "a", "bytes")
	stale := b.get(at).wants(t, 200, "A draft").hidden(t, at+"/finalise", "manifest")
	s.publish("acme/tools", "drafted", "1.0.0", "b", "bytes")
	b.post(at+"/finalise", "manifest", stale).wants(t, 409, "It changed while you looked.")
	b.post(at+"/finalise", "manifest", b.get(at).hidden(t, at+"/finalise", "manifest")).leads(t, at+"?done=finalised")
}

// TestStaleChannel: a channel that was moved is not removed from the page of the version
// that it led to.
func TestStaleChannel(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("maintainer")
	const at = "/acme/tools/-/packages/generic/sonde/"
	b.post(at+"1.1.0/channel", "channel", "stable").leads(t, at+"1.1.0?done=moved")
	b.post(at+"1.0.0/channel", "channel", "stable").leads(t, at+"1.0.0?done=moved")
	b.post(at+"1.1.0/channel/remove", "channel", "stable").wants(t, 409, "The channel leads to 1.0.0.")
	b.get(at+"1.0.0").wants(t, 200, "Remove the channel stable")
	b.post(at+"1.0.0/channel/remove", "channel", "stable").leads(t, at+"1.0.0?done=removed")
	b.get(at+"1.0.0").wants(t, 200).lacks(t, "Remove the channel stable")
}

// hidden is a field of a form of the page.
func (a answer) hidden(t *testing.T, action, name string) string {
	t.Helper()
	for _, f := range a.parse(t).forms(a.Request.URL.Path) {
		if f.method == "post" && f.action == action {
			return f.fields.Get(name)
		}
	}
	t.Fatalf("%s has no form for %s", a.Request.URL, action)
	return ""
}
