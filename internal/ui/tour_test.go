package ui_test

import (
	"net/url"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/releases"
)

// tour is a site on which every page has something to show.
type tour struct {
	*site
	ids map[string]string // what stands in braces in the addresses of the tables
}

// at is an address with its values filled in.
func (o *tour) at(address string) string {
	for name, value := range o.ids {
		address = strings.ReplaceAll(address, "{"+name+"}", value)
	}
	return address
}

// newTour makes acme and acme/tools with one of everything, and the public open/lib.
func newTour(s *site) *tour {
	s.t.Helper()
	for _, name := range []string{"admin", "guest", "reporter", "developer", "maintainer", "owner", "stranger", "temp"} {
		s.person(name)
	}
	s.acme()
	o := &tour{s, map[string]string{"user": itoa(s.person("stranger").ID), "member": itoa(s.person("temp").ID), "above": itoa(s.person("guest").ID)}}
	s.public()
	o.versions()
	o.furnish()
	o.people()
	return o
}

// public makes the public project open/lib, in which nobody of acme is a member.
func (s *site) public() {
	s.t.Helper()
	ctx, admin := s.t.Context(), s.actor("admin")
	g, err := s.places.CreateGroup(ctx, admin, projects.Group{Name: "open", Path: "open", Visibility: access.Public})
	if err == nil {
		_, err = s.places.CreateProject(ctx, admin, g.ID, projects.Project{Name: "lib", Path: "lib", Visibility: access.Public, PackageAccess: access.PackagesEnabled})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.publish("open/lib", "sonde", "1.0.0", "sonde.tar.gz", "public bytes")
	if _, err := s.releases.Create(ctx, admin, "open/lib", releases.Release{Tag: "v1.0.0", Description: "Notes"}, nil); err != nil {
		s.t.Fatal(err)
	}
}

// versions makes a channel, a draft, a job, and a release's link.
func (o *tour) versions() {
	o.t.Helper()
	ctx, admin := o.t.Context(), o.actor("admin")
	if _, _, err := o.registry.MoveChannel(ctx, admin, "acme/tools", registry.Raw{Name: "sonde", Version: "@stable"}, registry.ChannelMove{Version: "1.0.0"}); err != nil {
		o.t.Fatal(err)
	}
	draft := registry.PublishOptions{Length: 1, Draft: true}
	if _, err := o.registry.Publish(ctx, admin, "acme/tools", registry.Raw{Name: "sonde", Version: "2.0.0", File: "f"}, strings.NewReader("x"), draft); err != nil {
		o.t.Fatal(err)
	}
	file := o.url + "/acme/tools/-/package_files/1/download"
	if _, _, err := o.releases.AddLink(ctx, admin, "acme/tools", "v1.0.0", releases.Link{Name: "archive", URL: file}); err != nil {
		o.t.Fatal(err)
	}
	j, _, err := o.users.CreateJob(ctx, admin, "acme/tools", auth.Job{Name: "build", Ref: "main"}, auth.MaxJobTimeout)
	if err != nil {
		o.t.Fatal(err)
	}
	found, err := o.registry.Versions(ctx, admin, "acme/tools", "sonde", registry.VersionQuery{}, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	o.ids["job"], o.ids["package"] = itoa(j.ID), itoa(found.Rows[len(found.Rows)-1].ID)
}

// furnish makes settings, tokens, variables, rules and webhooks of the project and group.
func (o *tour) furnish() {
	o.t.Helper()
	to, b := o.receiver(), o.as("admin")
	month := o.now().AddDate(0, 1, 0).Format(time.DateOnly)
	for _, place := range []string{"/acme", "/acme/tools"} {
		kind := map[string]string{"/acme": "group_", "/acme/tools": ""}[place]
		for range 2 { // one to renew, one to revoke
			page := b.post(place+"/-/settings/access_tokens", "name", "robot", "scopes", "read_api", "access_level", "20", "expires_at", month)
			o.ids[kind+"bot_token"] = page.found(o.t, `/access_tokens/(\d+)/revoke`)
		}
		page := b.post(place+"/-/settings/deploy_tokens", "name", "ci", "scopes", "read_package_registry")
		o.ids[kind+"deploy_token"] = page.found(o.t, `/deploy_tokens/(\d+)/delete`)
		b.post(place+"/-/settings/variables", "key", "HOST", "value", "example").wants(o.t, 303)
		b.post(place+"/-/members", "username", "temp", "access_level", "10").wants(o.t, 303)
	}
	b.post("/acme/tools/-/settings/protection", "package_name_pattern", "precious*", "minimum_access_level_for_push", "40").wants(o.t, 303)
	o.ids["rule"] = b.get("/acme/tools/-/settings/protection").found(o.t, `/protection/(\d+)"`)
	b.post("/acme/tools/-/settings/job_token/add", "path", "acme").wants(o.t, 303)
	made := b.post("/acme/tools/-/hooks", "url", to.URL, "package_events", "1").wants(o.t, 303)
	hook := strings.TrimSuffix(made.Header.Get("Location"), "?done=made")
	o.ids["hook"] = hook[strings.LastIndexByte(hook, '/')+1:]
	b.post(hook+"/headers", "header", "X-Team", "header_value", "one").wants(o.t, 303)
	b.post(hook+"/test").wants(o.t, 303)
	o.ids["attempt"] = b.get(hook).found(o.t, `/attempts/(\d+)"`)
	b.post("/-/admin/features/generic_packages", "value", "on").wants(o.t, 303)
}

// people makes the administrator's second token and session.
func (o *tour) people() {
	o.t.Helper()
	o.token("admin", access.ScopeReadUser, access.ScopeSelfRotate)
	b := o.as("admin", access.ScopeAPI, access.ScopeReadUser)
	o.ids["token"] = b.get("/-/user/tokens").found(o.t, `/-/user/tokens/(\d+)/revoke`)
	o.ids["session"] = b.get("/-/user/sessions").found(o.t, `/-/user/sessions/(\d+)/end`)
}

// pathOf is the path of an address.
func pathOf(address string) string {
	path, _, _ := strings.Cut(address, "?")
	return path
}

// shape is an address without the values of its parameters.
func shape(address string) string {
	path, query, _ := strings.Cut(address, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return address
	}
	for name := range values {
		values[name] = []string{""}
	}
	return path + "?" + values.Encode()
}
