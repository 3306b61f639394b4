package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// programs is a project whose settings are changed in a tab, and what programs then may do.
type programs struct {
	*ciProject
	sent string // on the disk, to publish
}

// publishes sends a new version with a credential.
func (s *programs) publishes(t *testing.T, version, credential, status string) {
	t.Helper()
	if got := s.send(s.sent, "sonde/"+version+"/f", credential); got != status {
		t.Errorf("publishing %s: status %s, want %s", version, got, status)
	}
}

// TestPagesSettings: what is set on the pages of a project holds for programs.
func TestPagesSettings(t *testing.T) {
	api, p := newJourney(t)
	api.put("sonde/1.0.0/f", "bytes")
	dir := t.TempDir()
	write(t, dir, "new", []byte("new"))
	s := &programs{api, dir + "/new"}
	p.part("the feature flag", func(t *testing.T) { s.featureFlag(t, p) })
	p.part("a member", func(t *testing.T) { s.member(t, p) })
	p.part("a deploy token", func(t *testing.T) { s.deployToken(t, p) })
	p.part("a variable", func(t *testing.T) { s.variable(t, p) })
	p.part("a protection rule", func(t *testing.T) { s.protectionRule(t, p) })
}

func (s *programs) featureFlag(t *testing.T, p *tab) {
	p.open("/root/demo/-/settings")
	p.press("Switch off for this project")
	p.sees("Switched off.")
	s.publishes(t, "1.1.0", "PRIVATE-TOKEN: "+ciToken, "404")
	p.open("/root/demo")
	p.sees("The feature generic_packages is off here")
	p.inspect("packages-off")
	p.click("p.note a.end")
	p.press("Switch on for this project")
	p.sees("Switched on.")
	s.publishes(t, "1.1.0", "PRIVATE-TOKEN: "+ciToken, "201")
}

func (s *programs) member(t *testing.T, p *tab) {
	token := s.user("jo", "")
	p.open("/root/demo/-/members")
	p.fill("username", "nobody")
	p.press("Add")
	p.until(`document.title.startsWith("Refused") && document.querySelector("[name=username]").value == "nobody"`)
	p.inspect("members-refused")
	s.publishes(t, "1.2.0", "PRIVATE-TOKEN: "+token, "404")
	p.fill("username", "jo")
	p.choose("access_level", "30")
	p.press("Add")
	p.sees("Added.")
	s.publishes(t, "1.2.0", "PRIVATE-TOKEN: "+token, "201")
	p.press("Remove jo")
	p.sees("Removed.")
	s.publishes(t, "1.3.0", "PRIVATE-TOKEN: "+token, "404")
}

func (s *programs) deployToken(t *testing.T, p *tab) {
	p.open("/root/demo/-/settings/deploy_tokens")
	p.inspect("deploy-tokens-none")
	p.fill("name", "ci")
	p.click("[name=scopes][value=write_package_registry]")
	p.press("Make the token")
	token := p.secret()
	p.inspect("deploy-tokens-made")
	s.publishes(t, "2.0.0", "DEPLOY-TOKEN: "+token, "201")
	p.press("Revoke ci")
	p.sees("Revoked.")
	s.publishes(t, "2.1.0", "DEPLOY-TOKEN: "+token, "401")
}

func (s *programs) variable(t *testing.T, p *tab) {
	p.open("/root/demo/-/settings/variables")
	p.inspect("variables-none")
	p.fill("key", "DEPLOY_HOST")
	p.fill("value", "host.example.com")
	p.press("Add the variable")
	p.sees("DEPLOY_HOST")
	if strings.Contains(p.text(), "host.example.com") {
		t.Error("the value is shown before anybody asks")
	}
	p.press("Reveal the value of DEPLOY_HOST")
	p.sees("host.example.com")
	p.inspect("variables-revealed")
	p.open("/root/demo/-/audit")
	p.until(`/variable/i.test(document.querySelector("main table").textContent)`)
	p.open("/root/demo/-/settings/variables")
	p.fill("key", "not a key")
	p.press("Add the variable")
	p.until(`document.title.startsWith("Refused") && !!document.querySelector("[name=key][aria-invalid]")`)
	p.inspect("variables-refused")
}

