package api_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/trail"
)

// readers are the deeds that change nothing, and so leave no event.
func readers() []string {
	return []string{
		"Registry.Open", "Registry.OpenDraft", "Registry.FindDraft", "Registry.FindVersion", "Registry.ReleaseFinals", "Registry.ListNameVersions", "Registry.Names", "Registry.Versions", "Registry.Version", "Registry.Latest", "Registry.MayPublishTo", "Registry.Locate", "Registry.Lately", "Registry.Search", "Registry.Consequences", "Registry.OpenUpload", "Registry.ListUploads", "Registry.OpenUploadByID", "Registry.FetchUpload", "Registry.ListPackages", "Registry.GroupPackages", "Registry.Package",
		"Registry.DownloadsByDay", "Registry.ProjectStorage", "Registry.GroupStorage", "Registry.InstanceStorage", "Registry.ProjectUsages", "Registry.GroupUsages",
		"Registry.PackagePipelines", "Registry.PackageFiles", "Registry.NewestFile", "Registry.OpenByID", "Registry.ListProtectionRules", "Registry.ProtectionRule", "Registry.ProtectionMatches",
		"Projects.Project", "Projects.ListProjects", "Projects.GroupProjects", "Projects.Group", "Projects.FormerGroup", "Projects.ListGroups", "Projects.Subgroups",
		"Projects.ListNamespaces", "Projects.Namespace", "Projects.NamespaceMembers", "Projects.ProjectGroups",
		"Projects.ListFeatures", "Projects.FeatureHere", "Projects.LastOwner", "Projects.Associations", "Projects.JobTokenScope", "Projects.AllowedProjects", "Projects.AllowedGroups",
		"Projects.ProjectStanding", "Projects.GroupStanding",
		"ProjectMembers.List", "ProjectMembers.Member", "GroupMembers.List", "GroupMembers.Member",
		"ProjectVariables.List", "ProjectVariables.Get", "GroupVariables.List", "GroupVariables.Get",
		"InstanceVariables.List", "InstanceVariables.Get",
		"Auth.Sudo", "Auth.CurrentUser", "Auth.User", "Auth.ListUsers", "Auth.PersonalToken", "Auth.ListPersonalTokens", "Auth.ListSessions", "Auth.LatestEnd",
		"Auth.ListDeployTokens", "Auth.Job", "Auth.ListJobs", "Auth.OwnJob",
		"ProjectTokens.List", "ProjectTokens.Get", "GroupTokens.List", "GroupTokens.Get",
		"ProjectDeployTokens.List", "ProjectDeployTokens.Get", "GroupDeployTokens.List", "GroupDeployTokens.Get",
		"Releases.List", "Releases.Find", "Releases.Latest", "Releases.Tags", "Releases.Links", "Releases.Show", "Releases.Link", "Releases.Asset",
		"Hooks.List", "Hooks.Failing", "Hooks.Get", "Hooks.Attempts", "Hooks.Attempt", "Hooks.LastAttempts",
		"Hooks.Test", "Hooks.Resend", // they change nothing; what they send is in the hook's log
		"Audit.WalkInstance", "Audit.WalkProject", "Audit.WalkGroup", "Audit.WalkOwn", "Audit.InstanceEvents", "Audit.InstanceEvent", "Audit.ProjectEvents", "Audit.ProjectEvent", "Audit.GroupEvents", "Audit.GroupEvent",
	}
}

// allDeeds is every exported method that takes an actor.
func allDeeds() []string {
	var names []string
	for room, value := range rooms(access.Resource{}) {
		for method := range reflect.TypeOf(value).Methods() {
			if takesActor(method.Type) {
				names = append(names, room+"."+method.Name)
			}
		}
	}
	return names
}

// walk is a server whose deeds are done one after the other.
type walk struct {
	*server
	last int64 // id of the newest event that was looked at
	done map[string]bool
}

// step does a deed as root, and compares the events that it left.
func (w *walk) step(deed, method, path string, body any, status int, want ...string) map[string]any {
	w.t.Helper()
	return w.check(deed, w.root(method, "/api/v4"+path, body), status, want...)
}

func (w *walk) check(deed string, a answer, status int, want ...string) map[string]any {
	w.t.Helper()
	object := a.must(w.t, status)
	if len(want) > 0 {
		w.done[deed] = true
	}
	if diff := cmp.Diff(want, w.news()); diff != "" {
		w.t.Errorf("%s, %s %s: %s", deed, a.Request.Method, a.Request.URL, diff)
	}
	return object
}

