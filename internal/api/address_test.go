package api_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"granary/internal/api"
)

// TestPackageFileByWebAddress: the address that GitLab's page of a package links
// to gives the file as its twin in the API does, to who may have it. Pages of
// other origins may read the twin only.
func TestPackageFileByWebAddress(t *testing.T) {
	s := newServer(t)
	p, open := s.project("tool", "private"), s.project("open", "public")
	s.root("PUT", generic(p, "tool/1.0.0/f.zip"), "hello").is(t, 201, created)
	s.root("PUT", generic(open, "tool/1.0.0/f.zip"), "open").is(t, 201, created)
	s.root("PUT", generic(open, "tool/1.0.0/hidden?status=hidden"), "hidden").is(t, 201, created)
	id := func(project, name string) string {
		return itoa(ask[int64](s, `SELECT f.id FROM package_files f JOIN packages p ON p.id = f.package_id WHERE p.project_id = `+s.projectID(project)+` AND f.file_name = '`+name+`'`))
	}
	mine := id(p, "f.zip")
	at := "/root/tool/-/package_files/" + mine + "/download"
	twin := s.root("GET", "/api/v4/projects/"+p+"/packages/"+itoa(ask[int64](s, `SELECT package_id FROM package_files WHERE id = `+mine))+"/package_files/"+mine+"/download", nil)
	got, head := s.root("GET", at, nil), s.root("HEAD", at, nil)
	got.is(t, 200, "hello")
	head.is(t, 200, "")
	for name := range twin.Header {
		if name != "Date" && name != "Vary" && name != "X-Granary-Features" && (twin.Header.Get(name) != got.Header.Get(name) || twin.Header.Get(name) != head.Header.Get(name)) {
			t.Errorf("%s is %q, GET %q and HEAD %q here", name, twin.Header.Get(name), got.Header.Get(name), head.Header.Get(name))
		}
	}
	s.do("GET", at, nil, basic("root", rootToken)).is(t, 200, "hello")
	s.do("GET", at, nil, "PRIVATE-TOKEN: "+rootToken, "Range: bytes=1-2").is(t, 206, "el")
	s.do("GET", "/root/open/-/package_files/"+id(open, "f.zip")+"/download", nil).is(t, 200, "open")
	s.root("GET", "/root/open/-/package_files/"+id(open, "hidden")+"/download", nil).is(t, 200, "hidden")

	_, stranger := s.user("stranger")
	s.do("GET", at, nil).is(t, 401, unauthorized)
	s.as(stranger, "GET", at, nil).must(t, 404)
	for _, wrong := range []string{"/root/open/-/package_files/" + mine + "/download", "/root/tool/-/package_files/0" + mine + "/download", "/root/tool/-/package_files/99999/download",
		"/root/tool/-/package_files/x/download", "/root/tool/-/package_files//download", at + "/x", "/root/tool/-/package_files/" + mine, "/root/none/-/package_files/" + mine + "/download"} {
		s.root("GET", wrong, nil).must(t, 404)
	}
	s.root("PUT", at, "x").must(t, 404)
	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"path": "moved"}).must(t, 200)
	s.root("GET", at, nil).is(t, 200, "hello")
}

// below is the same server at an address with a path.
func (s *server) below(address string) *server {
	at := *s.api
	at.ExternalURL = address
	web := httptest.NewServer(at.Handler())
	s.t.Cleanup(web.Close)
	other := *s
	other.url = web.URL
	return &other
}

