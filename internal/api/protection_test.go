package api_test

import (
	"strings"
	"testing"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// TestProtectionRules is contract rest-api B, and J11.
func TestProtectionRules(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	rules := "/api/v4/projects/" + p + "/packages/protection/rules"
	dev, devToken := s.user("dev")
	maintainer, maintainerToken := s.user("maintainer")
	_, strangerToken := s.user("stranger")
	s.member(p, dev, 30)
	s.member(p, maintainer, 40)
	firmware := map[string]any{"package_name_pattern": "firmware*", "package_type": "generic", "minimum_access_level_for_push": "maintainer"}

	s.do("GET", rules, nil).is(t, 401, `{"message":"401 Unauthorized"}`)
	s.as(devToken, "GET", rules, nil).is(t, 403, `{"message":"403 Forbidden"}`)
	s.as(strangerToken, "GET", rules, nil).is(t, 404, `{"message":"404 Project Not Found"}`)
	s.as(maintainerToken, "GET", rules, nil).is(t, 200, "[]")
	s.as(devToken, "POST", rules, firmware).is(t, 403, `{"message":"403 Forbidden"}`)
	s.do("POST", rules, nil).is(t, 400, `{"error":"package_name_pattern is missing, package_type is missing"}`)

	made := s.as(maintainerToken, "POST", rules, firmware)
	id := itoa(int64(made.must(t, 201)["id"].(float64)))
	row := `{"id":` + id + `,"project_id":` + s.projectID(p) + `,"package_name_pattern":"firmware*","package_type":"generic",` +
		`"minimum_access_level_for_push":"maintainer","minimum_access_level_for_delete":null}`
	made.is(t, 201, row)
	s.as(maintainerToken, "GET", rules, nil).is(t, 200, "["+row+"]")
	s.as(maintainerToken, "POST", rules, firmware).is(t, 422, `{"message":{"error":["Package name pattern has already been taken"]}}`)
	for name, tc := range map[string]struct {
		form map[string]any
		want answerWant
	}{
		"no level":      {map[string]any{"package_name_pattern": "a", "package_type": "generic"}, answerWant{422, `{"message":{"error":["A rule must have at least a minimum access role for push or delete."]}}`}},
		"blank pattern": {map[string]any{"package_name_pattern": "", "package_type": "generic", "minimum_access_level_for_push": "owner"}, answerWant{422, `{"message":{"error":["Package name pattern can't be blank"]}}`}},
		"long pattern":  {map[string]any{"package_name_pattern": strings.Repeat("a", 256), "package_type": "generic", "minimum_access_level_for_push": "owner"}, answerWant{422, `{"message":{"error":["Package name pattern is too long (maximum is 255 characters)"]}}`}},
		"wrong type":    {map[string]any{"package_name_pattern": "a", "package_type": "debian", "minimum_access_level_for_push": "owner"}, answerWant{400, `{"error":"package_type does not have a valid value"}`}},
		"no type":       {map[string]any{"package_name_pattern": "a", "package_type": "", "minimum_access_level_for_push": "owner"}, answerWant{400, `{"error":"package_type does not have a valid value"}`}},
		"wrong push":    {map[string]any{"package_name_pattern": "a", "package_type": "generic", "minimum_access_level_for_push": "developer"}, answerWant{400, `{"error":"minimum_access_level_for_push does not have a valid value"}`}},
		"wrong delete":  {map[string]any{"package_name_pattern": "a", "package_type": "generic", "minimum_access_level_for_delete": "maintainer"}, answerWant{400, `{"error":"minimum_access_level_for_delete does not have a valid value"}`}},
	} {
		t.Run(name, func(t *testing.T) { s.as(maintainerToken, "POST", rules, tc.form).is(t, tc.want.status, tc.want.body) })
	}

	t.Run("push", func(t *testing.T) {
		file := "/api/v4/projects/" + p + "/packages/generic/Firmware-x/1.0.0/f"
		_, deploy := s.deployToken("projects/"+p, "write_package_registry")
		s.as(devToken, "PUT", file, "x").is(t, 403, `{"message":"403 Forbidden - Package protected."}`)
		s.do("PUT", file, strings.NewReader("x"), "Deploy-Token: "+deploy).is(t, 403, `{"message":"403 Forbidden - Package protected."}`)
		s.as(maintainerToken, "PUT", file, "x").must(t, 201)
		s.as(devToken, "PUT", "/api/v4/projects/"+p+"/packages/generic/other/1.0.0/f", "x").must(t, 201)
	})
	t.Run("delete", func(t *testing.T) {
		const protected = `{"message":"403 Forbidden - Package is deletion protected."}`
		s.as(maintainerToken, "PATCH", rules+"/"+id, map[string]any{"minimum_access_level_for_delete": "owner"}).
			is(t, 200, strings.Replace(row, `delete":null`, `delete":"owner"`, 1))
		list := "/api/v4/projects/" + p + "/packages"
		pkg := list + "/" + s.firstID(list+"?package_name=firmware")
		file := pkg + "/package_files/" + s.firstID(pkg+"/package_files")
		s.as(maintainerToken, "DELETE", pkg, nil).is(t, 403, protected)
		s.as(maintainerToken, "DELETE", file, nil).is(t, 403, protected)
		s.as(maintainerToken, "PATCH", rules+"/"+id, map[string]any{"minimum_access_level_for_delete": nil}).is(t, 200, row)
		s.as(maintainerToken, "DELETE", file, nil).is(t, 204, "")
		s.as(maintainerToken, "DELETE", pkg, nil).is(t, 204, "")
	})
	s.as(maintainerToken, "PATCH", rules+"/"+id, map[string]any{"minimum_access_level_for_push": nil}).
		is(t, 422, `{"message":{"error":["A rule must have at least a minimum access role for push or delete."]}}`)
	s.as(maintainerToken, "PATCH", rules+"/x", nil).is(t, 400, `{"error":"package_protection_rule_id is invalid"}`)
	other := "/api/v4/projects/" + s.project("other", "private") + "/packages/protection/rules/" + id
	s.root("PATCH", other, map[string]any{"package_name_pattern": "a"}).is(t, 404, `{"message":"404 Not found"}`)
	s.root("DELETE", other, nil).is(t, 404, `{"message":"404 Not found"}`)
	s.as(maintainerToken, "DELETE", rules+"/"+id, nil).is(t, 204, "")
	s.as(maintainerToken, "GET", rules, nil).is(t, 200, "[]")
}

// TestGitLabClientKeepsPackages: the client lists, pages, protects, deletes.
func TestGitLabClientKeepsPackages(t *testing.T) {
	s := newServer(t)
	admin := gitlabClient(t, s, rootToken)
	group := s.group("acme", 0)
	p := s.projectIn(group, "tool", "private")
	for i := range 3 {
		s.publish(p, "tool", "1.0."+itoa(int64(i)))
	}
	page := gitlab.ListOptions{PerPage: 2}
	found, resp, err := admin.Packages.ListProjectPackages(p, &gitlab.ListProjectPackagesOptions{ListOptions: page, PackageName: gitlab.Ptr("tool"), OrderBy: gitlab.Ptr("version")})
	status(t, "list", resp, err, 200)
	if len(found) != 2 || resp.NextPage != 2 || resp.TotalItems != 3 || found[0].Version != "1.0.0" || found[0].Links.DeleteAPIPath == "" {
		t.Errorf("%d rows, %+v", len(found), resp)
	}
	grouped, resp, err := admin.Packages.ListGroupPackages(group, nil)
	status(t, "group list", resp, err, 200)
	if len(grouped) != 3 || grouped[0].ProjectPath != "acme/tool" {
		t.Errorf("group: %+v", grouped)
	}
	files, resp, err := admin.Packages.ListPackageFiles(p, found[0].ID, nil)
	status(t, "files", resp, err, 200)
	if len(files) != 1 || files[0].FileName != "f.bin" || len(files[0].FileSHA256) != 64 {
		t.Errorf("files: %+v", files)
	}
	rule, resp, err := admin.ProtectedPackages.CreatePackageProtectionRules(p, &gitlab.CreatePackageProtectionRulesOptions{
		PackageNamePattern: gitlab.Ptr("tool"), PackageType: gitlab.Ptr("generic"),
		MinimumAccessLevelForDelete: gitlab.NewNullableWithValue(gitlab.ProtectionRuleAccessLevel("owner")),
	})
	status(t, "protect", resp, err, 201)
	all, resp, err := admin.ProtectedPackages.ListPackageProtectionRules(p, nil)
	status(t, "rules", resp, err, 200)
	if len(all) != 1 || all[0].ID != rule.ID {
		t.Errorf("rules: %+v", all)
	}
	resp, err = admin.ProtectedPackages.DeletePackageProtectionRules(p, rule.ID)
	status(t, "unprotect", resp, err, 204)
	resp, err = admin.Packages.DeletePackageFile(p, found[0].ID, files[0].ID)
	status(t, "delete file", resp, err, 204)
	resp, err = admin.Packages.DeleteProjectPackage(p, found[0].ID)
	status(t, "delete", resp, err, 204)
	resp, _ = admin.Packages.DeleteProjectPackage(p, found[0].ID)
	status(t, "delete again", resp, nil, 404)
}
