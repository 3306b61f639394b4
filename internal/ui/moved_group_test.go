package ui_test

import (
	"testing"

	"granary/internal/projects"
)

// TestMovedGroup: the pages of a group, and of those below it, are found by their former
// paths by those who see the group; a form that was sent there is refused.
func TestMovedGroup(t *testing.T) {
	s := newSite(t)
	id, _ := s.acme()
	admin, ctx := s.actor("admin"), t.Context()
	if _, err := s.places.CreateGroup(ctx, admin, projects.Group{Name: "sub", Path: "sub", ParentID: id}); err != nil {
		t.Fatal(err)
	}
	path := "acme9"
	if _, err := s.places.EditGroup(ctx, admin, "acme", projects.GroupEdit{Path: &path}); err != nil {
		t.Fatal(err)
	}
	b := s.as("owner")
	for from, to := range map[string]string{
		"/acme": "/acme9", "/ACME": "/acme9", "/a%63me?search=x": "/acme9?search=x", "/acme/sub": "/acme9/sub", "/acme/-/packages?page=2": "/acme9/-/packages?page=2",
		"/acme/sub/-/members": "/acme9/sub/-/members", "/acme/tools": "/acme9/tools",
	} {
		got := b.get(from)
		if got.StatusCode != 301 || got.Header.Get("Location") != to {
			t.Errorf("%s: %d, leads to %q", from, got.StatusCode, got.Header.Get("Location"))
		}
		b.get(to).wants(t, 200)
		s.as("stranger").get(from).wants(t, 404)
		s.nobody().get(from).wants(t, 303)
	}
	before, err := s.places.Group(ctx, admin, path)
	if err != nil {
		t.Fatal(err)
	}
	b.post("/acme/-/settings", "name", "other", "visibility", "0").wants(t, 409, "This was sent to a former address.", `href="/acme9/-/settings"`)
	if after, err := s.places.Group(ctx, admin, path); err != nil || after.Name != before.Name {
		t.Errorf("%+v, %v", after, err)
	}
	b.get("/acme8").wants(t, 404)

	if _, err := s.places.CreateGroup(ctx, admin, projects.Group{Name: "acme", Path: "acme"}); err != nil { // the path is free
		t.Fatal(err)
	}
	s.as("admin").get("/acme").wants(t, 200)
	b.get("/acme").wants(t, 404)
}
