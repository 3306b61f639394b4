package api_test

import (
	"fmt"
	"strings"
	"testing"
)

// versionsIn publishes a file of each version: its bytes are the version.
func (s *server) versionsIn(p, name string, versions ...string) {
	s.t.Helper()
	for _, v := range versions {
		s.root("PUT", generic(p, name+"/"+strings.ReplaceAll(v, "+", "%2B")+"/f"), v).is(s.t, 201, created)
	}
}

// edit changes a version.
func (s *server) edit(p, version string, change map[string]any) {
	s.t.Helper()
	s.root("PATCH", generic(p, version), change).must(s.t, 200)
}

// selects checks which version a file comes from; "" is 404.
func (s *server) selects(p, name, selector, want string) {
	s.t.Helper()
	got := s.root("GET", generic(p, name+"/"+selector+"/f"), nil)
	head := s.root("HEAD", generic(p, name+"/"+selector+"/f"), nil)
	if want == "" {
		got.starts(s.t, 404, "404 Not Found - ")
		head.status(s.t, 404)
		head.header(s.t, "X-Package-Version:", "Content-Location:", "Accept-Ranges:")
		return
	}
	got.is(s.t, 200, want)
	head.is(s.t, 200, "")
	exact := ""
	if want != selector {
		exact = want
	}
	got.header(s.t, "X-Package-Version: "+exact)
	head.header(s.t, "X-Package-Version: "+exact, "ETag: "+got.Header.Get("ETag"), "Content-Length: "+fmt.Sprint(len(want)))
}

// TestSelectors: which version each form means.
func TestSelectors(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.relaxed("tool"))
	const huge = "123456789012345678901234567890"
	s.versionsIn(p, "app", "1.4.2", "1.4.9", "1.10.0", "1.9.0", "0.3.1", "0.3.9", "0.4.0", "2.0.0-rc.1", "nightly", "1.10.0-rc.1", huge+".0.0", huge+".7")
	for selector, want := range map[string]string{
		"latest": huge + ".7", "%5E1.4": "1.10.0", "^1.4": "1.10.0", "^1.4.2": "1.10.0", "^1": "1.10.0", "^0.3": "0.3.9", "^0.3.1": "0.3.9", "^0": "0.4.0", "^0.0": "",
		"~1.4.2": "1.4.9", "~1.4": "1.4.9", "~1": "1.10.0", "~1.5": "", "1.x": "1.10.0", "1.4.x": "1.4.9", "2.x": "", "^2": "", "01.4.x": "1.4.9", "^01.4": "1.10.0",
		"^" + huge: huge + ".7", huge + ".x": huge + ".7", "^" + strings.Repeat("9", 255): "", "@stable": "",
		"nightly": "nightly", "2.0.0-rc.1": "2.0.0-rc.1",
	} {
		s.selects(p, "app", selector, want)
	}
	for _, path := range []string{generic("root%2Ftool", "app/^1.4/f"), generic("root%2Ftool", "app/%5E1.4/f"), generic(p, "app/^1.4/f")} { // as curl sends them
		s.raw("GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").header(t, "X-Package-Version: 1.10.0").is(t, 200, "1.10.0")
	}
	s.root("GET", generic("root%2Ftool", "app/^1.4/f"), nil).starts(t, 404, "404 Not Found - the path of the project came with a plain slash") // as Go sends it
	s.versionsIn(p, "pre", "1.0.0-rc.2", "1.0.0-rc.10", "1.0.0-rc.10+b", "build-9")
	s.selects(p, "pre", "latest", "1.0.0-rc.10+b")
	s.selects(p, "pre", "^1", "")
	s.versionsIn(p, "other", "nightly", "1.2.3.4")
	s.selects(p, "other", "latest", "")
}

// TestSelectorsOfEqualVersions: of two with one precedence the later created counts.
func TestSelectorsOfEqualVersions(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.relaxed("tool"))
	for _, v := range []string{"1.0.0", "1.0", "v1.0.0", "1.0.0+b", "1", "01.0.0"} {
		s.versionsIn(p, "app", v)
		s.selects(p, "app", "latest", v)
		s.selects(p, "app", "^1.0", v)
	}
	s.root("PUT", generic(p, "app/1.0/f"), "1.0").is(t, 201, created) // a newer file makes no newer version
	s.selects(p, "app", "latest", "01.0.0")
}

