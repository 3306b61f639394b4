package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"granary/internal/cli"
)

const unitFile = "../deploy/granary.service"

// TestUnit: systemd knows every word of the unit (it ignores what it does not know, and
// says so), its exposure is at most 2.0, and what it starts takes its settings.
func TestUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal("systemd-analyze is missing: run tools/install-test-deps")
	}
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	start := regexp.MustCompile(`(?m)^ExecStart=(/\S+/granary) (.*)$`).FindStringSubmatch(string(text))
	if start == nil {
		t.Fatal("the unit starts no granary")
	}
	program, err := os.Executable() // verify wants one to be there
	if err != nil {
		t.Fatal(err)
	}
	there := strings.Replace(string(text), start[1], program, 1)
	run := func(unit string, args ...string) (string, error) {
		file := filepath.Join(t.TempDir(), "granary.service")
		if err := os.WriteFile(file, []byte(unit), 0o600); err != nil {
			t.Fatal(err)
		}
		said, err := exec.CommandContext(t.Context(), analyze, append(args, file)...).CombinedOutput()
		return string(said), err
	}
	if said, err := run(there, "verify", "--man=no"); err != nil || said != "" {
		t.Errorf("verify: %v\n%s", err, said)
	}
	misspelt := strings.Replace(there, "ProtectClock=", "ProtectKlock=", 1)
	if said, _ := run(misspelt, "verify", "--man=no"); !strings.Contains(said, "ProtectKlock") {
		t.Errorf("a word that systemd does not know goes unnoticed: %q", said)
	}
	const threshold = "--threshold=20" // in tenths
	if said, err := run(there, "security", "--offline=yes", "--no-pager", threshold); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	if _, err := run("[Service]\nExecStart="+program+"\n", "security", "--offline=yes", "--no-pager", threshold); err == nil {
		t.Error("a unit without any hardening passes")
	}

	var environ []string
	for _, m := range regexp.MustCompile(`(?m)^Environment=(\S+)$`).FindAllStringSubmatch(string(text), -1) {
		environ = append(environ, m[1])
	}
	var out, errs strings.Builder
	args := append([]string{"config", "check"}, strings.Fields(strings.TrimPrefix(start[2], "serve"))...)
	code := cli.Main(t.Context(), cli.Env{Args: args, Environ: environ, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs})
	if code != 0 || !strings.HasPrefix(start[2], "serve") || !strings.Contains(out.String(), `data_dir: "/var/lib/granary"  # GRANARY_DATA_DIR`) {
		t.Errorf("exit code %d:\n%s%s", code, out.String(), errs.String())
	}
}
