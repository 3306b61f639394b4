package api_test

import (
	"strings"
	"testing"
)

// TestMovedProject: under its old path a project is a redirect to who can see
// it, and absent to others; another method than GET is refused.
func TestMovedProject(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	id := s.projectID(p)
	_, stranger := s.user("stranger")
	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"path": "renamed"}).must(t, 200)
	s.root("GET", "/api/v4/projects/"+p, nil).header(t, "Location: "+s.url+"/api/v4/projects/"+id).must(t, 301)
	s.root("GET", "/api/v4/projects/"+p+"/members/all", nil).header(t, "Location: "+s.url+"/api/v4/projects/"+id+"/members/all").must(t, 301)
	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"name": "x"}).is(t, 405, `{"message":"Non GET methods are not allowed for moved projects"}`)
	s.as(stranger, "GET", "/api/v4/projects/"+p, nil).is(t, 404, `{"message":"404 Project Not Found"}`)
	s.project("tool", "private") // the old path is free for others
	if now := s.projectID(p); now == id {
		t.Error("the old path still leads to the renamed project")
	}
}

// TestNamespaces: a user's own namespace holds projects and is no group; a
// group and a project cannot have one path.
func TestNamespaces(t *testing.T) {
	s := newServer(t)
	s.root("GET", "/api/v4/groups/root", nil).is(t, 404, `{"message":"404 Group Not Found"}`)
	s.root("DELETE", "/api/v4/groups/1", nil).is(t, 404, `{"message":"404 Group Not Found"}`)
	acme := s.group("acme", 0)
	s.root("POST", "/api/v4/groups", map[string]any{"name": "x", "path": "ACME"}).is(t, 400, `{"message":{"path":["has already been taken"]}}`)
	s.root("POST", "/api/v4/groups", map[string]any{"name": "x", "path": "root"}).is(t, 400, `{"message":{"path":["has already been taken"]}}`)
	s.group("sub", acme)
	s.root("POST", "/api/v4/projects", map[string]any{"path": "sub", "namespace_id": acme}).is(t, 400,
		`{"message":{"name":["has already been taken"],"path":["has already been taken"]}}`)
	p := s.projectIn(acme, "tool", "private")
	s.root("PUT", "/api/v4/groups/acme", map[string]any{"path": "renamed"}).must(t, 200)
	s.root("GET", "/api/v4/projects/"+p, nil).must(t, 200)
	s.root("GET", "/api/v4/projects/renamed%2Ftool", nil).must(t, 200)
	s.root("GET", "/api/v4/projects/acme%2Ftool", nil).must(t, 301)
	s.root("PUT", "/api/v4/groups/renamed", map[string]any{"visibility": "private"}).must(t, 400) // sub is public
	s.root("DELETE", "/api/v4/groups/renamed", nil).is(t, 202, `{"message":"202 Accepted"}`)
	s.root("GET", "/api/v4/projects/"+p, nil).must(t, 404)
	s.group("renamed", 0) // free at once
}

// TestChildrenHideInTheirParents: nothing is more visible than what it is in.
func TestChildrenHideInTheirParents(t *testing.T) {
	s := newServer(t)
	s.root("POST", "/api/v4/groups", map[string]any{"name": "g", "path": "g", "visibility": "private"}).must(t, 201)
	g := int64(s.root("GET", "/api/v4/groups/g", nil).must(t, 200)["id"].(float64))
	s.root("POST", "/api/v4/projects", map[string]any{"path": "p", "namespace_id": g, "visibility": "public"}).is(t, 400,
		`{"message":{"visibility_level":["public is not allowed in a private group."]}}`)
	s.root("POST", "/api/v4/groups", map[string]any{"name": "s", "path": "s", "parent_id": g, "visibility": "internal"}).must(t, 400)
	s.projectIn(g, "p", "private")
	s.root("PUT", "/api/v4/projects/g%2Fp", map[string]any{"visibility": "internal"}).must(t, 400)
}

