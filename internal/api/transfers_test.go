package api_test

import (
	"net/url"
	"strings"
	"testing"
)

func (s *server) transfer(token, project string, namespace any) answer {
	return s.as(token, "PUT", v4+"/projects/"+project+"/transfer", map[string]any{"namespace": namespace})
}

func (s *server) transferGroup(token, group string, to any) answer {
	return s.as(token, "POST", v4+"/groups/"+group+"/transfer", map[string]any{"group_id": to})
}

// stays is how a project is refused.
func stays(why string) string {
	return `{"message":"Failed to transfer project {:new_namespace=>[\"` + why + `\"]}"}`
}

const groupsFail = `{"message":"Transfer failed: `

// TestTransferProject: by path and by id, into a group and into one's own namespace;
// the old paths lead on, what is published stays, and permission is that of the new
// place at once.
func TestTransferProject(t *testing.T) {
	s := newServer(t)
	from, to := s.group("from", 0), s.group("to", 0)
	sub := s.group("sub", to)
	p := s.projectIn(from, "tool", "public")
	ada, adaToken := s.user("ada")
	bob, bobToken := s.user("bob")
	s.memberAt("/groups/from", ada, 30)
	s.memberAt("/groups/to", bob, 30)
	put := func(token, at, file string) answer { return s.as(token, "PUT", generic(at, "tool/1.0.0/"+file), "x") }
	put(adaToken, p, "a").is(t, 201, created)
	put(bobToken, p, "b").must(t, 403)

	moved := s.transfer(rootToken, p, "To/Sub").must(t, 200)
	fields(t, moved, map[string]string{"id": p, "path_with_namespace": "to/sub/tool", "name_with_namespace": "to / sub / tool", "visibility": "public"})
	put(adaToken, p, "c").must(t, 403)
	put(bobToken, p, "d").is(t, 201, created)
	s.root("GET", generic("to%2Fsub%2Ftool", "tool/1.0.0/a"), nil).is(t, 200, "x")
	s.root("GET", v4+"/projects/from%2Ftool", nil).header(t, "Location: "+s.url+v4+"/projects/"+p).must(t, 301)

	s.transfer(rootToken, p, sub).is(t, 400, stays("Project is already in this namespace."))
	s.transfer(rootToken, p, "absent").is(t, 404, `{"message":"404 Namespace Not Found"}`)
	s.transfer(rootToken, p, "root").must(t, 200)
	s.root("GET", v4+"/projects/to%2Fsub%2Ftool", nil).must(t, 301)
	s.root("GET", v4+"/projects/from%2Ftool", nil).must(t, 301)
	s.transfer(rootToken, p, from).must(t, 200) // back: the path is its own again
	fields(t, s.root("GET", v4+"/projects/from%2Ftool", nil).must(t, 200), map[string]string{"id": p})
	put(adaToken, "from%2Ftool", "e").is(t, 201, created)

	s.projectIn(to, "tool", "private")
	s.transfer(rootToken, p, "to").is(t, 400, stays("Project with same name or path in target namespace already exists"))
	s.root("POST", v4+"/groups", map[string]any{"name": "dark", "path": "dark", "visibility": "private"}).must(t, 201)
	fields(t, s.transfer(rootToken, p, "dark").must(t, 200), map[string]string{"visibility": "private"})
	s.do("GET", v4+"/projects/"+p, nil).must(t, 404)
	s.root("PUT", v4+"/projects/"+p+"/transfer", map[string]any{}).is(t, 400, `{"error":"namespace is missing"}`)
	s.form(rootToken, "PUT", v4+"/projects/"+p+"/transfer", "namespace="+strings.Repeat("x", 5000)).
		is(t, 400, `{"error":"namespace is too long (maximum is 4096 characters)"}`)
}

