package e2e_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// ciPage is docs/ci.md, with its blocks by the heading they stand under.
func ciPage(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string]string{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, rest, _ := strings.Cut(section, "\n")
		if m := regexp.MustCompile("(?s)```[a-z]+\n(.*?)```").FindStringSubmatch(rest); m != nil {
			blocks[title] = m[1]
		}
	}
	return blocks
}

// TestCIPagesPublish runs what docs/ci.md tells other CI servers to do, for the tag
// v1.4.0, with a token made as it says; each in a group of its own.
func TestCIPagesPublish(t *testing.T) {
	t.Parallel()
	p := &ciProject{t: t, url: startServer(t) + "/api/v4"}
	page := ciPage(t)
	for group, ci := range map[string]struct{ tag, script string }{
		"actions": {"GITHUB_REF_NAME=v1.4.0", actionsScript(t, page["GitHub Actions"])},
		"jenkins": {"TAG_NAME=v1.4.0", jenkinsScript(page["Jenkins"])},
		"runner":  {"CI_COMMIT_TAG=v1.4.0", gitlabScript(t, page["A GitLab runner"])},
		"program": {"version=1.4.0", "make dist/tool.tar.gz\n" + page["With the granary program"]},
	} {
		if !strings.Contains(ci.script, "acme") {
			t.Fatalf("docs/ci.md has no script for %s: %q", group, ci.script)
		}
		id := p.do("POST", "/groups", url.Values{"name": {group}, "path": {group}}, 201)["id"].(float64)
		p.do("POST", "/projects", url.Values{"name": {"tools"}, "namespace_id": {strconv.Itoa(int(id))}}, 201)
		project := "/projects/" + group + "%2Ftools"
		token := p.do("POST", project+"/access_tokens", url.Values{"name": {"ci"}, "access_level": {"30"}, "scopes[]": {"api"}}, 201)["token"].(string)

		script := strings.ReplaceAll(ci.script, "acme", group)
		script = strings.ReplaceAll(script, "https://packages.example.com", strings.TrimSuffix(p.url, "/api/v4"))
		cmd := exec.CommandContext(t.Context(), "bash", "-eux", "-c", script)
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), "NO_PROXY=*", "API="+p.url, "GRANARY_TOKEN="+token, "HOME="+cmd.Dir, ci.tag)
		makefile := "dist/tool.tar.gz:\n\tmkdir -p dist && tar -czf $@ Makefile\n"
		if err := os.WriteFile(filepath.Join(cmd.Dir, "Makefile"), []byte(makefile), 0o644); err != nil {
			t.Fatal(err)
		}
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", group, err, text)
		}
		p.do("GET", project+"/packages/generic/tool/1.4.0/tool.tar.gz", nil, 200)
	}
}

// actionsScript is what the steps of a workflow of GitHub run.
func actionsScript(t *testing.T, text string) string {
	t.Helper()
	var workflow struct {
		Jobs struct {
			Publish struct {
				Steps []struct{ Run string }
			}
		}
	}
	if err := yaml.Unmarshal([]byte(text), &workflow); err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, step := range workflow.Jobs.Publish.Steps {
		script.WriteString(step.Run + "\n")
	}
	return script.String()
}

// gitlabScript is the script of a job of GitLab.
func gitlabScript(t *testing.T, text string) string {
	t.Helper()
	var pipeline struct {
		Publish struct{ Script []string }
	}
	if err := yaml.Unmarshal([]byte(text), &pipeline); err != nil {
		t.Fatal(err)
	}
	return strings.Join(pipeline.Publish.Script, "\n")
}

// jenkinsScript is what the sh steps of a Jenkinsfile run.
func jenkinsScript(text string) string {
	var script strings.Builder
	for _, m := range regexp.MustCompile("(?s)sh (?:'''(.*?)'''|'([^'\n]*)')").FindAllStringSubmatch(text, -1) {
		script.WriteString(m[1] + m[2] + "\n")
	}
	return script.String()
}
