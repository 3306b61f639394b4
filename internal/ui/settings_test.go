package ui_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"granary/internal/access"
)

// lacks checks texts that the page must not have.
func (a answer) lacks(t *testing.T, texts ...string) answer {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("%s %s: has %q", a.Request.Method, a.Request.URL, text)
		}
	}
	return a
}

// found is what the first group of a pattern matches in the page.
func (a answer) found(t *testing.T, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("%s %s: no %s in %.2000s", a.Request.Method, a.Request.URL, pattern, a.body)
	}
	return m[1]
}

// TestNoSettingsOfUsers: a user's own namespace has projects, and nothing to set.
func TestNoSettingsOfUsers(t *testing.T) {
	s := newSite(t)
	s.person("jo")
	admin, jo := s.as("admin"), s.as("jo")
	for _, path := range []string{"settings", "settings/delete", "settings/deploy_tokens", "settings/access_tokens", "settings/variables", "members"} {
		admin.get("/jo/-/"+path).wants(t, 404)
		jo.get("/jo/-/"+path).wants(t, 404)
		admin.post("/jo/-/"+path).wants(t, http.StatusNotFound)
	}
}

// TestStaleSettings: what needs a fresh sign-in leads to the door, and back to a page.
func TestStaleSettings(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("admin")
	s.skew = 13 * 60 * 60 * 1e9
	for path, back := range map[string]string{
		"/acme/tools/-/settings/deploy_tokens": "settings%2Fdeploy_tokens", "/acme/tools/-/settings/access_tokens": "settings%2Faccess_tokens", "/acme/tools/-/settings/access_tokens/7/rotate": "settings%2Faccess_tokens",
		"/acme/tools/-/members": "members", "/acme/tools/-/members/7": "members%2F7", "/acme/tools/-/settings/visibility": "settings", "/acme/tools/-/settings/feature": "settings", "/acme/tools/-/settings/delete": "settings%2Fdelete",
	} {
		b.post(path).leads(t, "/-/sign_in?to=%2Facme%2Ftools%2F-%2F"+back+"&again=1")
	}
	b.post("/acme/tools/-/settings", "description", "Tools").leads(t, "/acme/tools/-/settings?done=saved") // needs none
}

// TestProjectSettings: each form changes what it has, and a refused one says why and keeps
// what was typed.
func TestProjectSettings(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("owner")
	const at = "/acme/tools/-/settings"
	b.get(at).wants(t, 200, "Command-line tools", "the default: nobody has set it", ">on<", "The group is private").lacks(t, at+"/feature\"")
	b.post(at, "name", "Tools", "description", "Better tools", "topics", "cli, , go", "default_branch", "trunk").leads(t, at+"?done=saved")
	b.get(at+"?done=saved").wants(t, 200, "Better tools", `value="cli, go"`, `value="trunk"`, "Saved.")
	b.post(at, "name", " ", "description", "Kept as typed", "topics", "", "default_branch", "").wants(t, 422, "Kept as typed", "be blank", "Refused: ", `value="tools"`)
	b.post(at+"/visibility", "visibility", "20").wants(t, 422, "is not allowed in a private group", `value="Tools"`)
	b.post(at+"/visibility", "visibility", "99").wants(t, 422)
	b.post(at, "path", "kit").leads(t, "/acme/kit/-/settings?done=saved")
	b.get("/acme/tools/-/settings").wants(t, http.StatusMovedPermanently)
	b.post("/acme/kit/-/settings", "path", "a b").wants(t, 422, "Can contain only letters")
	b.post("/acme/kit/-/settings/archive", "archived", "1").leads(t, "/acme/kit/-/settings?done=archived")
	b.get("/acme/kit/-/settings").wants(t, 200, ">archived<", "Unarchive")
	b.post("/acme/kit/-/settings/archive", "archived", "0").leads(t, "/acme/kit/-/settings?done=unarchived")
	b.post("/acme/kit/-/settings/transfer", "namespace", "nowhere").wants(t, 422, "no group that you can see", `value="nowhere"`)
	b.post("/acme/kit/-/settings/transfer", "namespace", "acme").wants(t, 422, "Project is already in this namespace.").lacks(t, "new_namespace")
	b.post("/acme/kit/-/settings/transfer", "namespace", "owner").leads(t, "/owner/kit/-/settings?done=transferred")
	b.get("/owner/kit/-/settings").wants(t, 200).lacks(t, "The group is")
	s.as("maintainer").post("/owner/kit/-/settings", "name", "x").wants(t, 404)
}

// TestSettingsOfMaintainer: a maintainer has the forms for maintainers, and no others.
func TestSettingsOfMaintainer(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("maintainer")
	b.get("/acme/tools/-/settings").wants(t, 200, "Change the path").lacks(t, "Transfer", "Archive", "Delete this project", "/visibility", "/feature")
	b.post("/acme/tools/-/settings/archive", "archived", "1").wants(t, 403)
	b.post("/acme/tools/-/settings/visibility", "visibility", "0").leads(t, "/acme/tools/-/settings?done=saved") // it is so already
	b.post("/acme/tools/-/settings/feature", "value", "0").wants(t, 404)
	b.post("/acme/tools/-/settings/delete", "full_path", "acme/tools").wants(t, 403)
}

// TestFeatureHere: the page says whether the feature is on, and why.
func TestFeatureHere(t *testing.T) {
	s := newSite(t)
	s.acme()
	admin := s.as("admin")
	const at = "/acme/tools/-/settings"
	admin.post("/acme/tools/-/settings/feature", "value", "0").leads(t, at+"?done=off")
	s.as("owner").get(at).wants(t, 200, "set for this project", ">off<")
	admin.get(at).wants(t, 200, "Switch on for this project")
	admin.post("/acme/tools/-/settings/feature", "value", "1").leads(t, at+"?done=on")
	admin.get(at).wants(t, 200, "Switch off for this project", ">on<")
}