// TestRolesAreInherited downward, and belonging to something inside shows the
// way there.
func TestRolesAreInherited(t *testing.T) {
	s := newServer(t)
	s.root("POST", "/api/v4/groups", map[string]any{"name": "g", "path": "g"}).must(t, 201)
	g := int64(s.root("GET", "/api/v4/groups/g", nil).must(t, 200)["id"].(float64))
	s.root("POST", "/api/v4/groups", map[string]any{"name": "s", "path": "s", "parent_id": g}).must(t, 201)
	sub := int64(s.root("GET", "/api/v4/groups/g%2Fs", nil).must(t, 200)["id"].(float64))
	p := s.projectIn(sub, "p", "private")
	id, dev := s.user("dev")
	s.root("POST", "/api/v4/groups/g/members", map[string]any{"user_id": id, "access_level": 30}).must(t, 201)
	s.as(dev, "PUT", generic(p, "tool/1.0.0/f"), "x").is(t, 201, created)
	insideID, inside := s.user("inside")
	s.member(p, insideID, 10)
	s.as(inside, "GET", "/api/v4/groups/g", nil).must(t, 200)
	s.as(inside, "GET", "/api/v4/groups/g%2Fs", nil).must(t, 200)
	other := s.projectIn(g, "other", "private")
	s.as(inside, "GET", "/api/v4/projects/"+other, nil).must(t, 404)
	if list := s.as(inside, "GET", "/api/v4/projects", nil); strings.Contains(list.body, `"path":"other"`) || !strings.Contains(list.body, `"path":"p"`) {
		t.Errorf("lists %s", list.body)
	}
}

// TestMembers: who may grant what.
func TestMembers(t *testing.T) {
	s := newServer(t)
	g := s.group("g", 0)
	p := "/api/v4/projects/" + s.projectIn(g, "p", "private") + "/members"
	maintainerID, maintainer := s.user("maintainer")
	devID, dev := s.user("dev")
	ownerID, _ := s.user("owner")
	s.root("POST", p, map[string]any{"username": "maintainer", "access_level": 40}).must(t, 201)
	s.root("POST", p, map[string]any{"user_id": ownerID, "access_level": 50}).must(t, 201)
	add := func(token string, level int) answer {
		return s.as(token, "POST", p, map[string]any{"user_id": devID, "access_level": level})
	}
	add(maintainer, 50).is(t, 403, forbidden)
	add(maintainer, 31).is(t, 400, `{"error":"access_level does not have a valid value"}`)
	add(maintainer, 30).must(t, 201)
	add(maintainer, 30).is(t, 409, `{"message":"Member already exists"}`)
	s.as(maintainer, "POST", p, map[string]any{"user_id": 999, "access_level": 30}).is(t, 404, `{"message":"404 User Not Found"}`)
	s.as(dev, "POST", p, map[string]any{"user_id": 1, "access_level": 30}).is(t, 403, forbidden)
	s.as(maintainer, "PUT", p+"/"+itoa(ownerID), map[string]any{"access_level": 30}).is(t, 403, forbidden)
	s.as(maintainer, "DELETE", p+"/"+itoa(ownerID), nil).is(t, 403, forbidden)
	s.as(dev, "DELETE", p+"/"+itoa(maintainerID), nil).is(t, 403, forbidden)
	s.as(dev, "DELETE", p+"/"+itoa(devID), nil).must(t, 204) // everybody may leave
	s.root("DELETE", "/api/v4/groups/g/members/1", nil).must(t, 403)
}

// TestSettingsAreEchoed: what a PUT takes, PUT and GET show.
func TestSettingsAreEchoed(t *testing.T) {
	s := newServer(t)
	p := "/api/v4/projects/" + s.project("tool", "private")
	for name, value := range map[string]any{
		"generic_package_naming": "relaxed", "generic_duplicates_allowed": false, "generic_duplicate_exception_regex": "a.*",
		"generic_packages_max_file_size": float64(7), "generic_package_drafts": "job", "generic_package_finalisers": "maintainers", "package_registry_access_level": "public", "visibility": "internal",
		"description": "d", "default_branch": "trunk", "name": "Other",
	} {
		if got := s.root("PUT", p, map[string]any{name: value}).must(t, 200)[name]; got != value {
			t.Errorf("PUT %s: %v, want %v", name, got, value)
		}
		if got := s.root("GET", p, nil).must(t, 200)[name]; got != value {
			t.Errorf("GET %s: %v, want %v", name, got, value)
		}
	}
	for _, name := range []string{"generic_package_naming", "generic_duplicates_allowed", "generic_duplicate_exception_regex", "generic_packages_max_file_size",
		"generic_package_drafts", "generic_package_finalisers"} {
		if got := s.root("PUT", p, map[string]any{name: nil}).must(t, 200)[name]; got != nil {
			t.Errorf("null %s: %v", name, got)
		}
	}
	for _, bad := range []map[string]any{
		{"generic_package_naming": "loose"}, {"generic_duplicates_allowed": "maybe"}, {"generic_duplicate_exception_regex": "("},
		{"generic_duplicate_exception_regex": strings.Repeat("a", 256)}, {"generic_packages_max_file_size": -1},
		{"generic_package_drafts": "Always"}, {"generic_package_finalisers": []string{"people"}}, {"generic_packages_max_file_size": "big"}, {"visibility": "secret"}, {"name": "a\r\nb"}, {"path": "a/b"}, {"path": "-x"}, {},
	} {
		s.root("PUT", p, bad).must(t, 400)
	}
}
