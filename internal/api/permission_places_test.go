package api_test

import (
	"net/url"
	"strings"
	"testing"

	"granary/internal/access"
)

// permissionPlace is a group with a project in it, both of one visibility, and
// one of everything that can be asked for in it.
type permissionPlace struct {
	visibility               access.Visibility
	group, project           string // ids
	spareGroup, spareProject string // paths, escaped: below the group, with nobody in them
	things                   map[string]string
}

func visibilityWords() map[access.Visibility]string {
	return map[access.Visibility]string{access.Private: "private", access.Internal: "internal", access.Public: "public"}
}

// permissionPlaceOf makes a place; it is called like its visibility.
func (s *server) permissionPlaceOf(v access.Visibility) permissionPlace {
	s.t.Helper()
	word := visibilityWords()[v]
	group := s.groupAt(word, word)
	project := s.projectAt(group, "tool", word)
	p := permissionPlace{
		visibility: v, group: id(s.root("GET", v4+"/groups/"+group, nil).must(s.t, 200)), project: s.projectID(project),
		spareGroup: group + "%2Fspare", spareProject: group + "%2Fspare-project",
		things: map[string]string{
			"project...": word + "/tool", "name": "tool", "version": "1.0.0", "file...": "f", "file": "f", "user_id": "1",
			"tag": "v1", "path...": "file", "suffix...": "x", "sha": "abc", "key": "KEY", "trigger": "package_events",
			"token_id": nothing, "event_id": nothing, "hook_event_id": nothing,
			"target_project_id": nothing, "target_group_id": nothing, "package_protection_rule_id": nothing,
		},
	}
	s.groupAt(word+"/spare", word)
	s.projectAt(group, "spare-project", word)
	s.fill(p)
	return p
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
	word := visibilityWords()[p.visibility]
	switch {
	case d.right == access.LeaveMembers && d.of == "group":
		s.memberAt("/groups/"+p.group, c.actor.UserID, int(c.inGroup))
	case d.right == access.LeaveMembers:
		s.memberAt("/projects/"+p.project, c.actor.UserID, int(c.inProject))
	case d.of == "spare group":
		s.groupAt(word+"/spare", word)
	case d.of == "spare project" && strings.HasPrefix(d.route, "DELETE"):
		s.projectAt(url.PathEscape(word), "spare-project", word)
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
	on := access.Resource{Visibility: p.visibility, Packages: access.PackagesEnabled, Covered: c.covered, Listed: c.listed}
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
