package api_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestProjectCreate(t *testing.T) {
	s := newServer(t)
	dev, devToken := s.user("dev")
	s.groupAt("acme", "internal")
	group := s.root("GET", v4+"/groups/acme", nil).must(t, 200)["id"]
	s.memberAt("/groups/acme", dev, 30)

	made := s.as(devToken, "POST", v4+"/projects", map[string]any{
		"name": "My Tool", "namespace_id": group, "description": "cuts", "visibility": "internal", "default_branch": "trunk",
		"topics": []string{"cli", "go"}, "package_registry_access_level": "private", "generic_package_naming": "relaxed",
		"generic_duplicates_allowed": false, "generic_duplicate_exception_regex": "x.*", "generic_packages_max_file_size": 5000,
		"generic_package_drafts": "always", "generic_package_finalisers": "people",
	}).must(t, 201)
	want := map[string]string{
		"name": "My Tool", "path": "my-tool", "path_with_namespace": "acme/my-tool", "name_with_namespace": "acme / My Tool",
		"description": "cuts", "visibility": "internal", "default_branch": "trunk", "topics": "[cli go]", "tag_list": "[cli go]",
		"package_registry_access_level": "private", "packages_enabled": "true", "generic_package_naming": "relaxed",
		"generic_duplicates_allowed": "false", "generic_duplicate_exception_regex": "x.*", "generic_packages_max_file_size": "5000",
		"generic_package_drafts": "always", "generic_package_finalisers": "people",
		"creator_id": itoa(dev), "archived": "false", "web_url": s.url + "/acme/my-tool",
	}
	fields(t, made, want)
	has(t, made, "http_url_to_repo", "ssh_url_to_repo", "readme_url", "avatar_url", "created_at", "updated_at", "last_activity_at",
		"empty_repo", "star_count", "forks_count", "_links")
	namespace := made["namespace"].(map[string]any)
	fields(t, namespace, map[string]string{"kind": "group", "full_path": "acme", "name": "acme", "path": "acme", "parent_id": "<nil>"})
	has(t, namespace, "id", "avatar_url", "web_url")
	permissions := made["permissions"].(map[string]any)
	fields(t, permissions["project_access"].(map[string]any), map[string]string{"access_level": "40"}) // its creator maintains it
	fields(t, permissions["group_access"].(map[string]any), map[string]string{"access_level": "30"})

	for _, ref := range []string{id(made), "acme%2Fmy-tool", "ACME%2FMy-Tool"} {
		fields(t, s.as(devToken, "GET", v4+"/projects/"+ref, nil).must(t, 200), want)
	}
	t.Run("by default private, in one's own namespace", func(t *testing.T) {
		fields(t, s.form(devToken, "POST", v4+"/projects", "path=plain").must(t, 201), map[string]string{
			"name": "plain", "path_with_namespace": "dev/plain", "visibility": "private", "default_branch": "main",
			"package_registry_access_level": "enabled", "generic_package_naming": "<nil>", "generic_packages_max_file_size": "<nil>",
			"generic_package_drafts": "<nil>", "generic_package_finalisers": "<nil>",
		})
	})
	t.Run("a user name of digits is no namespace id", func(t *testing.T) {
		_, token := s.user("1")
		fields(t, s.as(token, "POST", v4+"/projects", map[string]any{"name": "x"}).must(t, 201), map[string]string{"path_with_namespace": "1/x"})
	})
	for _, test := range []struct{ body, want string }{
		{`{}`, `{"error":"name, path are missing, at least one parameter must be provided"}`},
		{`{"name":"plain"}`, `{"message":{"name":["has already been taken"],"path":["has already been taken"]}}`},
		{`{"name":"PLAIN"}`, `{"message":{"name":["has already been taken"],"path":["has already been taken"]}}`},
		{`{"name":"x","namespace_id":999}`, `{"message":{"namespace":["is not valid"]}}`},
		{`{"name":"x","namespace_id":"acme"}`, `{"error":"namespace_id is invalid"}`},
		{`{"name":"x","visibility":"open"}`, `{"error":"visibility does not have a valid value"}`},
		{`{"name":"x","package_registry_access_level":"some"}`, `{"error":"package_registry_access_level does not have a valid value"}`},
		{`{"name":"x","generic_package_naming":"loose"}`, `{"error":"generic_package_naming does not have a valid value"}`},
		{`{"name":"x","generic_package_drafts":"never"}`, `{"error":"generic_package_drafts does not have a valid value"}`},
		{`{"name":"x","generic_package_finalisers":"robots"}`, `{"error":"generic_package_finalisers does not have a valid value"}`},
		{`{"name":"x","generic_packages_max_file_size":-1}`, `{"message":{"generic_packages_max_file_size":["must be greater than or equal to 0"]}}`},
		{`{"name":"x","generic_packages_max_file_size":"1 GB"}`, `{"error":"generic_packages_max_file_size is invalid"}`},
		{`{"name":"x\r\nY: z"}`, `{"message":{"name":["can contain no control characters"]}}`},
		{`{"name":"x","default_branch":"a\nb"}`, `{"message":{"default_branch":["must be one line of at most 255 characters"]}}`},
		{`{"name":"` + strings.Repeat("é", 256) + `","path":"x"}`, `{"message":{"name":["is too long (maximum is 255 characters)"]}}`},
		{fmt.Sprintf(`{"name":"x","namespace_id":%v,"visibility":"public"}`, group), `{"message":{"visibility_level":["public is not allowed in a internal group."]}}`},
	} {
		s.do("POST", v4+"/projects", strings.NewReader(test.body), "PRIVATE-TOKEN: "+devToken, "Content-Type: application/json").is(t, 400, test.want)
	}
	s.do("POST", v4+"/projects", strings.NewReader(`name=x`)).is(t, 401, `{"message":"401 Unauthorized"}`)
	reporter, reporterToken := s.user("reporter")
	s.memberAt("/groups/acme", reporter, 20)
	s.as(reporterToken, "POST", v4+"/projects", map[string]any{"name": "x", "namespace_id": group}).status(t, 400)
}

