package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// versionsPage is docs/versions.md, for a project of a running server.
type versionsPage struct {
	*ciProject
	text string
	dir  string // where the examples run
}

func newVersionsPage(t *testing.T) *versionsPage {
	t.Helper()
	text, err := os.ReadFile("../docs/versions.md")
	if err != nil {
		t.Fatal(err)
	}
	server := startServer(t)
	v := &versionsPage{ciProject: &ciProject{t: t, url: server + "/api/v4"}, dir: t.TempDir()}
	group := made(v.do("POST", "/groups", url.Values{"name": {"acme"}, "path": {"acme"}, "visibility": {"public"}}, 201))
	v.id = made(v.do("POST", "/projects", url.Values{"name": {"tools"}, "namespace_id": {group}, "visibility": {"public"}}, 201))
	v.text = strings.NewReplacer("https://packages.example.com", server, "projects/7/", "projects/"+v.id+"/").Replace(string(text))
	for _, version := range []string{"1.3.0", "1.4.0", "1.4.1", "1.4.2"} {
		for _, file := range []string{"app-linux", "app.exe"} {
			put(t, v.url+"/projects/"+v.id+"/packages/generic/app/"+version+"/"+file, []byte(file+" "+version))
		}
	}
	return v
}

// block is the indented text on the page that begins so.
func (v *versionsPage) block(begins string) string {
	v.t.Helper()
	m := regexp.MustCompile(`(?m)^    ` + regexp.QuoteMeta(begins) + `(?:.*\n(?:    |\n    ))*.*\n`).FindString(v.text)
	if m == "" {
		v.t.Fatalf("docs/versions.md has no block that begins with %q", begins)
	}
	return regexp.MustCompile(`(?m)^    `).ReplaceAllString(m, "")
}

// TestVersionsPageCommands runs every command on docs/versions.md, in their order and
// twice, so that the second round finds what the first one left.
func TestVersionsPageCommands(t *testing.T) {
	t.Parallel()
	v := newVersionsPage(t)
	if err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(v.dir, "bin/granary"), "../cmd/granary").Run(); err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	seen := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^    ((?:G="|(curl|wget|granary) ).*)$`).FindAllStringSubmatch(v.text, -1) {
		if strings.Contains(m[1], `If-Match: "1.4.1"`) {
			script.WriteString(`curl -fsS -X PUT -H "PRIVATE-TOKEN: $TOKEN" -d version=1.4.1 "$G/app/@stable"` + "\n")
		}
		script.WriteString(m[1] + "\n")
		seen[m[2]]++
	}
	if seen["curl"] < 10 || seen["wget"] == 0 || seen["granary"] == 0 || seen[""] != 1 {
		t.Fatalf("docs/versions.md has these commands: %v", seen)
	}
	told := ""
	for range 2 {
		cmd := exec.CommandContext(t.Context(), "bash", "-euxo", "pipefail", "-c", script.String())
		cmd.Dir = v.dir
		cmd.Env = append(os.Environ(), "NO_PROXY=*", "no_proxy=*", "HOME="+v.dir, "PATH="+v.dir+"/bin:"+os.Getenv("PATH"),
			"TOKEN="+ciToken, "GRANARY_TOKEN="+ciToken, "GRANARY_SERVER="+strings.TrimSuffix(v.url, "/api/v4"))
		text, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		told += string(text)
	}
	holds(t, v.dir, "app-linux", []byte("app-linux 1.4.2"))
	holds(t, v.dir, "app.exe", []byte("app.exe 1.4.2"))
	holds(t, v.dir, "installed/app-linux", []byte("app-linux 1.4.2"))
	use(t, v.dir, "unzip", "-tq", "app.zip")
	for _, want := range []string{"X-Package-Version: 1.4.2", "app-linux: OK", `"channels":["stable"]`, `"yanked":true,"yank_reason":"loses data"`, `"deprecated":"use 2.x"`} {
		if !strings.Contains(told, want) {
			t.Errorf("the commands never say %s\n%s", want, told)
		}
	}
	version := v.do("GET", "/projects/"+v.id+"/packages/generic/app/1.4.2", nil, 200)
	if version["yanked"] != false || version["deprecated"] != "use 2.x" || len(version["channels"].([]any)) != 0 {
		t.Errorf("in the end the version is %v", version)
	}
}

