package e2e_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// settled is a server on which the pages of settings have rows: of root/demo, and of the
// group acme with the project acme/tools below it.
func settled(t *testing.T) (p *ciProject, hook string) {
	t.Helper()
	p = &ciProject{t: t, url: startServer(t) + "/api/v4"}
	number := func(made map[string]any) string { return strconv.FormatInt(int64(made["id"].(float64)), 10) }
	user := number(p.do("POST", "/users", url.Values{"username": {"ada"}, "name": {"Ada Lovelace"}, "email": {"ada@example.com"}, "password": {"unused-1234"}}, 201))
	group := number(p.do("POST", "/groups", url.Values{"name": {"acme"}, "path": {"acme"}}, 201))
	p.id = number(p.do("POST", "/projects", url.Values{"name": {"tools"}, "namespace_id": {group}}, 201))
	soon := time.Now().AddDate(0, 1, 0).Format(time.DateOnly)
	for _, place := range []string{"/projects/" + p.id, "/groups/" + group} {
		p.do("POST", place+"/members", url.Values{"user_id": {user}, "access_level": {"30"}, "expires_at": {soon}}, 201)
		p.do("POST", place+"/deploy_tokens", url.Values{"name": {"ci"}, "scopes[]": {"read_package_registry", "write_package_registry"}}, 201)
		p.do("POST", place+"/access_tokens", url.Values{"name": {"release"}, "scopes[]": {"api"}, "access_level": {"30"}}, 201)
		p.do("POST", place+"/variables", url.Values{"key": {"DEPLOY_HOST"}, "value": {"https://" + strings.Repeat("long-name.", 12) + "example.com"}, "description": {"Where to"}}, 201)
		p.do("POST", place+"/variables", url.Values{"key": {"DEPLOY_TOKEN"}, "value": {"secret-value"}, "masked_and_hidden": {"true"}, "environment_scope": {"production"}, "protected": {"true"}}, 201)
	}
	p.do("POST", "/projects/"+p.id+"/packages/protection/rules", url.Values{"package_name_pattern": {"sonde-*"}, "package_type": {"generic"}, "minimum_access_level_for_push": {"maintainer"}}, 201)
	p.do("PUT", "/projects/"+p.id+"/packages/generic/sonde-agent/1.0.0/f", nil, 201)
	p.do("POST", "/projects/"+p.id+"/job_token_scope/groups_allowlist", url.Values{"target_group_id": {group}}, 201)
	p.do("POST", "/projects/"+p.id+"/hooks", url.Values{"url": {"https://ci.example.com/granary"}, "name": {"CI"}, "token": {"secret"}}, 201)
	hook = number(p.do("POST", "/projects/"+p.id+"/hooks", url.Values{"url": {"https://hooks.invalid/" + strings.Repeat("long-path/", 12)}}, 201))
	p.do("PUT", "/projects/"+p.id+"/hooks/"+hook+"/custom_headers/X-Team", url.Values{"value": {"hidden"}}, 204)
	p.do("POST", "/projects/"+p.id+"/hooks/"+hook+"/test/package_events", nil, 422)
	return p, hook
}

// signedIn is a tab in which the administrator is signed in.
func (p *ciProject) signedIn() *tab {
	p.t.Helper()
	tab := newTab(p.t, strings.TrimSuffix(p.url, "/api/v4"))
	tab.open("/-/sign_in")
	tab.signIn(ciToken)
	tab.until(`!!document.querySelector("nav.who .face")`)
	return tab
}

