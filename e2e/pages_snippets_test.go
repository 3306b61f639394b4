package e2e_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

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

// runSnippet runs what a page shows for a tool in an empty folder, and returns the folder.
// The environment has no token but what is given.
func runSnippet(t *testing.T, tool, text string, environ ...string) (dir string, out []byte, err error) {
	t.Helper()
	dir = t.TempDir()
	args := []string{"sh", "-eu", "-c", text}
	switch tool {
	case "CMake":
		write(t, dir, "CMakeLists.txt", []byte("cmake_minimum_required(VERSION 3.14)\nproject(x NONE)\n"+text))
		args = []string{"cmake", "-S", ".", "-B", "build"}
	case "Ansible":
		text = strings.ReplaceAll(text, "'/tmp/", "'"+dir+"/")
		write(t, dir, "play.yml", []byte("- hosts: localhost\n  connection: local\n  gather_facts: false\n"+
			"  vars: {granary_token: \"{{ lookup('env', 'GRANARY_TOKEN') }}\"}\n  tasks:\n    "+strings.ReplaceAll(text, "\n", "\n    ")+"\n"))
		args = []string{"ansible-playbook", "-i", "localhost,", "play.yml"}
	case "GitLab CI":
		var ci map[string]struct{ Script []string }
		if err := yaml.Unmarshal([]byte(text), &ci); err != nil {
			t.Fatal(err)
		}
		args[3] = strings.Join(ci["install"].Script, "\n")
	case "Dockerfile":
		args[3] = dockerfileInShell(t, text)
	case "PowerShell":
		args[3] = powerShellInShell(t, text)
	}
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "no_proxy=*", "LC_ALL=C.UTF-8"}, environ...)
	out, err = cmd.CombinedOutput()
	return dir, out, err
}

// dockerfileInShell is what a builder does for an instruction. Docker needs a daemon, which
// tests have not: RUN is a command of a shell that has the secret in its environment, and ADD
// is a download and a comparison.
func dockerfileInShell(t *testing.T, text string) string {
	t.Helper()
	if command, ok := strings.CutPrefix(text, "RUN --mount=type=secret,id=granary_token,env=GRANARY_TOKEN \\\n"); ok {
		return command
	}
	m := regexp.MustCompile(`^ADD --checksum=sha256:([0-9a-f]{64}) \\\n  (http://\S+) \\\n  \./(\S+)$`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no RUN with a secret, no ADD with a digest:\n%s", text)
	}
	return "curl -fsSL -o " + m[3] + " " + m[2] + "\necho '" + m[1] + "  " + m[3] + "' | sha256sum -c"
}

// powerShellInShell is the same as the commands for PowerShell, which Debian does not have.
// So only this is tested: their words are these, and with their address, header and digest
// another tool installs the file.
func powerShellInShell(t *testing.T, text string) string {
	t.Helper()
	m := regexp.MustCompile(`^\$f = '([^']+)'\nInvoke-WebRequest -UseBasicParsing( -Headers @\{'PRIVATE-TOKEN' = \$env:GRANARY_TOKEN\})? -OutFile \$f ` + "`" + `\n  -Uri '([^']+)'\n` +
		`if \(\(Get-FileHash -LiteralPath \$f\)\.Hash -ne '([0-9a-f]{64})'\) \{ throw 'wrong digest' \}$`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("other words than were looked at when this test was written:\n%s", text)
	}
	header := ""
	if m[2] != "" {
		header = ` -H "PRIVATE-TOKEN: $GRANARY_TOKEN"`
	}
	return "curl -fsSL" + header + " -o '" + m[1] + "' '" + m[3] + "'\necho '" + m[4] + "  " + m[1] + "' | sha256sum -c"
}