// TestBelowAPath: with a path in its address the server answers below it only, and
// every link leads there.
func TestBelowAPath(t *testing.T) {
	s := newServer(t)
	const address, own = "https://example.org/a%2Fb/granary", "/a%2Fb/granary"
	p := s.project("tool", "private")
	b := s.below(address)
	file := own + generic(p, "tool/1.0.0/f.zip")
	if got := b.root("PUT", file+"?select=package_file", "hello").must(t, 200)["file"].(map[string]any)["url"]; got != address+generic(s.projectID(p), "tool/1.0.0/f.zip") {
		t.Errorf("the file's address is %v", got)
	}
	b.root("GET", file, nil).is(t, 200, "hello")
	b.root("GET", "//a%2Fb//granary"+generic(p, "tool/1.0.0//f.zip"), nil).is(t, 200, "hello")
	if got := b.root("GET", own+"/api/v4/projects/"+p+"/", nil).must(t, 200)["web_url"]; got != address+"/root/tool" {
		t.Errorf("web_url is %v", got)
	}
	list := own + "/api/v4/projects/" + p + "/packages"
	link := `<` + address + `/api/v4/projects/` + p + `/packages?id=root%2Ftool&page=1&per_page=20>; rel="`
	got := b.root("GET", list, nil).header(t, "Link: "+link+`first", `+link+`last"`)
	if path := `"web_path":"` + own + `/root/tool/-/packages/`; !strings.Contains(got.body, path) || !strings.Contains(got.body, `"delete_api_path":"`+address+"/api/v4/") {
		t.Errorf("%s in\n%s", path, got.body)
	}
	s.release(p, map[string]any{"assets": map[string]any{"links": []map[string]any{{"name": "f", "url": "https://example.com/f", "filepath": "/f"}}}})
	if got := b.root("GET", own+releasesOf(p)+"/v1.0.0", nil); strings.Count(got.body, address+"/root/tool/-/releases/v1.0.0") < 2 {
		t.Errorf("links of the release: %s", got.body)
	}
	b.root("GET", own+"/root/tool/-/releases/permalink/latest/downloads/f", nil).header(t, "Location: "+address+"/root/tool/-/releases/v1.0.0/downloads/f").must(t, 302)
	b.root("GET", own+"/root/tool/-/releases/v1.0.0/downloads/f", nil).header(t, "Location: https://example.com/f").must(t, 302)
	if got := b.do("GET", own+"/api/v4/openapi.json", nil).must(t, 200)["servers"]; got.([]any)[0].(map[string]any)["url"] != address+"/api/v4" {
		t.Errorf("the document's servers: %v", got)
	}
	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"path": "moved"}).must(t, 200)
	b.root("GET", list, nil).header(t, "Location: "+address+"/api/v4/projects/"+s.projectID("root%2Fmoved")+"/packages").must(t, 301)

	const outside = `{"error":"404 Not Found - the address of this server is ` + address + `"}`
	for _, path := range []string{"/", "/api/v4/version", generic(p, "tool/1.0.0/f.zip"), own + "x/api/v4/version", "/a/b/granary/api/v4/version", "/-/livenessx"} {
		b.root("GET", path, nil).header(t, "X-Content-Type-Options: nosniff").is(t, 404, outside)
	}
	for _, path := range []string{own, own + "/", own + own + "/api/v4/version", "/-/liveness", "/-/liveness/", own + "/-/liveness/"} { // no probes here
		b.root("GET", path, nil).is(t, 404, nowhere)
	}
}

// TestLinksNameKnownHosts: who sends a request chooses its Host, so links repeat
// only what is this machine, an address, or named by the settings.
func TestLinksNameKnownHosts(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	s.api.Hosts = api.Hosts{Names: []string{"packages.example.com", "*.corp.example"}, Address: "http://127.0.0.1:8080"}
	for host, want := range map[string]string{
		"localhost": "", "localhost:99": "", "LOCALHOST": "", "10.1.2.3:80": "", "[2001:db8::1]": "", "[2001:db8::1]:80": "",
		"packages.example.com": "", "Packages.Example.Com:8443": "", "a.corp.example": "", "a.b.corp.example:1": "",
		"evil.example": "http://127.0.0.1:8080", "localhost.evil.example": "http://127.0.0.1:8080", "packages.example.com.evil": "http://127.0.0.1:8080",
		"corp.example": "http://127.0.0.1:8080", ".corp.example": "http://127.0.0.1:8080", "evilcorp.example": "http://127.0.0.1:8080",
		"10.1.2": "http://127.0.0.1:8080", "": "http://127.0.0.1:8080",
	} {
		if want == "" {
			want = "http://" + host
		}
		got := s.raw("GET /api/v4/projects/" + p + " HTTP/1.1\r\nHost: " + host + "\r\nX-Forwarded-Host: forwarded.example\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n")
		if url := got.must(t, 200)["web_url"]; url != want+"/root/tool" {
			t.Errorf("called as %q it says %v", host, url)
		}
	}
}

// TestNosniffBelowDash: a browser must not guess what the probes answer.
func TestNosniffBelowDash(t *testing.T) {
	s := newServer(t)
	s.api.Probes.Liveness = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })
	h := s.api.Handler()
	for _, path := range []string{"/-/liveness", "/-//liveness/", "/-/none"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if got := w.Header()["X-Content-Type-Options"]; !slices.Equal(got, []string{"nosniff"}) {
			t.Errorf("%s: %q, %d", path, got, w.Code)
		}
	}
}
