package ui_test

import (
	"net/http"
	"testing"
)

// TestMoved: a former path of a project leads to the present one; what is sent to it is
// refused with a link, and changes nothing.
func TestMoved(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("owner")
	b.post("/acme/tools/-/settings", "path", "tools2").leads(t, "/acme/tools2/-/settings?done=saved")
	for from, to := range map[string]string{
		"/acme/tools": "/acme/tools2", "/acme/tools?search=x": "/acme/tools2?search=x", "/acme/tools/-/releases": "/acme/tools2/-/releases",
		"/acme/t%6Fols/-/releases": "/acme/tools2/-/releases", "/acme/t%6Fols": "/acme/tools2", "/acme/tools/-/releases/a%2Fb": "/acme/tools2/-/releases/a%2Fb",
	} {
		if got := b.get(from).wants(t, http.StatusMovedPermanently); got.Header.Get("Location") != to {
			t.Errorf("%s leads to %s, want %s", from, got.Header.Get("Location"), to)
		}
	}
	b.post("/acme/tools/-/settings/archive", "archived", "1").wants(t, http.StatusConflict, "It has moved", "Nothing was changed", `href="/acme/tools2/-/settings/archive"`)
	b.get("/acme/tools2").wants(t, 200).lacks(t, "archived")
	b.do(http.MethodPut, "/acme/tools/-/packages/generic/moved/1.0.0/f", "", "bytes").wants(t, http.StatusConflict, `"message":"This was sent to a former address.`)
	b.get("/acme/tools2/-/packages/generic/moved").wants(t, 404)
	b.get("/acme/tools2/-/settings/archive").leads(t, "/acme/tools2/-/settings")
	s.as("stranger").post("/acme/tools/-/settings/archive", "archived", "1").wants(t, 404).lacks(t, "tools2")
}
