package api_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestGroupCreate(t *testing.T) {
	s := newServer(t)
	_, adaToken := s.user("ada")
	_, guestToken := s.user("visitor", "external")

	made := s.as(adaToken, "POST", v4+"/groups", map[string]any{
		"name": "Acme Inc.", "path": "acme", "description": "tools", "visibility": "public",
		"generic_duplicates_allowed": false, "generic_duplicate_exception_regex": "snap.*",
	}).must(t, 201)
	want := map[string]string{
		"name": "Acme Inc.", "path": "acme", "description": "tools", "visibility": "public", "full_name": "Acme Inc.",
		"full_path": "acme", "parent_id": "<nil>", "web_url": s.url + "/groups/acme",
		"generic_duplicates_allowed": "false", "generic_duplicate_exception_regex": "snap.*",
	}
	fields(t, made, want)
	has(t, made, "id", "avatar_url", "request_access_enabled", "created_at", "shared_with_groups")
	for _, ref := range []string{id(made), "acme", "ACME"} {
		got := s.do("GET", v4+"/groups/"+ref, nil).must(t, 200)
		fields(t, got, want)
		fields(t, got, map[string]string{"projects": "[]", "shared_projects": "[]"})
	}
	if got := s.do("GET", v4+"/groups/acme?with_projects=false", nil).must(t, 200); got["projects"] != nil {
		t.Errorf("with_projects=false: %v", got["projects"])
	}

	sub := s.as(adaToken, "POST", v4+"/groups", map[string]any{"name": "Sub", "path": "sub", "parent_id": made["id"]}).must(t, 201)
	fields(t, sub, map[string]string{
		"full_path": "acme/sub", "full_name": "Acme Inc. / Sub", "visibility": "private", "parent_id": id(made),
		"generic_duplicates_allowed": "false", "generic_duplicate_exception_regex": "snap.*", // inherited
	})

	for _, test := range []struct {
		token, body string
		status      int
		want        string
	}{
		{adaToken, `{"name":"x"}`, 400, `{"error":"path is missing"}`},
		{adaToken, `{}`, 400, `{"error":"name is missing, path is missing"}`},
		{adaToken, `{"name":"x","path":"Acme"}`, 400, `{"message":{"path":["has already been taken"]}}`},
		{adaToken, `{"name":"x","path":"ada"}`, 400, `{"message":{"path":["has already been taken"]}}`},
		{adaToken, `{"name":"x","path":"x","visibility":"secret"}`, 400, `{"error":"visibility does not have a valid value"}`},
		{adaToken, `{"name":"x","path":"x","parent_id":"acme"}`, 400, `{"error":"parent_id is invalid"}`},
		{adaToken, `{"name":"x","path":"x","parent_id":999}`, 404, `{"message":"404 Group Not Found"}`},
		{adaToken, `{"name":"","path":"x"}`, 400, `{"message":{"name":["can't be blank"]}}`},
		{adaToken, `{"name":"a\r\nb","path":"x"}`, 400, `{"message":{"name":["can contain no control characters"]}}`},
		{adaToken, `{"name":"x","path":"x","generic_duplicate_exception_regex":"("}`, 400, ""},
		{adaToken, `{"name":"x","path":"x","parent_id":` + id(sub) + `,"visibility":"public"}`, 400,
			`{"message":{"visibility_level":["public is not allowed in a private group."]}}`},
		{guestToken, `{"name":"x","path":"x"}`, 403, `{"message":"403 Forbidden"}`},
		{guestToken, `{"name":"x","path":"x","parent_id":` + id(made) + `}`, 403, `{"message":"403 Forbidden"}`},
		{guestToken, `{"name":"x","path":"x","parent_id":` + id(sub) + `}`, 404, `{"message":"404 Group Not Found"}`},
	} {
		got := s.do("POST", v4+"/groups", strings.NewReader(test.body), "PRIVATE-TOKEN: "+test.token, "Content-Type: application/json")
		if test.want == "" {
			got.status(t, test.status)
			continue
		}
		got.is(t, test.status, test.want)
	}
	for _, path := range []string{"-a", ".a", "a.", "a.git", "a b", "a/b", "a%2Fb", "é", strings.Repeat("a", 256)} {
		s.as(adaToken, "POST", v4+"/groups", map[string]any{"name": "x", "path": path}).status(t, 400)
	}
	s.do("POST", v4+"/groups", nil).is(t, 401, `{"message":"401 Unauthorized"}`)
}

func TestGroupDepth(t *testing.T) {
	s := newServer(t)
	parent := s.root("POST", v4+"/groups", map[string]any{"name": "g", "path": "g"}).must(t, 201)
	for range 19 {
		parent = s.root("POST", v4+"/groups", map[string]any{"name": "g", "path": "g", "parent_id": parent["id"]}).must(t, 201)
	}
	s.root("POST", v4+"/groups", map[string]any{"name": "g", "path": "g", "parent_id": parent["id"]}).
		is(t, 400, `{"message":{"parent_id":["has too deep level of nesting"]}}`)
	s.root("GET", v4+"/groups/"+url.PathEscape(parent["full_path"].(string)), nil).must(t, 200)
}

