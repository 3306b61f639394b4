package api_test

import (
	"net/url"
	"strings"
	"testing"
)

const nowhere = `{"error":"404 Not Found"}`

// TestProjectReferences: a decimal id or the URL-encoded full path (contract
// generic-packages 1).
func TestProjectReferences(t *testing.T) {
	s := newServer(t)
	sub := s.group("sub", s.group("acme", 0))
	id := s.projectIn(sub, "tool", "private")
	const file = "tool/1.0.0/f"
	s.root("PUT", generic(id, file), "x").is(t, 201, created)
	for _, ref := range []string{id, "acme%2Fsub%2Ftool", "acme%2fsub%2ftool", "ACME%2FSub%2FTool", "%61cme%2Fsub%2Ftool"} {
		s.root("GET", generic(ref, file), nil).is(t, 200, "x")
	}
	for _, ref := range []string{"tool", "acme", "acme%2Fsub", "0" + id, strings.Repeat("0", 40000) + id, "-" + id, "+" + id, "%2B" + id, id + "%20", "99999", "0", "9999999999999999999999",
		"acme%2Fsub%2Ftool%2F", "%2Facme%2Fsub%2Ftool", "acme%252Fsub%252Ftool", "%00", "%FF%2F", "generic", "packages",
		strings.Repeat("a%2F", 3000)} {
		s.root("GET", generic(ref, file), nil).is(t, 404, notFound)
		s.root("PUT", generic(ref, file), "x").is(t, 404, notFound)
		s.do("GET", generic(ref, file), nil).is(t, 401, unauthorized)
	}
}

// TestOldPaths: after a rename the old path still leads to the project, for GET
// and PUT, without a redirect; until somebody else takes it.
func TestOldPaths(t *testing.T) {
	s := newServer(t)
	group := s.group("acme", 0)
	id := s.projectIn(group, "tool", "public")
	const file = "tool/1.0.0/f"
	s.root("PUT", generic("acme%2Ftool", file), "1").is(t, 201, created)
	s.root("PUT", "/api/v4/projects/"+id, map[string]any{"path": "renamed"}).must(t, 200)
	s.root("PUT", "/api/v4/groups/"+itoa(group), map[string]any{"path": "corp"}).must(t, 200)
	for i, ref := range []string{"acme%2Ftool", "acme%2Frenamed", "corp%2Frenamed", "ACME%2FTool"} {
		body := itoa(int64(i))
		s.root("PUT", generic(ref, file), body).is(t, 201, created)
		s.do("GET", generic(ref, file), nil).is(t, 200, body)
	}
	s.root("GET", generic("corp%2Ftool", file), nil).is(t, 404, notFound)
	other := s.projectIn(s.group("acme", 0), "tool", "public")
	s.root("PUT", generic("acme%2Ftool", file), "other").is(t, 201, created)
	s.do("GET", generic(other, file), nil).is(t, 200, "other")
	s.do("GET", generic(id, file), nil).is(t, 200, "3")
}