// TestLiteralBeforeSelector: a version that has a selector's text as its name wins, yanked
// or hidden, too; and then it is no selector at all.
func TestLiteralBeforeSelector(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.relaxed("tool"))
	s.versionsIn(p, "app", "1.5.0", "latest", "1.x")
	for _, change := range []map[string]any{{}, {"yanked": true}, {"status": "hidden"}} {
		for _, name := range []string{"latest", "1.x"} {
			if len(change) > 0 {
				s.edit(p, "app/"+name, change)
			}
			s.selects(p, "app", name, name)
			s.root("GET", generic(p, "app/"+name+"/f"), nil).header(t, "Content-Location:", "X-Package-Version:", "Accept-Ranges: bytes").status(t, 200)
			s.do("GET", generic(p, "app/"+name+"/f"), nil, "PRIVATE-TOKEN: "+rootToken, "Range: bytes=1-").status(t, 206)
			fields(t, s.root("GET", generic(p, "app/"+name), nil).must(t, 200), map[string]string{"version": name})
		}
	}
	s.root("DELETE", generic(p, "app/latest"), nil).status(t, 204)
	s.selects(p, "app", "latest", "1.5.0")
}

// TestSelectorsPassOver: what no selector may choose, and when it may again.
func TestSelectorsPassOver(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.project("tool", "private"))
	s.versionsIn(p, "app", "1.0.0", "1.1.0", "1.2.0")
	s.root("PUT", generic(p, "app/@stable"), map[string]any{"version": "1.2.0"}).must(t, 201)
	both := func(want string) {
		t.Helper()
		s.selects(p, "app", "latest", want)
		s.selects(p, "app", "1.x", want)
		channel := ""
		if want == "1.2.0" {
			channel = want
		}
		s.selects(p, "app", "@stable", channel)
	}
	both("1.2.0")
	for _, step := range []struct {
		change map[string]any
		want   string
	}{
		{map[string]any{"yanked": true, "reason": "leaks"}, "1.1.0"}, {map[string]any{"deprecated": "old"}, "1.1.0"}, {map[string]any{"yanked": false}, "1.2.0"},
		{map[string]any{"deprecated": nil}, "1.2.0"}, {map[string]any{"status": "hidden"}, "1.1.0"}, {map[string]any{"status": "default"}, "1.2.0"},
		{map[string]any{"yanked": true, "status": "hidden"}, "1.1.0"}, {map[string]any{"status": "default"}, "1.1.0"}, {map[string]any{"yanked": false}, "1.2.0"},
	} {
		s.edit(p, "app/1.2.0", step.change)
		both(step.want)
		s.root("GET", generic(p, "app/1.2.0/f"), nil).is(t, 200, "1.2.0")
	}
	s.edit(p, "app/1.2.0", map[string]any{"yanked": true})
	s.root("GET", generic(p, "app/1.2.0/f"), nil).header(t, "X-Package-Status: yanked", "X-Package-Version:").status(t, 200)
	s.root("GET", generic(p, "app/latest/f"), nil).header(t, "X-Package-Status:").status(t, 200)
	s.root("GET", generic(p, "app/@stable/f"), nil).starts(t, 404, "404 Not Found - @stable is 1.2.0, which is deleted, hidden or yanked")
	s.root("DELETE", generic(p, "app/1.2.0"), nil).status(t, 204)
	both("1.1.0")
	s.root("GET", generic(p, "app/@stable"), nil).starts(t, 404, "404 Not Found - @stable is 1.2.0, which is deleted, hidden or yanked")
	s.versionsIn(p, "app", "1.2.0") // a new version of that name
	both("1.2.0")
	s.root("PUT", generic(p, "app/1.2.0/g?status=hidden"), "g").is(t, 201, created)
	both("1.1.0")
}

// TestFinalVersionsOnly: if a name has a final version, selectors choose among those.
func TestFinalVersionsOnly(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.relaxed("tool"))
	s.versionsIn(p, "app", "1.0.0", "1.1.0", "1.2.0", "1.1.5-rc.1", "2.0.0")
	final := func(versions ...string) {
		s.exec(`UPDATE packages SET final_at = NULL`)
		for _, v := range versions {
			s.exec(`UPDATE packages SET final_at = 1 WHERE version = $1`, v)
		}
	}
	final("1.0.0", "1.1.0")
	s.selects(p, "app", "latest", "1.1.0")
	s.selects(p, "app", "2.x", "")
	s.selects(p, "app", "2.0.0", "2.0.0")
	final("1.1.5-rc.1")
	s.selects(p, "app", "latest", "1.1.5-rc.1")
	s.selects(p, "app", "^1", "")
	final("1.0.0")
	s.edit(p, "app/1.0.0", map[string]any{"yanked": true})
	s.selects(p, "app", "latest", "")
	s.root("PUT", generic(p, "app/@next"), map[string]any{"version": "2.0.0"}).must(t, 201) // channels may lead to an open one
	s.selects(p, "app", "@next", "2.0.0")
	final()
	s.selects(p, "app", "latest", "2.0.0")
}

