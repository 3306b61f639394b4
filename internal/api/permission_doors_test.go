package api_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"granary/internal/access"
)

// door is one way to ask the server for a right: a route, and what the test
// asks of it. Being let through must do no lasting harm: what is not read does
// not exist, or is as it is asked to be, or is made again.
type door struct {
	route string        // "METHOD path", as the table of routes has it; {user_id=me} asks for one value
	right access.Action // the right that GitLab documents for it
	of    string        // what is asked for: "project", "group", "instance", or a "spare project" or "spare group", which may be lost
	takes string        // credentials besides personal access tokens: "jobs deploy basic"
	ask   string        // the query, where there is one
	body  map[string]any
	note  string // what is said in other words than elsewhere: see inTheWordsOf
}

// The doors that answer like no other.
const (
	asksToLogIn  = "an anonymous caller is asked to log in for whatever it may not see"
	unknownToken = "a token that is not one's own is 401"
	ownToken     = "it is about oneself"
	namespace    = "a namespace where one may not is 400, and not valid"
	anyLogin     = "401 without a login, whatever the project"
	mayGroup     = "it is one's own right, if the user has can_create_group"
	noBots       = "a bot would lose its token by it"
)

// doors is every route of the API, and the web addresses. A new route needs a
// line here.
func doors() []door {
	return slices.Concat(doorsOfInstance(), doorsOfNamespaces(), doorsOfPlaces(), doorsOfCI(), doorsOfPackages(), doorsOfReleases())
}

// doorsOfInstance is what belongs to the server, and to users.
func doorsOfInstance() []door {
	const instance, bad = "instance", "is no scope"
	return []door{
		{"GET /version", access.ReadMetadata, instance, "", "", nil, ""},
		{"GET /metadata", access.ReadMetadata, instance, "", "", nil, ""},
		{"GET /features", access.ReadInstance, instance, "", "", nil, ""},
		{"GET /features/definitions", access.ReadInstance, instance, "", "", nil, ""},
		{"POST /features/{name}", access.AdminFeatures, instance, "", "", given{"value": true}, ""},
		{"DELETE /features/{name}", access.AdminFeatures, instance, "", "", nil, ""},
		{"GET /user", access.ReadSelf, instance, "", "", nil, ""},
		{"GET /users", access.ReadUsers, instance, "", "", nil, ""},
		{"POST /users", access.AdminUsers, instance, "", "", given{"username": "root", "name": "n", "email": "root@example.com", "password": "p"}, ""},
		{"GET /users/{id}", access.ReadUsers, instance, "", "", nil, ""},
		{"PUT /users/{id}", access.AdminUsers, instance, "", "", given{"email": "nobody"}, ""},
		{"DELETE /users/{id}", access.AdminUsers, instance, "", "", nil, ""},
		{"GET /admin/ci/variables", access.ReadInstance, instance, "", "", nil, ""},
		{"GET /admin/ci/variables/{key}", access.ReadInstance, instance, "", "", nil, ""},
		{"POST /admin/ci/variables", access.AdminInstanceVariables, instance, "", "", given{"key": "KEY", "value": "v"}, ""},
		{"PUT /admin/ci/variables/{key}", access.AdminInstanceVariables, instance, "", "", given{"value": "v"}, ""},
		{"DELETE /admin/ci/variables/{key}", access.AdminInstanceVariables, instance, "", "", nil, ""},
		{"POST /users/{id}/block", access.AdminUsers, instance, "", "", nil, ""},
		{"POST /users/{id}/unblock", access.AdminUsers, instance, "", "", nil, ""},
		{"GET /deploy_tokens", access.ReadInstance, instance, "", "", nil, ""},
		{"GET /audit_events", access.ReadInstance, instance, "", "", nil, ""},
		{"GET /audit_events/{event_id}", access.ReadInstance, instance, "", "", nil, ""},
		{"GET /storage", access.ReadInstance, instance, "", "", nil, ""},
		{"POST /users/{id}/personal_access_tokens", access.IssueTokens, instance, "", "", given{"name": "t", "scopes": bad}, ""},
		{"POST /user/personal_access_tokens", access.IssueOwnToken, instance, "", "", given{"name": "t", "scopes": bad}, ""},
		{"POST /user/sign_in_links", access.MakeOwnSignInLink, instance, "", "", nil, ""},
		{"GET /personal_access_tokens", access.ReadTokens, instance, "", "", nil, ownToken},
		{"GET /personal_access_tokens", access.ReadTokens, instance, "", "?user_id=1", nil, unknownToken},
		{"GET /personal_access_tokens/{token_id=self}", access.UseOwnToken, instance, "", "", nil, ""},
		{"GET /personal_access_tokens/self/associations", access.UseOwnToken, instance, "", "", nil, ""},
		{"GET /personal_access_tokens/{token_id}", access.ReadTokens, instance, "", "", nil, unknownToken},
		{"DELETE /personal_access_tokens/{token_id}", access.RevokeToken, instance, "", "", nil, unknownToken},
		{"POST /personal_access_tokens/{token_id}/rotate", access.RotateToken, instance, "", "", nil, unknownToken},
	}
}