// installs runs the commands of a page, and compares the file that they leave with its
// digest.
func installs(t *testing.T, tool, text, file, digest string, environ ...string) {
	t.Helper()
	dir, out, err := runSnippet(t, tool, text, environ...)
	if err != nil {
		t.Errorf("%s: %v\n%s\n%s", tool, err, text, out)
		return
	}
	if tool == "CMake" { // it unpacks archives
		if unpacked, err := os.ReadDir(filepath.Join(dir, "build", "_deps", "sonde-src")); err != nil || len(unpacked) == 0 {
			t.Errorf("CMake: %v, %v\n%s", unpacked, err, out)
		}
		return
	}
	if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
		t.Errorf("%s: %v\n%s", tool, err, out)
	} else if sum := sumOf(t, filepath.Join(dir, file)); sum != digest {
		t.Errorf("%s: digest %s, want %s\n%s", tool, sum, digest, out)
	}
}

// installAll runs every snippet of the version's page against its server, and again with
// another digest, at which the tools that compare one end with an error. GoReleaser
// publishes: see TestPagesGoReleaser.
func (p *tab) installAll(t *testing.T, api *ciProject, file, digest, token string) {
	t.Helper()
	environ := []string{"CI_JOB_TOKEN=" + api.do("POST", "/projects/root%2Fdemo/jobs", nil, 201)["token"].(string)}
	if token != "" {
		environ = append(environ, "GRANARY_TOKEN="+token)
	}
	found := p.snippets()
	for tool, text := range found {
		if strings.Contains(text, ciToken) || token != "" && strings.Contains(text, token) {
			t.Errorf("%s has a token:\n%s", tool, text)
		}
	}
	slow := map[string]bool{"Ansible": true, "CMake": true}
	for _, tool := range []string{"curl", "granary", "wget", "PowerShell", "GitLab CI", "Dockerfile", "Ansible", "CMake"} {
		if found[tool] == "" {
			t.Errorf("nothing is shown for %s", tool)
		}
		if slow[tool] && testing.Short() {
			continue
		}
		installs(t, tool, found[tool], file, digest, environ...)
		wrong := strings.ReplaceAll(found[tool], digest, strings.Repeat("0", 64))
		if wrong == found[tool] { // its digest is the server's
			if tool != "granary" {
				t.Errorf("%s compares no digest:\n%s", tool, wrong)
			}
		} else if _, out, err := runSnippet(t, tool, wrong, environ...); err == nil {
			t.Errorf("%s takes another file than that of the digest\n%s", tool, out)
		}
	}
	if len(found) != 9 || found["GoReleaser"] == "" {
		t.Errorf("%d tools are shown", len(found))
	}
}

// TestPagesGoReleaser: GoReleaser publishes with what a version's page shows for it.
func TestPagesGoReleaser(t *testing.T) {
	if !allPages() {
		t.Skip("GoReleaser takes minutes to build: make proof-pages")
	}
	server := startServer(t)
	var config string
	tool := releaseTool{"snippet", false, "", func(r *releaseRun) []string {
		return []string{goreleaser(r.t), "release", "--clean", "--config", config}
	}}
	r := newReleaseRun(t, server, tool, "on_request")
	p := newTab(t, server)
	p.enter(ciToken)
	p.open("/root/" + r.name + "/-/packages/generic/tool/1.3.0")
	const built = "version: 2\nproject_name: tool\nbuilds: [{ skip: true }]\nchecksum: { disable: true }\nchangelog: { disable: true }\n"
	write(t, r.dir, "built.yaml", []byte(built+p.snippets()["GoReleaser"]+"\n  extra_files: [{ glob: \"built/*\" }]\n"))
	config = filepath.Join(r.dir, "built.yaml")
	r.publish()
	for file, want := range r.files {
		o := observer{token: ciToken}
		if status, got := o.get(r.project + "/packages/generic/tool/1.4.0/" + file); status != http.StatusOK || string(got) != string(want) {
			t.Errorf("%s: status %d, %d bytes, want %d", file, status, len(got), len(want))
		}
	}
	p.open("/root/" + r.name + "/-/releases/v1.4.0")
	p.sees("tool-0.bin")
}
