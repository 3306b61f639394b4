package e2e_test

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
)

// isIn is true on the pages of somebody who is signed in.
const isIn = `!!document.querySelector("nav.who .face")`

// newJourney is a server, the API as its administrator, and a tab that is signed in as the
// administrator.
func newJourney(t *testing.T, flags ...string) (*ciProject, *tab) {
	t.Helper()
	server := startServer(t, flags...)
	api := &ciProject{t: t, url: server + "/api/v4"}
	p := newTab(t, server)
	p.enter(ciToken)
	return api, p
}

// part runs a part of a journey as a test of its own, which the tab fails meanwhile.
func (p *tab) part(name string, do func(t *testing.T)) {
	whole := p.t
	defer func() { p.t = whole }()
	whole.Run(name, func(t *testing.T) {
		p.t = t
		do(t)
	})
}

// enter opens the door and signs in by a token.
func (p *tab) enter(token string) {
	p.t.Helper()
	p.open("/-/sign_in")
	p.signIn(token)
	p.until(isIn)
}

// press presses the first visible button or link with these words: of its text or its name.
func (p *tab) press(words string) {
	p.t.Helper()
	mark := fmt.Sprintf(`(() => { for (const e of document.querySelectorAll("[data-pressed]")) e.removeAttribute("data-pressed");
		const e = [...document.querySelectorAll("main a, main button, main summary, nav a")].find(e => (e.textContent.trim() == %[1]q || e.ariaLabel == %[1]q) && e.checkVisibility());
		if (e) { e.setAttribute("data-pressed", ""); e.scrollIntoView({block: "center"}) }
		return !!e && document.readyState == "complete" })()`, words)
	p.until(mark)
	p.click("[data-pressed]")
}

// fill types into the field of a name, in place of what it has.
func (p *tab) fill(name, text string) {
	p.t.Helper()
	p.do(chromedp.SetValue(chromedp.CSS(fmt.Sprintf("main [name=%q]:not([type=hidden])", name)), text))
}

// choose chooses an option as a person does: scripts are told.
func (p *tab) choose(name, option string) {
	p.t.Helper()
	value(p, chromedp.Evaluate[bool](fmt.Sprintf(`(() => { const s = document.querySelector("main select[name=%s]"); s.value = %q; s.dispatchEvent(new Event("change", {bubbles: true})); return true })()`, name, option)))
}

// at waits until the tab shows the page of a path.
func (p *tab) at(path string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`document.readyState == "complete" && location.pathname == %q`, path))
}

// has reports whether the page has an element.
func (p *tab) has(selector string) bool {
	p.t.Helper()
	return value(p, chromedp.Evaluate[bool](fmt.Sprintf(`!!document.querySelector(%q)`, selector)))
}

// texts are the texts of all elements that a selector finds.
func (p *tab) texts(selector string) []string {
	p.t.Helper()
	return value(p, chromedp.Evaluate[[]string](fmt.Sprintf(`[...document.querySelectorAll(%q)].map(e => e.textContent.trim())`, selector)))
}

// secret is what the page shows this once.
func (p *tab) secret() string {
	p.t.Helper()
	p.until(`!!document.querySelector(".once pre")`)
	return p.texts(".once pre")[0]
}

// put publishes a file as the administrator.
func (p *ciProject) put(path, content string) {
	p.t.Helper()
	dir := p.t.TempDir()
	write(p.t, dir, "content", []byte(content))
	if status := p.send(dir+"/content", path, "PRIVATE-TOKEN: "+ciToken); status != "201" {
		p.t.Fatalf("%s: status %s", path, status)
	}
}

// send publishes a file of the disk with a credential, and returns the status.
func (p *ciProject) send(file, path, credential string) string {
	p.t.Helper()
	return p.curl("--header", credential, "--upload-file", file, p.url+"/projects/root%2Fdemo/packages/generic/"+path)
}

// curl returns the status of an answer.
func (p *ciProject) curl(args ...string) string {
	p.t.Helper()
	status, err := exec.CommandContext(p.t.Context(), "curl", append([]string{"--silent", "--noproxy", "*", "--output", os.DevNull, "--write-out", "%{http_code}"}, args...)...).Output()
	if err != nil {
		p.t.Fatal(err)
	}
	return string(status)
}

// file returns the status of a file of root/demo.
func (p *ciProject) file(path string) string {
	p.t.Helper()
	return p.curl("--header", "PRIVATE-TOKEN: "+ciToken, p.url+"/projects/root%2Fdemo/packages/generic/"+path)
}

// user makes a user who is a member of root/demo, and returns a token of theirs.
func (p *ciProject) user(name, role string) (token string) {
	p.t.Helper()
	id := made(p.do("POST", "/users", url.Values{"username": {name}, "name": {name}, "email": {name + "@example.com"}, "force_random_password": {"true"}}, 201))
	if role != "" {
		p.do("POST", "/projects/root%2Fdemo/members", url.Values{"user_id": {id}, "access_level": {role}}, 201)
	}
	return p.do("POST", "/users/"+id+"/personal_access_tokens", url.Values{"name": {"browser"}, "scopes[]": {"api"}}, 201)["token"].(string)
}

// sumOf is what sha256sum says of a file.
func sumOf(t *testing.T, path string) string {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), "sha256sum", path).Output()
	if err != nil || len(text) < 64 {
		t.Fatalf("%s, %v", text, err)
	}
	return string(text[:64])
}

// numbered is a name with a number of two digits.
func numbered(name string, n int) string { return name + strconv.Itoa(100 + n)[1:] }