// doorsOfNamespaces is groups and projects themselves.
func doorsOfNamespaces() []door {
	const project, group, instance, jobs = "project", "group", "instance", "jobs"
	return []door{
		{"GET /users/{id}/projects", access.ListNamespaces, instance, "", "", nil, ""},
		{"GET /groups", access.ListNamespaces, instance, "", "", nil, ""},
		{"POST /groups", access.CreateTopGroup, instance, "", "", given{"name": "private", "path": "private"}, mayGroup},
		{"POST /groups", access.CreateSubgroup, group, "", "", given{"name": "spare", "path": "spare", "parent_id": theID}, ""},
		{"GET /groups/{id}", access.ReadGroup, group, "", "", nil, ""},
		{"PUT /groups/{id}", access.EditGroup, group, "", "", given{"description": "d"}, ""},
		{"DELETE /groups/{id}", access.EditGroup, "spare group", "", "", nil, ""},
		{"GET /groups/{id}/subgroups", access.ReadGroup, group, "", "", nil, ""},
		{"GET /groups/{id}/projects", access.ReadGroup, group, "", "", nil, ""},
		{"POST /groups/{id}/transfer", access.EditGroup, group, "", "", given{"group_id": theID}, ""},
		{"GET /namespaces", access.FindNamespaces, instance, "", "", nil, ""},
		{"GET /namespaces/{id}", access.ReadNamespace, group, "", "", nil, ""},
		{"GET /projects", access.ListNamespaces, instance, "", "", nil, ""},
		{"POST /projects", access.CreateProject, group, "", "", given{"path": "spare", "namespace_id": theID}, namespace},
		{"GET /projects/{id}", access.ReadProject, project, jobs, "", nil, ""},
		{"PUT /projects/{id}", access.EditProject, project, "", "", given{"description": "d"}, ""},
		{"DELETE /projects/{id}", access.OwnProject, "spare project", "", "", nil, ""},
		{"POST /projects/{id}/archive", access.OwnProject, "spare project", "", "", nil, ""},
		{"POST /projects/{id}/unarchive", access.OwnProject, project, "", "", nil, ""},
		{"PUT /projects/{id}/transfer", access.OwnProject, project, "", "", given{"namespace": nothing}, ""},
		{"GET /projects/{id}/groups", access.ReadProject, project, "", "", nil, ""},
	}
}