// TestSelectorRefusals: the words of what selects nothing, under each naming.
func TestSelectorRefusals(t *testing.T) {
	s := newServer(t)
	strict, relaxed := s.projectID(s.project("strict", "private")), s.projectID(s.relaxed("tool"))
	s.versionsIn(strict, "app", "1.4.0")
	s.versionsIn(relaxed, "app", "1.4.0")
	for _, tc := range []struct {
		selector        string
		strict, relaxed int
		words           string
	}{
		{"latest", 200, 200, ""}, {"%5E1", 200, 200, ""}, {"~1.4", 200, 200, ""}, {"1.4.x", 200, 200, ""},
		{"^2", 404, 404, "404 Not Found - no version of app is ^2"}, {"2.x", 404, 404, "404 Not Found - no version of app is 2.x"},
		{"@stable", 404, 404, "404 Not Found - app has no channel @stable"}, {"@" + strings.Repeat("a", 63), 404, 404, "404 Not Found - app has no channel"},
		{"@" + strings.Repeat("a", 64), 400, 400, "package_version is invalid"}, {"@Stable", 400, 400, "package_version is invalid"},
		{"@1", 400, 400, "package_version is invalid"}, {"@", 400, 400, "package_version is invalid"}, {"@stable%0A", 400, 400, "package_version is invalid"},
		{"Latest", 400, 404, ""}, {"^", 400, 400, "package_version is invalid"}, {"^1.x", 400, 400, ""}, {"1.X", 400, 404, ""}, {"x", 400, 404, ""},
		{"*", 400, 400, "package_version is invalid"}, {"1.*", 400, 400, ""}, {"^v1", 400, 400, ""}, {"^1-a", 400, 400, ""}, {"~1.4.2.3", 400, 400, ""}, {"1.2.3.x", 400, 404, ""},
		{"%3E%3D1", 400, 400, "package_version is invalid"}, {"^" + strings.Repeat("1", 256), 400, 400, ""}, {"^1%20", 400, 400, ""}, {"^^1", 400, 400, ""}, {"latest%00", 400, 400, ""},
	} {
		for p, want := range map[string]int{strict: tc.strict, relaxed: tc.relaxed} {
			for _, rest := range []string{"/f", "", "/@all.tar", "/@SHA256SUMS"} {
				got := s.root("GET", generic(p, "app/"+tc.selector+rest), nil)
				if got.StatusCode != want || rest != "" && !strings.Contains(got.body, tc.words) {
					t.Errorf("%s%s: %d %.300s, want %d %s", tc.selector, rest, got.StatusCode, got.body, want, tc.words)
				}
			}
			s.root("HEAD", generic(p, "app/"+tc.selector+"/f"), nil).status(t, want)
		}
	}
	s.root("GET", generic(strict, "app/latest/other"), nil).is(t, 404, `{"message":"404 Not Found - latest is 1.4.0, which has no file other"}`)
	s.root("GET", generic(strict, "none/latest/f"), nil).is(t, 404, `{"message":"404 Not Found - no version of none is latest"}`)
	s.root("GET", generic(strict, "none/1.0.0"), nil).is(t, 404, `{"message":"404 Not Found - there is no none 1.0.0"}`)
	for _, selector := range []string{"latest", "^1", "~1.4", "1.x", "@stable"} { // publishing is as ever
		s.root("PUT", generic(strict, "app/"+selector+"/f"), "x").starts(t, 400, "package_version is invalid")
	}
	if n := s.count("packages"); n != 2 {
		t.Errorf("%d packages", n)
	}
}

// TestSelectedHeaders: what an answer under a selector says, and the same of archives and
// of the version.
func TestSelectedHeaders(t *testing.T) { onEachStore(t, testSelectedHeaders) }

