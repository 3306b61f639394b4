package ui_test

import (
	"testing"

	"granary/internal/access"
	"granary/internal/projects"
	"granary/internal/registry"
)

// TestDraftOfNewPackage: the draft of a package without versions is found by those who may
// publish, on the list of drafts and from its own page; others see nothing of it.
func TestDraftOfNewPackage(t *testing.T) {
	s := newSite(t)
	s.acme()
	p, err := s.places.CreateProject(t.Context(), s.actor("admin"), s.group("acme").ID, projects.Project{Name: "new", Path: "new", PackageAccess: access.PackagesEnabled})
	if err != nil {
		t.Fatal(err)
	}
	always := projects.DraftMode(registry.DraftsAlways)
	if _, err := s.places.EditProject(t.Context(), s.actor("admin"), itoa(p.ID), projects.ProjectEdit{Drafts: projects.Setting[projects.DraftMode]{Given: true, Value: &always}}); err != nil {
		t.Fatal(err)
	}
	b, guest := s.as("developer"), s.as("guest")
	b.upload("acme/new", "kit", "1.0.0", "f", "f").leads(t, "/acme/new/-/packages/generic/kit/1.0.0?done=drafted")
	b.get("/acme/new/-/packages/generic/kit/1.0.0?done=drafted").wants(t, 200, "Put into a draft.", `href="/acme/new/-/packages/generic/kit"`).lacks(t, "Published.")
	b.do("PUT", "/acme/new/-/packages/generic/kit/1.0.0/g", "", "g").wants(t, 201, "in the draft")
	b.get("/acme/new").wants(t, 200, `href="/acme/new/-/packages?status=draft"`)
	b.get("/acme/new/-/packages?status=draft").wants(t, 200, ">kit</a>", ">draft</span>", `<option value="draft" selected>Drafts`, `href="/acme/new/-/packages/generic/kit?status=draft"`).lacks(t, "0001", "0 versions")
	if got := b.get("/acme/new/-/packages/generic/kit"); got.StatusCode != 302 || got.Header.Get("Location") != "/acme/new/-/packages/generic/kit?status=draft" {
		t.Errorf("%d, leads to %q", got.StatusCode, got.Header.Get("Location"))
	}
	b.get("/acme/new/-/packages/generic/kit?status=draft").wants(t, 200, ">1.0.0</a>")
	b.get("/acme/new/-/packages/generic/none").wants(t, 404)

	guest.get("/acme/new").wants(t, 200).lacks(t, "status=draft", "Drafts")
	guest.get("/acme/new/-/packages?status=draft").wants(t, 200).lacks(t, "kit")
	guest.get("/acme/new/-/packages/generic/kit").wants(t, 404)
	guest.get("/acme/new/-/packages/generic/kit?status=draft").wants(t, 200).lacks(t, "1.0.0")
	guest.get("/acme/tools").wants(t, 200).lacks(t, `value="draft"`)
	b.get("/acme/tools").wants(t, 200, `value="draft"`)
}

// group is a group by its full path.
func (s *site) group(path string) projects.Group {
	s.t.Helper()
	g, err := s.places.Group(s.t.Context(), s.actor("admin"), path)
	if err != nil {
		s.t.Fatal(err)
	}
	return g
}