// doorsOfCI is jobs, their scope, and webhooks.
func doorsOfCI() []door {
	const project, jobs = "project", "jobs"
	const scope, hook = "/projects/{id}/job_token_scope", "/projects/{id}/hooks/{hook_id}"
	return []door{
		{"GET /job", access.ReadProject, project, jobs, "", nil, anyLogin},
		{"GET /projects/{id}/jobs", access.ReadJobs, project, "", "", nil, ""},
		{"POST /projects/{id}/jobs", access.CreateJob, project, "", "", given{"timeout": 0}, ""},
		{"GET /projects/{id}/jobs/{job_id}", access.ReadJobs, project, "", "", nil, ""},
		{"PUT /projects/{id}/jobs/{job_id}", access.EndJob, project, jobs, "", given{"status": "failed"}, ""},
		{"GET /projects/{id}/hooks", access.ReadHooks, project, "", "", nil, ""},
		{"POST /projects/{id}/hooks", access.AdminHooks, project, "", "", given{"url": "ftp://example.com"}, ""},
		{"GET " + hook, access.ReadHooks, project, "", "", nil, ""},
		{"PUT " + hook, access.AdminHooks, project, "", "", given{"url": "https://example.com/hook"}, ""},
		{"DELETE " + hook, access.AdminHooks, project, "", "", nil, ""},
		{"PUT " + hook + "/custom_headers/{key}", access.AdminHooks, project, "", "", given{"value": "v"}, ""},
		{"DELETE " + hook + "/custom_headers/{key}", access.AdminHooks, project, "", "", nil, ""},
		{"POST " + hook + "/test/{trigger}", access.AdminHooks, project, "", "", nil, ""},
		{"GET " + hook + "/events", access.ReadHooks, project, "", "", nil, ""},
		{"POST " + hook + "/events/{hook_event_id}/resend", access.AdminHooks, project, "", "", nil, ""},
		{"GET " + scope, access.ReadJobTokenScope, project, "", "", nil, ""},
		{"PATCH " + scope, access.AdminJobTokenScope, project, "", "", given{"enabled": true}, ""},
		{"GET " + scope + "/allowlist", access.ReadJobTokenScope, project, "", "", nil, ""},
		{"POST " + scope + "/allowlist", access.AdminJobTokenScope, project, "", "", given{"target_project_id": theID}, ""},
		{"DELETE " + scope + "/allowlist/{target_project_id}", access.AdminJobTokenScope, project, "", "", nil, ""},
		{"GET " + scope + "/groups_allowlist", access.ReadJobTokenScope, project, "", "", nil, ""},
		{"POST " + scope + "/groups_allowlist", access.AdminJobTokenScope, project, "", "", given{"target_group_id": 999999}, ""},
		{"DELETE " + scope + "/groups_allowlist/{target_group_id}", access.AdminJobTokenScope, project, "", "", nil, ""},
	}
}

