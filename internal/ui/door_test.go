package ui_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
)

// TestSignIn: a person's token signs in, and leads to where the person wanted to go; other
// credentials and wrong tokens do not.
func TestSignIn(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.nobody()
	b.get("/acme/tools").leads(t, "/-/sign_in?to=%2Facme%2Ftools")
	b.get("/-/sign_in?to=%2Facme%2Ftools").wants(t, 200, `name="to" value="/acme/tools"`, "<h1>Sign in</h1>")
	for _, wrong := range []string{"", "gnpat-unknown", strings.Repeat("x", 5000)} {
		b.post("/-/sign_in", "token", wrong).wants(t, http.StatusForbidden, "unknown, expired or revoked", `name="token"`)
	}
	b.get("/acme/tools").leads(t, "/-/sign_in?to=%2Facme%2Ftools")
	b.post("/-/sign_in", "token", s.token("developer", access.ScopeAPI), "to", "/acme/tools").leads(t, "/acme/tools")
	b.get("/acme/tools").wants(t, 200, "sonde", "Developer Person")
	b.get("/-/sign_in").leads(t, "/")
	b.post("/-/sign_out").leads(t, "/-/sign_in?done=signed-out")
	b.get("/acme/tools").leads(t, "/-/sign_in?to=%2Facme%2Ftools")
}

// TestSignInLeadsHere: nothing leads to another server.
func TestSignInLeadsHere(t *testing.T) {
	s := newSite(t)
	token := s.token("jo", access.ScopeAPI)
	for _, to := range []string{"//evil.example", "https://evil.example", "/\\evil.example", "evil", "", "/\t/evil.example", "javascript:alert(1)"} {
		b := s.nobody()
		b.post("/-/sign_in", "token", token, "to", to).leads(t, "/")
		if got := b.get("/-/sign_in?again=1&to=" + url.QueryEscape(to)); strings.Contains(got.body, "evil") && !strings.Contains(got.body, `value="/"`) {
			t.Errorf("%q: %.800s", to, got.body)
		}
	}
}

// TestSignInLeadsBelow: below a path of an external address, nothing leads out of it.
func TestSignInLeadsBelow(t *testing.T) {
	s := newSite(t)
	open := s.below("/granary")
	token := s.token("jo", access.ScopeAPI)
	for to, want := range map[string]string{
		"/granary/acme?page=2": "/granary/acme?page=2", "/granary/acme/-/releases/a%2Fb#top": "/granary/acme/-/releases/a%2Fb#top", "/granary/": "/granary/",
		"/granary/acme?search=a//..": "/granary/acme?search=a//..",
		"/granary":                   "/granary/", "/granaryx/": "/granary/", "/granary/../evil": "/granary/", "/granary/%2e%2E/evil": "/granary/", "/granary/.%2e/evil": "/granary/",
		"/granary/a/../../evil": "/granary/", "/granary/./x": "/granary/", "/granary//evil": "/granary/", `/granary/..\evil`: "/granary/", "/granary/a\x01b": "/granary/", "/evil": "/granary/",
		"/granary/..": "/granary/", "//granary/": "/granary/", "https://evil.example/granary/": "/granary/", "/granary/%zz": "/granary/", "/granary/a\u0085b": "/granary/",
	} {
		form := url.Values{"token": {token}, "to": {to}}.Encode()
		open(http.MethodPost, "/-/sign_in", form, "").leads(t, want)
	}
}

// TestSignInLink: a link works once.
func TestSignInLink(t *testing.T) {
	s := newSite(t)
	jo := s.person("jo")
	code, _, err := s.users.MakeSignInLink(t.Context(), s.actor("admin"), jo.ID)
	if err != nil {
		t.Fatal(err)
	}
	first, second := s.nobody(), s.nobody()
	first.get("/-/sign_in/link?to=%2F-%2Fuser%2Ftokens").wants(t, 200, `name="code"`, `value="/-/user/tokens"`)
	first.post("/-/sign_in/link", "code", code, "to", "/-/user/tokens").leads(t, "/-/user/tokens")
	first.get("/-/user/profile").wants(t, 200, "Jo Person")
	second.post("/-/sign_in/link", "code", code).wants(t, http.StatusForbidden, "used already")
	second.get("/-/user/profile").wants(t, http.StatusSeeOther)
}

// TestSessionEnds: with its token, by the block of its user, and everywhere at once.
func TestSessionEnds(t *testing.T) {
	s := newSite(t)
	admin := s.as("admin")
	for name, end := range map[string]func(id int64){
		"revoked":    func(int64) {},
		"blocked":    func(id int64) { admin.post("/-/admin/users/"+itoa(id), "do", "block").wants(t, http.StatusSeeOther) },
		"everywhere": func(id int64) { admin.post("/-/admin/users/"+itoa(id), "do", "end").wants(t, http.StatusSeeOther) },
	} {
		b := s.as(name)
		b.get("/-/user/profile").wants(t, 200)
		if name == "revoked" {
			page := b.get("/-/user/tokens").body
			_, rest, _ := strings.Cut(page, "/-/user/tokens/")
			id, _, _ := strings.Cut(rest, "/")
			b.post("/-/user/tokens/"+id+"/revoke").wants(t, http.StatusSeeOther)
		}
		end(s.person(name).ID)
		b.get("/-/user/profile").leads(t, "/-/sign_in?to=%2F-%2Fuser%2Fprofile")
	}
	one, two := s.as("jo"), s.as("jo", access.ScopeAPI, access.ScopeReadUser)
	one.post("/-/user/sessions/end").leads(t, "/-/sign_in?done=signed-out")
	two.get("/-/user/profile").wants(t, http.StatusSeeOther)
}

