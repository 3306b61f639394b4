package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"granary/dev/servers"
	"granary/internal/cli"
)

// releaseTool is a program that nobody here wrote. It publishes the files in built/ as
// tool 1.4.0, and makes the release v1.4.0.
type releaseTool struct {
	name    string
	tags    bool   // it makes the tag by itself
	promise string // the value of generic_package_drafts under which nobody sees a part
	command func(r *releaseRun) []string
}

// releaseTools are the tools that make test installs, and with GRANARY_TEST_DRAFTS=all
// GoReleaser.
func releaseTools() []releaseTool {
	goreleaser := func(config string) func(r *releaseRun) []string {
		return func(r *releaseRun) []string {
			return []string{goreleaser(r.t), "release", "--clean", "--config", filepath.Join(r.clients, config)}
		}
	}
	tools := []releaseTool{
		{"semantic-release", true, "release", func(r *releaseRun) []string {
			return []string{node(r.t), nodeModule(r.t, "semantic-release/bin/semantic-release.js"), "--no-ci"}
		}},
		{"release-it", true, "release", func(r *releaseRun) []string {
			return []string{node(r.t), nodeModule(r.t, "release-it/bin/release-it.js"), "1.4.0", "--ci",
				"--gitlab.origin=" + r.server, "--gitlab.repoId=" + r.id}
		}},
	}
	if os.Getenv("GRANARY_TEST_DRAFTS") != "all" { // GoReleaser takes minutes to build: make proof-drafts
		return tools
	}
	return append(tools, releaseTool{"goreleaser-uploads", false, "release", goreleaser("uploads.yaml")},
		releaseTool{"goreleaser-release", false, "job", goreleaser("package_registry.yaml")})
}

