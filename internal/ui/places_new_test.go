package ui_test

import (
	"fmt"
	"testing"

	"granary/internal/projects"
)

// TestNewProjectInGroup: the group on whose page one began is chosen, however many there are
// and also after a refusal.
func TestNewProjectInGroup(t *testing.T) {
	s := newSite(t)
	for i := range 104 {
		path := fmt.Sprintf("g%03d", i)
		if _, err := s.places.CreateGroup(t.Context(), s.actor("admin"), projects.Group{Name: path, Path: path}); err != nil {
			t.Fatal(err)
		}
	}
	b := s.as("admin")
	for _, group := range []string{"g000", "g050", "g103"} {
		got := b.get("/-/projects/new?namespace="+group).wants(t, 200, "<option selected>"+group+"</option>", "begin on its page")
		n := 0
		for e := range got.parse(t).elements("option") {
			if e.text() == group {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s is offered %d times", group, n)
		}
	}
	b.post("/-/projects/new", "namespace", "g103", "name", "", "path", "").wants(t, 422, "<option selected>g103</option>")
	b.get("/-/projects/new").lacks(t, "<option selected>")
	s.as("stranger").get("/-/projects/new?namespace=g103").wants(t, 200, "<option selected>g103</option>").lacks(t, "begin on its page")
	s.as("stranger").post("/-/projects/new", "namespace", "g103", "name", "x").wants(t, 422, "Is no group that you can see.")
}
