package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// readme uses what Markdown can do, and what pages take from it.
const readme = "# sonde\n\nAsks services how they are. ![badge](https://elsewhere.example/badge.svg)\n\n### Options\n\n- `--parallel` *says* how many\n- [x](https://elsewhere.example)\n\n1. one\n\n> quote\n\n```sh\nsonde " +
	"--a-very-long-line-of-code --a-very-long-line-of-code --a-very-long-line-of-code --a-very-long-line-of-code\n```\n\n| option | | what it does, in many words that need some room |\n|--:|---|:-:|\n| a | b | c |\n\n<script>alert(1)</script>\n\n[own](LICENSE) [none](none.md)\n"

// publishSonde gives root/demo a version with a README and files of several systems.
func publishSonde(t *testing.T, server string) {
	t.Helper()
	for name, content := range map[string]string{
		"README.md": readme, "LICENSE": "MIT", "sonde_2.4.1_linux_amd64.tar.gz": "linux", "sonde_2.4.1_windows_amd64.zip": "windows",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server+"/api/v4/projects/root%2Fdemo/packages/generic/sonde/2.4.1/"+name, strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("PRIVATE-TOKEN", ciToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.Body.Close() != nil || resp.StatusCode != http.StatusCreated {
			t.Fatalf("%v, %v", resp, err)
		}
	}
}

// TestPagesAreClean: axe, the console, the budget of the first view, and the width, of each
// page as an administrator sees it. Pages of settings have a test of their own.
func TestPagesAreClean(t *testing.T) {
	api, p := newJourney(t)
	publishSonde(t, p.origin)
	group := made(api.do("POST", "/groups", url.Values{"name": {"acme"}, "path": {"acme"}, "description": {"Tools of acme"}}, 201))
	api.do("POST", "/groups", url.Values{"name": {"empty"}, "path": {"empty"}}, 201)
	api.do("POST", "/projects", url.Values{"name": {"tools"}, "namespace_id": {group}}, 201)
	api.do("PUT", "/projects/acme%2Ftools/packages/generic/probe/1.0.0/f", nil, 201)
	api.do("POST", "/projects/root%2Fdemo/jobs", nil, 201)
	api.do("POST", "/projects/root%2Fdemo/releases", url.Values{"tag_name": {"v2.4.1"}, "name": {"sonde 2.4.1"}, "description": {readme}}, 201)
	ids := strings.TrimPrefix(p.pathAfter("/root/demo/-/packages/generic/sonde/2.4.1", `main a[href*="delete?ids="]`), "/root/demo")
	for name, path := range map[string]string{
		"home": "/", "explore": "/-/explore", "explore-none": "/-/explore?search=none", "projects": "/-/projects", "project-new": "/-/projects/new", "groups": "/-/groups", "group-new": "/-/groups/new",
		"help": "/-/help", "help-api": "/-/help/api", "help-api-tag": p.pathAfter("/-/help/api", `main a[href*="/help/api/"]`),
		"profile": "/-/user/profile", "tokens": "/-/user/tokens", "sessions": "/-/user/sessions", "events": "/-/user/events", "user": "/root",
		"group": "/acme", "group-empty": "/empty", "group-packages": "/acme/-/packages", "group-packages-empty": "/empty/-/packages", "group-audit": "/acme/-/audit",
		"packages": "/root/demo", "upload": "/root/demo/-/packages/new", "setup": "/root/demo/-/packages/setup", "search": "/-/search?search=sonde",
		"package": "/root/demo/-/packages/generic/sonde", "package-none": "/root/demo/-/packages/generic/sonde?search=9", "version": "/root/demo/-/packages/generic/sonde/2.4.1",
		"version-file": "/root/demo/-/packages/generic/sonde/2.4.1?file=LICENSE", "delete": "/root/demo" + ids,
		"releases": "/root/demo/-/releases", "releases-none": "/acme/tools/-/releases", "release": "/root/demo/-/releases/v2.4.1", "release-new": "/root/demo/-/releases/new", "release-edit": "/root/demo/-/releases/v2.4.1/edit",
		"jobs": "/root/demo/-/jobs", "job": p.pathAfter("/root/demo/-/jobs", "td a.name"), "jobs-none": "/acme/tools/-/jobs", "audit": "/root/demo/-/audit",
		"admin": "/-/admin", "admin-users": "/-/admin/users", "admin-features": "/-/admin/features", "admin-settings": "/-/admin/settings", "admin-tasks": "/-/admin/tasks", "admin-audit": "/-/admin/audit",
	} {
		t.Run(name, func(t *testing.T) { p.isPage(t, name, path, http.StatusOK) })
	}
}

// isPage opens a page and inspects it.
func (p *tab) isPage(t *testing.T, name, path string, status int64) {
	p.t = t
	p.open(path)
	p.answered(status)
	if name != "help-api-tag" { // a reference is as long as what it describes
		p.fits(name)
	}
	p.inspect(name)
}

// pathAfter is where a link of a page leads.
func (p *tab) pathAfter(page, link string) string {
	p.t.Helper()
	p.open(page)
	return value(p, chromedp.Evaluate[string](fmt.Sprintf(`(a => a.pathname + a.search)(document.querySelector(%q))`, link)))
}

// TestPagesOfTrouble: what pages say of a fault has the same quality as they have.
func TestPagesOfTrouble(t *testing.T) {
	api, p := newJourney(t)
	publishSonde(t, p.origin)
	p.isPage(t, "trouble-missing", "/root/none", http.StatusNotFound)
	p.isPage(t, "trouble-query", "/root/demo?published=never", http.StatusUnprocessableEntity)
	guest := newTab(t, p.origin)
	guest.enter(api.user("guest", "10"))
	guest.isPage(t, "guest-project", "/root/demo", http.StatusOK)
	guest.isPage(t, "trouble-denied", "/root/demo/-/settings", http.StatusForbidden)
	guest.isPage(t, "trouble-upload", "/root/demo/-/packages/new", http.StatusForbidden)
	guest.isPage(t, "trouble-admin", "/-/admin", http.StatusNotFound)
	user := made(api.do("POST", "/users", url.Values{"username": {"reader"}, "name": {"Reader"}, "email": {"reader@example.com"}, "force_random_password": {"true"}}, 201))
	api.do("POST", "/projects/root%2Fdemo/members", url.Values{"user_id": {user}, "access_level": {"40"}}, 201)
	reader := newTab(t, p.origin)
	reader.enter(api.do("POST", "/users/"+user+"/personal_access_tokens", url.Values{"name": {"reader"}, "scopes[]": {"read_api"}}, 201)["token"].(string))
	reader.isPage(t, "reader-version", "/root/demo/-/packages/generic/sonde/2.4.1", http.StatusOK)
	reader.isPage(t, "trouble-scope", "/root/demo/-/packages/new", http.StatusForbidden)
}
