package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// installClients installs what these tests need on a Debian; it says by itself
// what to do elsewhere.
const installClients = "run tools/install-test-deps"

// TestPythonGitlab, and TestGitbeaker below, spend a user's day with clients that nobody
// here wrote. The scripts are to be read: they end at the first surprise.
func TestPythonGitlab(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3" // Debian's, which has Debian's python3-gitlab
	if text, err := exec.CommandContext(t.Context(), python, "-c", "import gitlab").CombinedOutput(); err != nil {
		t.Fatalf("python3-gitlab is missing: %s\n%v\n%s", installClients, err, text)
	}
	spendDay(t, exec.CommandContext(t.Context(), python, "clients/user_day.py", startServer(t), ciToken))
}

// TestGitbeaker does the same in JavaScript.
func TestGitbeaker(t *testing.T) {
	t.Parallel()
	modules := filepath.Dir(filepath.Dir(nodeModule(t, "@gitbeaker/rest")))
	spendDay(t, exec.CommandContext(t.Context(), node(t), "clients/user_day.cjs", startServer(t), ciToken), "NODE_PATH="+modules)
}

func spendDay(t *testing.T, cmd *exec.Cmd, environ ...string) {
	t.Helper()
	cmd.Env = slices.Concat(os.Environ(), []string{"NO_PROXY=*"}, environ)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// node is the Node of clients/package.json: Debian's is too old for some of the tools.
func node(t *testing.T) string {
	t.Helper()
	system := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if system == "" {
		system = runtime.GOARCH
	}
	return nodeModule(t, "node-linux-"+system+"/bin/node")
}

// nodeModule is where a package of clients/package.json, or a file of it, is installed.
func nodeModule(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../.cache/node/node_modules/" + name)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("%s is missing: %s\n%v", name, installClients, err)
	}
	return path
}