// doorsOfPackages is packages and their protection.
func doorsOfPackages() []door {
	const project, group, jobs = "project", "group", "jobs"
	const one, files = "/projects/{id}/packages/{package_id}", "/projects/{id}/packages/{package_id}/package_files"
	const name = "/projects/{id}/packages/generic/{name}"
	const version = name + "/{version}"
	const file, rules = version + "/{file...}", "/projects/{id}/packages/protection/rules"
	return []door{
		{"GET /groups/{id}/packages", access.ReadGroup, group, "", "", nil, ""},
		{"GET " + file, access.ReadPackages, project, "jobs deploy basic", "", nil, asksToLogIn},
		{"HEAD " + file, access.ReadPackages, project, "jobs deploy basic", "", nil, asksToLogIn},
		{"PUT " + file, access.PublishPackage, project, "jobs deploy basic", "", nil, asksToLogIn},
		{"GET " + version, access.ReadPackages, project, "jobs deploy basic", "", nil, asksToLogIn},
		{"HEAD " + version, access.ReadPackages, project, "jobs deploy basic", "", nil, asksToLogIn},
		{"PATCH " + version, access.DestroyPackage, project, jobs, "", given{"yanked": true}, asksToLogIn},
		{"DELETE " + version, access.DestroyPackage, project, jobs, "", nil, asksToLogIn},
		{"DELETE " + version, access.PublishPackage, project, "jobs deploy basic", "?status=draft", nil, asksToLogIn},
		{"POST " + name + "/{version=9.9.9}", access.FinalisePackage, project, "jobs deploy basic", "", nil, asksToLogIn},
		{"GET " + name, access.ReadPackages, project, "jobs deploy basic", "", nil, asksToLogIn},
		{"HEAD " + name, access.ReadPackages, project, "jobs deploy basic", "", nil, asksToLogIn},
		{"PUT " + name + "/@{channel}", access.PublishPackage, project, "jobs deploy basic", "", given{"version": "1.0.0"}, asksToLogIn},
		{"DELETE " + name + "/@{channel}", access.PublishPackage, project, "jobs deploy basic", "", nil, asksToLogIn},
		{"GET /projects/{id}/packages", access.ListPackages, project, jobs, "", nil, ""},
		{"GET /projects/{id}/downloads", access.ListPackages, project, jobs, "", nil, ""},
		{"GET " + one, access.ListPackages, project, jobs, "", nil, ""},
		{"GET " + one + "/pipelines", access.ListPackages, project, jobs, "", nil, ""},
		{"GET " + files, access.ListPackages, project, jobs, "", nil, ""},
		{"GET " + files + "/{package_file_id}/download", access.ListPackages, project, jobs, "", nil, ""},
		{"DELETE " + one, access.DestroyPackage, project, jobs, "", nil, ""},
		{"DELETE " + files + "/{package_file_id}", access.DestroyPackage, project, jobs, "", nil, ""},
		{"GET " + rules, access.ReadProtections, project, "", "", nil, ""},
		{"POST " + rules, access.AdminProtections, project, "", "",
			given{"package_name_pattern": "vault", "package_type": "generic", "minimum_access_level_for_push": "owner"}, ""},
		{"PATCH " + rules + "/{package_protection_rule_id}", access.AdminProtections, project, "", "", given{"package_name_pattern": "x"}, ""},
		{"DELETE " + rules + "/{package_protection_rule_id}", access.AdminProtections, project, "", "", nil, ""},
	}
}