// TestWhoTransfersProjects: an owner, who is a maintainer there.
func TestWhoTransfersProjects(t *testing.T) {
	s := newServer(t)
	from, to := s.group("from", 0), s.group("to", 0)
	s.root("POST", v4+"/groups", map[string]any{"name": "dark", "path": "dark", "visibility": "private"}).must(t, 201)
	p := s.projectIn(from, "tool", "private")
	ada, token := s.user("ada")
	s.transfer(token, p, "to").is(t, 404, `{"message":"404 Project Not Found"}`)
	s.memberAt("/groups/from", ada, 40)
	s.memberAt("/groups/to", ada, 30)
	s.transfer(token, p, "to").is(t, 403, `{"message":"403 Forbidden"}`)
	s.root("PUT", v4+"/groups/from/members/"+itoa(ada), map[string]any{"access_level": 50}).must(t, 200)
	s.transfer(token, p, "to").is(t, 400, stays("You don't have permission to transfer projects into that namespace."))
	s.transfer(token, p, "dark").is(t, 404, `{"message":"404 Namespace Not Found"}`)
	s.transfer(token, p, "root").is(t, 404, `{"message":"404 Namespace Not Found"}`)
	s.root("PUT", v4+"/groups/to/members/"+itoa(ada), map[string]any{"access_level": 40}).must(t, 200)
	fields(t, s.transfer(token, p, "to").must(t, 200), map[string]string{"path_with_namespace": "to/tool"})
	s.transfer(token, p, "from").must(t, 403) // a maintainer of the place it is in now
	s.as(s.token(ada, "read_api"), "PUT", v4+"/projects/"+p+"/transfer", map[string]any{"namespace": "from"}).must(t, 403)

	mine := s.as(token, "POST", v4+"/projects", map[string]any{"name": "mine"}).must(t, 201)
	s.transfer(token, id(mine), to).must(t, 200)
	s.transfer(token, id(mine), "ada").must(t, 200) // its creator owns it
	s.exec(`UPDATE users SET projects_limit = 1 WHERE id = $1`, ada)
	other := s.projectIn(from, "other", "private")
	s.transfer(rootToken, other, "ada").is(t, 400,
		stays("You don't have permission to transfer projects into that namespace. The project limit of its owner is 1."))
	fields(t, s.root("GET", v4+"/projects/"+other, nil).must(t, 200), map[string]string{"path_with_namespace": "from/other"})
}

// TestCredentialsFollowTheirPlace: deploy tokens and variables of groups are those of
// where a project is, its own go with it, and so do its jobs, bots and rules.
func TestCredentialsFollowTheirPlace(t *testing.T) {
	s := newServer(t)
	from, to := s.group("from", 0), s.group("to", 0)
	p, open := s.projectIn(from, "tool", "private"), s.projectIn(to, "open", "private")
	_, own := s.deployToken("projects/"+p, "write_package_registry")
	_, here := s.deployToken("groups/from", "write_package_registry")
	_, there := s.deployToken("groups/to", "write_package_registry")
	bot := s.root("POST", v4+"/projects/"+p+"/access_tokens", map[string]any{"name": "b", "scopes": "api", "access_level": 40}).must(t, 201)["token"].(string)
	groupBot := s.root("POST", v4+"/groups/from/access_tokens", map[string]any{"name": "b", "scopes": "api", "access_level": 40}).must(t, 201)["token"].(string)
	_, job := s.job(rootToken, p)
	s.root("POST", v4+"/projects/"+open+"/job_token_scope/groups_allowlist", map[string]any{"target_group_id": from}).must(t, 201)
	s.root("POST", v4+"/projects/"+p+"/packages/protection/rules",
		map[string]any{"package_name_pattern": "vault", "package_type": "generic", "minimum_access_level_for_push": "owner"}).must(t, 201)
	s.root("PUT", v4+"/groups/to", map[string]any{"generic_duplicates_allowed": false}).must(t, 200)

	n := 0
	put := func(at, name, header string) int {
		n++
		return s.do("PUT", generic(at, name+"/1.0.0/f"+itoa(int64(n))), strings.NewReader("x"), header).StatusCode
	}
	want := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	check := func(in bool) {
		t.Helper()
		status := func(ok bool, other int) int {
			if ok {
				return 201
			}
			return other
		}
		want("its own deploy token", put(p, "tool", "Deploy-Token: "+own), 201)
		want("the first group's deploy token", put(p, "tool", "Deploy-Token: "+here), status(in, 404))
		want("the second group's deploy token", put(p, "tool", "Deploy-Token: "+there), status(!in, 404))
		want("its bot", put(p, "tool", "PRIVATE-TOKEN: "+bot), 201)
		want("the first group's bot", put(p, "tool", "PRIVATE-TOKEN: "+groupBot), status(in, 404))
		want("its job at home", put(p, "tool", "JOB-TOKEN: "+job), 201)
		want("its job where the first group is let in", put(open, "tool", "JOB-TOKEN: "+job), status(in, 404))
		want("a protected name", put(p, "vault", "PRIVATE-TOKEN: "+bot), 403)
	}
	check(true)
	s.transfer(rootToken, p, to).must(t, 200)
	check(false)
	s.root("PUT", generic(p, "tool/1.0.0/f1"), "y").starts(t, 400, "400 Bad request") // duplicates, as the group says
	s.transfer(rootToken, p, from).must(t, 200)
	check(true)
	s.root("PUT", generic(p, "tool/1.0.0/f1"), "y").is(t, 201, created)

	// The same where a group goes: its own bot is at home there, too.
	s.transferGroup(rootToken, "from", to).must(t, 201)
	want("the moved group's bot", put(p, "tool", "PRIVATE-TOKEN: "+groupBot), 201)
	want("the moved group's deploy token", put(p, "tool", "Deploy-Token: "+here), 201)
	want("the deploy token of the group above", put(p, "tool", "Deploy-Token: "+there), 201)
	want("its job where its group is let in", put(open, "tool", "JOB-TOKEN: "+job), 201)
	s.root("GET", v4+"/projects/from%2Ftool", nil).must(t, 301)
}