func TestGroupEdit(t *testing.T) {
	s := newServer(t)
	owner, ownerToken := s.user("owner")
	dev, devToken := s.user("dev")
	s.groupAt("acme", "public")
	s.memberAt("/groups/acme", owner, 50)
	s.memberAt("/groups/acme", dev, 40)
	s.groupAt("acme/sub", "internal")
	p := s.projectAt("acme%2Fsub", "tool", "internal")
	pid := id(s.root("GET", v4+"/projects/"+p, nil).must(t, 200))

	t.Run("every setting is echoed", func(t *testing.T) {
		for name, value := range map[string]string{
			"name": "Acme & Co", "description": "new", "generic_duplicates_allowed": "false", "generic_duplicate_exception_regex": "a+",
		} {
			got := s.form(ownerToken, "PUT", v4+"/groups/acme", url.Values{name: {value}}.Encode()).must(t, 200)
			fields(t, got, map[string]string{name: value})
			fields(t, s.root("GET", v4+"/groups/acme", nil).must(t, 200), map[string]string{name: value})
		}
		got := s.as(ownerToken, "PUT", v4+"/groups/acme", map[string]any{"generic_duplicates_allowed": nil, "description": nil}).must(t, 200)
		fields(t, got, map[string]string{"generic_duplicates_allowed": "true", "description": "", "name": "Acme & Co"})
	})
	t.Run("visibility stays between parent and children", func(t *testing.T) {
		s.as(ownerToken, "PUT", v4+"/groups/acme", map[string]any{"visibility": "private"}).status(t, 400)
		s.as(ownerToken, "PUT", v4+"/groups/acme%2Fsub", map[string]any{"visibility": "private"}).status(t, 400)
		s.as(ownerToken, "PUT", v4+"/groups/acme", map[string]any{"visibility": "internal"}).must(t, 200)
		s.as(ownerToken, "PUT", v4+"/groups/acme%2Fsub", map[string]any{"visibility": "public"}).status(t, 400)
	})
	t.Run("a new path moves everything below", func(t *testing.T) {
		fields(t, s.as(ownerToken, "PUT", v4+"/groups/acme", map[string]any{"path": "apex"}).must(t, 200), map[string]string{"full_path": "apex"})
		fields(t, s.root("GET", v4+"/projects/apex%2Fsub%2Ftool", nil).must(t, 200), map[string]string{"path_with_namespace": "apex/sub/tool", "id": pid})
		s.root("GET", v4+"/groups/acme", nil).is(t, 404, `{"message":"404 Group Not Found"}`)
		moved := s.root("GET", v4+"/projects/"+p, nil)
		moved.status(t, 301)
		if got := moved.Header.Get("Location"); got != s.url+v4+"/projects/"+pid {
			t.Errorf("Location: %s", got)
		}
		s.as(ownerToken, "PUT", v4+"/groups/apex", map[string]any{"path": "Apex"}).must(t, 200) // case alone
		s.as(ownerToken, "PUT", v4+"/groups/apex", map[string]any{"path": "dev"}).is(t, 400, `{"message":{"path":["has already been taken"]}}`)
		s.root("GET", v4+"/projects/apex%2Fsub%2Ftool", nil).must(t, 200) // nothing of that stuck
	})
	s.as(devToken, "PUT", v4+"/groups/apex", map[string]any{"name": "x"}).is(t, 403, `{"message":"403 Forbidden"}`)
	s.do("PUT", v4+"/groups/apex", nil).status(t, 401)
}

func TestGroupDelete(t *testing.T) {
	s := newServer(t)
	dev, devToken := s.user("dev")
	s.groupAt("acme", "private")
	s.groupAt("acme/sub", "private")
	p := s.projectAt("acme%2Fsub", "tool", "private")
	s.memberAt("/groups/acme%2Fsub", dev, 40)
	s.as(devToken, "GET", v4+"/projects/"+p, nil).must(t, 200)
	s.as(devToken, "GET", v4+"/groups/acme", nil).must(t, 200) // it is on the way
	token := s.root("POST", v4+"/groups/acme/deploy_tokens", map[string]any{"name": "x", "scopes": "read_package_registry"}).must(t, 201)

	s.as(devToken, "DELETE", v4+"/groups/acme%2Fsub", nil).is(t, 403, `{"message":"403 Forbidden"}`)
	s.root("DELETE", v4+"/groups/acme%2Fsub", nil).is(t, 202, `{"message":"202 Accepted"}`)
	s.root("GET", v4+"/groups/acme%2Fsub", nil).is(t, 404, `{"message":"404 Group Not Found"}`)
	s.root("GET", v4+"/projects/"+p, nil).is(t, 404, `{"message":"404 Project Not Found"}`)
	s.as(devToken, "GET", v4+"/groups/acme", nil).status(t, 404) // nothing left to be on the way to
	if got := s.as(devToken, "GET", v4+"/groups", nil).column(t, "full_path"); got != "" {
		t.Errorf("groups: %s", got)
	}
	s.groupAt("acme/sub", "private") // the path is free at once
	s.root("DELETE", v4+"/groups/acme", nil).status(t, 202)
	if got := s.root("GET", v4+"/deploy_tokens", nil).column(t, "id"); got != "" {
		t.Errorf("deploy token %s outlives its group: %s", id(token), got)
	}
	s.root("DELETE", v4+"/groups/acme", nil).status(t, 404)
}