// doorsOfReleases is releases, uploads, and the web addresses of both.
func doorsOfReleases() []door {
	const project, jobs = "project", "jobs"
	const releases, links = "/projects/{id}/releases", "/projects/{id}/releases/{tag}/assets/links"
	return []door{
		{"GET " + releases, access.ReadReleases, project, jobs, "", nil, ""},
		{"POST " + releases, access.PublishRelease, project, jobs, "", given{"tag_name": "v1"}, ""},
		{"GET " + releases + "/permalink/latest", access.ReadReleases, project, jobs, "", nil, ""},
		{"GET " + releases + "/permalink/latest/{suffix...}", access.ReadReleases, project, jobs, "", nil, ""},
		{"GET " + releases + "/{tag}", access.ReadReleases, project, jobs, "", nil, ""},
		{"PUT " + releases + "/{tag}", access.PublishRelease, project, jobs, "", given{"description": "d"}, ""},
		{"DELETE " + releases + "/{tag}", access.DestroyRelease, project, jobs, "", nil, ""},
		{"GET " + releases + "/{tag}/downloads/{path...}", access.ReadReleases, project, jobs, "", nil, ""},
		{"GET " + releases + "/{tag}/downloads", access.ReadReleases, project, jobs, "", nil, ""},
		{"GET " + links, access.ReadReleases, project, jobs, "", nil, ""},
		{"POST " + links, access.PublishRelease, project, jobs, "", given{"name": "file", "url": "https://example.com/file"}, ""},
		{"GET " + links + "/{link_id}", access.ReadReleases, project, jobs, "", nil, ""},
		{"PUT " + links + "/{link_id}", access.PublishRelease, project, jobs, "", given{"name": "file"}, ""},
		{"DELETE " + links + "/{link_id}", access.PublishRelease, project, jobs, "", nil, ""},
		{"GET /projects/{id}/repository/commits/{sha}/merge_requests", access.ReadProject, project, jobs, "", nil, ""},
		{"GET /projects/{id}/repository/tags", access.ReadReleases, project, jobs, "", nil, ""},
		{"GET /projects/{id}/repository/tags/{tag}", access.ReadReleases, project, jobs, "", nil, ""},
		{"POST /projects/{id}/uploads", access.UploadFile, project, "", "", nil, ""},
		{"GET /projects/{id}/uploads", access.ListUploads, project, "", "", nil, ""},
		{"GET /projects/{id}/uploads/{upload_id}", access.ListUploads, project, "", "", nil, ""},
		{"DELETE /projects/{id}/uploads/{upload_id}", access.DestroyUpload, project, "", "", nil, ""},
		{"GET /projects/{id}/uploads/{secret}/{filename}", access.FetchUpload, project, "", "", nil, ""},
		{"DELETE /projects/{id}/uploads/{secret}/{filename}", access.DestroyUpload, project, "", "", nil, ""},
		{"GET /-/project/{id}/uploads/{secret}/{file}", access.ReadUploads, project, "jobs basic", "", nil, asksToLogIn},
		{"GET /{project...}/-/package_files/{package_file_id}/download", access.ListPackages, project, "jobs basic", "", nil, asksToLogIn},
		{"GET /{project...}/uploads/{secret}/{file}", access.ReadUploads, project, "jobs basic", "", nil, asksToLogIn},
		{"GET /{project...}/-/releases/permalink/latest/{suffix...}", access.ReadReleases, project, "jobs basic", "", nil, asksToLogIn},
		{"GET /{project...}/-/releases/{tag}/downloads/{path...}", access.ReadReleases, project, "jobs basic", "", nil, asksToLogIn},
		{"GET /{project...}/-/releases", access.ReadReleases, project, "jobs basic", "", nil, asksToLogIn},
		{"GET /{project...}/-/releases.json", access.ReadReleases, project, "jobs basic", "", nil, asksToLogIn},
		{"GET /{project...}/-/releases.atom", access.ReadReleases, project, "jobs basic", "", nil, asksToLogIn},
		{"GET /{project...}/-/releases/{tag}", access.ReadReleases, project, "jobs basic", "", nil, asksToLogIn},
		{"GET /{project...}/-/badges/release.svg", access.ReadReleases, project, "jobs basic", "", nil, asksToLogIn},
	}
}

