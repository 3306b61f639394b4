package e2e_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReleasesPageCommands runs every command on docs/releases.md, in their order and
// twice: what the first round made final the second one finds there.
func TestReleasesPageCommands(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/releases.md")
	if err != nil {
		t.Fatal(err)
	}
	server := startServer(t)
	p := &ciProject{t: t, url: server + "/api/v4"}
	group := made(p.do("POST", "/groups", url.Values{"name": {"acme"}, "path": {"acme"}}, 201))
	p.id = made(p.do("POST", "/projects", url.Values{"name": {"tools"}, "namespace_id": {group}}, 201))
	page := strings.NewReplacer("https://packages.example.com", server, "projects/7/", "projects/"+p.id+"/").Replace(string(text))

	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "bin/granary"), "../cmd/granary").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Mkdir(filepath.Join(dir, "dist"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"app-linux", "app-darwin"} {
		write(t, filepath.Join(dir, "dist"), file, []byte(file))
	}
	var script strings.Builder
	seen := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^    (G="|curl |granary |sha256sum |set -o pipefail; find ).*$`).FindAllString(page, -1) {
		line := strings.TrimSpace(m)
		if strings.Contains(line, "generic_package_drafts=") { // it is the project of the other commands
			line += "\n" + `curl -fsS -X PUT -H "PRIVATE-TOKEN: $TOKEN" -d generic_package_drafts= "${G%/packages/generic}"`
		}
		if strings.Contains(line, "pipefail") {
			line = "rm -f downloaded; (" + line + ")" // what a command before it left is no file of the version
		}
		script.WriteString(line + "\n")
		seen[strings.Fields(line)[0]]++
	}
	if seen["curl"] < 12 || seen["granary"] < 2 || seen["sha256sum"] != 1 || len(seen) != 5 {
		t.Fatalf("docs/releases.md has these commands: %v", seen)
	}
	for round := range 2 {
		cmd := exec.CommandContext(t.Context(), "bash", "-euxo", "pipefail", "-c", script.String())
		cmd.Dir = filepath.Join(dir, "dist")
		cmd.Env = append(os.Environ(), "NO_PROXY=*", "no_proxy=*", "HOME="+dir, "PATH="+dir+"/bin:"+os.Getenv("PATH"),
			"TOKEN="+ciToken, "GRANARY_TOKEN="+ciToken, "GRANARY_SERVER="+server)
		told, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("round %d: %v\n%s", round, err, told)
		}
		digest := p.do("GET", "/projects/"+p.id+"/packages/generic/app/1.6.0", nil, 200)["manifest_sha256"].(string)
		for _, want := range []string{`"expires_at":"20`, "app-linux: OK", digest + "  -", `"status":"draft"`, `"generic_package_drafts":"release"`} {
			if !strings.Contains(string(told), want) {
				t.Errorf("round %d: the commands never say %s\n%s", round, want, told)
			}
		}
	}
	for version, count := range map[string]any{"1.4.0": 2.0, "1.4.1": 2.0, "1.6.0": 2.0} {
		if v := p.do("GET", "/projects/"+p.id+"/packages/generic/app/"+version, nil, 200); v["final_at"] == nil || v["files_count"] != count {
			t.Errorf("%s is %v", version, v)
		}
	}
	p.do("GET", "/projects/"+p.id+"/packages/generic/app/1.5.0?status=draft", nil, 404)
}

// TestReleasesPageConflicts: the answers in the table of docs/releases.md are the server's.
func TestReleasesPageConflicts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/releases.md")
	if err != nil {
		t.Fatal(err)
	}
	p := &ciProject{t: t, url: startServer(t) + "/api/v4"}
	p.id = made(p.do("POST", "/projects", url.Values{"name": {"tools"}}, 201))
	app := "/projects/" + p.id + "/packages/generic/app/"
	for version, calls := range map[string][][2]string{
		"1.4.0": {{"PUT a?status=draft", "201"}, {"PUT a", "409"}, {"POST", "201"}, {"PUT a", "201"}, {"PUT b", "409"}, {"PUT b?status=draft", "409"}, {"POST", "200"},
			{"DELETE", "204"}, {"PUT a", "409"}, {"PUT b?status=draft", "201"}, {"POST", "409"}, {"PUT a?status=draft", "201"}},
		"1.5.0": {{"PUT a", "201"}, {"PUT b?status=draft", "409"}, {"PUT b", "201"}, {"POST", "201"}},
		"1.6.0": {{"POST", "404"}, {"PUT a?status=draft", "201"}, {"DELETE ?status=draft", "204"}, {"POST", "404"}, {"PUT a", "201"}},
	} {
		told := strings.ReplaceAll(string(text), "1.4.0", version)
		for _, call := range calls {
			method, file, _ := strings.Cut(call[0], " ")
			at := app + version
			if name := strings.TrimSuffix(file, "?status=draft"); name != "" {
				at += "/" + name
			}
			if strings.HasSuffix(file, "?status=draft") {
				at += "?status=draft"
			}
			curl := []string{"-sS", "-X", method, "-H", "PRIVATE-TOKEN: " + ciToken, "-w", "\n%{http_code}", p.url + at}
			if method == "PUT" {
				curl = append(curl, "-H", "Content-Type:", "--data-binary", "bytes of "+file[:1])
			}
			out := use(t, t.TempDir(), "curl", curl...)
			answer, status := out[:max(0, strings.LastIndex(out, "\n"))], out[strings.LastIndex(out, "\n")+1:]
			if status != call[1] {
				t.Errorf("%s %s: %s %s, want %s", version, call[0], status, answer, call[1])
			}
			if m := regexp.MustCompile(`"409 Conflict - (app [^"]*;[^"]*)"`).FindStringSubmatch(answer); m != nil && !strings.Contains(told, m[1]) &&
				!strings.Contains(m[1], "reserved") && !strings.Contains(m[1], "never used twice") {
				t.Errorf("docs/releases.md has no %q", m[1])
			}
		}
	}
}
