package ui_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
)

// TestDeployTokens: of a project and of a group: made, shown once, used, revoked.
func TestDeployTokens(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("owner")
	for _, place := range []string{"/acme/tools", "/acme"} {
		at := place + "/-/settings/deploy_tokens"
		b.get(at).wants(t, 200, "No deploy token is in use", "outlives").lacks(t, "shown this once")
		b.post(at, "name", "Kept name", "scopes", "read_package_registry", "expires_at", "2001-01-01").wants(t, 422, "Must be after today", `value="Kept name"`)
		b.post(at, "name", "ci").wants(t, 422, "Choose at least one thing")
		b.post(at, "name", "", "scopes", "read_package_registry").wants(t, 422, `id="name-why"`)
		made := b.post(at, "name", "ci", "scopes", "read_package_registry", "scopes", "write_package_registry", "expires_at", s.now().AddDate(0, 1, 0).Format(time.DateOnly))
		made.wants(t, 200, "“ci” is made", "Its user name is ", "shown this once", `aria-label="Revoke ci"`)
		if got := made.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control of a secret: %q", got)
		}
		secret := made.found(t, `>(gndt-[^<]+)<`)
		if got := s.download("/api/v4/projects/acme%2Ftools/packages/generic/sonde/1.0.0/README.md", "DEPLOY-TOKEN", secret); got != 200 {
			t.Errorf("the token of %s downloads with %d", place, got)
		}
		page := b.get(at).wants(t, 200, "1 in use").lacks(t, secret)
		b.post(page.found(t, `action="([^"]+/delete)"`)).leads(t, at+"?done=revoked")
		if got := s.download("/api/v4/projects/acme%2Ftools/packages/generic/sonde/1.0.0/README.md", "DEPLOY-TOKEN", secret); got == 200 {
			t.Errorf("the revoked token of %s downloads", place)
		}
		b.post(at+"/99999/delete").wants(t, 404)
	}
	group := "/acme/-/settings/deploy_tokens"
	m := s.as("maintainer")
	m.get(group).wants(t, 200).lacks(t, "New deploy token") // maintainers of a group only read
	m.post(group, "name", "ci", "scopes", "read_package_registry").wants(t, 403)
	m.post("/acme/tools/-/settings/deploy_tokens", "name", "ci", "scopes", "read_package_registry").wants(t, 200)
}

// download is the status of a download with a header.
func (s *site) download(path, header, secret string) int {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set(header, secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// TestAccessTokens: nobody makes or ends a token with more than the own role; rotation
// shows a new secret, and the old one is dead.
func TestAccessTokens(t *testing.T) {
	s := newSite(t)
	s.acme()
	m, owner := s.as("maintainer"), s.as("owner")
	for place, b := range map[string]*browser{"/acme/tools": m, "/acme": owner} {
		at := place + "/-/settings/access_tokens"
		page := b.get(at).wants(t, 200, "No access token is in use", "<option value=\"40\"")
		if may := b == owner; strings.Contains(page.body, `<option value="50"`) != may {
			t.Errorf("%s: Owner is among the roles: %v", place, !may)
		}
		b.post(at, "name", "bot", "scopes", "read_api", "access_level", "7").wants(t, 422, "Is no role that a member can have")
		b.post(at, "name", "bot", "access_level", "30").wants(t, 422, "Choose at least one thing")
		made := b.post(at, "name", "bot", "scopes", "api", "access_level", "30").wants(t, 200, "“bot” is made", "granary login")
		first := made.found(t, `>(gnpat-[^<]+)<`)
		again := b.post(made.found(t, `action="([^"]+/rotate)"`)).wants(t, 200, "has a new secret")
		second := again.found(t, `>(gnpat-[^<]+)<`)
		if again.Header.Get("Cache-Control") != "no-store" {
			t.Error("the page of a secret may be kept")
		}
		for secret, alive := range map[string]bool{first: false, second: true} {
			if got := s.download("/api/v4/projects/acme%2Ftools", "PRIVATE-TOKEN", secret); (got == 200) != alive {
				t.Errorf("%s: a token that is alive %v answers %d", place, alive, got)
			}
		}
	}
	m.post("/acme/tools/-/settings/access_tokens", "name", "boss", "scopes", "api", "access_level", "50").wants(t, 422, "be greater the access level")
	owner.post("/acme/tools/-/settings/access_tokens", "name", "boss", "scopes", "api", "access_level", "50").wants(t, 200)
	page := m.get("/acme/tools/-/settings/access_tokens").wants(t, 200, "boss", `aria-label="Revoke bot"`).lacks(t, `aria-label="Revoke boss"`, `aria-label="Renew boss"`)
	revoke := owner.get("/acme/tools/-/settings/access_tokens").found(t, `action="([^"]+)"><button class="btn bad small" aria-label="Revoke boss"`)
	m.post(revoke).wants(t, 403)
	m.post(page.found(t, `action="([^"]+/revoke)"`)).leads(t, "/acme/tools/-/settings/access_tokens?done=revoked")
	m.post("/acme/tools/-/settings/access_tokens/99999/revoke").wants(t, 404)
	s.as("owner", access.ScopeReadAPI).post("/acme/tools/-/settings/access_tokens", "name", "x", "scopes", "api", "access_level", "30").wants(t, 403)
}
