package api_test

import (
	"strings"
	"testing"

	"granary/internal/access"
)

// permissionPlace is a group with a project in it, both of one visibility, and
// one of everything that can be asked for in it.
type permissionPlace struct {
	name                     string
	visibility               access.Visibility
	packages                 access.PackageAccess
	archived                 bool
	group, project           string // ids
	spareGroup, spareProject string // paths, escaped: below the group, with nobody in them
	things                   map[string]string
}

// permissionPlaces are three of the default settings, and some of others.
func permissionPlaces() []permissionPlace {
	return []permissionPlace{
		{name: "private", visibility: access.Private, packages: access.PackagesEnabled},
		{name: "internal", visibility: access.Internal, packages: access.PackagesEnabled},
		{name: "public", visibility: access.Public, packages: access.PackagesEnabled},
		{name: "archived", visibility: access.Internal, packages: access.PackagesEnabled, archived: true},
		{name: "registry-off", visibility: access.Public, packages: access.PackagesDisabled},
		{name: "registry-for-members", visibility: access.Public, packages: access.PackagesPrivate},
		{name: "registry-for-anyone", visibility: access.Private, packages: access.PackagesPublic},
	}
}

// plain reports the default settings.
func (p permissionPlace) plain() bool { return p.packages == access.PackagesEnabled && !p.archived }

// has reports whether a door can be tried here: what is not in a project is the
// same in every place of the same visibility, and the instance in all.
func (p permissionPlace) has(d door) bool {
	switch d.of {
	case "instance":
		return p.name == "private"
	case "project":
		return true
	}
	return p.plain()
}

// furnish makes the place.
func (s *server) furnish(p permissionPlace) permissionPlace {
	s.t.Helper()
	word := map[access.Visibility]string{access.Private: "private", access.Internal: "internal", access.Public: "public"}[p.visibility]
	group := s.groupAt(p.name, word)
	project := s.projectAt(group, "tool", word)
	p.group, p.project = id(s.root("GET", v4+"/groups/"+group, nil).must(s.t, 200)), s.projectID(project)
	p.spareGroup, p.spareProject = group+"%2Fspare", group+"%2Fspare-project"
	p.things = map[string]string{
		"project...": p.name + "/tool", "name": "tool", "version": "1.0.0", "file...": "f", "file": "f", "user_id": "1",
		"tag": "v1", "path...": "file", "suffix...": "x", "sha": "abc", "key": "KEY", "trigger": "package_events",
		"filename": "absent", "upload_id": nothing, "token_id": nothing, "event_id": nothing, "hook_event_id": nothing,
		"target_project_id": nothing, "target_group_id": nothing, "package_protection_rule_id": nothing,
	}
	s.groupAt(p.name+"/spare", word)
	s.projectAt(group, "spare-project", word)
	s.fill(p)
	return p
}

// settle gives the place its settings, once everything is in it.
func (s *server) settle(p permissionPlace) {
	s.t.Helper()
	at := v4 + "/projects/" + p.project
	s.root("PUT", at, given{"package_registry_access_level": p.packages.String()}).must(s.t, 200)
	if p.archived {
		s.root("POST", at+"/archive", nil).must(s.t, 201)
	}
}

// fill puts one of everything into the project.
func (s *server) fill(p permissionPlace) {
	s.t.Helper()
	at := v4 + "/projects/" + p.project
	made := func(path string, body given) string { return id(s.root("POST", at+path, body).must(s.t, 201)) }
	s.root("PUT", generic(p.project, "tool/1.0.0/f"), "x").must(s.t, 201)
	p.things["package_id"] = s.root("GET", at+"/packages", nil).column(s.t, "id")
	p.things["package_file_id"] = s.root("GET", at+"/packages/"+p.things["package_id"]+"/package_files", nil).column(s.t, "id")
	s.root("POST", at+"/releases", given{"tag_name": "v1"}).must(s.t, 201)
	p.things["link_id"] = made("/releases/v1/assets/links", given{"name": "file", "url": "https://example.com/file", "direct_asset_path": "/file"})
	p.things["hook_id"] = made("/hooks", given{"url": "https://example.com/hook"})
	p.things["job_id"] = made("/jobs", given{})
	s.root("PUT", at+"/jobs/"+p.things["job_id"], given{"status": "success"}).must(s.t, 200)
	made("/packages/protection/rules", given{"package_name_pattern": "vault", "package_type": "generic", "minimum_access_level_for_push": "owner"})
	address := s.upload(rootToken, p.project, "f", []byte("x")).must(s.t, 201)["url"].(string)
	p.things["secret"] = strings.Split(address, "/")[2]
	for _, of := range []string{at, v4 + "/groups/" + p.group} {
		s.root("POST", of+"/variables", given{"key": "KEY", "value": "v"}).must(s.t, 201)
	}
}

// mend makes again what was lost by being let through.
func (s *server) mend(t *testing.T, d door, c credential, p permissionPlace) {
	t.Helper()
	switch {
	case d.right == access.LeaveMembers && d.of == "group":
		s.memberAt("/groups/"+p.group, c.actor.UserID, int(c.inGroup))
	case d.right == access.LeaveMembers:
		s.memberAt("/projects/"+p.project, c.actor.UserID, int(c.inProject))
	case d.route == "POST /projects/{id}/unarchive" && p.archived:
		s.root("POST", v4+"/projects/"+p.project+"/archive", nil).must(t, 201)
	case d.right == access.DestroyPackage:
		s.root("PUT", generic(p.project, "tool/1.0.0/f"), "x").must(t, 201)
	case d.of == "spare group":
		s.groupAt(p.name+"/spare", p.name)
	case d.of == "spare project" && strings.HasPrefix(d.route, "DELETE"):
		s.projectAt(p.name, "spare-project", p.name)
	case d.of == "spare project":
		s.root("POST", v4+"/projects/"+p.spareProject+"/unarchive", nil).must(t, 201)
	}
}

// credential is who asks in one place, with what it is there.
type credential struct {
	name      string
	header    string // "Name: value"; "" for none
	kind      string // of the header: "", "jobs" or "deploy"
	actor     access.Actor
	inProject access.Role
	inGroup   access.Role
	covered   bool // a deploy token of the project or of the group
	listed    bool // a job of the project, or one that is let in
	dead      int  // the status that it gets whatever it asks; 0 for one that is alive
}

// standing is what the credential is to what a door is about.
func (c credential) standing(d door, p permissionPlace) access.Resource {
	if d.of == "instance" {
		return access.Resource{Own: d.note == ownToken && !c.actor.Admin || d.note == mayGroup && c.actor.MayGroup}
	}
	on := access.Resource{Visibility: p.visibility, Packages: p.packages, Archived: p.archived, Covered: c.covered, Listed: c.listed}
	switch {
	case d.of == "project":
		on.Role = c.inProject
	case c.inGroup != access.Minimal || d.of == "group":
		on.Role = c.inGroup // in what is below, too; but who only sees the way to a project has nothing beside it
	}
	return on
}

// asSeenBy is who asks as far as the door can tell: what it does not take is
// not there.
func (c credential) asSeenBy(d door) access.Actor {
	if c.kind != "" && !strings.Contains(d.takes, c.kind) {
		return access.Actor{}
	}
	return c.actor
}
