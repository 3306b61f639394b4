package ui_test

import (
	"bytes"
	"mime/multipart"
	"testing"

	"granary/internal/access"
	"granary/internal/projects"
)

const role = "Your role here does not allow this."

// upload sends a file by the form without script.
func (b *browser) upload(project, name, version, file, text string) answer {
	b.s.t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for _, field := range [][2]string{{"name", name}, {"version", version}} {
		if err := w.WriteField(field[0], field[1]); err != nil {
			b.s.t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", file)
	if err != nil {
		b.s.t.Fatal(err)
	}
	if _, err := part.Write([]byte(text)); err != nil {
		b.s.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.s.t.Fatal(err)
	}
	return b.do("POST", "/"+project+"/-/packages/new", w.FormDataContentType(), form.String())
}

// TestRegistryOff: pages of packages say that the registry is off, and lead to the settings
// those who may change it.
func TestRegistryOff(t *testing.T) {
	s := newSite(t)
	s.acme()
	owner := s.as("owner")
	disabled := access.PackagesDisabled
	if _, err := s.places.EditProject(t.Context(), s.actor("admin"), "acme/tools", projects.ProjectEdit{PackageAccess: &disabled}); err != nil {
		t.Fatal(err)
	}
	const off, settings = "The package registry of this project is off", `href="/acme/tools/-/settings/packages"`
	for _, at := range []string{"/acme/tools", "/acme/tools/-/packages", "/acme/tools/-/packages/new", "/acme/tools/-/packages/generic/sonde", "/acme/tools/-/packages/generic/sonde/1.0.0", "/acme/tools/-/packages/setup"} {
		got := owner.get(at)
		if at != "/acme/tools/-/packages/setup" { // it lists nothing
			got.wants(t, 403, off, settings, ">Members</a>").lacks(t, role)
		}
		s.as("guest").get(at).lacks(t, settings, role)
	}
	owner.upload("acme/tools", "a", "1.0.0", "f", "f").wants(t, 403, off, settings)
	owner.do("PUT", "/acme/tools/-/packages/generic/a/1.0.0/f", "", "f").wants(t, 403, off)
	s.as("stranger").get("/acme/tools").wants(t, 404).lacks(t, off)
	s.nobody().get("/acme/tools").wants(t, 303)
}

// TestArchivedRefuses: what an archived project refuses is not put down to a role, except of
// those whose role does not allow it, either.
func TestArchivedRefuses(t *testing.T) {
	s := newSite(t)
	s.acme()
	owner, guest := s.as("owner"), s.as("guest")
	owner.post("/acme/tools/-/settings/archive", "archived", "1").wants(t, 303)
	const archived, settings = "This project is archived", `<a class="btn" href="/acme/tools/-/settings"`
	for _, at := range []string{"/acme/tools/-/packages/new", "/acme/tools/-/releases/new"} {
		owner.get(at).wants(t, 403, archived, settings).lacks(t, role)
		s.as("developer").get(at).wants(t, 403, archived).lacks(t, role, settings)
		guest.get(at).wants(t, 403).lacks(t, archived)
	}
	owner.upload("acme/tools", "a", "1.0.0", "f", "f").wants(t, 403, archived, settings)
	owner.post("/acme/tools/-/packages/generic/sonde/1.0.0/edit", "do", "yank").wants(t, 403, archived)
	owner.post("/acme/tools/-/settings/protection", "package_name_pattern", "a*", "minimum_access_level_for_push", "40").wants(t, 403, archived)
	owner.do("PUT", "/acme/tools/-/packages/generic/a/1.0.0/f", "", "f").wants(t, 403, archived)
	guest.post("/acme/tools/-/packages/generic/sonde/1.0.0/edit", "do", "yank").wants(t, 403, role).lacks(t, archived)
}

// TestFlagOffRefuses: with the feature flag off, an upload says so.
func TestFlagOffRefuses(t *testing.T) {
	s := newSite(t)
	s.acme()
	s.as("admin").post("/acme/tools/-/settings/feature", "value", "0").wants(t, 303)
	const flag = "The feature generic_packages is off here"
	owner := s.as("owner")
	owner.upload("acme/tools", "a", "1.0.0", "f", "f").wants(t, 403, flag).lacks(t, `class="btn" href="/acme/tools/-/settings"`)
	s.as("admin").upload("acme/tools", "a", "1.0.0", "f", "f").wants(t, 403, flag, `class="btn" href="/acme/tools/-/settings"`)
	owner.do("PUT", "/acme/tools/-/packages/generic/a/1.0.0/f", "", "f").wants(t, 403, flag)
	owner.get("/acme/tools/-/packages/generic/sonde/latest").wants(t, 403, flag)
	owner.get("/acme/tools/-/packages/generic/sonde/1.0.0?format=sha256sums").wants(t, 403, flag)
	owner.get("/acme/tools/-/packages/generic/sonde/none").wants(t, 404).lacks(t, flag)
	s.as("stranger").get("/acme/tools/-/packages/generic/sonde/latest").wants(t, 404).lacks(t, flag)
}