// news are the events since the last time, a line each.
func (w *walk) news() (lines []string) {
	w.t.Helper()
	found, err := w.db.ListEvents(w.t.Context(), trail.Filter{}, page.Request{Number: 1, Size: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range slices.Backward(found.Rows) {
		if e.ID <= w.last {
			continue
		}
		w.last = e.ID
		line := fmt.Sprintf("%s | %s %s | %s %s", e.Name, e.Entity.Type, e.Entity.Path, e.Target.Type, e.Target.Details)
		if c := e.Change; c.What == "successor_of" {
			line += " | successor"
		} else if c.What != "" {
			line += fmt.Sprintf(" | %s: %s > %s", c.What, c.From, c.To)
		}
		lines = append(lines, line)
		if e.Author.Address != clientAddress || e.Author.Credential == "" || e.Author.CredentialID == 0 {
			w.t.Errorf("%s: author %+v", line, e.Author)
		}
		if slices.Contains([]string{"Feature"}, e.Target.Type) == (e.Target.ID != 0) {
			w.t.Errorf("%s: target %+v", line, e.Target)
		}
	}
	return lines
}

func number(object map[string]any) string { return itoa(int64(object["id"].(float64))) }

// TestEveryDeedIsRecorded does every deed that changes something, and compares
// what is told of it. A deed that is neither here nor among the readers fails.
func TestEveryDeedIsRecorded(t *testing.T) {
	s := newServer(t)
	w := &walk{server: s, done: map[string]bool{}}
	found, err := s.db.ListEvents(t.Context(), trail.Filter{}, page.Request{Number: 1, Size: 1})
	if err != nil || found.Total != 2 { // the first administrator and token
		t.Fatal(found, err)
	}
	w.last = found.Rows[0].ID

	user := number(w.step("Auth.CreateUser", "POST", "/users", map[string]any{"username": "ada", "name": "Ada", "email": "ada@example.com", "force_random_password": true}, 201,
		"user_created | User ada | User ada"))
	w.places(user)
	w.packages()
	w.secrets()
	w.tokens(user)
	w.ends(user)
	w.sessions()
	w.promote(ask[int64](s, `SELECT id FROM users WHERE username = 'ada'`))
	w.sweep()

	all := allDeeds()
	for _, deed := range readers() {
		if !slices.Contains(all, deed) {
			t.Errorf("%s is listed as a reader and there is none", deed)
		}
	}
	for _, deed := range all {
		if read := slices.Contains(readers(), deed); w.done[deed] == read {
			t.Errorf("%s: it is a reader: %v, it left an event: %v", deed, read, w.done[deed])
		}
	}
}

func (w *walk) places(user string) {
	group := number(w.step("Projects.CreateGroup", "POST", "/groups", map[string]any{"name": "acme", "path": "acme"}, 201,
		"group_created | Group acme | Group acme"))
	w.step("Projects.EditGroup", "PUT", "/groups/acme", map[string]any{"visibility": "private", "description": "d", "generic_duplicates_allowed": false}, 200,
		"group_description_updated | Group acme | Group acme | description:  > d",
		"group_generic_duplicates_allowed_updated | Group acme | Group acme | generic_duplicates_allowed:  > false")
	w.step("Projects.EditGroup", "PUT", "/groups/acme", map[string]any{"description": "d"}, 200)
	w.step("Projects.CreateProject", "POST", "/projects", map[string]any{"name": "tool", "namespace_id": group}, 201,
		"project_created | Project acme/tool | Project acme/tool")
	w.step("Projects.EditProject", "PUT", "/projects/acme%2Ftool", map[string]any{
		"name": "Tool", "topics": []string{"a", "b"}, "package_registry_access_level": "private", "generic_package_naming": "relaxed",
		"generic_packages_max_file_size": 5000, "generic_duplicates_allowed": true, "generic_duplicate_exception_regex": "x.*",
		"generic_package_drafts": "job", "generic_package_finalisers": "people",
	}, 200,
		"project_name_updated | Project acme/tool | Project acme/tool | name: tool > Tool",
		"project_topics_updated | Project acme/tool | Project acme/tool | topics:  > a,b",
		"project_feature_package_registry_access_level_updated | Project acme/tool | Project acme/tool | package_registry_access_level: enabled > private",
		"project_generic_package_naming_updated | Project acme/tool | Project acme/tool | generic_package_naming:  > relaxed",
		"project_generic_duplicates_allowed_updated | Project acme/tool | Project acme/tool | generic_duplicates_allowed:  > true",
		"project_generic_duplicate_exception_regex_updated | Project acme/tool | Project acme/tool | generic_duplicate_exception_regex:  > x.*",
		"project_generic_packages_max_file_size_updated | Project acme/tool | Project acme/tool | generic_packages_max_file_size:  > 5000",
		"project_generic_package_drafts_updated | Project acme/tool | Project acme/tool | generic_package_drafts:  > job",
		"project_generic_package_finalisers_updated | Project acme/tool | Project acme/tool | generic_package_finalisers:  > people")
	w.step("Projects.EditProject", "PUT", "/projects/acme%2Ftool", map[string]any{"path": "tools"}, 200,
		"project_path_updated | Project acme/tool | Project acme/tool | path: tool > tools")
	w.step("Projects.EditProject", "PUT", "/projects/acme%2Ftools", map[string]any{"path": "tool", "visibility": "private"}, 200,
		"project_path_updated | Project acme/tools | Project acme/tools | path: tools > tool")
	other := number(w.step("Projects.CreateGroup", "POST", "/groups", map[string]any{"name": "rest", "path": "rest", "visibility": "private"}, 201,
		"group_created | Group rest | Group rest"))
	w.step("Projects.TransferProject", "PUT", "/projects/acme%2Ftool/transfer", map[string]any{"namespace": "rest"}, 200,
		"project_namespace_updated | Project acme/tool | Project acme/tool | namespace: acme > rest")
	w.step("Projects.TransferGroup", "POST", "/groups/rest/transfer", map[string]any{"group_id": group}, 201,
		"group_parent_updated | Group rest | Group rest | parent:  > acme")
	w.step("Projects.TransferProject", "PUT", "/projects/acme%2Frest%2Ftool/transfer", map[string]any{"namespace": group}, 200,
		"project_namespace_updated | Project acme/rest/tool | Project acme/rest/tool | namespace: acme/rest > acme")
	w.step("Projects.TransferProject", "PUT", "/projects/acme%2Ftool/transfer", map[string]any{"namespace": group}, 400)
	w.step("Projects.DeleteGroup", "DELETE", "/groups/"+other, nil, 202, "group_destroyed | Group acme | Group acme/rest")
	w.step("Projects.ArchiveProject", "POST", "/projects/acme%2Ftool/archive", nil, 201, "project_archived | Project acme/tool | Project acme/tool")
	w.step("Projects.ArchiveProject", "POST", "/projects/acme%2Ftool/archive", nil, 201)
	w.step("Projects.ArchiveProject", "POST", "/projects/acme%2Ftool/unarchive", nil, 201, "project_unarchived | Project acme/tool | Project acme/tool")
	for room, at := range map[string]string{"ProjectMembers": "/projects/acme%2Ftool", "GroupMembers": "/groups/acme"} {
		entity := map[string]string{"ProjectMembers": "Project acme/tool", "GroupMembers": "Group acme"}[room]
		w.step(room+".Add", "POST", at+"/members", map[string]any{"user_id": user, "access_level": 30}, 201,
			"member_created | "+entity+" | User ada | access_level:  > Developer")
		w.step(room+".Change", "PUT", at+"/members/"+user, map[string]any{"access_level": 40, "expires_at": "2200-01-31"}, 200,
			"member_updated | "+entity+" | User ada | access_level: Developer > Maintainer until 2200-01-31")
		w.step(room+".Remove", "DELETE", at+"/members/"+user, nil, 204,
			"member_destroyed | "+entity+" | User ada | access_level: Maintainer until 2200-01-31 > ")
	}
	w.step("Projects.SetJobTokenScope", "PATCH", "/projects/acme%2Ftool/job_token_scope", map[string]any{"enabled": false}, 204,
		"secure_ci_job_token_inbound_disabled | Project acme/tool | Project acme/tool")
	w.step("Projects.SetJobTokenScope", "PATCH", "/projects/acme%2Ftool/job_token_scope", map[string]any{"enabled": true}, 204,
		"secure_ci_job_token_inbound_enabled | Project acme/tool | Project acme/tool")
	project := number(w.step("Projects.CreateProject", "POST", "/projects", map[string]any{"name": "other"}, 201,
		"project_created | Project root/other | Project root/other"))
	for noun, id := range map[string]string{"project": project, "group": group} {
		list := map[string]string{"project": "allowlist", "group": "groups_allowlist"}[noun]
		target := map[string]string{"project": "Project root/other", "group": "Group acme"}[noun]
		w.step("Projects.AllowJobsOf", "POST", "/projects/acme%2Ftool/job_token_scope/"+list, map[string]any{"target_" + noun + "_id": id}, 201,
			"secure_ci_job_token_"+noun+"_added | Project acme/tool | "+target)
		w.step("Projects.DisallowJobsOf", "DELETE", "/projects/acme%2Ftool/job_token_scope/"+list+"/"+id, nil, 204,
			"secure_ci_job_token_"+noun+"_removed | Project acme/tool | "+target)
	}
}

// restored publishes a file, has its bytes lost, and publishes it again where that is
// refused else.
func (w *walk) restored(at, file, in string) {
	const body = "bytes that are lost"
	inline := w.registry.InlineMax
	w.registry.InlineMax = 0
	defer func() { w.registry.InlineMax = inline }()
	w.step("Registry.Publish", "PUT", file+"e", body, 201, "package_registry_package_published | "+in+" | PackageFile tool/1.0.0/e")
	w.root("PUT", v4+at, map[string]any{"generic_duplicates_allowed": false}).must(w.t, 200)
	w.news()
	w.ruin(body, 0)
	w.step("Registry.Publish", "PUT", file+"e?status=default", body, 201,
		"package_registry_package_file_restored | "+in+" | PackageFile tool/1.0.0/e",
		"package_registry_package_status_updated | "+in+" | Package tool/1.0.0 | status: hidden > default")
	w.step("Registry.Publish", "PUT", file+"e", body, 400)
	w.root("PUT", v4+at, map[string]any{"generic_duplicates_allowed": true}).must(w.t, 200)
	w.news()
}

// versions yanks, deprecates and hides a version, moves channels, and undoes that.
func (w *walk) versions(at, in string) {
	w.step("Registry.Publish", "PUT", at+"/1.0.0/f", "x", 201, "package_registry_package_published | "+in+" | PackageFile app/1.0.0/f")
	w.step("Registry.MoveChannel", "PUT", at+"/@stable", map[string]any{"version": "1.0.0"}, 201,
		"package_registry_channel_set | "+in+" | Package app/@stable | version:  > 1.0.0")
	w.step("Registry.MoveChannel", "PUT", at+"/@stable", map[string]any{"version": "1.0.0"}, 200)
	w.step("Registry.MoveChannel", "PUT", at+"/@stable", map[string]any{"version": "2.0.0"}, 404)
	w.step("Registry.RemoveChannel", "DELETE", at+"/@stable", nil, 204,
		"package_registry_channel_removed | "+in+" | Package app/@stable | version: 1.0.0 > ")
	w.step("Registry.RemoveChannel", "DELETE", at+"/@stable", nil, 404)
	for _, edit := range []struct {
		body map[string]any
		told []string
	}{
		{map[string]any{"yanked": true, "reason": "bad"}, []string{"yanked | PACKAGE | yank_reason:  > bad"}},
		{map[string]any{"yanked": true}, nil},
		{map[string]any{"yanked": false, "deprecated": "use 2"}, []string{"unyanked | PACKAGE | yank_reason: bad > ", "deprecated | PACKAGE | deprecated:  > use 2"}},
		{map[string]any{"deprecated": nil}, []string{"undeprecated | PACKAGE | deprecated: use 2 > "}},
		{map[string]any{"status": "hidden"}, []string{"status_updated | PACKAGE | status: default > hidden"}},
		{map[string]any{"status": "default"}, []string{"status_updated | PACKAGE | status: hidden > default"}},
	} {
		var lines []string
		for _, line := range edit.told {
			lines = append(lines, "package_registry_package_"+strings.ReplaceAll(line, "PACKAGE", in+" | Package app/1.0.0"))
		}
		w.step("Registry.EditVersion", "PATCH", at+"/1.0.0", edit.body, 200, lines...)
	}
	w.step("Registry.EditVersion", "PATCH", at+"/1.0.0", map[string]any{}, 400)
	w.step("Registry.DeleteVersion", "DELETE", at+"/1.0.0", nil, 204, "package_registry_package_deleted | "+in+" | Package app/1.0.0")
	w.step("Registry.DeleteVersion", "DELETE", at+"/1.0.0", nil, 404)
}

// drafts makes one draft final, and discards others.
func (w *walk) drafts(at, in string) {
	for range 2 {
		w.step("Registry.Publish", "PUT", at+"/3.0.0/f?status=draft", "x", 201, "package_registry_package_published | "+in+" | PackageFile app/3.0.0/f")
	}
	manifest := fmt.Sprintf("%x  f\n", sha256.Sum256([]byte("x")))
	w.step("Registry.FinaliseVersion", "POST", at+"/3.0.0", map[string]any{"manifest_sha256": strings.Repeat("0", 64)}, 409)
	w.step("Registry.FinaliseVersion", "POST", at+"/3.0.0", nil, 201, "package_registry_package_finalised | "+in+" | Package app/3.0.0 | manifest_sha256:  > "+
		fmt.Sprintf("%x", sha256.Sum256([]byte(manifest))))
	w.step("Registry.FinaliseVersion", "POST", at+"/3.0.0", nil, 200)
	w.step("Registry.Publish", "PUT", at+"/3.0.0/f", "x", 201)
	w.step("Registry.Publish", "PUT", at+"/4.0.0/f?status=draft", "x", 201, "package_registry_package_published | "+in+" | PackageFile app/4.0.0/f")
	w.step("Registry.DiscardDraft", "DELETE", at+"/4.0.0?status=draft", nil, 204, "package_registry_draft_discarded | "+in+" | Package app/4.0.0")
	w.step("Registry.DiscardDraft", "DELETE", at+"/4.0.0?status=draft", nil, 404)
}

func (w *walk) packages() {
	const at, in = "/projects/acme%2Ftool", "Project acme/tool"
	const file = at + "/packages/generic/tool/1.0.0/"
	w.step("Registry.Publish", "PUT", file+"a", "x", 201,
		"package_registry_package_published | "+in+" | PackageFile tool/1.0.0/a")
	w.step("Registry.Publish", "PUT", file+"b?status=hidden", "x", 201,
		"package_registry_package_published | "+in+" | PackageFile tool/1.0.0/b",
		"package_registry_package_status_updated | "+in+" | Package tool/1.0.0 | status: default > hidden")
	w.step("Registry.Publish", "PUT", file+"b?status=hidden", "x", 201,
		"package_registry_package_published | "+in+" | PackageFile tool/1.0.0/b")
	w.step("Registry.Publish", "PUT", file+"c%20d", "x", 400)
	w.restored(at, file, in)
	id := itoa(ask[int64](w.server, `SELECT id FROM packages`))
	fileID := itoa(ask[int64](w.server, `SELECT id FROM package_files WHERE file_name = 'a'`))
	w.step("Registry.DeletePackageFile", "DELETE", at+"/packages/"+id+"/package_files/"+fileID, nil, 204,
		"package_registry_package_file_deleted | "+in+" | PackageFile tool/1.0.0/a")
	w.step("Registry.DeletePackageFile", "DELETE", at+"/packages/"+id+"/package_files/"+fileID, nil, 404)
	w.step("Registry.DeletePackage", "DELETE", at+"/packages/"+id, nil, 204,
		"package_registry_package_deleted | "+in+" | Package tool/1.0.0")
	w.versions(at+"/packages/generic/app", in)
	w.drafts(at+"/packages/generic/app", in)
	w.check("Registry.Upload", w.upload(rootToken, "acme%2Ftool", "notes.txt", []byte("x")), 201,
		"project_upload_created | "+in+" | Upload notes.txt")
	upload := itoa(ask[int64](w.server, `SELECT id FROM uploads`))
	w.step("Registry.DeleteUpload", "DELETE", at+"/uploads/"+upload, nil, 204, "project_upload_deleted | "+in+" | Upload notes.txt")
	w.step("Registry.DeleteUpload", "DELETE", at+"/uploads/"+upload, nil, 404)

	const rules = at + "/packages/protection/rules"
	rule := number(w.step("Registry.CreateProtectionRule", "POST", rules, map[string]any{
		"package_name_pattern": "a*", "package_type": "generic", "minimum_access_level_for_push": "maintainer"}, 201,
		"package_protection_rule_created | "+in+" | PackageProtectionRule a* | rule:  > generic a*, push: Maintainer, delete: -"))
	w.step("Registry.EditProtectionRule", "PATCH", rules+"/"+rule, map[string]any{"minimum_access_level_for_delete": "owner"}, 200,
		"package_protection_rule_updated | "+in+" | PackageProtectionRule a* | rule: generic a*, push: Maintainer, delete: - > generic a*, push: Maintainer, delete: Owner")
	w.step("Registry.DeleteProtectionRule", "DELETE", rules+"/"+rule, nil, 204,
		"package_protection_rule_deleted | "+in+" | PackageProtectionRule a* | rule: generic a*, push: Maintainer, delete: Owner > ")

	w.step("Releases.Create", "POST", at+"/releases", map[string]any{"tag_name": "v1", "ref": "main"}, 201, "release_created | "+in+" | Release v1")
	w.step("Releases.Create", "POST", at+"/releases", map[string]any{"tag_name": "v1", "ref": "main"}, 409)
	w.step("Releases.Change", "PUT", at+"/releases/v1", map[string]any{"name": "One"}, 200, "release_updated | "+in+" | Release v1")
	const links = at + "/releases/v1/assets/links"
	link := number(w.step("Releases.AddLink", "POST", links, map[string]any{"name": "bin", "url": "https://example.com/bin"}, 201,
		"release_link_created | "+in+" | Release v1: bin"))
	w.step("Releases.ChangeLink", "PUT", links+"/"+link, map[string]any{"name": "binary"}, 200, "release_link_updated | "+in+" | Release v1: binary")
	w.step("Releases.DeleteLink", "DELETE", links+"/"+link, nil, 200, "release_link_deleted | "+in+" | Release v1: binary")
	w.step("Releases.Delete", "DELETE", at+"/releases/v1", nil, 200, "release_deleted_audit_event | "+in+" | Release v1")
}

func (w *walk) secrets() {
	const instance = " | Gitlab::Audit::InstanceScope gitlab_instance | Variable K"
	w.step("InstanceVariables.Create", "POST", "/admin/ci/variables", map[string]any{"key": "K", "value": "one"}, 201, "ci_instance_variable_created"+instance)
	w.step("InstanceVariables.Edit", "PUT", "/admin/ci/variables/K", map[string]any{"value": "two"}, 200, "ci_instance_variable_updated"+instance+" | value:  > ")
	rooms := &projects.Service{Records: w.db, Now: w.now}
	w.reveal("InstanceVariables", rooms.InstanceVariables(), "", "ci_instance_variable_revealed"+instance)
	w.step("InstanceVariables.Delete", "DELETE", "/admin/ci/variables/K", nil, 204, "ci_instance_variable_deleted"+instance)
	for room, at := range map[string]string{"Project": "/projects/acme%2Ftool", "Group": "/groups/acme"} {
		entity := map[string]string{"Project": "Project acme/tool", "Group": "Group acme"}[room]
		name := map[string]string{"Project": "ci_variable_", "Group": "ci_group_variable_"}[room]
		w.step(room+"Variables.Create", "POST", at+"/variables", map[string]any{"key": "K", "value": "one"}, 201, name+"created | "+entity+" | Variable K")
		w.step(room+"Variables.Edit", "PUT", at+"/variables/K", map[string]any{"value": "two", "protected": true, "environment_scope": "prod"}, 200,
			name+"updated | "+entity+" | Variable K (prod) | value, protected, environment_scope:  > ")
		of, ref := rooms.ProjectVariables(), "acme/tool"
		if room == "Group" {
			of, ref = rooms.GroupVariables(), "acme"
		}
		w.reveal(room+"Variables", of, ref, name+"revealed | "+entity+" | Variable K (prod)")
		w.step(room+"Variables.Delete", "DELETE", at+"/variables/K", nil, 204, name+"deleted | "+entity+" | Variable K (prod)")

		name = map[string]string{"Project": "deploy_token_", "Group": "group_deploy_token_"}[room]
		token := number(w.step(room+"DeployTokens.Create", "POST", at+"/deploy_tokens", map[string]any{"name": "ci", "scopes": []string{"read_package_registry"}}, 201,
			name+"created | "+entity+" | DeployToken ci | scopes:  > read_package_registry"))
		w.step(room+"DeployTokens.Delete", "DELETE", at+"/deploy_tokens/"+token, nil, 204, name+"destroyed | "+entity+" | DeployToken ci")

		name = map[string]string{"Project": "project_access_token_", "Group": "group_access_token_"}[room]
		token = number(w.step(room+"Tokens.Create", "POST", at+"/access_tokens", map[string]any{"name": "bot", "scopes": []string{"api"}, "access_level": 40}, 201,
			name+"created | "+entity+" | PersonalAccessToken bot | access_level, scopes:  > Maintainer, api"))
		token = number(w.step(room+"Tokens.Rotate", "POST", at+"/access_tokens/"+token+"/rotate", nil, 200,
			name+"rotated | "+entity+" | PersonalAccessToken bot | successor"))
		w.step(room+"Tokens.Revoke", "DELETE", at+"/access_tokens/"+token, nil, 204, name+"deleted | "+entity+" | PersonalAccessToken bot")
		w.step(room+"Tokens.Revoke", "DELETE", at+"/access_tokens/"+token, nil, 204)
	}
}

// reveal does what only a page does.
func (w *walk) reveal(room string, of projects.VariablesOf, ref, want string) {
	w.t.Helper()
	root := access.Actor{Kind: access.User, UserID: 1, Username: "root", Admin: true, Scopes: []access.Scope{access.ScopeAPI}, TokenID: 1, Address: clientAddress}
	v, err := of.Reveal(w.t.Context(), root, ref, projects.VariableRef{Key: "K"})
	if err != nil || v.Value != "two" {
		w.t.Fatalf("%s: %q, %v", room, v.Value, err)
	}
	w.done[room+".Reveal"] = true
	if diff := cmp.Diff([]string{want}, w.news()); diff != "" {
		w.t.Errorf("%s.Reveal: %s", room, diff)
	}
}

func (w *walk) tokens(user string) {
	token := number(w.step("Auth.CreatePersonalToken", "POST", "/users/"+user+"/personal_access_tokens", map[string]any{"name": "t", "scopes": []string{"api", "sudo"}}, 201,
		"personal_access_token_created | User ada | PersonalAccessToken t | scopes:  > api sudo"))
	next := w.step("Auth.RotatePersonalToken", "POST", "/personal_access_tokens/"+token+"/rotate", nil, 200,
		"personal_access_token_rotated | User ada | PersonalAccessToken t | successor")
	w.step("Auth.RotatePersonalToken", "POST", "/personal_access_tokens/"+token+"/rotate", nil, 401,
		"personal_access_token_revoked | User ada | PersonalAccessToken t | reason:  > a revoked token of its family was used")
	w.step("Auth.RevokePersonalToken", "DELETE", "/personal_access_tokens/"+number(next), nil, 204)
	w.step("Auth.CreateOwnToken", "POST", "/user/personal_access_tokens", map[string]any{"name": "own", "scopes": []string{"self_rotate"}}, 201,
		"personal_access_token_created | User root | PersonalAccessToken own | scopes:  > self_rotate")
	own := itoa(ask[int64](w.server, `SELECT id FROM personal_access_tokens WHERE name = 'own'`))
	w.step("Auth.RevokePersonalToken", "DELETE", "/personal_access_tokens/"+own, nil, 204,
		"personal_access_token_revoked | User root | PersonalAccessToken own")

	const hooks = "/projects/acme%2Ftool/hooks"
	const hooked = " | Project acme/tool | ProjectHook ci"
	hook := number(w.step("Hooks.Create", "POST", hooks, map[string]any{"url": "https://example.com/secret", "name": "ci", "token": "hook-secret"}, 201, "webhook_created"+hooked))
	w.step("Hooks.Edit", "PUT", hooks+"/"+hook, map[string]any{"url": "https://example.com/secret", "token": "other-secret", "push_events": true}, 200,
		"webhook_updated"+hooked+" | token, other events:  > ")
	w.step("Hooks.SetHeader", "PUT", hooks+"/"+hook+"/custom_headers/X-Key", map[string]any{"value": "header-secret"}, 204, "webhook_updated"+hooked+" | custom_headers:  > ")
	w.step("Hooks.DropHeader", "DELETE", hooks+"/"+hook+"/custom_headers/X-Key", nil, 204, "webhook_updated"+hooked+" | custom_headers:  > ")
	w.step("Hooks.Delete", "DELETE", hooks+"/"+hook, nil, 204, "webhook_destroyed"+hooked)
	w.step("Hooks.Delete", "DELETE", hooks+"/"+hook, nil, 404)

	const jobs = "/projects/acme%2Ftool/jobs"
	job := number(w.step("Auth.CreateJob", "POST", jobs, map[string]any{"name": "build", "user_id": user}, 201,
		"ci_job_created | Project acme/tool | Job build | user:  > ada"))
	w.step("Auth.FinishJob", "PUT", jobs+"/"+job, map[string]any{"status": "failed"}, 200,
		"ci_job_finished | Project acme/tool | Job build | status: running > failed")
	w.step("Auth.FinishJob", "PUT", jobs+"/"+job, map[string]any{"status": "success"}, 409)
	made := w.step("Auth.CreateJob", "POST", jobs, nil, 201, "ci_job_created | Project acme/tool | Job job | user:  > root")
	w.check("Registry.Publish", w.do("PUT", generic("acme%2Ftool", "app/7.0.0/f"), strings.NewReader("x"), "JOB-TOKEN: "+made["token"].(string)), 201,
		"package_registry_package_published | Project acme/tool | PackageFile app/7.0.0/f")
	w.step("Registry.EndJobDrafts", "PUT", jobs+"/"+number(made), map[string]any{"status": "failed"}, 200,
		"package_registry_draft_discarded | Project acme/tool | Package app/7.0.0",
		"ci_job_finished | Project acme/tool | Job job | status: running > failed")
}

// sessions does the deeds of pages, which have no routes but one.
func (w *walk) sessions() {
	w.t.Helper()
	const linked, started, ended = "sign_in_link_created | User root | User root | expires_in:  > 60", "web_session_started | User root | WebSession  | method:  > link",
		"web_session_ended | User root | WebSession "
	w.api.Pages = http.NotFoundHandler()
	ctx, from := w.t.Context(), netip.MustParseAddr(clientAddress)
	signIn := func() access.Actor {
		w.t.Helper()
		made := w.step("Auth.MakeSignInLink", "POST", "/user/sign_in_links", nil, 201, linked)
		_, code, _ := strings.Cut(made["url"].(string), "#")
		_, cookie, err := w.api.Auth.SignInByLink(ctx, code, from, "Browser")
		if err != nil {
			w.t.Fatal(err)
		}
		a, _, err := w.api.Auth.FindSession(ctx, cookie, from)
		if err != nil {
			w.t.Fatal(err)
		}
		return a
	}
	left := func(deed string, err error, want ...string) {
		w.t.Helper()
		if diff := cmp.Diff(want, w.news()); err != nil || diff != "" {
			w.t.Errorf("%s: %v, %s", deed, err, diff)
		}
		w.done[deed] = true
	}
	a := signIn()
	_, _, err := w.api.Auth.CreateTokenInPerson(ctx, a, auth.PersonalToken{Name: "mine", Scopes: []access.Scope{access.ScopeAPI}})
	left("Auth.CreateTokenInPerson", err, started, "personal_access_token_created | User root | PersonalAccessToken mine | scopes:  > api")
	left("Auth.EndSession", w.api.Auth.EndSession(ctx, a, a.SessionID), ended)
	a = signIn()
	left("Auth.EndSessions", w.api.Auth.EndSessions(ctx, a, a.UserID), started, ended)
}

// promote does a deed that has no route: granary admin reset-root has it.
func (w *walk) promote(user int64) {
	w.t.Helper()
	root := access.Actor{Kind: access.User, Admin: true, TokenID: 1, Address: clientAddress, Scopes: []access.Scope{access.ScopeAPI}}
	for _, want := range [][]string{{"user_admin_status_updated | User ada | User ada | admin: false > true"}, nil} {
		if err := w.api.Auth.MakeAdministrator(w.t.Context(), root, user); err != nil {
			w.t.Fatal(err)
		}
		if diff := cmp.Diff(want, w.news()); diff != "" {
			w.t.Errorf("MakeAdministrator: %s", diff)
		}
	}
	w.done["Auth.MakeAdministrator"] = true
}

// sweep has no route either: granary admin sweep asks for it.
func (w *walk) sweep() {
	w.t.Helper()
	root := access.Actor{Kind: access.User, Admin: true, TokenID: 1, Address: clientAddress, Scopes: []access.Scope{access.ScopeAPI}}
	if _, err := w.api.Registry.AskSweep(w.t.Context(), root); err != nil {
		w.t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"store_sweep_requested | Gitlab::Audit::InstanceScope gitlab_instance | Sweep "}, w.news()); diff != "" {
		w.t.Errorf("AskSweep: %s", diff)
	}
	w.done["Registry.AskSweep"] = true
}

func (w *walk) ends(user string) {
	w.step("Auth.BlockUser", "POST", "/users/"+user+"/block", nil, 201, "user_blocked | User ada | User ada")
	w.step("Auth.BlockUser", "POST", "/users/"+user+"/block", nil, 201)
	w.step("Auth.BlockUser", "POST", "/users/"+user+"/unblock", nil, 201, "unblock_user | User ada | User ada")
	const instance = " | Gitlab::Audit::InstanceScope gitlab_instance | Feature generic_packages"
	w.step("Projects.SetFeature", "POST", "/features/generic_packages", map[string]any{"value": false}, 201, "feature_set"+instance+" | value:  > false")
	w.step("Projects.SetFeature", "POST", "/features/generic_packages", map[string]any{"value": true, "project": "acme/tool,root/other"}, 201,
		"feature_set"+instance+" | value:  > true for acme/tool, root/other")
	w.step("Projects.SetFeature", "POST", "/features/generic_packages", map[string]any{"value": 25}, 201, "feature_set"+instance+" | percentage_of_time:  > 25")
	w.step("Projects.DeleteFeature", "DELETE", "/features/generic_packages", nil, 204, "feature_deleted"+instance)
	w.step("Projects.DeleteFeature", "DELETE", "/features/generic_packages", nil, 204)

	parent := ask[int64](w.server, `SELECT id FROM namespaces WHERE path = 'acme'`)
	w.step("Projects.CreateGroup", "POST", "/groups", map[string]any{"name": "sub", "path": "sub", "parent_id": parent}, 201,
		"group_created | Group acme/sub | Group acme/sub")
	w.step("Projects.DeleteGroup", "DELETE", "/groups/acme%2Fsub", nil, 202, "group_destroyed | Group acme | Group acme/sub")
	w.step("Projects.DeleteProject", "DELETE", "/projects/acme%2Ftool", nil, 202, "project_destroyed | Group acme | Project acme/tool")
	w.step("Auth.EditUser", "PUT", "/users/"+user, map[string]any{"name": "Ada L.", "username": "lovelace"}, 200,
		"user_name_updated | User ada | User ada | name: Ada > Ada L.", "user_username_updated | User ada | User ada | username: ada > lovelace")
	w.step("Auth.EditUser", "PUT", "/users/"+user, map[string]any{"name": "Ada L."}, 200)
	w.step("Auth.EditUser", "PUT", "/users/"+user, map[string]any{"username": "ada"}, 200, "user_username_updated | User lovelace | User lovelace | username: lovelace > ada")
	gone := number(w.step("Auth.CreateUser", "POST", "/users", map[string]any{"username": "bob", "name": "Bob", "email": "bob@example.com", "force_random_password": true}, 201,
		"user_created | User bob | User bob"))
	w.step("Auth.DeleteUser", "DELETE", "/users/"+gone, nil, 204, "user_destroyed | User bob | User bob")
	w.step("Auth.DeleteUser", "DELETE", "/users/"+gone, nil, 404)
	w.step("Projects.DeleteProject", "DELETE", "/projects/root%2Fother", nil, 202, "project_destroyed | User root | Project root/other")
	w.step("Projects.DeleteGroup", "DELETE", "/groups/acme", nil, 202, "group_destroyed | Group acme | Group acme")
	if events := ask[int](w.server, `SELECT COUNT(*) FROM audit_events WHERE entity_path LIKE 'acme%'`); events < 30 {
		w.t.Errorf("%d events of what is gone", events)
	}
}
