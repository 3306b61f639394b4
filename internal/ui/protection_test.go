package ui_test

import (
	"testing"
)

// TestProtection: rules are made, edited and removed, and each says what it matches now.
func TestProtection(t *testing.T) {
	s := newSite(t)
	s.acme()
	s.publish("acme/tools", "sonde-agent", "1.0.0", "f", "x")
	s.publish("acme/tools", "Other", "1.0.0", "f", "x")
	b := s.as("maintainer")
	const at = "/acme/tools/-/settings/protection"
	b.get(at).wants(t, 200, "No rules yet", "New rule").lacks(t, " matches ")
	b.get(at+"?package_name_pattern=SONDE*&minimum_access_level_for_push=50").wants(t, 200, "2 packages: ", "<code>SONDE*</code> matches", `href="/acme/tools/-/packages/generic/sonde-agent"`,
		`value="SONDE*"`, `<option value="50" selected>`)
	b.get(at+"?package_name_pattern=none").wants(t, 200, "no package yet")
	b.post(at, "package_name_pattern", "x*", "minimum_access_level_for_push", "0", "minimum_access_level_for_delete", "0").wants(t, 422, "at least a minimum access role", `value="x*"`)
	b.post(at, "package_name_pattern", "", "minimum_access_level_for_push", "40").wants(t, 422, "be blank")
	b.post(at, "package_name_pattern", "sonde*", "minimum_access_level_for_push", "50", "minimum_access_level_for_delete", "60").leads(t, at+"?done=made")
	b.post(at, "package_name_pattern", "sonde*", "minimum_access_level_for_push", "50").wants(t, 422, "already been taken")
	b.post(at, "package_name_pattern", "nothing", "minimum_access_level_for_push", "40").leads(t, at+"?done=made")
	list := b.get(at).wants(t, 200, "2 rules", "2 packages: ", "no package yet", "Administrator", "as the project")
	one := list.found(t, `href="([^"]+)" aria-label="Edit the rule sonde\*"`)
	b.get(one).wants(t, 200, "Matches 2 packages", `<option value="60" selected>`)
	b.post(one, "package_name_pattern", "other", "minimum_access_level_for_push", "40", "minimum_access_level_for_delete", "0").leads(t, at+"?done=saved")
	b.get(one).wants(t, 200, "Matches 1 package: ", ">Other<")
	b.post(one, "package_name_pattern", "nothing", "minimum_access_level_for_push", "40").wants(t, 422, "already been taken")
	b.post(one+"/delete").leads(t, at+"?done=removed")
	b.get(one).wants(t, 404)
	b.post(one+"/delete").wants(t, 404)
	s.as("developer").post(at, "package_name_pattern", "x", "minimum_access_level_for_push", "40").wants(t, 403)
}

// TestJobToken: whose jobs are let in.
func TestJobToken(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("owner")
	const at = "/acme/tools/-/settings/job_token"
	b.get(at).wants(t, 200, "Only jobs of these projects", "this project", "1 project").lacks(t, `aria-label="Remove acme/tools"`)
	for _, path := range []string{"", "nowhere", "acme/nothing", "x y"} {
		b.post(at+"/add", "path", path).wants(t, 422, "no project or group that you can see", `value="`+path+`"`)
	}
	b.post(at+"/add", "path", "acme").leads(t, at+"?done=added")
	b.post(at+"/add", "path", "acme").wants(t, 422, "already in the job token allowlist")
	b.post(at+"/add", "path", "acme/tools").wants(t, 422, "already in the job token allowlist")
	page := b.get(at).wants(t, 200, "group, and all below it", `aria-label="Remove acme"`)
	id := page.found(t, `name="kind" value="group"><input type="hidden" name="id" value="(\d+)"`)
	b.post(at+"/remove", "kind", "project", "id", id+"999").wants(t, 404)
	b.post(at+"/remove", "kind", "group", "id", id).leads(t, at+"?done=removed")
	b.get(at).lacks(t, "group, and all below it")
	b.post(at, "limited", "0").leads(t, at+"?done=saved")
	b.get(at).wants(t, 200, "Jobs of every project are let in")
	b.post(at, "limited", "1").leads(t, at+"?done=saved")
	b.get(at).wants(t, 200, "Only jobs of these projects")
	s.as("developer").post(at, "limited", "0").wants(t, 403)
}