// TestPathsThatRoutersClean: nothing is redirected; dots in a generic path are a
// 400, and elsewhere there is nothing.
func TestPathsThatRoutersClean(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	for _, tc := range []struct {
		rest, text string
	}{
		{"tool/1.0.0/%2Ff", "file_name is invalid"},
		{"tool/1.0.0/a%2F%2Fb/f", "path is invalid"},
		{"tool/1.0.0//f//", "path is invalid"},
		{"tool/1.0.0/f/", "path is invalid"},
		{"tool/1.0.0/./f", "path is invalid"},
		{"tool/1.0.0/../f", "path is invalid"},
		{"tool/1.0.0/.", "file_name should be a valid file path"},
		{"tool/1.0.0/..", "file_name should be a valid file path"},
		{"tool/1.0.0/%2e", "file_name should be a valid file path"},
		{"tool/1.0.0/%2E%2e", "file_name should be a valid file path"},
		{"tool/1.0.0/%2f", "file_name is invalid"},
		{"tool/../f", "package_version is invalid"},
		{"tool/./f", "package_version is invalid"},
		{"tool/%2e%2e/f", "package_version is invalid"},
		{"tool/..%2F..%2F1.0.0/f", "package_version is invalid"},
		{"tool/1.0.0-4/../../f", "package_version is invalid"},
		{"tool/1.0.0%0A/f", "package_version is invalid"},
		{"tool/%201.0.0/f", "package_version is invalid"},
		{"../1.0.0/f", "package_name should be a valid file path"},
		{"./1.0.0/f", "package_name should be a valid file path"},
		{"%2e%2e/1.0.0/f", "package_name should be a valid file path"},
		{"a%2Fb/1.0.0/f", "package_name is invalid"},
		{"%2f%2e%2e%2f%2essh%2fauthorized_keys/1.0.0/f", "package_name is invalid"},
		{"../../../tool/1.0.0/f", "package_name should be a valid file path"},
	} {
		for _, method := range []string{"PUT", "GET"} {
			s.root(method, generic(p, tc.rest), nil).starts(t, 400, tc.text)
		}
		s.root("HEAD", generic(p, tc.rest), nil).must(t, 400)
		s.root("POST", generic(p, tc.rest), nil).is(t, 405, `{"error":"405 Not Allowed"}`)
	}
	if n := s.count("packages"); n != 0 {
		t.Errorf("%d packages were made", n)
	}
	for _, path := range []string{
		"/api/v4/projects/../projects/" + p + "/packages/generic/tool/1.0.0/f",
		"/api/v4/projects/./" + p, "/api/v4//./projects/" + p, "/api/v4/projects/x/..//" + p, "/api/v4/projects/" + p + "/.",
		"/api/v4/projects/root//tool/packages/generic/tool/1.0.0/f", "/api/v4/projects//packages/generic/tool/1.0.0/f",
		generic(p, "tool//f"), generic(p, "/1.0.0/f"), generic(p, "tool/1.0.0//"), generic(p, "tool/1.0.0/"), generic(p, "tool//"), generic(p, ""),
	} {
		s.root("GET", path, nil).is(t, 404, nowhere)
	}
	for _, path := range []string{"/api/v4/projects/root%2F%2Ftool", "/api/v4/projects/%2Froot%2Ftool", "/api/v4/projects/root%2Ftool%2F",
		"/api/v4/projects/%2e%2e", "/api/v4/projects/%2e%2e%2F" + p} {
		s.root("GET", path, nil).is(t, 404, `{"message":"404 Project Not Found"}`)
	}
}

// TestSlashesThatMeanNothing: GitLab's router takes several slashes for one and
// drops the last, and published addresses rely on it.
func TestSlashesThatMeanNothing(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	for i, at := range []string{
		"/api/v4/projects/" + p + "/packages/generic//tool/1.0.0/f", "/api/v4/projects/" + p + "/packages/generic/tool/1.0.0//f",
		"//api/v4/projects/" + p + "/packages/generic/tool//1.0.0/f", "/api///v4/projects/" + p + "//packages/generic/tool/1.0.0/f",
	} {
		body := itoa(int64(i))
		s.root("PUT", at, body).is(t, 201, created)
		s.do("GET", at, nil).is(t, 200, body)
		s.do("GET", generic(p, "tool/1.0.0/f"), nil).is(t, 200, body)
	}
	s.root("PUT", generic(p, "tool/1.0.0/a//b///f"), "x").starts(t, 400, `path is invalid, path "a/b": directories are not allowed`)
	s.release(p, map[string]any{"assets": map[string]any{"links": []map[string]any{{"name": "f", "url": "https://example.com/f", "filepath": "/f"}}}})

	for _, path := range []string{"/api/v4//projects/" + p, "/api/v4/projects//" + p, "/api/v4/projects/" + p + "/", "/api/v4/projects/" + p + "///?x=1"} {
		if got := s.do("GET", path, nil).must(t, 200)["path_with_namespace"]; got != "root/tool" {
			t.Errorf("%s is %v", path, got)
		}
	}
	for path, to := range map[string]string{
		"//root//tool/-//releases/v1.0.0/downloads//f":  "https://example.com/f",
		"/root/tool/-/releases/v1.0.0/downloads/f/":     "https://example.com/f",
		"/root/tool/-/releases/permalink/latest/":       s.url + "/root/tool/-/releases/v1.0.0",
		"/root/tool//-/releases/permalink/latest//a//b": s.url + "/root/tool/-/releases/v1.0.0/a/b",
	} {
		s.do("GET", path, nil).header(t, "Location: "+to).must(t, 302)
	}
	s.root("POST", "/api/v4/features//x/", map[string]any{"value": true}).must(t, 201) // as python-gitlab does
	s.do("GET", "/api/v4//projects//?per_page=1", nil).header(t, "X-Per-Page: 1",
		"Link: <"+s.url+`/api/v4/projects?page=1&per_page=1>; rel="first", <`+s.url+`/api/v4/projects?page=1&per_page=1>; rel="last"`).must(t, 200)
}