func testSelectedHeaders(t *testing.T, s *server) {
	redirected := s.redirected
	s.redirected = false
	p := s.projectID(s.relaxed("tool"))
	s.root("PUT", generic(p, "a%2Bb/1.0%2Bc/d%20e/f~g"), "x").is(t, 201, created)
	exact := s.url + generic(p, "a%2Bb/1.0%2Bc")
	file := generic(p, "a%2Bb/latest/d%20e/f~g")
	want := []string{"X-Package-Version: 1.0+c", "Cache-Control: no-cache, private", "Accept-Ranges: none", "Content-Location: " + exact + "/d%20e/f~g"}
	got := s.root("HEAD", file, nil)
	got.header(t, want...).status(t, 200)
	tag := got.Header.Get("ETag")
	if redirected {
		s.root("GET", file, nil).header(t, "X-Package-Version: 1.0+c", "Cache-Control: no-store", "Content-Location: "+exact+"/d%20e/f~g", "ETag: "+tag).status(t, 302)
	} else {
		s.root("GET", file, nil).header(t, append(want, "Content-Disposition: "+got.Header.Get("Content-Disposition"))...).is(t, 200, "x")
	}
	s.do("GET", file, nil, "PRIVATE-TOKEN: "+rootToken, "If-None-Match: "+tag).header(t, "X-Package-Version: 1.0+c", "Accept-Ranges:", "ETag: "+tag).is(t, 304, "")
	for _, method := range []string{"GET", "HEAD"} {
		for rest, ranges := range map[string]string{"": "", "/@SHA256SUMS": "none", "/@all.tar": "none", "/@all.zip": "none", "/@all.tar.zst": "none"} {
			headers := []string{"X-Package-Version: 1.0+c", "Cache-Control: no-cache, private", "Content-Location: " + exact + rest}
			if ranges != "" {
				headers = append(headers, "Accept-Ranges: "+ranges)
			}
			s.root(method, generic(p, "a%2Bb/latest"+rest), nil).header(t, headers...).status(t, 200)
			s.root(method, generic(p, "a%2Bb/1.0%2Bc"+rest), nil).header(t, "X-Package-Version:", "Content-Location:").status(t, 200)
		}
	}
	if got := s.root("GET", generic(p, "a%2Bb/latest"), nil).must(t, 200); got["url"] != exact {
		t.Errorf("%v, want %s", got["url"], exact)
	}
}

// TestSelectorDoors: each credential, none, a moved project and a project without packages.
func TestSelectorDoors(t *testing.T) {
	s := newServer(t)
	private, public := s.project("private", "private"), s.project("public", "public")
	dev, devToken := s.user("dev")
	_, stranger := s.user("stranger")
	s.member(private, dev, 30)
	_, deploy := s.deployToken("projects/"+private, "read_package_registry")
	_, job := s.job(devToken, private)
	s.versionsIn(private, "app", "1.0.0")
	s.versionsIn(public, "app", "1.0.0")
	for _, rest := range []string{"app", "app/latest", "app/%5E1", "app/latest/f", "app/1.x/@all.tar", "app/latest/@SHA256SUMS"} {
		for header, want := range map[string]int{
			"PRIVATE-TOKEN: " + devToken: 200, "DEPLOY-TOKEN: " + deploy: 200, "JOB-TOKEN: " + job: 200, basic("dev", devToken): 200, "Authorization: Bearer " + devToken: 200,
			"PRIVATE-TOKEN: " + stranger: 404, "PRIVATE-TOKEN: nonsense": 401, "X-None: ": 401,
		} {
			s.do("GET", generic(private, rest), nil, header).status(t, want)
		}
		s.do("GET", generic(public, rest), nil).status(t, 200)
		features := "channels, drafts, selectors, versions, storage"
		if strings.Count(rest, "/") > 1 { // a file says nothing of them
			features = ""
		}
		s.do("HEAD", generic(public, rest), nil).header(t, "X-Granary-Features: "+features).status(t, 200)
	}
	id := s.projectID(public)
	s.root("PUT", v4+"/projects/"+id, map[string]any{"path": "moved"}).must(t, 200)
	for _, rest := range []string{"app/latest/f", "app/latest"} {
		exact := s.do("GET", generic(public, "app/1.0.0/f"), nil)
		s.do("GET", generic(public, rest), nil).status(t, exact.StatusCode)
		s.do("GET", generic(id, rest), nil).status(t, 200)
	}
	s.root("PUT", v4+"/projects/"+id, map[string]any{"package_registry_access_level": "disabled"}).must(t, 200)
	for _, rest := range []string{"app", "app/latest", "app/latest/f", "app/1.0.0/f", "app/1.x/@all.tar"} {
		s.do("GET", generic(id, rest), nil).status(t, 403)
	}
}
