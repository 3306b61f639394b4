package ui_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/releases"
)

// nasty are texts that break out of HTML, of attributes, of script and of addresses, or
// that turn a line round. Each has the word xss, to be looked for.
func nasty() []string {
	return []string{
		`"><script>xss()</script><img src=x onerror=xss()>`, `' onmouseover='xss()" autofocus onfocus="xss() {{.xss}}`, `javascript:xss()`,
		"</title></textarea><svg/onload=xss()>\u202etxt.exe\u2066", strings.Repeat("xss", 85),
	}
}

// TestHostileTexts: whatever is stored, no page has an element, an attribute or an address
// of it.
func TestHostileTexts(t *testing.T) {
	for i, text := range nasty() {
		if sampled() && i > 0 {
			break
		}
		o := newTour(newSite(t))
		o.spread(text)
		for address, page := range o.crawl(t, "admin", o.of("admin")).pages {
			harmless(t, address, page)
		}
	}
	o := newTour(newSite(t))
	b := o.as("admin")
	for _, text := range nasty() {
		escaped := url.QueryEscape(text)
		for _, address := range []string{
			"/-/search?search=", "/acme/tools?search=", "/acme/tools?sort=", "/acme/tools?status=", "/acme/tools/-/packages/generic/sonde?search=", "/acme/tools/-/packages/generic/sonde/1.0.0?file=",
			"/acme/tools/-/packages/new?name=", "/acme/-/packages?search=", "/-/admin/users?search=", "/acme/tools/-/members?search=", "/-/sign_in?again=1&to=", "/-/groups/new?parent=", "/-/projects/new?namespace=",
			"/acme/tools/-/settings/protection?package_name_pattern=", "/-/admin/audit?from=", "/?done=",
		} {
			harmless(t, address+text, b.get(address+escaped))
		}
		harmless(t, text, b.get("/"+url.PathEscape(text)))
		harmless(t, text, b.get("/acme/tools/-/packages/generic/"+url.PathEscape(text)))
	}
}

// spread stores a text wherever one can be stored. What the rules refuse is refused.
func (o *tour) spread(text string) {
	o.t.Helper()
	ctx, admin, b := o.t.Context(), o.actor("admin"), o.as("admin")
	const at = "/acme/tools/-/"
	stored := 0
	keep := func(err error) {
		if err == nil {
			stored++
		}
	}
	g, err := o.places.Group(ctx, admin, "acme")
	o.must(err)
	name := text[:min(len(text), 200)]
	_, err = o.places.EditProject(ctx, admin, "acme/tools", projects.ProjectEdit{Description: &text, DefaultBranch: &text, Topics: &[]string{name}})
	keep(err)
	_, err = o.places.CreateProject(ctx, admin, g.ID, projects.Project{Name: name, Path: "hostile", Description: text, PackageAccess: access.PackagesEnabled})
	keep(err)
	_, err = o.places.CreateGroup(ctx, admin, projects.Group{Name: name, Path: "hostile", Description: text, ParentID: g.ID})
	keep(err)
	for _, raw := range []registry.Raw{{Name: text, Version: "1", File: "f"}, {Name: "sonde", Version: text, File: "f"}, {Name: "sonde", Version: "1.0.0", File: text}, {Name: "sonde", Version: "3.0.0", File: "README.md"}} {
		readme := "# " + text + "\n\n[a](" + text + ") ![b](" + text + ")\n\n" + text
		_, err = o.registry.Publish(ctx, admin, "acme/tools", raw, strings.NewReader(readme), registry.PublishOptions{Length: int64(len(readme))})
		keep(err)
	}
	_, err = o.releases.Create(ctx, admin, "acme/tools", releases.Release{Tag: text, Name: text, Description: text + "\n\n[a](" + text + ")"}, nil)
	keep(err)
	_, err = o.releases.Create(ctx, admin, "acme/tools", releases.Release{Tag: "v9", Name: text, Description: text + "\n\n[a](" + text + ")"}, nil)
	keep(err)
	_, _, err = o.releases.AddLink(ctx, admin, "acme/tools", "v9", releases.Link{Name: name, URL: "https://example.com/" + text})
	keep(err)
	_, _, err = o.users.CreateJob(ctx, admin, "acme/tools", auth.Job{Name: text, Stage: text, Ref: text, SHA: text}, time.Hour)
	keep(err)
	for _, one := range [][]string{
		{"/-/user/tokens", "name", name, "scopes", "api"}, {at + "settings/deploy_tokens", "name", name, "username", name, "scopes", "read_package_registry"},
		{at + "settings/access_tokens", "name", name, "scopes", "api", "access_level", "20"}, {at + "settings/protection", "package_name_pattern", name, "minimum_access_level_for_push", "40"},
		{at + "settings/variables", "key", "NASTY", "value", text, "environment_scope", name, "description", name}, {"/acme/-/settings/variables", "key", text, "value", text, "description", text},
		{at + "hooks", "url", "https://example.com/" + url.PathEscape(text), "name", name, "description", text, "package_events", "1"},
		{at + "packages/generic/sonde/1.1.0/edit", "do", "deprecate", "message", text}, {at + "packages/generic/sonde/1.0.0/edit", "do", "yank", "reason", text},
		{at + "packages/generic/sonde/1.0.0/channel", "channel", text}, {"/-/admin/users", "username", "hostile", "name", name, "email", "h@example.com"}, {"/-/admin/users", "username", text, "name", name, "email", text},
	} {
		got := b.post(one[0], one[1:]...)
		harmless(o.t, one[0], got)
		if got.StatusCode >= 500 {
			o.t.Errorf("%s of %q: %d", one[0], text, got.StatusCode)
		}
		if got.StatusCode < 400 {
			stored++
		}
	}
	if stored < 8 {
		o.t.Errorf("%q is stored at %d places only", text, stored)
	}
}

