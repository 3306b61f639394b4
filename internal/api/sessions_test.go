package api_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
)

const cookieName = "granary"

// withPages gives the server pages and sessions, as the daemon does.
func (s *server) withPages() {
	s.api.Pages = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("page " + r.Method + " " + r.URL.EscapedPath()))
	})
	s.api.Session = func(r *http.Request) (access.Actor, bool) {
		cookie, err := r.Cookie(cookieName)
		if err != nil {
			return access.Actor{}, false
		}
		a, _, err := s.users.FindSession(r.Context(), cookie.Value, netip.MustParseAddr(clientAddress))
		return a, err == nil
	}
	s.plain()
}

// signedIn signs in by a token, and returns the header with the cookie.
func (s *server) signedIn(token string) string {
	s.t.Helper()
	_, cookie, err := s.users.SignIn(s.t.Context(), token, netip.MustParseAddr(clientAddress), "Browser")
	if err != nil {
		s.t.Fatal(err)
	}
	return "Cookie: " + cookieName + "=" + cookie
}

// A session reads files at the three addresses that tools and people share, and nothing
// elsewhere: any credential of the request decides before it, and it counts for GET and HEAD
// only.
func TestSessionOfSharedAddresses(t *testing.T) {
	s := newServer(t)
	s.withPages()
	cookie := s.signedIn(rootToken)
	project := s.projectID(s.project("tool", "private"))
	at := generic(project, "tool/1.0.0/f")
	s.root("PUT", at, "file").status(t, 201)
	up := s.upload(rootToken, project, "up", []byte("file")).must(t, 201)
	secret := ask[string](s, `SELECT secret FROM uploads`)
	s.release(project, map[string]any{"assets": map[string]any{"links": []map[string]any{
		{"name": "f", "url": s.url + at, "direct_asset_path": "/f"},
		{"name": "far", "url": "https://example.com/far", "direct_asset_path": "/far"},
	}}})
	fileID := itoa(ask[int64](s, `SELECT id FROM package_files`))
	shared := []string{
		"/root/tool/-/package_files/" + fileID + "/download", "/root/tool/-/releases/v1.0.0/downloads/f",
		"/root/tool/uploads/" + secret + "/up", "/-/project/" + project + "/uploads/" + secret + "/up",
	}
	for _, path := range shared {
		s.do("GET", path, nil, cookie).header(t, "Content-Security-Policy: sandbox; default-src 'none'").is(t, 200, "file")
		s.do("HEAD", path, nil, cookie).is(t, 200, "")
		s.do("GET", path, nil).status(t, 401)
		s.do("GET", path, nil, "Cookie: "+cookieName+"=gnws-unknown").status(t, 401)
		for _, credential := range []string{"PRIVATE-TOKEN: x", "JOB-TOKEN: x", "DEPLOY-TOKEN: x", "Authorization: Bearer x", "Authorization: Basic eDp4", "Authorization: Digest x", "Sudo: root"} {
			if got := s.do("GET", path, nil, cookie, credential); got.StatusCode != 401 && got.StatusCode != 403 {
				t.Errorf("%s with %s and a session: %d", path, credential, got.StatusCode)
			}
		}
		s.do("GET", path+"?private_token=x", nil, cookie).status(t, 401)
	}
	if to := s.stay("GET", "/root/tool/-/releases/v1.0.0/downloads/far", cookie).Header.Get("Location"); to != "https://example.com/far" {
		t.Errorf("a link to elsewhere leads to %q", to)
	}
	for _, path := range []string{
		at, v4 + "/projects/" + project, v4 + "/user", v4 + "/projects/" + project + "/uploads/" + id(up),
	} {
		if got := s.do("GET", path, nil, cookie); got.StatusCode != 401 && got.StatusCode != 404 {
			t.Errorf("%s with a session: %d", path, got.StatusCode)
		}
	}
	s.do("DELETE", strings.TrimSuffix(at, "/f"), nil, cookie).status(t, 401)
}

// A browser in which nobody is signed in is led from an address that it shares with tools to
// the door, and back; one that is signed in gets its answer. Programs are asked to log in, as
// ever.
func TestBrowserAtSharedAddresses(t *testing.T) {
	const accept = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for _, pages := range []bool{true, false} {
		s := newServer(t)
		if pages {
			s.withPages()
		}
		project := s.projectID(s.project("tool", "private"))
		s.root("PUT", generic(project, "tool/1.0.0/f"), "file").status(t, 201)
		s.release(project, map[string]any{})
		for _, path := range []string{
			"/root/tool/-/package_files/" + itoa(ask[int64](s, `SELECT id FROM package_files`)) + "/download?x=1", "/root/tool/-/releases/permalink/latest",
			"/root/tool/-/releases.atom", "/root/tool/-/releases.json", "/root/tool/-/badges/release.svg", "/root/none/-/releases/permalink/latest",
		} {
			got := s.stay("GET", path, accept)
			if want := "/-/sign_in?to=" + url.QueryEscape(path); pages && (got.StatusCode != 303 || got.Header.Get("Location") != want || got.Header.Get("WWW-Authenticate") != "") {
				t.Errorf("%s: %d, leads to %q", path, got.StatusCode, got.Header.Get("Location"))
			}
			if !pages && got.StatusCode != 401 {
				t.Errorf("%s without pages: %d", path, got.StatusCode)
			}
			for _, headers := range [][]string{nil, {"Accept: */*"}, {"Accept: application/atom+xml, text/html;q=0.1"}, {accept, "PRIVATE-TOKEN: x"}} {
				if got := s.stay("GET", path, headers...); got.StatusCode != 401 || !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "B") {
					t.Errorf("%s with %v: %d", path, headers, got.StatusCode)
				}
			}
			if pages && !strings.Contains(path, "/none/") {
				if got := s.stay("GET", path, accept, s.signedIn(rootToken)); got.StatusCode != 200 && got.StatusCode != 302 {
					t.Errorf("%s with a session: %d", path, got.StatusCode)
				}
			}
		}
	}
}

