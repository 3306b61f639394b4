package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"go.yaml.in/yaml/v3"
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

// snippets are the commands of the page by tool, as they would be pasted.
func (p *tab) snippets() map[string]string {
	p.t.Helper()
	found := map[string]string{}
	tools, texts := p.texts(".snips .pick label"), p.texts(".snips .code pre")
	if len(tools) == 0 || len(tools) != len(texts) {
		p.t.Fatalf("%d tools, %d commands", len(tools), len(texts))
	}
	for i, tool := range tools {
		found[tool] = texts[i]
	}
	return found
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

// installs runs the commands of a page in an empty folder and compares the file that they
// leave there with its digest. The environment has no token but what is given.
func installs(t *testing.T, tool, script, file, digest string, environ ...string) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", script)
	if tool == "CMake" {
		write(t, dir, "CMakeLists.txt", []byte("cmake_minimum_required(VERSION 3.14)\nproject(x NONE)\n"+script))
		cmd = exec.CommandContext(t.Context(), "cmake", "-S", ".", "-B", "build")
	}
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "no_proxy=*"}, environ...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s\n%s", tool, err, script, out)
		return
	}
	found := filepath.Join(dir, file)
	if tool == "CMake" {
		found = filepath.Join(dir, "build", "_deps", "sonde-src", file)
	}
	if tool == "CMake" { // it unpacks archives
		if unpacked, err := os.ReadDir(filepath.Dir(found)); err != nil || len(unpacked) == 0 {
			t.Errorf("CMake: %v, %v\n%s", unpacked, err, out)
		}
		return
	}
	content, err := os.ReadFile(found)
	if sum := sha256.Sum256(content); err != nil || hex.EncodeToString(sum[:]) != digest {
		t.Errorf("%s: %v, digest %x, want %s\n%s", tool, err, sum, digest, out)
	}
}

// installAll runs every snippet of the version's page whose tool is installed.
func (p *tab) installAll(t *testing.T, api *ciProject, file, digest, token string) {
	t.Helper()
	found := p.snippets()
	for tool, text := range found {
		if strings.Contains(text, ciToken) || token != "" && strings.Contains(text, token) {
			t.Errorf("%s has a token:\n%s", tool, text)
		}
	}
	var environ []string
	if token != "" {
		environ = []string{"GRANARY_TOKEN=" + token}
	}
	for tool, program := range map[string]string{"curl": "curl", "wget": "wget", "granary": "granary", "CMake": "cmake"} {
		if _, err := exec.LookPath(program); err == nil && (tool != "CMake" || !testing.Short()) {
			installs(t, tool, found[tool], file, digest, environ...)
		} else if tool != "CMake" {
			t.Errorf("%s is not installed: %v", program, err)
		}
	}
	var ci map[string]struct{ Script []string }
	if err := yaml.Unmarshal([]byte(found["GitLab CI"]), &ci); err != nil {
		t.Fatal(err)
	}
	job := api.do("POST", "/projects/root%2Fdemo/jobs", nil, 201)["token"].(string)
	installs(t, "GitLab CI", strings.Join(ci["install"].Script, "\n"), file, digest, "CI_JOB_TOKEN="+job)
}

// numbered is a name with a number of two digits.
func numbered(name string, n int) string { return name + strconv.Itoa(100 + n)[1:] }