func (s *programs) protectionRule(t *testing.T, p *tab) {
	maintainer := newTab(t, p.origin)
	maintainer.enter(s.user("mai", "40"))
	maintainer.open(sonde + "/1.0.0")
	if !maintainer.has(`main a.btn.bad[href*="delete"]`) {
		t.Error("a maintainer cannot delete")
	}
	p.open("/root/demo/-/settings/protection")
	p.inspect("protection-none")
	p.fill("package_name_pattern", "SON*")
	p.press("Show what it matches")
	p.sees("matches 1 package: sonde")
	p.inspect("protection-tried")
	p.choose("minimum_access_level_for_delete", "50")
	p.press("Make the rule")
	p.until(`[...document.querySelectorAll("td .name")].some(e => e.textContent == "SON*")`)
	maintainer.open(sonde + "/1.0.0")
	maintainer.sees("Where it comes from")
	if maintainer.has(`main a.btn.bad[href*="delete"]`) || maintainer.has("main details") {
		t.Error("the maintainer is shown what the rule forbids")
	}
	maintainer.open("/root/demo/-/packages/delete?name=sonde")
	maintainer.sees("sonde 1.0.0: ")
	maintainer.inspect("delete-protected")
	maintainer.do(chromedp.SendKeys(chromedp.CSS("[name=confirm]"), "sonde"))
	maintainer.press("Delete sonde")
	maintainer.until(`document.title.startsWith("Refused") || document.querySelector("h1").textContent == "Not allowed"`)
	if status := s.file("sonde/1.0.0/f"); status != "200" {
		t.Errorf("the protected version answers %s", status)
	}
}

// receiver takes what webhooks send.
type receiver struct {
	mu     sync.Mutex
	events []string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body) // what came is compared
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, req.Header.Get("X-Gitlab-Event")+" "+string(body))
	_, _ = io.WriteString(w, "taken <b>"+req.Header.Get("X-Gitlab-Event")+"</b>")
}

// got are the events that came.
func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events
}

// TestPagesWebhook: a webhook is made, tested, and its attempt is looked at and sent again.
func TestPagesWebhook(t *testing.T) {
	took := &receiver{}
	server := httptest.NewServer(took)
	defer server.Close()
	_, p := newJourney(t, "--webhook-allow-networks=127.0.0.1")
	p.open("/root/demo/-/hooks")
	p.inspect("hooks-none")
	p.fill("url", "ftp://example.com")
	p.press("Add the webhook")
	p.until(`document.title.startsWith("Refused") && document.querySelector("[name=url]").value == "ftp://example.com"`)
	p.inspect("hooks-refused")
	p.fill("url", server.URL+"/hook")
	p.fill("name", "chat")
	p.press("Add the webhook")
	p.sees("chat")
	p.inspect("hooks")
	if !p.has(`form[action$="/test"]`) {
		p.press("chat")
	}
	p.press("Send a test")
	p.until(`location.search.includes("done=") && document.querySelectorAll("table.tight tbody tr").length > 0`)
	if got := took.got(); len(got) != 1 || !strings.HasPrefix(got[0], "Package Hook {") {
		t.Errorf("the receiver got %q", got)
	}
	p.inspect("hook")
	p.click("table.tight a.name")
	p.sees("taken <b>Package Hook</b>")
	p.sees("X-Gitlab-Event")
	p.inspect("attempt")
	p.press("Send it again")
	p.sees("2 attempts")
	if got := took.got(); len(got) != 2 || got[0] != got[1] {
		t.Errorf("the receiver got %q", got)
	}
	server.Close()
	p.click("table.tight a.name")
	p.press("Send it again")
	p.until(`document.readyState == "complete" && !!document.querySelector(".note.bad, .tag.bad")`)
	p.inspect("attempt-failed")
}