// A session that ended reads nothing, though its permission was remembered, and none reads
// more than its user may.
func TestSessionOfSharedAddressesEnds(t *testing.T) {
	s := newServer(t)
	s.withPages()
	adaID, token := s.user("ada")
	_, stranger := s.user("bob")
	p := s.project("tool", "private")
	s.member(p, adaID, 20)
	s.root("PUT", generic(p, "tool/1.0.0/f"), "file").status(t, 201)
	path := "/root/tool/-/package_files/" + itoa(ask[int64](s, `SELECT id FROM package_files`)) + "/download"
	cookie := s.signedIn(token)
	for range 2 {
		s.do("GET", path, nil, cookie).is(t, 200, "file")
	}
	s.do("GET", path, nil, s.signedIn(stranger)).status(t, 404)
	s.form(token, "DELETE", v4+"/personal_access_tokens/self", "").status(t, 204)
	s.do("GET", path, nil, cookie).status(t, 401)
}

// What no route matches is a page's; below /api/ and at the addresses of operations the
// answers stay.
func TestUnmatchedIsAPage(t *testing.T) {
	s := newServer(t)
	s.withPages()
	for path, want := range map[string]string{
		"/": "page GET /", "/root/tool": "page GET /root/tool", "/-/sign_in": "page GET /-/sign_in", "/groups/x": "page GET /groups/x",
		"/root/tool/-/packages/generic/a%2Fb/1.0.0/": "page GET /root/tool/-/packages/generic/a%2Fb/1.0.0", "/api2": "page GET /api2",
	} {
		s.do("GET", path, nil).is(t, 200, want)
	}
	s.do("POST", "/-/sign_out", nil).is(t, 200, "page POST /-/sign_out")
	s.do("POST", "/root/tool/-/releases", nil).is(t, 200, "page POST /root/tool/-/releases")
	s.do("PUT", "/root/tool/-/packages/generic/a/1/f", strings.NewReader("x")).is(t, 200, "page PUT /root/tool/-/packages/generic/a/1/f")
	for _, path := range []string{"/api", "/api/v4/nothing", "/api/v4", "/root/../x", "/api/v5/x"} {
		if got := s.do("GET", path, nil); got.StatusCode != 404 || !strings.HasPrefix(got.body, `{"error":"404 Not Found`) {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
		}
	}
	s.do("GET", "/api/v3", nil).status(t, 410)
	s.do("POST", v4+"/version", nil).status(t, 405)
	s.do("POST", "/-/project/1/uploads/a/b", nil).status(t, 405)
	for _, path := range []string{"/root/tool/-/releases", "/root/tool/-/releases/v1"} { // programs have a credential
		s.do("GET", path, nil).is(t, 200, "page GET "+path)
		for _, header := range []string{"PRIVATE-TOKEN: x", "Authorization: Basic eDp4", "JOB-TOKEN: x"} {
			s.do("GET", path, nil, header).status(t, 401)
		}
	}
	s.do("GET", v4+"/version", nil).header(t, "X-Granary-Features: channels, drafts, selectors, versions, storage, pages")
}

// The API makes a link for the owner of a person's token; it signs in once.
func TestSignInLink(t *testing.T) {
	s := newServer(t)
	ada, token := s.user("ada")
	s.form(token, "POST", v4+"/user/sign_in_links", "").is(t, 404, `{"message":"404 Not Found - the pages of this server are off (pages=false): a link would lead nowhere"}`)
	s.withPages()
	made := s.form(token, "POST", v4+"/user/sign_in_links", "").must(t, 201)
	page, code, _ := strings.Cut(made["url"].(string), "#")
	if page != s.url+"/-/sign_in/link" || !strings.HasPrefix(code, "gnsl-") || len(made) != 2 {
		t.Errorf("the link is %v", made)
	}
	if end, err := time.Parse(time.RFC3339, made["expires_at"].(string)); err != nil || time.Until(end) > 61*time.Second {
		t.Errorf("it works until %v", made["expires_at"])
	}
	from := netip.MustParseAddr(clientAddress)
	in, cookie, err := s.users.SignInByLink(t.Context(), code, from, "")
	if err != nil || in.UserID != ada || in.TokenID == 0 || in.Method != auth.MethodLink {
		t.Fatalf("%+v, %v", in, err)
	}
	for _, header := range []string{"PRIVATE-TOKEN: ", "Authorization: Bearer ", "JOB-TOKEN: "} {
		s.do("POST", v4+"/user/sign_in_links", nil, header+cookie).status(t, 401)
	}
	s.do("POST", v4+"/user/sign_in_links", nil).status(t, 401)
	s.do("POST", v4+"/user/sign_in_links", nil, "PRIVATE-TOKEN: "+rootToken, "Sudo: ada").status(t, 403)
}