func TestProjectLimit(t *testing.T) {
	s := newServer(t)
	made := s.root("POST", v4+"/users", map[string]any{"username": "small", "name": "s", "email": "s@example.com", "password": "x", "projects_limit": 1}).must(t, 201)
	token := s.token(int64(made["id"].(float64)), "api")
	s.as(token, "POST", v4+"/projects", map[string]any{"name": "one"}).must(t, 201)
	s.as(token, "POST", v4+"/projects", map[string]any{"name": "two"}).is(t, 403,
		`{"error":"Your project limit is 1 projects! Please contact your administrator to increase it"}`)
	s.as(token, "DELETE", v4+"/projects/small%2Fone", nil).status(t, 202)
	s.as(token, "POST", v4+"/projects", map[string]any{"name": "two"}).must(t, 201)
}

func TestProjectEdit(t *testing.T) {
	s := newServer(t)
	maintainer, token := s.user("maintainer")
	dev, devToken := s.user("dev")
	p := v4 + "/projects/" + s.project("tool", "private")
	s.memberAt("/projects/root%2Ftool", maintainer, 40)
	s.memberAt("/projects/root%2Ftool", dev, 30)

	t.Run("every setting is echoed", func(t *testing.T) {
		for _, test := range []struct {
			name  string
			value any
			want  string
		}{
			{"name", "Tool 2", "Tool 2"}, {"description", "a\nb", "a\nb"}, {"description", nil, ""}, {"default_branch", "dev", "dev"},
			{"topics", []string{"a", "b"}, "[a b]"}, {"topics", "c,d", "[c d]"}, {"topics", []string{}, "[]"},
			{"package_registry_access_level", "disabled", "disabled"}, {"package_registry_access_level", "public", "public"},
			{"packages_enabled", false, "false"}, {"packages_enabled", true, "true"},
			{"generic_package_naming", "relaxed", "relaxed"}, {"generic_package_naming", "strict", "strict"}, {"generic_package_naming", nil, "<nil>"},
			{"generic_duplicates_allowed", false, "false"}, {"generic_duplicates_allowed", nil, "<nil>"},
			{"generic_duplicate_exception_regex", "a|b", "a|b"}, {"generic_duplicate_exception_regex", "", ""}, {"generic_duplicate_exception_regex", nil, "<nil>"},
			{"generic_packages_max_file_size", 7, "7"}, {"generic_packages_max_file_size", 0, "0"}, {"generic_packages_max_file_size", nil, "<nil>"},
			{"generic_package_drafts", "on_request", "on_request"}, {"generic_package_drafts", "always", "always"},
			{"generic_package_drafts", "release", "release"}, {"generic_package_drafts", "job", "job"}, {"generic_package_drafts", nil, "<nil>"},
			{"generic_package_finalisers", "publishers", "publishers"}, {"generic_package_finalisers", "maintainers", "maintainers"},
			{"generic_package_finalisers", "people", "people"}, {"generic_package_finalisers", "", "<nil>"}, {"generic_package_finalisers", nil, "<nil>"},
		} {
			got := s.as(token, "PUT", p, map[string]any{test.name: test.value}).must(t, 200)
			fields(t, got, map[string]string{test.name: test.want})
			fields(t, s.as(token, "GET", p, nil).must(t, 200), map[string]string{test.name: test.want})
		}
		s.as(token, "PUT", p, map[string]any{"packages_enabled": false}).must(t, 200)
		fields(t, s.as(token, "GET", p, nil).must(t, 200), map[string]string{"package_registry_access_level": "disabled"})
	})
	for _, test := range []struct{ body, want string }{
		{`{"generic_duplicate_exception_regex":"[a-"}`, ""},
		{`{"generic_duplicate_exception_regex":"` + strings.Repeat(`.{1000}`, 30) + `"}`,
			`{"message":{"generic_duplicate_exception_regex":["not valid RE2 syntax: pattern too large - compile failed: it takes 1483344 bytes, 131072 are allowed; use smaller repeats"]}}`},
		{`{"name":""}`, `{"message":{"name":["can't be blank"]}}`},
		{`{"path":"a/b"}`, ""},
		{`{"unknown":1}`, ""},
		{`{"visibility":"x","generic_package_naming":"y"}`, `{"error":"visibility does not have a valid value, generic_package_naming does not have a valid value"}`},
	} {
		got := s.do("PUT", p, strings.NewReader(test.body), "PRIVATE-TOKEN: "+token, "Content-Type: application/json")
		got.status(t, 400)
		if test.want != "" {
			got.is(t, 400, test.want)
		}
	}
	t.Run("visibility, archive and deletion take an owner", func(t *testing.T) {
		s.as(token, "PUT", p, map[string]any{"visibility": "public"}).is(t, 403, `{"message":"403 Forbidden"}`)
		s.as(token, "PUT", p, map[string]any{"visibility": "private"}).status(t, 200) // no change
		s.as(token, "POST", p+"/archive", nil).status(t, 403)
		s.as(token, "DELETE", p, nil).status(t, 403)
		fields(t, s.root("PUT", p, map[string]any{"visibility": "public"}).must(t, 200), map[string]string{"visibility": "public"})
		fields(t, s.root("POST", p+"/archive", nil).must(t, 201), map[string]string{"archived": "true"})
		fields(t, s.root("POST", p+"/unarchive", nil).must(t, 201), map[string]string{"archived": "false"})
	})
	s.as(devToken, "PUT", p, map[string]any{"name": "x"}).is(t, 403, `{"message":"403 Forbidden"}`)
	s.do("PUT", p, nil).is(t, 401, `{"message":"401 Unauthorized"}`)
}

