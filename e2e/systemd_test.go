package e2e

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"granary/dev/servers"
	"granary/internal/cli"
	"granary/internal/eventually"
)

const (
	unitFile   = "../deploy/granary.service"
	socketFile = "../deploy/granary.socket"
)

// TestUnit: systemd knows every word of the units (it ignores what it does not know, and
// says so), also of those that are comments; the service's exposure is at most 1.5, and what it
// starts takes its settings.
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
	socket, err := os.ReadFile(socketFile)
	if err != nil {
		t.Fatal(err)
	}
	run := func(unit string, args ...string) (string, error) {
		file := filepath.Join(t.TempDir(), "granary.service")
		beside := strings.TrimSuffix(file, "service") + "socket"
		if err := errors.Join(os.WriteFile(file, []byte(unit), 0o600), os.WriteFile(beside, socket, 0o600)); err != nil {
			t.Fatal(err)
		}
		if args[0] == "verify" {
			args = append(args, beside)
		}
		said, err := exec.CommandContext(t.Context(), analyze, append(args, file)...).CombinedOutput()
		return string(said), err
	}
	if said, err := run(there, "verify", "--man=no"); err != nil || said != "" {
		t.Errorf("verify: %v\n%s", err, said)
	}
	secrets := regexp.MustCompile(`(?m)^#(LoadCredential|Environment)=`).ReplaceAllString(there, "$1=")
	if strings.Count(secrets, "\nLoadCredential=encryption-key:") != 1 || strings.Count(secrets, "\nEnvironment=GRANARY_ENCRYPTION_KEY_FILE=%d/encryption-key\n") != 1 {
		t.Errorf("the unit does not show how a secret is loaded:\n%s", text)
	}
	if said, err := run(secrets, "verify", "--man=no"); err != nil || said != "" {
		t.Errorf("verify with secrets from files: %v\n%s", err, said)
	}
	misspelt := strings.Replace(there, "ProtectClock=", "ProtectKlock=", 1)
	if said, _ := run(misspelt, "verify", "--man=no"); !strings.Contains(said, "ProtectKlock") {
		t.Errorf("a word that systemd does not know goes unnoticed: %q", said)
	}
	socket = []byte(strings.Replace(string(socket), "Backlog=", "Backlock=", 1))
	if said, _ := run(there, "verify", "--man=no"); !strings.Contains(said, "Backlock") {
		t.Errorf("a word of the socket that systemd does not know goes unnoticed: %q", said)
	}
	const threshold = "--threshold=15" // in tenths
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

// TestSocketActivation: the program that stands in for systemd opens the socket, and starts the
// server with the first connection. Its request is answered, by a server whose secrets are in
// files.
func TestSocketActivation(t *testing.T) {
	activate, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Fatal("systemd-socket-activate is missing: run tools/install-test-deps")
	}
	address, err := servers.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	secret := filepath.Join(dir, "root-token")
	if err := os.WriteFile(secret, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(activate, "--listen="+address, "--fdname=http", "-E", "GRANARY_ROOT_TOKEN_FILE="+secret, "-E", "GRANARY_DISK_RESERVE=0",
		"granary", "serve", "--listen=127.0.0.1:1", "--data-dir="+filepath.Join(dir, "data"))
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt) // the server has taken the place of the program
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v\n%s", err, log.String())
		}
	}()
	ask := func() int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/api/v4/user", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Private-Token", token)
		resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
		if err != nil {
			return 0
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	status := 0
	eventually.Holds(t, "systemd-socket-activate listens", func() bool { status = ask(); return status != 0 })
	if status != http.StatusOK {
		t.Errorf("the answer is %d", status)
	}
}
