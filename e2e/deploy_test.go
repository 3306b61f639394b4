package e2e_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template/parse"

	"go.yaml.in/yaml/v3"

	"granary/internal/cli"
)

// TestComposeFiles: they are YAML, and every variable and flag for granary is a setting of it.
// make proof-release has Compose's own loader read them.
func TestComposeFiles(t *testing.T) {
	for _, file := range []string{"one-node.yaml", "three-nodes.yaml"} {
		text, err := os.ReadFile("../deploy/compose/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var compose struct {
			Services map[string]struct {
				Image       string
				Command     []string
				Environment map[string]string
			}
		}
		if err := yaml.Unmarshal(text, &compose); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		nodes := 0
		for name, service := range compose.Services {
			if !strings.Contains(service.Image, "granary") {
				continue
			}
			nodes++
			environ := []string{}
			for key, value := range service.Environment {
				if strings.HasSuffix(key, "_FILE") { // its text is the user's
					continue
				}
				environ = append(environ, key+"="+regexp.MustCompile(`\$\{\w+:-(.*)\}`).ReplaceAllString(value, "$1"))
			}
			checkConfig(t, file+" "+name, environ, service.Command)
		}
		if want := map[string]int{"one-node.yaml": 1, "three-nodes.yaml": 3}[file]; nodes != want {
			t.Errorf("%s has %d nodes, want %d", file, nodes, want)
		}
	}
}

// checkConfig runs granary config check with the flags and variables of a server.
func checkConfig(t *testing.T, who string, environ, serve []string) {
	t.Helper()
	if len(serve) == 0 || serve[0] != "serve" {
		t.Fatalf("%s starts %q", who, serve)
	}
	var said strings.Builder
	env := cli.Env{Args: append([]string{"config", "check"}, serve[1:]...), Environ: environ, Stdin: strings.NewReader(""), Stdout: &said, Stderr: &said}
	if code := cli.Main(t.Context(), env); code != 0 {
		t.Errorf("%s: exit code %d\n%s", who, code, said.String())
	}
}

// TestComposeProxy: nginx takes the settings of three-nodes.yaml.
func TestComposeProxy(t *testing.T) {
	text, err := os.ReadFile("../deploy/compose/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// The nodes' names are only known to Compose, and nginx looks them up.
	conf := regexp.MustCompile(`granary-\d:8080`).ReplaceAllString(string(text), net.JoinHostPort("127.0.0.1", "8081"))
	conf = "pid " + filepath.Join(dir, "pid") + ";\nerror_log stderr;\n" + conf
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.CommandContext(t.Context(), "nginx", "-t", "-q", "-c", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

// TestChartParses: the chart's templates are templates, and what is none of them is YAML.
// make proof-release has helm render them.
func TestChartParses(t *testing.T) {
	const chart = "../deploy/chart/granary/"
	templates, err := filepath.Glob(chart + "templates/*")
	if err != nil || len(templates) < 6 {
		t.Fatalf("%q, %v", templates, err)
	}
	for _, file := range templates {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tree := parse.New(file)
		tree.Mode = parse.SkipFuncCheck
		if _, err := tree.Parse(string(text), "", "", map[string]*parse.Tree{}); err != nil {
			t.Error(err)
		}
	}
	for _, file := range []string{"Chart.yaml", "values.yaml", "values.schema.json"} {
		text, err := os.ReadFile(chart + file)
		if err != nil {
			t.Fatal(err)
		}
		var any map[string]any
		if err := yaml.Unmarshal(text, &any); err != nil || len(any) == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestChartStartsAServer: the pod's flags are those of granary serve.
func TestChartStartsAServer(t *testing.T) {
	args := all(t, "../deploy/chart/granary/templates/_pod.tpl", `args: \[(.*)\]`)
	if len(args) != 1 {
		t.Fatalf("%q", args)
	}
	var serve []string
	for _, arg := range strings.Split(args[0], ", ") {
		serve = append(serve, strings.Trim(arg, `"`))
	}
	checkConfig(t, "the pod", nil, serve)
}
