package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
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
	modules, err := filepath.Abs("../.cache/gitbeaker/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, "@gitbeaker/rest")); err != nil {
		t.Fatalf("@gitbeaker/rest is missing: %s\n%v", installClients, err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("node is missing: %s", installClients)
	}
	spendDay(t, exec.CommandContext(t.Context(), node, "clients/user_day.cjs", startServer(t), ciToken), "NODE_PATH="+modules)
}

func spendDay(t *testing.T, cmd *exec.Cmd, environ ...string) {
	t.Helper()
	cmd.Env = slices.Concat(os.Environ(), []string{"NO_PROXY=*"}, environ)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}