func TestProjectMoved(t *testing.T) {
	s := newServer(t)
	_, stranger := s.user("stranger")
	old := v4 + "/projects/" + s.project("old", "private")
	pid := id(s.root("GET", old, nil).must(t, 200))
	fields(t, s.root("PUT", old, map[string]any{"path": "new"}).must(t, 200), map[string]string{"path_with_namespace": "root/new", "name": "old"})

	for route, query := range map[string]string{"": "", "/members": "?per_page=5", "/members/all/1": "", "/jobs": "", "/deploy_tokens": "", "/jobs/7": ""} {
		got := s.root("GET", old+route+query, nil)
		got.status(t, 301)
		if to := got.Header.Get("Location"); to != s.url+v4+"/projects/"+pid+route+query {
			t.Errorf("GET %s leads to %s", route, to)
		}
		if kind := got.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") {
			t.Errorf("GET %s: %s", route, kind)
		}
		s.as(stranger, "GET", old+route+query, nil).status(t, 404) // strangers learn nothing
		if got := s.do("GET", old+route+query, nil); got.StatusCode != 404 && got.StatusCode != 401 {
			t.Errorf("anonymous GET %s: %d", route, got.StatusCode)
		}
	}
	const refused = `{"message":"Non GET methods are not allowed for moved projects"}`
	s.root("PUT", old, map[string]any{"name": "x"}).is(t, 405, refused)
	s.root("DELETE", old, nil).is(t, 405, refused)
	s.root("POST", old+"/archive", nil).is(t, 405, refused)
	s.root("POST", old+"/members", map[string]any{"user_id": 2, "access_level": 30}).is(t, 405, refused)
	s.root("POST", old+"/jobs", nil).is(t, 405, refused)
	s.root("POST", old+"/deploy_tokens", map[string]any{"name": "x", "scopes": "read_package_registry"}).is(t, 405, refused)

	fresh := s.root("POST", v4+"/projects", map[string]any{"name": "old"}).must(t, 201) // the old path is free
	fields(t, s.root("GET", old, nil).must(t, 200), map[string]string{"id": id(fresh)})
	s.root("PUT", v4+"/projects/root%2Fnew", map[string]any{"path": "old"}).is(t, 400,
		`{"message":{"name":["has already been taken"],"path":["has already been taken"]}}`)
	s.root("PUT", v4+"/projects/root%2Fnew", map[string]any{"path": "New"}).must(t, 200)
}