// TestDeletePlace: the full path must be typed; then the project, or the group, is gone.
func TestDeletePlace(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("owner")
	b.get("/acme/tools/-/settings/delete").wants(t, 200, "Deleted with it: 1 package, all versions", `data-expect="acme/tools"`)
	for _, typed := range []string{"", "tools", "acme/tool"} {
		b.post("/acme/tools/-/settings/delete", "full_path", typed).wants(t, 422, "to be sure that this one is meant")
	}
	b.get("/acme/-/settings/delete").wants(t, 200, "Deleted with it: 1 project, all packages", `data-expect="acme"`)
	b.post("/acme/tools/-/settings/delete", "full_path", "acme/tools").leads(t, "/?done=deleted")
	b.get("/acme/tools/-/settings").wants(t, 404)
	b.post("/acme/-/settings/delete", "full_path", "acme").leads(t, "/?done=deleted")
	b.get("/acme/-/settings").wants(t, 404)
}

// TestGroupSettings: what a group is called, who sees it, and what holds below it.
func TestGroupSettings(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("owner")
	const at = "/acme/-/settings"
	b.post(at, "name", "Acme Works", "description", "All of it").leads(t, at+"?done=saved")
	b.get(at).wants(t, 200, "Acme Works", "All of it")
	b.post(at, "generic_duplicates_allowed", "refused", "exception", "own", "generic_duplicate_exception_regex", "nightly-.*").leads(t, at+"?done=saved")
	b.get(at).wants(t, 200, `value="nightly-.*"`, `<option value="refused" selected>`, "Acme Works")
	b.get("/acme/tools/-/settings/packages").wants(t, 200, "As the groups above: refused", "As the groups above: nightly-.*")
	b.post(at, "generic_duplicates_allowed", "inherit", "exception", "own", "generic_duplicate_exception_regex", "(").wants(t, 422, `value="("`)
	b.post(at+"/visibility", "visibility", "10").leads(t, at+"?done=saved")
	b.get("/acme/tools/-/settings").wants(t, 200, "The group is internal")
	b.post(at, "path", "works").leads(t, "/works/-/settings?done=saved")
	b.post("/works/-/settings/transfer", "namespace", "").wants(t, 422, "Group is already a root group.")
	b.post("/works/-/settings/transfer", "namespace", "works").wants(t, 422, "Cannot transfer group to one of its subgroup.")
	s.as("maintainer").post("/works/-/settings", "name", "x").wants(t, 403)
}

// TestPackageSettings: every rule of publishing, and that what inherits is said.
func TestPackageSettings(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("maintainer")
	const at = "/acme/tools/-/settings/packages"
	b.get(at).wants(t, 200, "As the server: relaxed", "As the groups above: allowed", "files up to 1.0 MiB", "my-tool/1.2.3/tool_linux.tar.gz")
	form := map[string]string{
		"package_registry_access_level": "private", "generic_package_naming": "strict", "generic_duplicates_allowed": "refused", "exception": "own", "generic_duplicate_exception_regex": "nightly-.*",
		"generic_packages_max_file_size": "500 MiB", "generic_package_drafts": "always", "generic_package_finalisers": "people",
	}
	send := func(change ...string) answer {
		t.Helper()
		var fields []string
		for name, value := range form {
			for i := 0; i < len(change); i += 2 {
				if change[i] == name {
					value = change[i+1]
				}
			}
			fields = append(fields, name, value)
		}
		return b.post(at, fields...)
	}
	send().leads(t, at+"?done=saved")
	p, err := s.places.Project(t.Context(), s.actor("admin"), "acme/tools")
	if err != nil || p.PackageAccess != access.PackagesPrivate || *p.Naming != "strict" || *p.Duplicates.Allowed || *p.Duplicates.Exception != "nightly-.*" ||
		*p.MaxFileSize != 500<<20 || *p.Drafts != "always" || *p.Finalisers != access.People {
		t.Fatalf("%+v, %v", p, err)
	}
	b.get(at).wants(t, 200, `value="500 MiB"`, `<option value="people" selected>`, `<option value="own" selected>`, `<option value="strict" selected>`)
	for field, value := range map[string]string{
		"generic_packages_max_file_size": "many", "generic_duplicate_exception_regex": "(", "package_registry_access_level": "open", "generic_package_naming": "free",
		"generic_package_drafts": "never", "generic_package_finalisers": "robots",
	} {
		send(field, value).wants(t, 422, "Refused: ")
	}
	send("generic_packages_max_file_size", "many").wants(t, 422, `value="many"`, "such as 500 MiB or 2 GiB", `id="generic_packages_max_file_size-why"`)
	send("generic_package_naming", "inherit", "generic_duplicates_allowed", "inherit", "exception", "inherit", "generic_packages_max_file_size", "", "generic_package_drafts", "inherit",
		"generic_package_finalisers", "inherit", "package_registry_access_level", "disabled").leads(t, at+"?done=saved")
	p, err = s.places.Project(t.Context(), s.actor("admin"), "acme/tools")
	if err != nil || p.Naming != nil || p.Duplicates.Allowed != nil || p.Duplicates.Exception != nil || p.MaxFileSize != nil || p.Drafts != nil || p.Finalisers != nil {
		t.Fatalf("%+v, %v", p, err)
	}
	s.as("owner").get("/acme/tools/-/settings/delete").wants(t, 200, "Deleted with it: all versions") // nobody may count packages now
}
