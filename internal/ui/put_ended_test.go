package ui_test

import (
	"testing"

	"granary/internal/access"
	"granary/internal/projects"
)

// TestPutAfterSession: the upload script reads 401 if the session has ended, whatever nobody
// may see, and 404 or 403 if somebody else is signed in.
func TestPutAfterSession(t *testing.T) {
	s := newSite(t)
	s.acme()
	if _, err := s.places.CreateProject(t.Context(), s.actor("admin"), s.group("acme").ID, projects.Project{Name: "open", Path: "open", PackageAccess: access.PackagesEnabled}); err != nil {
		t.Fatal(err)
	}
	const file = "/-/packages/generic/sonde/2.0.0/f"
	for _, at := range []string{"/acme/tools", "/acme/open", "/acme/none"} {
		s.nobody().do("PUT", at+file, "", "bytes").wants(t, 401, `"message"`)
	}
	s.as("stranger").do("PUT", "/acme/tools"+file, "", "bytes").wants(t, 404)
	s.as("guest").do("PUT", "/acme/tools"+file, "", "bytes").wants(t, 403)
	b := s.as("developer")
	b.do("PUT", "/acme/tools"+file, "", "bytes").wants(t, 201)
	b.post("/-/sign_out").wants(t, 303)
	b.do("PUT", "/acme/tools"+file, "", "bytes").wants(t, 401)
}