// harmless looks for what a text has become.
func harmless(t *testing.T, name string, a answer) {
	t.Helper()
	if a.StatusCode >= 500 {
		t.Errorf("%s: %d", name, a.StatusCode)
	}
	for e := range a.parse(t).elements() {
		for _, attribute := range e.Attr {
			bare := strings.ToLower(strings.TrimSpace(attribute.Val))
			if strings.HasPrefix(attribute.Key, "on") || attribute.Key == "style" || strings.Contains(attribute.Key, "xss") || strings.HasPrefix(bare, "javascript:") && attribute.Key != "value" && attribute.Key != "title" && attribute.Key != "aria-label" {
				t.Errorf("%s: %s has %s=%q", name, e.Data, attribute.Key, attribute.Val)
			}
		}
		if _, external := e.attr("src"); e.Data == "img" || e.Data == "script" && !external || e.Data == "iframe" || e.Data == "svg" && strings.Contains(e.value("onload"), "xss") {
			t.Errorf("%s: a %s", name, e.Data)
		}
	}
}

// TestBadQueries: parameters that make no sense get a page that says so.
func TestBadQueries(t *testing.T) {
	o := newTour(newSite(t))
	b := o.as("admin")
	for _, row := range outcomes() {
		if !strings.HasPrefix(row.pattern, "GET ") {
			continue
		}
		for _, query := range []string{"page=0", "page=-1", "page=x", "page=99999999999999999999", "page=1073741824", "cursor=x", "cursor=%00", "cursor=" + strings.Repeat("A", 5000), "published=x", "published=-1", "from=2026-13-01", "to=x", "older=x",
			"author=-1", "status=none", "sort=none&dir=up", "order=x", "search=%00", "search=%ff", "scope=%00", "ids=x", "ids=0", "file=x&name=sonde", "name=%00", "a;b", "%zz"} {
			mark := "?"
			if strings.Contains(row.sample, "?") {
				mark = "&"
			}
			if got := b.get(o.at(row.sample) + mark + query); got.StatusCode >= 500 {
				t.Errorf("%s with %.60s: %d", row.pattern, query, got.StatusCode)
			}
		}
	}
	for _, wrong := range []string{"/acme/tools?search=%00", "/-/search?search=%ff", "/acme/tools?page=x&cursor=x", "/acme/tools?published=x", "/-/admin/users?page=0", "/-/admin/audit?from=x"} {
		b.get(wrong).wants(t, http.StatusUnprocessableEntity)
	}
	b.get("/?done=never-heard-of").wants(t, 200).lacks(t, "never-heard-of", `class="note done"`)
	b.get("/?done=saved").wants(t, 200, "Saved.")
}

// TestLargeForms: a form above its limit is refused, whatever takes it.
func TestLargeForms(t *testing.T) {
	o := newTour(newSite(t))
	b := o.as("admin")
	for pattern, sheets := range o.crawl(t, "admin", b).posts {
		f := sheets[0]
		if f.upload {
			continue
		}
		large := "name=" + strings.Repeat("x", 5<<20)
		if got := b.do(http.MethodPost, o.absolute(f.page, f.action), "application/x-www-form-urlencoded", large); got.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d", pattern, got.StatusCode)
		}
	}
}