func TestProjectDelete(t *testing.T) {
	s := newServer(t)
	at := v4 + "/projects/" + s.project("tool", "public")
	before := id(s.root("GET", at, nil).must(t, 200))
	s.do("DELETE", at, nil).is(t, 401, `{"message":"401 Unauthorized"}`)
	s.root("DELETE", at, nil).is(t, 202, `{"message":"202 Accepted"}`)
	for _, ref := range []string{at, v4 + "/projects/" + before} {
		s.root("GET", ref, nil).is(t, 404, `{"message":"404 Project Not Found"}`)
		s.root("DELETE", ref, nil).status(t, 404)
	}
	s.project("tool", "public")
	if after := id(s.root("GET", at, nil).must(t, 200)); after == before {
		t.Error("the new project has the old one's id")
	}
}

func TestProjectVisibility(t *testing.T) {
	s := newServer(t)
	_, ada := s.user("ada")
	_, outsider := s.user("outsider", "external")
	for visibility, sees := range map[string][3]int{"private": {404, 404, 404}, "internal": {200, 404, 404}, "public": {200, 200, 200}} {
		p := v4 + "/projects/" + s.project(visibility, visibility)
		s.as(ada, "GET", p, nil).status(t, sees[0])
		s.as(outsider, "GET", p, nil).status(t, sees[1])
		s.do("GET", p, nil).status(t, sees[2])
	}
	short := s.do("GET", v4+"/projects/root%2Fpublic", nil).must(t, 200)
	if short["permissions"] != nil || short["packages_enabled"] != nil {
		t.Errorf("anonymous: %v", short)
	}
	s.root("GET", v4+"/projects/public", nil).is(t, 404, `{"message":"404 Project Not Found"}`)
	s.root("GET", v4+"/projects/+1", nil).status(t, 404)
	s.root("GET", v4+"/projects/-1", nil).status(t, 404)
	s.root("GET", v4+"/projects/99999999999999999999", nil).status(t, 404)
	s.root("GET", v4+"/projects/root/public", nil).is(t, 404, `{"error":"404 Not Found"}`)
	s.root("GET", v4+"/projects/root%2Fpublic%00", nil).status(t, 404)
	s.as("wrong", "GET", v4+"/projects/root%2Fpublic", nil).is(t, 401, `{"message":"401 Unauthorized"}`)
	s.as(ada, "PATCH", v4+"/projects/root%2Fpublic", nil).is(t, 405, `{"error":"405 Not Allowed"}`)
}

