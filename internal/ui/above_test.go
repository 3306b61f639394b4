package ui_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"granary/internal/access"
)

// TestPageAbove: an address that only takes a form leads to the page above it, as after a
// form that was sent when the session had ended.
func TestPageAbove(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("owner")
	b.post("/acme/tools/-/settings/variables", "key", "K", "value", "v").wants(t, 303)
	const version = "/acme/tools/-/packages/generic/sonde/1.0.0"
	for from, to := range map[string]string{
		version + "/finalise":       version,
		version + "/channel/remove": version,
		version + "/f":              version,
		"/acme/tools/-/settings/variables/K/reveal?scope=*&page=": "/acme/tools/-/settings/variables/K?scope=*&page=",
		"/acme/tools/-/settings/archive":                          "/acme/tools/-/settings",
		"/acme/-/settings/transfer":                               "/acme/-/settings",
		"/-/user/tokens/1/revoke":                                 "/-/user/tokens",
		"/-/sign_out":                                             "/",
	} {
		b.get(from).leads(t, to)
		if !strings.HasPrefix(from, "/-/") {
			door := s.nobody().post(from).wants(t, 303)
			back := s.nobody()
			to, err := url.Parse(door.Header.Get("Location"))
			if err != nil || to.Path != "/-/sign_in" {
				t.Fatalf("%s leads to %v, %v", from, to, err)
			}
			in := back.post("/-/sign_in", "token", s.token("owner", access.ScopeAPI), "to", to.Query().Get("to")).wants(t, 303)
			for range 2 {
				if in = back.get(in.Header.Get("Location")); in.StatusCode != http.StatusSeeOther {
					break
				}
			}
			in.wants(t, 200)
		}
	}
	b.do(http.MethodPut, "/acme/tools/-/settings", "", "").wants(t, http.StatusMethodNotAllowed, "only read")
}

// TestNoEmptyNames: an address with an empty name leads nowhere, since browsers take // for
// another server.
func TestNoEmptyNames(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("owner")
	for _, address := range []string{"/groups//evil.example", "//evil.example", "//acme/tools/-/packages/generic/sonde/1.0.0/finalise", "//-/user/tokens/1/revoke", "/groups///acme", "/acme//tools", "/acme/tools/"} {
		got := b.get(address)
		if to := got.Header.Get("Location"); strings.HasPrefix(to, "//") {
			t.Errorf("%s leads to %d %s", address, got.StatusCode, to)
		}
		r := s.below("")(http.MethodGet, address, "", "")
		if to := r.Header.Get("Location"); r.StatusCode == http.StatusMovedPermanently || strings.HasPrefix(to, "//") {
			t.Errorf("%s leads to %d %s", address, r.StatusCode, to)
		}
	}
}