// TestTransferGroup: with all that is in it, by GitLab's words.
func TestTransferGroup(t *testing.T) {
	s := newServer(t)
	one, two := s.group("one", 0), s.group("two", 0)
	sub := s.group("sub", one)
	deep := s.group("deep", sub)
	p := s.projectIn(deep, "tool", "public")
	s.transferGroup(rootToken, "one%2Fsub", one).is(t, 400, groupsFail+`Group is already associated to the parent group."}`)
	s.transferGroup(rootToken, "one", nil).is(t, 400, groupsFail+`Group is already a root group."}`)
	s.transferGroup(rootToken, "one", one).is(t, 400, groupsFail+`Cannot transfer group to one of its subgroup."}`)
	s.transferGroup(rootToken, "one", deep).is(t, 400, groupsFail+`Cannot transfer group to one of its subgroup."}`)
	s.transferGroup(rootToken, "one", 999).is(t, 404, `{"message":"404 Group Not Found"}`)
	s.transferGroup(rootToken, "one", 0).is(t, 404, `{"message":"404 Group Not Found"}`)
	s.transferGroup(rootToken, "one", "two").is(t, 400, `{"error":"group_id is invalid"}`)

	moved := s.transferGroup(rootToken, itoa(sub), two).must(t, 201)
	fields(t, moved, map[string]string{"full_path": "two/sub", "full_name": "two / sub", "parent_id": itoa(two), "visibility": "public"})
	fields(t, s.root("GET", v4+"/projects/"+p, nil).must(t, 200), map[string]string{"path_with_namespace": "two/sub/deep/tool"})
	s.root("GET", v4+"/projects/one%2Fsub%2Fdeep%2Ftool", nil).header(t, "Location: "+s.url+v4+"/projects/"+p).must(t, 301)
	s.root("GET", v4+"/groups/one%2Fsub", nil).must(t, 404)

	s.group("sub", one) // the path is free
	s.transferGroup(rootToken, itoa(sub), one).is(t, 400, groupsFail+`The parent group already has a subgroup or a project with the same path."}`)
	s.projectIn(two, "other", "private")
	other := s.group("other", 0)
	s.transferGroup(rootToken, itoa(other), two).is(t, 400, groupsFail+`The parent group already has a subgroup or a project with the same path."}`)

	// What is in a less visible place is not more visible.
	dark := s.root("POST", v4+"/groups", map[string]any{"name": "dark", "path": "dark", "visibility": "private"}).must(t, 201)
	fields(t, s.transferGroup(rootToken, itoa(sub), dark["id"]).must(t, 201), map[string]string{"visibility": "private"})
	for path, what := range map[string]string{"/groups/" + itoa(deep): "group", "/projects/" + p: "project"} {
		fields(t, s.root("GET", v4+path, nil).must(t, 200), map[string]string{"visibility": "private"})
		if got := s.do("GET", v4+path, nil); got.StatusCode != 404 {
			t.Errorf("the %s is seen by anybody: %d", what, got.StatusCode)
		}
	}
	fields(t, s.root("POST", v4+"/groups/"+itoa(sub)+"/transfer", nil).must(t, 201), map[string]string{"full_path": "sub", "parent_id": "<nil>"})
}