// doorsOfPlaces is the routes that projects and groups have alike.
func doorsOfPlaces() []door {
	var all []door
	for _, at := range []struct {
		of, path                                          string
		members, deployTokens, readBots, issueBot, endBot access.Action
		readVariables, adminVariables, events             access.Action
	}{
		{"project", "/projects/{id}", access.AdminProjectMembers, access.AdminProjectDeployTokens, access.ReadProjectTokens, access.IssueProjectToken,
			access.EndProjectToken, access.ReadProjectVariables, access.AdminProjectVariables, access.ReadProjectAudit},
		{"group", "/groups/{id}", access.AdminGroupMembers, access.AdminGroupDeployTokens, access.ReadGroupTokens, access.IssueGroupToken,
			access.EndGroupToken, access.ReadGroupVariables, access.AdminGroupVariables, access.ReadGroupAudit},
	} {
		const bad = "is no scope"
		for _, row := range []struct {
			method, path string
			right        access.Action
			body         given
		}{
			{"GET", "/members", access.ReadMembers, nil},
			{"GET", "/members/all", access.ReadMembers, nil},
			{"GET", "/members/{user_id}", access.ReadMembers, nil},
			{"GET", "/members/all/{user_id}", access.ReadMembers, nil},
			{"POST", "/members", at.members, given{"user_id": 999999, "access_level": 10}},
			{"PUT", "/members/{user_id}", at.members, given{"access_level": 10}},
			{"DELETE", "/members/{user_id}", at.members, nil},
			{"GET", "/deploy_tokens", access.ReadDeployTokens, nil},
			{"GET", "/deploy_tokens/{token_id}", access.ReadDeployTokens, nil},
			{"POST", "/deploy_tokens", at.deployTokens, given{"name": "t", "scopes": bad}},
			{"DELETE", "/deploy_tokens/{token_id}", at.deployTokens, nil},
			{"GET", "/access_tokens", at.readBots, nil},
			{"GET", "/access_tokens/{token_id}", at.readBots, nil},
			{"POST", "/access_tokens", at.issueBot, given{"name": "t", "scopes": bad}},
			{"DELETE", "/access_tokens/{token_id}", at.endBot, nil},
			{"POST", "/access_tokens/{token_id}/rotate", at.endBot, nil},
			{"GET", "/variables", at.readVariables, nil},
			{"GET", "/variables/{key}", at.readVariables, nil},
			{"POST", "/variables", at.adminVariables, given{"key": "KEY", "value": "v"}},
			{"PUT", "/variables/{key}", at.adminVariables, given{"value": "v"}},
			{"DELETE", "/variables/{key}", at.adminVariables, nil},
			{"GET", "/storage", access.ReadUsage, nil},
			{"GET", "/audit_events", at.events, nil},
			{"GET", "/audit_events/{event_id}", at.events, nil},
		} {
			all = append(all, door{route: row.method + " " + at.path + row.path, right: row.right, of: at.of, body: row.body})
		}
		all = append(all, door{route: "DELETE " + at.path + "/members/{user_id=me}", right: access.LeaveMembers, of: at.of, note: noBots},
			door{route: "POST " + at.path + "/access_tokens/{token_id=self}/rotate", right: access.RotateBotToken, of: at.of, note: noBots})
	}
	return all
}

// given is the parameters of a request. theID stands for the id of what is asked
// for.
type given = map[string]any

const theID = "the id"

// address is where the door is for a place: real objects to read, none to
// change.
func (d door) address(p permissionPlace, c credential) (method, path string) {
	method, path, _ = strings.Cut(d.route, " ")
	path = chosen().ReplaceAllString(path, "$2")
	if strings.HasSuffix(path, "/me") {
		path = strings.TrimSuffix(path, "me") + itoa(c.actor.UserID)
	}
	if !strings.HasPrefix(path, "/-/") && !strings.HasPrefix(path, "/{project...}") {
		path = v4 + path
	}
	things := p.things
	if method != "GET" && method != "HEAD" {
		things = unharmed(p.things, method == "DELETE")
	}
	for name, value := range things {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	id := map[string]string{"project": p.project, "group": p.group, "spare project": p.spareProject, "spare group": p.spareGroup, "instance": "1"}[d.of]
	if d.of == "instance" && method != "GET" {
		id = nothing
	}
	return method, strings.ReplaceAll(path, "{id}", id) + d.ask
}

// pattern is the door's route as the server has it.
func (d door) pattern() string { return chosen().ReplaceAllString(d.route, "{$1}") }

// chosen is a part of a path for which there is one value only.
func chosen() *regexp.Regexp { return regexp.MustCompile(`\{(\w+)=([\w.]+)\}`) }

// nothing is the id of nothing.
const nothing = "999999"

// unharmed is what to ask to change or to delete: nothing that is there, but for
// what may be changed again and again.
func unharmed(things map[string]string, deleted bool) map[string]string {
	changed := map[string]string{}
	for name, value := range things {
		if strings.HasSuffix(name, "_id") && name != "job_id" {
			value = nothing
		}
		changed[name] = value
	}
	changed["key"] = "ABSENT"
	if deleted {
		changed["tag"] = "absent"
	}
	return changed
}

// params is the body for a place.
func (d door) params(p permissionPlace) map[string]any {
	filled := given{}
	for name, value := range d.body {
		if value == theID {
			value = map[string]string{"project": p.project, "group": p.group}[d.of]
		}
		filled[name] = value
	}
	return filled
}

func (d door) String() string { return fmt.Sprint(d.route, d.ask) }
