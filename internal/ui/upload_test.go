package ui_test

import (
	"testing"

	"granary/internal/naming"
	"granary/internal/projects"
)

// TestUploadNaming: the fields have the rules of the project's naming, or of the server's, and
// so has the drop zone of a version that is there.
func TestUploadNaming(t *testing.T) {
	s := newSite(t)
	_, id := s.acme()
	s.publish("acme/tools", "sonde", "1.0.0", "f", "x")
	b := s.as("developer")
	const word = "Three numbers with dots"
	zone := `data-rule="Letters, digits and . _ - `
	b.get("/acme/tools/-/packages/new").wants(t, 200, "no two dots in a row", zone+"&#43; ~ @").lacks(t, word)
	for _, own := range []naming.Grammar{naming.Strict, naming.Relaxed} {
		if _, err := s.places.EditProject(t.Context(), s.actor("admin"), itoa(id), projects.ProjectEdit{Naming: projects.Setting[naming.Grammar]{Given: true, Value: &own}}); err != nil {
			t.Fatal(err)
		}
		got, version := b.get("/acme/tools/-/packages/new"), b.get("/acme/tools/-/packages/generic/sonde/1.0.0")
		if own == naming.Strict {
			got.wants(t, 200, word, zone+"only")
			version.wants(t, 200, zone+"only")
		} else {
			got.wants(t, 200, zone+"&#43; ~ @").lacks(t, word)
			version.wants(t, 200, zone+"&#43; ~ @")
		}
	}
}

// TestUploadToProtectedName: the page says which name its reader may not publish to. It says
// nothing of names that no rule is for, and nothing to those whose role is enough.
func TestUploadToProtectedName(t *testing.T) {
	s := newSite(t)
	s.acme()
	const at, says = "/acme/tools/-/packages/new?name=", "A protection rule of this project keeps you from publishing to "
	s.as("maintainer").post("/acme/tools/-/settings/protection", "package_name_pattern", "SON*", "minimum_access_level_for_push", "40", "minimum_access_level_for_delete", "0").
		leads(t, "/acme/tools/-/settings/protection?done=made")
	for _, who := range []string{"developer", "maintainer", "owner", "admin"} {
		b := s.as(who)
		if who == "developer" {
			b.get(at+"sonde").wants(t, 200, says+"sonde.")
		} else {
			b.get(at+"sonde").wants(t, 200, `value="sonde"`).lacks(t, says)
		}
		b.get(at+"other").wants(t, 200, `value="other"`).lacks(t, says)
		b.get(at).wants(t, 200).lacks(t, says)
	}
	s.as("guest").get(at+"sonde").wants(t, 403)
}