// TestWhoTransfersGroups: an owner, who may make groups there. One at the top has an
// owner of its own.
func TestWhoTransfersGroups(t *testing.T) {
	s := newServer(t)
	one, two := s.group("one", 0), s.group("two", 0)
	sub := s.group("sub", one)
	ada, token := s.user("ada")
	s.memberAt("/groups/one", ada, 40)
	s.memberAt("/groups/two", ada, 30)
	s.transferGroup(token, itoa(sub), two).is(t, 403, `{"message":"403 Forbidden"}`)
	s.root("PUT", v4+"/groups/one/members/"+itoa(ada), map[string]any{"access_level": 50}).must(t, 200)
	s.transferGroup(token, itoa(sub), two).is(t, 400, groupsFail+`You don't have enough permissions."}`)
	s.exec(`UPDATE users SET can_create_group = 0 WHERE id = $1`, ada)
	s.root("PUT", v4+"/groups/two/members/"+itoa(ada), map[string]any{"access_level": 40}).must(t, 200)
	s.transferGroup(token, itoa(sub), nil).is(t, 400, groupsFail+`You don't have enough permissions."}`)
	s.transferGroup(token, itoa(sub), two).must(t, 201)
	s.transferGroup(token, itoa(sub), one).must(t, 403) // no owner of it any more

	// Its owners were those above: who moves it to the top owns it.
	s.root("DELETE", v4+"/groups/"+itoa(sub)+"/members/1", nil)
	s.exec(`DELETE FROM members WHERE namespace_id = $1`, sub)
	s.exec(`UPDATE users SET can_create_group = 1 WHERE id = $1`, ada)
	s.root("PUT", v4+"/groups/two/members/"+itoa(ada), map[string]any{"access_level": 50}).must(t, 200)
	s.memberAt("/groups/"+itoa(sub), ada, 30)
	s.transferGroup(token, itoa(sub), nil).must(t, 201)
	fields(t, s.root("GET", v4+"/groups/sub/members/"+itoa(ada), nil).must(t, 200), map[string]string{"access_level": "50"})
	if n := ask[int64](s, `SELECT COUNT(*) FROM audit_events WHERE name = 'member_updated' AND entity_id = $1 AND change_from = 'Developer' AND change_to = 'Owner'`, sub); n != 1 {
		t.Errorf("%d events tell of the owner", n)
	}
	s.as(token, "DELETE", v4+"/groups/sub/members/"+itoa(ada), nil).must(t, 403) // the last one
	bot := s.as(token, "POST", v4+"/groups/sub/access_tokens", map[string]any{"name": "b", "scopes": "api", "access_level": 50}).must(t, 201)["token"].(string)
	s.transferGroup(bot, "sub", two).is(t, 400, groupsFail+`You don't have enough permissions."}`)
}

// TestTransfersKeepPathsShort: what could not be asked for is not moved to, and a
// group is at most 20 levels deep with what is in it.
func TestTransfersKeepPathsShort(t *testing.T) {
	s := newServer(t)
	long := strings.Repeat("a", 120)
	top := s.group(long, 0)
	deep := s.group(long, top) // 241 characters
	p := s.projectIn(s.group("g", 0), strings.Repeat("p", 14), "private")
	s.transfer(rootToken, p, itoa(deep)).is(t, 400, routeTooLong)
	g := s.root("GET", v4+"/groups/g", nil).must(t, 200)
	s.transferGroup(rootToken, "g", deep).is(t, 400,
		groupsFail+`Validation failed: Route path is too long (maximum is 255 characters) of a group or project in this group"}`)
	fields(t, s.root("GET", v4+"/projects/"+p, nil).must(t, 200), map[string]string{"path_with_namespace": "g/" + strings.Repeat("p", 14)})

	at := s.group("d", 0)
	for range 18 {
		at = s.group("d", at)
	}
	last := s.group("d", at) // the 20th
	s.root("POST", v4+"/groups", map[string]any{"name": "e", "path": "e", "parent_id": last}).
		is(t, 400, `{"message":{"parent_id":["has too deep level of nesting"]}}`)
	s.transferGroup(rootToken, "g", last).is(t, 400, groupsFail+`Validation failed: Parent has too deep level of nesting"}`)
	s.group("h", int64(g["id"].(float64)))
	s.transferGroup(rootToken, "g", at).is(t, 400, groupsFail+`Validation failed: Parent has too deep level of nesting"}`)
	s.root("DELETE", v4+"/groups/g%2Fh", nil).must(t, 202)
	s.transferGroup(rootToken, "g", at).must(t, 201)
	full := strings.Repeat("d/", 19) + "g/" + strings.Repeat("p", 14)
	fields(t, s.root("GET", v4+"/projects/"+url.PathEscape(full), nil).must(t, 200), map[string]string{"id": p})
}