func TestGroupLists(t *testing.T) {
	s := newServer(t)
	ada, adaToken := s.user("ada")
	s.groupAt("open", "public")
	s.groupAt("staff", "internal")
	s.groupAt("hidden", "private")
	s.groupAt("hidden/team_x", "private")
	s.groupAt("open/team", "public")
	s.root("PUT", v4+"/groups/open%2Fteam", map[string]any{"name": "team%"}).must(t, 200)
	s.memberAt("/groups/hidden%2Fteam_x", ada, 50)
	s.projectAt("open", "one", "public")
	s.projectAt("open%2Fteam", "two", "public")

	paths := func(token, query string) string {
		header := []string{}
		if token != "" {
			header = append(header, "PRIVATE-TOKEN: "+token)
		}
		return s.do("GET", v4+query, nil, header...).column(t, "full_path")
	}
	for _, test := range []struct{ token, query, want string }{
		{"", "/groups", "open open/team"},
		{adaToken, "/groups", "hidden open staff open/team hidden/team_x"},
		{rootToken, "/groups", "hidden open staff open/team hidden/team_x"},
		{adaToken, "/groups?owned=true", "hidden/team_x"},
		{adaToken, "/groups?min_access_level=50", "hidden/team_x"},
		{adaToken, "/groups?top_level_only=true", "hidden open staff"},
		{adaToken, "/groups?search=TEAM", "open/team hidden/team_x"},
		{adaToken, "/groups?search=%25", "open/team"},
		{adaToken, "/groups?search=m_", "hidden/team_x"},
		{adaToken, "/groups?visibility=internal", "staff"},
		{adaToken, "/groups?order_by=path&sort=desc", "hidden/team_x open/team staff open hidden"},
		{adaToken, "/groups?order_by=id&per_page=2", "open staff"},
		{adaToken, "/groups?skip_groups[]=" + id(s.root("GET", v4+"/groups/open", nil).must(t, 200)), "hidden staff open/team hidden/team_x"},
		{"", "/groups/open/subgroups", "open/team"},
		{adaToken, "/groups/hidden/subgroups", "hidden/team_x"},
	} {
		if got := paths(test.token, test.query); got != test.want {
			t.Errorf("GET %s: %q, want %q", test.query, got, test.want)
		}
	}
	for query, want := range map[string]string{"": "open/one", "?include_subgroups=true&sort=asc": "open/one open/team/two", "?search=two": ""} {
		if got := s.do("GET", v4+"/groups/open/projects"+query, nil).column(t, "path_with_namespace"); got != want {
			t.Errorf("projects%s: %q, want %q", query, got, want)
		}
	}
	for _, query := range []string{"?order_by=size", "?sort=up", "?visibility=x", "?min_access_level=7", "?skip_groups=a", "?owned=perhaps",
		"?skip_groups=" + strings.Repeat("1,", 40000)} {
		s.root("GET", v4+"/groups"+query, nil).status(t, 400)
	}
	s.do("GET", v4+"/groups/hidden/projects", nil).is(t, 404, `{"message":"404 Group Not Found"}`)
	s.do("GET", v4+"/groups/hidden/subgroups", nil).status(t, 404)
}

// A user's own namespace holds projects and is no group.
func TestOwnNamespaceIsNoGroup(t *testing.T) {
	s := newServer(t)
	ada, token := s.user("ada")
	namespace := fmt.Sprint(s.as(token, "GET", v4+"/user", nil).must(t, 200)["namespace_id"])
	for _, ref := range []string{"ada", namespace} {
		s.as(token, "GET", v4+"/groups/"+ref, nil).status(t, 404)
		s.as(token, "PUT", v4+"/groups/"+ref, map[string]any{"path": "eve"}).status(t, 404)
		s.as(token, "DELETE", v4+"/groups/"+ref, nil).status(t, 404)
		s.as(token, "POST", v4+"/groups/"+ref+"/members", map[string]any{"user_id": 1, "access_level": 50}).status(t, 404)
		s.as(token, "POST", v4+"/groups/"+ref+"/deploy_tokens", map[string]any{"name": "x", "scopes": "read_package_registry"}).status(t, 404)
	}
	s.as(token, "POST", v4+"/groups", map[string]any{"name": "x", "path": "x", "parent_id": namespace}).status(t, 404)
	made := s.as(token, "POST", v4+"/projects", map[string]any{"name": "x", "namespace_id": namespace}).must(t, 201)
	fields(t, made["namespace"].(map[string]any), map[string]string{"kind": "user", "full_path": "ada", "web_url": s.url + "/ada"})
	fields(t, made, map[string]string{"creator_id": itoa(ada)})
}
