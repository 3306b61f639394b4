// Package e2e_test runs the program as its users do.
package e2e_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"granary/internal/cli"
)

const ciToken = "e2e-root-token-0123456789"

// ciProject is a project on a running server, set up as the example's README
// says.
type ciProject struct {
	t            *testing.T
	url          string // of the API
	id           string
	token        string // of its requests; "" for ciToken
	versionToken string
}

func newCIProject(t *testing.T) *ciProject {
	t.Helper()
	p := &ciProject{t: t, url: startServer(t) + "/api/v4"}
	p.id = strconv.Itoa(int(p.do("POST", "/projects", url.Values{"name": {"tool"}}, 201)["id"].(float64)))
	p.do("POST", "/projects/"+p.id+"/variables", url.Values{"key": {"PKG_VERSION"}, "value": {"1.4.0"}}, 201)
	p.versionToken = p.do("POST", "/projects/"+p.id+"/access_tokens", url.Values{"name": {"version"}, "access_level": {"40"}, "scopes[]": {"api"}}, 201)["token"].(string)
	return p
}

// startServer is `granary serve` with a database of its own and flags; it ends
// with the test.
func startServer(t *testing.T, flags ...string) string {
	t.Helper()
	logs, stderr := io.Pipe()
	ended := make(chan int, 1)
	env := cli.Env{
		Args:    append([]string{"serve", "--listen=127.0.0.1:0", "--data-dir", t.TempDir()}, flags...),
		Environ: []string{"GRANARY_ROOT_TOKEN=" + ciToken, "GRANARY_DISK_RESERVE=0"},
		Stdin:   strings.NewReader(""), Stdout: io.Discard, Stderr: stderr,
	}
	go func() {
		ended <- cli.Main(t.Context(), env)
		_ = stderr.Close()
	}()
	t.Cleanup(func() { // t.Context is done by now
		if code := <-ended; code != 0 {
			t.Errorf("the server ended with exit code %d", code)
		}
	})
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		if m := regexp.MustCompile(`listening.* url=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, logs) }()
			return m[1]
		}
	}
	t.Fatal("the server does not listen")
	return ""
}

func (p *ciProject) do(method, path string, form url.Values, status int) map[string]any {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Private-Token", cmp.Or(p.token, ciToken))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		p.t.Fatalf("%s %s: %d %s %v, want %d", method, path, resp.StatusCode, text, err, status)
	}
	var object map[string]any
	_ = json.Unmarshal(text, &object) // a file is no object
	return object
}

// recorded is the version in the variable.
func (p *ciProject) recorded(want string) {
	p.t.Helper()
	if got := p.do("GET", "/projects/"+p.id+"/variables/PKG_VERSION", nil, 200)["value"]; got != want {
		p.t.Errorf("the version on record is %v, want %s", got, want)
	}
}

// pipeline is a script of the example as a CI job would run it, with a job
// token of its own, in a copy of the folder.
func (p *ciProject) pipeline(script string, environ ...string) *exec.Cmd {
	p.t.Helper()
	job := p.do("POST", "/projects/"+p.id+"/jobs", nil, 201)["token"].(string)
	dir := p.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../examples/ci-version")); err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.CommandContext(p.t.Context(), "sh", "-c", script)
	cmd.Dir = dir
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "CI=true", "CI_API_V4_URL=" + p.url, "CI_PROJECT_ID=" + p.id,
		"CI_JOB_TOKEN=" + job, "VERSION_TOKEN=" + p.versionToken,
	}, environ...)
	return cmd
}

// run runs a pipeline. It returns the version that was published.
func run(cmd *exec.Cmd) (version, output string, err error) {
	text, err := cmd.CombinedOutput()
	left, _ := os.ReadFile(filepath.Join(cmd.Dir, "release.env")) // none where nothing was published
	if m := regexp.MustCompile(`VERSION=(\S+)`).FindSubmatch(left); m != nil {
		version = string(m[1])
	}
	return version, string(text), err
}

func (p *ciProject) passes(want, script string, environ ...string) {
	p.t.Helper()
	version, output, err := run(p.pipeline(script, environ...))
	if err != nil || version != want {
		p.t.Errorf("%s: published %q, want %q; %v\n%s", script, version, want, err, output)
	}
	p.recorded(want)
	p.do("GET", "/projects/"+p.id+"/packages/generic/tool/"+want+"/tool.tar.gz", nil, 200)
}

// fails runs a pipeline that must fail with the words, and leave the variable.
func (p *ciProject) fails(words, recorded string, environ ...string) {
	p.t.Helper()
	if version, output, err := run(p.pipeline("sh release.sh", environ...)); err == nil || !strings.Contains(output, words) {
		p.t.Errorf("published %q, %v, want a failure with %q\n%s", version, err, words, output)
	}
	p.recorded(recorded)
}

// TestCIVersion is row 12 of the mission: the version is in a CI/CD variable, and is
// written back only once the test of the download has passed. Until then nobody can
// install it.
func TestCIVersion(t *testing.T) {
	p := newCIProject(t)
	p.passes("1.4.1", "sh release.sh")
	unseen := `[ "$(curl -s -o /dev/null -w %{http_code} -H "JOB-TOKEN: $CI_JOB_TOKEN" ` +
		p.url + `/projects/$CI_PROJECT_ID/packages/generic/tool/$VERSION/tool.tar.gz)" = 404 ]`
	p.passes("1.5.0", "sh release.sh", "BUMP=minor", "TEST="+unseen)
	p.fails("1.5.1 fails its tests", "1.5.0", "TEST=false")
	p.passes("1.5.1", "sh release.sh") // nobody has seen the other one
	if p.do("GET", "/projects/"+p.id+"/packages/generic/tool/1.5.1", nil, 200)["final_at"] == nil {
		t.Error("1.5.1 is not final")
	}

	p.fails("cannot be read: 404", "1.5.1", "VERSION_KEY=NONE")
	p.fails("cannot be published: 401", "1.5.1", "CI_JOB_TOKEN=nonsense")
	p.do("PUT", "/projects/"+p.id+"/variables/PKG_VERSION", url.Values{"value": {"two"}}, 200)
	p.fails("want a version such as", "two")
	p.do("PUT", "/projects/"+p.id+"/variables/PKG_VERSION", url.Values{"value": {"1.4.0"}}, 200)
	p.passes("1.5.2", "sh release.sh", "BUMP=minor") // 1.5.0 and 1.5.1 are final
}

// TestCIVersionPipeline runs the example's .gitlab-ci.yml.
func TestCIVersionPipeline(t *testing.T) {
	p := newCIProject(t)
	run := p.runner("../examples/ci-version", ".gitlab-ci.yml", "VERSION_TOKEN="+p.versionToken, "BUMP=major")
	run.passes()
	p.recorded("2.0.0")
	p.do("GET", "/projects/"+p.id+"/packages/generic/tool/2.0.0/tool.tar.gz", nil, 200)

	// A job that is run again does nothing else, and what failed can be run again.
	run.job("record")
	run.environ = append(run.environ, "TEST=false")
	run.fails("verify", "3.0.0 fails its tests")
	p.do("GET", "/projects/"+p.id+"/packages/generic/tool/3.0.0?status=draft", nil, 404)
	p.recorded("2.0.0")
}

// TestCIVersionByPeople: if only people may make a version final, the pipeline ends at
// that, and goes on once somebody has done it.
func TestCIVersionByPeople(t *testing.T) {
	p := newCIProject(t)
	p.do("PUT", "/projects/"+p.id, url.Values{"generic_package_finalisers": {"people"}}, 200)
	run := p.runner("../examples/ci-version", ".gitlab-ci.yml", "VERSION_TOKEN="+p.versionToken)
	run.fails("record", "1.4.1 cannot be made final: 403")
	p.recorded("1.4.0")
	p.do("POST", "/projects/"+p.id+"/packages/generic/tool/1.4.1", nil, 201)
	run.job("record")
	p.recorded("1.4.1")
}

// TestCIVersionAtOnce: pipelines that have all read the same version publish
// different ones, and the variable ends at the highest.
func TestCIVersionAtOnce(t *testing.T) {
	p := newCIProject(t)
	const pipelines = 3
	// Nobody publishes before everybody has read, and nobody writes back before
	// everybody has published.
	meet := func(at string) string {
		dir := t.TempDir()
		return `touch ` + dir + `/$NAME; i=0; while [ $(ls ` + dir + ` | wc -l) -lt ` + strconv.Itoa(pipelines) +
			` ]; do i=$((i + 1)); [ $i -lt 600 ] || { echo nobody else is at ` + at + `; exit 1; }; sleep 0.1; done`
	}
	build, test := meet("build"), meet("test")
	var mu sync.Mutex
	var published []string
	var all sync.WaitGroup
	for i := range pipelines {
		cmd := p.pipeline("sh release.sh", "NAME="+strconv.Itoa(i), "BUILD="+build, "TEST="+test)
		all.Go(func() {
			version, output, err := run(cmd)
			if err != nil {
				t.Errorf("%v\n%s", err, output)
			}
			mu.Lock()
			defer mu.Unlock()
			published = append(published, version)
		})
	}
	all.Wait()
	slices.Sort(published)
	if want := []string{"1.4.1", "1.4.2", "1.4.3"}; !slices.Equal(published, want) {
		t.Errorf("published %q, want %q", published, want)
	}
	p.recorded("1.4.3")
}