// TestNamespaceRoutes: those that one belongs to, with one's own; one of them by id
// or path.
func TestNamespaceRoutes(t *testing.T) {
	s := newServer(t)
	acme := s.group("acme", 0)
	tools := s.group("tools", acme)
	s.group("zoo", 0)
	ada, token := s.user("ada")
	s.memberAt("/groups/acme", ada, 30)
	p := s.projectIn(tools, "p", "private")
	for query, want := range map[string]string{
		"": "acme acme/tools ada", "?search=acme/t": "acme/tools", "?search=TOOL": "acme/tools", "?owned_only=true": "ada",
		"?top_level_only=true": "acme ada", "?search=zoo": "", "?per_page=1&page=2": "acme/tools", "?search=a_me": "",
	} {
		if got := s.as(token, "GET", v4+"/namespaces"+query, nil).column(t, "full_path"); got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
	if got := s.root("GET", v4+"/namespaces", nil).column(t, "full_path"); got != "root acme acme/tools zoo ada" {
		t.Errorf("an administrator gets %s", got)
	}
	s.do("GET", v4+"/namespaces", nil).must(t, 401)
	s.do("GET", v4+"/namespaces/acme", nil).must(t, 401)

	for _, ref := range []string{itoa(tools), "acme%2Ftools", "ACME%2FTools"} {
		got := s.as(token, "GET", v4+"/namespaces/"+ref, nil).must(t, 200)
		fields(t, got, map[string]string{"id": itoa(tools), "name": "tools", "path": "tools", "kind": "group", "full_path": "acme/tools", "parent_id": itoa(acme)})
		has(t, got, "avatar_url", "web_url")
		if _, told := got["members_count_with_descendants"]; told {
			t.Error("a developer is told the number of members")
		}
	}
	fields(t, s.root("GET", v4+"/namespaces/acme", nil).must(t, 200), map[string]string{"members_count_with_descendants": "2"})
	own := s.as(token, "GET", v4+"/namespaces/ada", nil).must(t, 200)
	fields(t, own, map[string]string{"kind": "user", "parent_id": "<nil>", "web_url": s.url + "/ada"})
	s.root("GET", v4+"/namespaces/"+id(own), nil).must(t, 200)
	s.as(token, "GET", v4+"/namespaces/root", nil).is(t, 404, `{"message":"404 Namespace Not Found"}`)
	s.as(token, "GET", v4+"/namespaces/absent", nil).is(t, 404, `{"message":"404 Namespace Not Found"}`)

	// The groups that a project is in.
	rows := s.root("GET", v4+"/projects/"+p+"/groups", nil).list(t)
	if len(rows) != 2 {
		t.Fatal(rows)
	}
	fields(t, rows[1], map[string]string{"id": itoa(tools), "name": "tools", "full_name": "acme / tools", "full_path": "acme/tools",
		"web_url": s.url + "/groups/acme/tools", "avatar_url": "<nil>"})
	for query, want := range map[string]string{
		"?search=tool": "acme/tools", "?skip_groups=" + itoa(acme): "acme/tools", "?with_shared=true&shared_min_access_level=10": "acme acme/tools",
	} {
		if got := s.root("GET", v4+"/projects/"+p+"/groups"+query, nil).column(t, "full_path"); got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
	s.do("GET", v4+"/projects/"+p+"/groups", nil).must(t, 404)
	if got := s.root("GET", v4+"/projects/"+s.project("own", "private")+"/groups", nil).list(t); len(got) != 0 {
		t.Errorf("a project of root's is in %v", got)
	}
}

// TestTransferIntoFull: a place that has as many as it may takes no more.
func TestTransferIntoFull(t *testing.T) {
	s := newServer(t)
	from, full := s.group("from", 0), s.group("full", 0)
	p, g := s.projectIn(from, "p", "private"), s.group("g", from)
	for _, name := range []string{"a", "b"} {
		s.projectIn(full, name, "private")
		s.group("g"+name, full)
	}
	s.lowerLimits()
	s.transfer(rootToken, p, full).is(t, 422,
		`{"message":{"base":["Maximum number of projects of a group (2) exceeded: delete one first, or take another group"]}}`)
	s.transferGroup(rootToken, itoa(g), full).is(t, 422,
		`{"message":{"base":["Maximum number of subgroups of a group (2) exceeded: delete one first, or take another group"]}}`)
	s.transferGroup(rootToken, itoa(g), nil).is(t, 422,
		`{"message":{"base":["Maximum number of top-level groups of an owner (2) exceeded: delete one first, or make subgroups"]}}`)
	fields(t, s.root("GET", v4+"/groups/"+itoa(g), nil).must(t, 200), map[string]string{"full_path": "from/g"})
}