// TestVersionsPageAddresses: each address on the page, filled in, is one that the server
// has.
func TestVersionsPageAddresses(t *testing.T) {
	t.Parallel()
	v := newVersionsPage(t)
	fill := regexp.MustCompile(`\{\{ ?\.?[vV]ersion ?\}\}`)
	found := 0
	for _, m := range regexp.MustCompile(`http://[^"\s]+/(?:\{\{.*?\}\}[^"\s]*|[^"\s]+)`).FindAllString(v.text, -1) {
		address := strings.ReplaceAll(fill.ReplaceAllString(m, "1.4.2"), "{{packageName}}", "app")
		if strings.HasSuffix(address, "/packages/generic") { // G
			continue
		}
		found++
		resp, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", address, resp.Status)
		}
	}
	if found < 5 {
		t.Errorf("%d addresses, want those of Ansible, Dockerfile, Renovate, mise and aqua", found)
	}
}

// TestVersionsPageAnsible runs the task on the page.
func TestVersionsPageAnsible(t *testing.T) {
	t.Parallel()
	v := newVersionsPage(t)
	tasks := strings.ReplaceAll(v.block("- ansible.builtin.get_url:"), "/usr/local/bin/app", filepath.Join(v.dir, "app"))
	play := "- hosts: localhost\n  connection: local\n  gather_facts: false\n  vars: {token: " + ciToken + "}\n  tasks:\n" +
		regexp.MustCompile(`(?m)^`).ReplaceAllString(strings.TrimSpace(tasks), "    ")
	write(t, v.dir, "play.yml", []byte(play+"\n"))
	use(t, v.dir, "ansible-playbook", "-i", "localhost,", "play.yml")
	holds(t, v.dir, "app", []byte("app-linux 1.4.2"))
	if info, err := os.Stat(filepath.Join(v.dir, "app")); err != nil || info.Mode() != 0o755 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// TestVersionsPageRenovate: the template on the page makes a list of releases of many
// versions, of one, and of none, since Renovate refuses anything else.
func TestVersionsPageRenovate(t *testing.T) {
	t.Parallel()
	v := newVersionsPage(t)
	var config struct {
		CustomDatasources struct {
			Granary struct{ TransformTemplates []string }
		}
	}
	if err := json.Unmarshal([]byte(v.block("{")), &config); err != nil {
		t.Fatal(err)
	}
	modules := filepath.Dir(nodeModule(t, "jsonata"))
	left := []string{"1.4.2", "1.4.1", "1.4.0", "1.3.0"}
	for ; ; left = left[1:] {
		list, err := json.Marshal(v.do("GET", "/projects/"+v.id+"/packages/generic/app", nil, 200))
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), node(t), "clients/jsonata.cjs", config.CustomDatasources.Granary.TransformTemplates[0])
		cmd.Stdin, cmd.Env = bytes.NewReader(list), append(os.Environ(), "NODE_PATH="+modules)
		out, err := cmd.CombinedOutput()
		var made struct {
			Releases []struct{ Version, ReleaseTimestamp string }
		}
		if err != nil || json.Unmarshal(out, &made) != nil || made.Releases == nil {
			t.Fatalf("%d versions: %v %s", len(left), err, out)
		}
		var got []string
		for _, r := range made.Releases {
			if got = append(got, r.Version); r.ReleaseTimestamp == "" {
				t.Errorf("%s has no date", r.Version)
			}
		}
		if !slices.Equal(got, left) {
			t.Errorf("releases are %v, want %v", got, left)
		}
		if len(left) == 0 {
			return
		}
		v.do("PATCH", "/projects/"+v.id+"/packages/generic/app/"+left[0], url.Values{"yanked": {"true"}}, 200)
	}
}