func goreleaser(t *testing.T) string {
	t.Helper()
	program, err := servers.Built("goreleaser", "github.com/goreleaser/goreleaser/v2")
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// after is what tool 1.4.0 is when the tool has ended, under a value of
// generic_package_drafts.
func (tool releaseTool) after(setting string) string {
	switch {
	case setting == tool.promise:
		return "final"
	case setting == "always":
		return "draft"
	}
	return "open"
}

// TestReleaseTools runs each tool under each value of generic_package_drafts. A part of
// what it publishes is never seen under the one that promises it, and not before somebody
// makes it final under "always"; under the others the tool works as with GitLab.
func TestReleaseTools(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	for _, tool := range releaseTools() {
		for _, setting := range []string{"on_request", "always", "release", "job"} {
			t.Run(tool.name+"/"+setting, func(t *testing.T) {
				r := newReleaseRun(t, server, tool, setting)
				o := observe(t, r.project, r.files)
				r.publish()
				if got, want := r.standing(), tool.after(setting); got != want {
					t.Errorf("tool 1.4.0 is %s, want %s", got, want)
				}
				if setting == "always" {
					r.ciProject.do("POST", "/projects/"+r.id+"/packages/generic/tool/1.4.0", nil, 201)
				}
				parts := o.stop()
				if o.seen == "" {
					t.Errorf("nobody saw 1.4.0 in %d looks", o.looks)
				}
				if len(parts) > 0 && tool.after(setting) != "open" {
					t.Errorf("1.4.0 was seen in %s, but not in %q", o.seen, parts)
				}
				t.Logf("%d looks, %d ways in which a part was seen", o.looks, len(parts))
			})
		}
	}
}

// TestObserverSeesParts: the observer of TestReleaseTools misses nothing. Files that come
// one by one are seen as parts, in every way of looking.
func TestObserverSeesParts(t *testing.T) {
	t.Parallel()
	tool := releaseTool{name: "curl"}
	r := newReleaseRun(t, startServer(t), tool, "on_request")
	o := observe(t, r.project, r.files)
	for file, body := range r.files {
		put(t, r.project+"/packages/generic/tool/1.4.0/"+file, body)
		o.next()
	}
	parts := strings.Join(o.stop(), ", ")
	for _, look := range []string{"file ", "latest ", "the list of digests", "the list of files"} {
		if !strings.Contains(parts, look) {
			t.Errorf("no part was seen in %s: %s", look, parts)
		}
	}
}

// releaseRun is a project that has tool 1.3.0, and a work tree that is to be 1.4.0.
type releaseRun struct {
	*ciProject
	tool    releaseTool
	server  string
	project string // its address in the API
	name    string
	dir     string
	clients string // where the tools' configurations are
	files   map[string][]byte
}

func newReleaseRun(t *testing.T, server string, tool releaseTool, setting string) *releaseRun {
	t.Helper()
	clients, err := filepath.Abs("clients/release")
	if err != nil {
		t.Fatal(err)
	}
	r := &releaseRun{
		ciProject: &ciProject{t: t, url: server + "/api/v4"}, tool: tool, server: server,
		name: tool.name + "-" + setting, dir: t.TempDir(), clients: clients, files: map[string][]byte{},
	}
	r.id = made(r.do("POST", "/projects", url.Values{"name": {r.name}}, 201))
	r.project = r.url + "/projects/" + r.id
	if err := os.Mkdir(filepath.Join(r.dir, "built"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		file := fmt.Sprintf("tool-%d.bin", i)
		r.files[file] = randomBytes(1000 << (2 * (i % 6)))
		write(t, filepath.Join(r.dir, "built"), file, r.files[file])
		put(t, r.project+"/packages/generic/tool/1.3.0/"+file, []byte("1.3.0"))
	}
	r.do("PUT", "/projects/"+r.id, url.Values{"generic_package_drafts": {setting}}, 200)
	r.git()
	return r
}

// publish runs the tool; under the setting "job" one that takes a job token is a CI job.
func (r *releaseRun) publish() {
	r.t.Helper()
	command := r.tool.command(r)
	if r.tool.promise != "job" || !strings.HasSuffix(r.name, "-job") {
		r.runs(command[0], command[1:]...)
		return
	}
	config := filepath.Join(r.dir, "built.yaml")
	text, err := os.ReadFile(command[len(command)-1])
	if err != nil {
		r.t.Fatal(err)
	}
	write(r.t, r.dir, "built.yaml", bytes.Replace(text, []byte("use_package_registry: true"), []byte("use_package_registry: true\n  use_job_token: true"), 1))
	command[len(command)-1] = config
	var said bytes.Buffer
	code := cli.Main(r.t.Context(), cli.Env{
		Args: append([]string{"ci", "run", "--project", r.id, "--tag", "v1.4.0", "--", "sh", "-c",
			`cd "$0" && GITLAB_TOKEN=$CI_JOB_TOKEN exec "$@"`, r.dir}, command...),
		Environ: append(r.environ(), "GRANARY_SERVER="+r.server, "GRANARY_TOKEN="+ciToken),
		Stdin:   strings.NewReader(""), Stdout: &said, Stderr: &said,
	})
	if code != 0 {
		r.t.Fatalf("ci run: exit code %d\n%s", code, said.String())
	}
}

// standing is what tool 1.4.0 is.
func (r *releaseRun) standing() string {
	r.t.Helper()
	version := r.project + "/packages/generic/tool/1.4.0"
	var resource struct {
		Status  string
		FinalAt *string `json:"final_at"`
	}
	for _, query := range []string{"", "?status=draft"} {
		o := observer{token: ciToken}
		status, text := o.get(version + query)
		if status != http.StatusOK {
			continue
		}
		if err := json.Unmarshal(text, &resource); err != nil {
			r.t.Fatal(err)
		}
		switch {
		case resource.Status == "draft" && query != "":
			return "draft"
		case resource.Status == "draft":
			return "a draft that all may see"
		case resource.FinalAt != nil:
			return "final"
		}
		return "open"
	}
	return "none"
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b) // never fails
	return b
}

// git makes the work tree, with the tag v1.3.0 and a commit after it, and a repository
// for it to push to: granary keeps none.
func (r *releaseRun) git() {
	r.t.Helper()
	write(r.t, r.dir, ".gitignore", []byte("node_modules\ndist\nbuilt\nbuilt.yaml\norigin.git\nhome\n"))
	for file, from := range map[string]string{"release.config.mjs": "", ".release-it.json": "", "node_modules": filepath.Dir(nodeModule(r.t, "semantic-release"))} {
		if from == "" {
			from = filepath.Join(r.clients, file)
		}
		if err := os.Symlink(from, filepath.Join(r.dir, file)); err != nil {
			r.t.Fatal(err)
		}
	}
	const script = `git init -q --bare -b main origin.git; git init -q -b main .; git remote add origin "$REPOSITORY_URL"
		git add -A; git commit -qm "feat: a tool"; git tag v1.3.0
		git commit -qm "feat: a better tool" --allow-empty; %s git push -q --tags origin main`
	tag := "git tag v1.4.0;"
	if r.tool.tags {
		tag = ""
	}
	r.runs("bash", "-euc", fmt.Sprintf(script, tag))
}

// environ is what the tools want to be told.
func (r *releaseRun) environ() []string {
	repository := r.server + "/root/" + r.name + ".git"
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir + "/home", "NO_PROXY=*", "no_proxy=*",
		"SERVER_URL=" + r.server, "GITLAB_TOKEN=" + ciToken, "PROJECT=" + r.name, "PROJECT_ID=" + r.id,
		"REPOSITORY_URL=" + repository, "GIT_CONFIG_COUNT=3",
		"GIT_CONFIG_KEY_0=url.file://" + r.dir + "/origin.git.insteadOf", "GIT_CONFIG_VALUE_0=" + repository,
		"GIT_CONFIG_KEY_1=user.name", "GIT_CONFIG_VALUE_1=Example", "GIT_CONFIG_KEY_2=user.email", "GIT_CONFIG_VALUE_2=example@example.com",
	}
}

// runs runs a command in the work tree.
func (r *releaseRun) runs(name string, args ...string) {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), name, args...)
	cmd.Dir, cmd.Env = r.dir, r.environ()
	if text, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("%s %s: %v\n%s", name, args, err, text)
	}
}