func TestProjectLists(t *testing.T) {
	s := newServer(t)
	ada, adaToken := s.user("ada")
	s.groupAt("acme", "public")
	s.projectAt("acme", "Alpha", "public")
	s.projectAt("acme", "be_ta", "internal")
	s.projectAt("acme", "gamma", "private")
	s.memberAt("/projects/acme%2Fgamma", ada, 30)
	s.as(adaToken, "POST", v4+"/projects", map[string]any{"name": "Äpfel%", "path": "mine", "topics": "cli,Go"}).must(t, 201)
	s.root("POST", v4+"/projects/acme%2Fbe_ta/archive", nil).must(t, 201)
	ids := map[string]string{}
	for _, row := range s.root("GET", v4+"/projects", nil).list(t) {
		ids[row["path"].(string)] = id(row)
	}
	for query, want := range map[string]string{
		"":                                 "mine gamma be_ta alpha",
		"?sort=asc":                        "alpha be_ta gamma mine",
		"?order_by=id&sort=asc":            "alpha be_ta gamma mine",
		"?order_by=name&sort=asc":          "alpha be_ta gamma mine",
		"?order_by=path&sort=desc":         "mine gamma be_ta alpha",
		"?order_by=updated_at":             "be_ta mine gamma alpha",
		"?search=ALPHA":                    "alpha",
		"?search=_":                        "be_ta",
		"?search=%25":                      "mine",
		"?search=%C3%84pfel":               "mine",
		"?search=%5C":                      "",
		"?owned=true":                      "mine",
		"?membership=true":                 "mine gamma",
		"?min_access_level=30":             "mine gamma",
		"?min_access_level=40":             "mine",
		"?visibility=internal":             "be_ta",
		"?archived=true":                   "be_ta",
		"?archived=false":                  "mine gamma alpha",
		"?topic=go":                        "mine",
		"?topic=g":                         "",
		"?id_after=" + ids["be_ta"]:        "mine gamma",
		"?id_before=" + ids["be_ta"]:       "alpha",
		"?updated_after=2090-01-01":        "",
		"?last_activity_before=2090-01-01": "mine gamma be_ta alpha",
		"?simple=true&search=alpha":        "alpha",
		"?per_page=500&page=9":             "",
		"?starred=false&statistics=true":   "mine gamma be_ta alpha",
	} {
		if got := s.as(adaToken, "GET", v4+"/projects"+query, nil).column(t, "path"); got != want {
			t.Errorf("GET /projects%s: %q, want %q", query, got, want)
		}
	}
	anonymous := s.do("GET", v4+"/projects", nil)
	if got := anonymous.column(t, "path"); got != "alpha" {
		t.Errorf("anonymous: %q", got)
	}
	if row := anonymous.list(t)[0]; row["permissions"] != nil || row["creator_id"] != nil {
		t.Errorf("anonymous sees %v", row)
	}
	if got := s.root("GET", v4+"/users/"+itoa(ada)+"/projects", nil).column(t, "path"); got != "mine" {
		t.Errorf("ada's: %q", got)
	}
	for _, query := range []string{"?order_by=size", "?sort=x", "?visibility=x", "?id_after=x", "?updated_after=x", "?archived=x", "?pagination=keyset"} {
		s.root("GET", v4+"/projects"+query, nil).status(t, 400)
	}
}

func TestProjectKeyset(t *testing.T) {
	s := newServer(t)
	for i := range 5 {
		s.project(fmt.Sprint("p", i), "public")
	}
	for sort, want := range map[string]string{"asc": "p0 p1 p2 p3 p4", "desc": "p4 p3 p2 p1 p0"} {
		next := v4 + "/projects?pagination=keyset&order_by=id&per_page=2&private_token=" + rootToken + "&sort=" + sort
		var got []string
		for next != "" {
			page := s.root("GET", next, nil)
			got = append(got, page.column(t, "path"))
			if page.Header.Get("X-Total") != "" {
				t.Error("keyset pages are counted")
			}
			next = ""
			if link := page.Header.Get("Link"); link != "" {
				if strings.Contains(link, rootToken) || !strings.HasSuffix(link, `>; rel="next"`) {
					t.Errorf("Link: %s", link)
				}
				at, err := url.Parse(strings.TrimPrefix(strings.TrimSuffix(link, `>; rel="next"`), "<"))
				if err != nil {
					t.Fatal(err)
				}
				next = at.RequestURI()
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q", sort, got)
		}
	}
}