// TestRawCharacters: what a client should have escaped and did not changes
// nothing about the slashes that it did escape.
func TestRawCharacters(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	const tag = `a|b"c<é>`
	s.release(p, map[string]any{"tag_name": tag, "assets": map[string]any{"links": []map[string]any{{"name": "f", "url": "https://example.com/f", "filepath": "/f"}}}})
	host := strings.TrimPrefix(s.url, "http://")
	get := func(target string) answer {
		return s.raw("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
	}
	for _, base := range []string{"", s.url, "http://user:secret@" + host} { // RFC 9112 3.2.2
		if got := get(base+"/api/v4/projects/"+p+"/releases/"+tag+"?a=b").must(t, 200)["tag_name"]; got != tag {
			t.Errorf("the release is %v", got)
		}
		get(base+"/api/v4/projects/"+p+"/releases//"+tag+"/downloads/f/").header(t, "Location: https://example.com/f").must(t, 302)
		get(base+"/root/tool/-/releases/"+tag+"/downloads/f").header(t, "Location: https://example.com/f").must(t, 302)
		get(base+generic(p, "tool/^1.4/f")).is(t, 404, `{"message":"404 Not Found - no version of tool is ^1.4"}`)
		get(base+generic(p, "tool/^v1/f")).starts(t, 400, `package_version is invalid, package_version "^v1" must have the form X.Y.Z`)
		get(base+generic(p, `tool/1.0.0/a|b`)).starts(t, 400, "file_name is invalid")
		get(base+generic("root%2Fother", "tool/^1.4/f")).must(t, 401)
		get(base+generic(p, "tool/^1.4")).is(t, 404, `{"message":"404 Not Found - no version of tool is ^1.4"}`)
		get(base+generic("root%2Fother", "tool/^v1/f")).must(t, 400)
		get(base+generic("root/tool", "tool/^1.4/f")).starts(t, 404, "404 Not Found - the path of the project came with a plain slash")
	}
	get("http://"+host+"?x=/api/v4/version").must(t, 404)
	get("http://"+host).must(t, 404)
}

// TestEscapedRoute: a client may escape any character of the path.
func TestEscapedRoute(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	for i, path := range []string{
		"/api/v4/projects/" + p + "/packages/%67eneric/tool/1%2E0%2E0/f%2Ebin",
		"/api/v4/projects/" + p + "/p%61ckages/generic/t%6Fol/1.0%2e0/%66.bin",
		"/%61pi/v4/projects/" + p + "/packages/generic/tool/1.0.0/f.bin",
	} {
		body := itoa(int64(i))
		s.root("PUT", path, body).is(t, 201, created)
		s.root("GET", generic(p, "tool/1.0.0/f.bin"), nil).is(t, 200, body)
	}
	// Names of the route itself are names like others.
	s.root("PUT", generic(p, "generic/1.0.0/generic"), "g").is(t, 201, created)
	s.root("GET", generic(p, "generic/1.0.0/generic"), nil).is(t, 200, "g")
}

func TestOtherRoutes(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	file := generic(p, "tool/1.0.0/f")
	s.root("PUT", file, "hello").is(t, 201, created)

	for _, method := range []string{"POST", "PATCH", "DELETE"} {
		s.root(method, file, nil).header(t, "Allow: GET, HEAD, PUT", "X-Frame-Options: SAMEORIGIN", "X-Content-Type-Options: nosniff",
			"Content-Type: application/json").is(t, 405, `{"error":"405 Not Allowed"}`)
	}
	s.root("OPTIONS", file, nil).header(t, "Allow: GET, HEAD, PUT", "X-Frame-Options: SAMEORIGIN").is(t, 204, "")
	s.root("POST", "/api/v4/version", nil).header(t, "Allow: GET, HEAD").is(t, 405, `{"error":"405 Not Allowed"}`)

	for _, path := range []string{"/api/v4/nothing", "/api/v4",
		"/api/v4/projects/" + p + "/packages/generic/tool/",
		"/api/v4/projects/" + p + "/packages/generic/tool/1.0.0/", "/api/v4/projects/" + p + "/packages/npm/tool/1.0.0/f",
		"/api/v4/Projects/" + p + "/packages/generic/tool/1.0.0/f"} {
		s.root("GET", path, nil).header(t, "X-Frame-Options: SAMEORIGIN").is(t, 404, nowhere)
	}
	const gone = `{"error":"API V3 is no longer supported. Use API V4 instead."}`
	s.do("GET", "/api/v3", nil).is(t, 410, gone)
	s.do("PUT", "/api/v3/projects/1/packages/generic/tool/1.0.0/f", nil).is(t, 410, gone)

	// Granary has no front proxy: .../authorize is a file in a directory.
	s.root("PUT", file+"/authorize", "x").starts(t, 400, "path is invalid")
}

// TestHead: the answers of GET without their bodies.
func TestHead(t *testing.T) {
	s := newServer(t)
	p, private := s.project("tool", "public"), s.project("secret", "private")
	file := generic(p, "tool/1.0.0/f.zip")
	s.root("PUT", file, "hello").is(t, 201, created)
	got, head := s.do("GET", file, nil), s.do("HEAD", file, nil)
	head.is(t, 200, "")
	for name := range got.Header {
		if name != "Date" && head.Header.Get(name) != got.Header.Get(name) {
			t.Errorf("%s: GET %q, HEAD %q", name, got.Header.Get(name), head.Header.Get(name))
		}
	}
	if head.ContentLength != 5 {
		t.Errorf("Content-Length %d", head.ContentLength)
	}
	s.do("HEAD", generic(p, "tool/1.0.0/none"), nil).is(t, 404, "")
	s.do("HEAD", generic(p, "tool/none/f"), nil).is(t, 400, "")
	s.do("HEAD", generic(private, "tool/1.0.0/f"), nil).header(t, `WWW-Authenticate: Basic realm="GitLab Packages Registry"`).is(t, 401, "")
}

// TestRequestTargets that no client of ours sends: the server does not fall
// over them.
func TestRequestTargets(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	file := generic(p, "tool/1.0.0/f")
	s.root("PUT", file, "hello").is(t, 201, created)
	host := strings.TrimPrefix(s.url, "http://")
	s.raw("GET "+s.url+file+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n").is(t, 200, "hello")
	s.raw("GET "+file+"?"+url.QueryEscape("a&b;c")+"&x=%zz;y HTTP/1.1\r\nHost: "+host+"\r\n\r\n").is(t, 200, "hello")
	for _, target := range []string{generic(p, "tool/1.0.0/f%zz"), generic(p, "tool/1.0.0/f%"), generic(p, "tool/1.0.0/f g")} {
		if got := s.raw("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"); got.StatusCode != 400 {
			t.Errorf("%s: %d", target, got.StatusCode)
		}
	}
}