// TestPagesOfSettings: axe, the console, the budget and the width of each page of settings,
// members and webhooks, as an administrator sees it.
func TestPagesOfSettings(t *testing.T) {
	server, hook := settled(t)
	p := server.signedIn()
	const project, group = "/acme/tools/-/", "/acme/-/"
	for name, path := range map[string]string{
		"members": project + "members", "members-above": project + "members?from=above", "members-group": group + "members", "members-none": "/root/demo/-/members",
		"settings": project + "settings", "settings-packages": project + "settings/packages", "settings-protection": project + "settings/protection?package_name_pattern=sonde*", "settings-deploy_tokens": project + "settings/deploy_tokens",
		"settings-access_tokens": project + "settings/access_tokens", "settings-variables": project + "settings/variables", "settings-variable": project + "settings/variables/DEPLOY_HOST?scope=*",
		"settings-job_token": project + "settings/job_token", "settings-delete": project + "settings/delete",
		"settings-group": group + "settings", "settings-group-variables": group + "settings/variables", "settings-group-access_tokens": group + "settings/access_tokens", "settings-group-delete": group + "settings/delete",
		"settings-none": "/root/demo/-/settings/protection", "hooks": project + "hooks", "hook": project + "hooks/" + hook, "hooks-none": "/root/demo/-/hooks",
	} {
		p.part(name, func(*testing.T) {
			p.open(path)
			p.answered(http.StatusOK)
			p.fits(name)
			p.inspect(name)
		})
	}
	for name, link := range map[string]string{"member": project + "members a[aria-label='Change ada']", "rule": project + "settings/protection a[aria-label^='Edit the rule']", "attempt": project + "hooks/" + hook + " td a.name"} {
		p.part(name, func(*testing.T) {
			path, selector, _ := strings.Cut(link, " ")
			p.open(path)
			p.click(selector)
			p.until(`document.readyState == "complete" && location.pathname != "` + path + `"`)
			p.inspect(name)
		})
	}
}

// TestPagesMakeDeployToken: the secret that the page shows once is what curl takes. A
// refused form keeps what was typed and has the focus on its fault.
func TestPagesMakeDeployToken(t *testing.T) {
	server, _ := settled(t)
	p := server.signedIn()
	p.open("/acme/tools/-/settings/deploy_tokens")
	p.do(chromedp.SetValue(chromedp.CSS("[name=name]"), "nightly"), chromedp.SetValue(chromedp.CSS("[name=expires_at]"), "2001-01-01"))
	p.click("form.make button.go")
	p.sees("Must be after today")
	p.until(`document.activeElement.name == "expires_at" && document.querySelector("[name=name]").value == "nightly"`)
	p.inspect("settings-deploy_tokens-refused")
	p.do(chromedp.SetValue(chromedp.CSS("[name=expires_at]"), time.Now().AddDate(0, 1, 0).Format(time.DateOnly)))
	p.click("form.make button.go")
	p.sees("It is shown this once")
	p.inspect("settings-deploy_tokens-once")
	secret := value(p, chromedp.Evaluate[string](`document.querySelector(".once pre").textContent`))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.url+"/projects/"+server.id+"/packages/generic/sonde-agent/1.0.0/f", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("DEPLOY-TOKEN", secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.Body.Close() != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the token of the page answers %v, %v", resp, err)
	}
	p.open("/acme/tools/-/settings/variables")
	p.click("button[aria-label='Reveal the value of DEPLOY_HOST']")
	p.sees("long-name.long-name.")
	p.inspect("settings-variables-revealed")
}

// TestPagesDeleteProject: the button takes the typed path, with scripts and without.
func TestPagesDeleteProject(t *testing.T) {
	server, _ := settled(t)
	p := server.signedIn()
	p.open("/acme/tools/-/settings/delete")
	p.until(`document.querySelector("form.make button").disabled`)
	p.do(chromedp.SendKeys(chromedp.CSS("[name=full_path]"), "acme/tools"))
	p.until(`!document.querySelector("form.make button").disabled`)
	p.click("form.make button")
	p.sees("Deleted.")
	p.withoutScripts()
	p.open("/root/demo/-/settings/delete")
	p.do(chromedp.SendKeys(chromedp.CSS("[name=full_path]"), "root/other"))
	p.click("form.make button")
	p.sees("to be sure that this one is meant")
}