// TestFresh: what is dear needs a sign-in of the last twelve hours, and leads back.
func TestFresh(t *testing.T) {
	s := newSite(t)
	b := s.as("admin")
	b.get("/-/admin").wants(t, 200)
	s.skew = 13 * time.Hour
	b.get("/-/user/tokens").wants(t, 200)
	b.get("/-/admin").leads(t, "/-/sign_in?to=%2F-%2Fadmin&again=1")
	b.post("/-/user/tokens", "name", "x", "scopes", "api").wants(t, http.StatusSeeOther)
	b.get("/-/sign_in?to=%2F-%2Fadmin&again=1").wants(t, 200, "last 12 hours")
	b.post("/-/sign_in", "token", s.token("admin", access.ScopeAPI, access.ScopeReadUser), "to", "/-/admin").leads(t, "/-/admin")
	b.get("/-/admin").wants(t, 200)
}

// TestSignInOtherwise: somebody whose token may not do something signs in with another one,
// and comes back to the page.
func TestSignInOtherwise(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("maintainer", access.ScopeReadAPI)
	got := b.post("/acme/tools/-/settings/archive", "archived", "1").wants(t, http.StatusForbidden, "lacks the scope api", "Sign in otherwise")
	door := strings.ReplaceAll(got.found(t, `href="([^"]+)">Sign in otherwise`), "&amp;", "&")
	b.get(door).wants(t, 200, `name="token"`, `name="to" value="/acme/tools/-/settings"`).lacks(t, "last 12 hours")
	b.post("/-/sign_in", "token", s.token("maintainer", access.ScopeAPI), "to", "/acme/tools/-/settings").leads(t, "/acme/tools/-/settings")
	b.post("/acme/tools/-/settings/archive", "archived", "1").wants(t, http.StatusForbidden).lacks(t, "lacks the scope")
}

// TestOtherSites: a form of another site changes nothing, and no page may be framed.
func TestOtherSites(t *testing.T) {
	s := newSite(t)
	b := s.as("jo")
	for _, header := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/-/user/sessions/end", nil)
		if err != nil {
			t.Fatal(err)
		}
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
		resp, err := b.Do(req)
		if err != nil || resp.Body.Close() != nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %v, %v", header, resp, err)
		}
	}
	got := b.get("/-/user/profile").wants(t, 200)
	for name, want := range map[string]string{
		"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "private, no-cache",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s is %q", name, got.Header.Get(name))
		}
	}
	csp := got.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "form-action 'self'"} {
		if !strings.Contains(csp, part) {
			t.Errorf("no %s in %s", part, csp)
		}
	}
}

// TestTokensAreNoCookies: pages take no token of the API, and the API no cookie.
func TestTokensAreNoCookies(t *testing.T) {
	s := newSite(t)
	s.acme()
	token := s.token("developer", access.ScopeAPI)
	for _, header := range []string{"PRIVATE-TOKEN: " + token, "Authorization: Bearer " + token, "Cookie: __Host-granary=" + token} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/acme/tools", nil)
		if err != nil {
			t.Fatal(err)
		}
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
		resp, err := s.nobody().Do(req)
		if err != nil || resp.Body.Close() != nil || resp.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %v, %v", name, resp, err)
		}
	}
	b := s.as("developer", access.ScopeAPI, access.ScopeReadUser)
	b.get("/api/v4/projects/acme%2Ftools").wants(t, http.StatusNotFound)
	b.get("/api/v4/user").wants(t, http.StatusUnauthorized)
}

// TestTokenOnce: a new token is shown once, no cache keeps it, and a session that came from
// a token makes no stronger one.
func TestTokenOnce(t *testing.T) {
	s := newSite(t)
	b := s.as("jo")
	got := b.post("/-/user/tokens", "name", "laptop", "scopes", "read_api", "expires_at", time.Now().AddDate(0, 1, 0).Format(time.DateOnly))
	got.wants(t, 200, "The token “laptop” is made.", "gnpat-")
	if got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control is %q", got.Header.Get("Cache-Control"))
	}
	if again := b.get("/-/user/tokens").wants(t, 200, "laptop"); strings.Contains(again.body, "gnpat-") && strings.Contains(again.body, "shown this once") {
		t.Error("the secret is shown twice")
	}
	b.post("/-/user/tokens", "name", "", "scopes", "read_api").wants(t, 422, `aria-invalid="true"`, "checked")
	b.post("/-/user/tokens", "name", "x").wants(t, 422)
	b.post("/-/user/tokens", "name", "x", "scopes", "api", "expires_at", "2020-01-01").wants(t, 422, "after today")
	weak := s.as("weak", access.ScopeReadAPI)
	weak.post("/-/user/tokens", "name", "x", "scopes", "read_api").wants(t, http.StatusForbidden, "lacks the scope")
	if got := weak.get("/-/user/tokens").wants(t, 200); strings.Contains(got.body, "Make the token") {
		t.Error("a session that may make no token sees the form")
	}
}
