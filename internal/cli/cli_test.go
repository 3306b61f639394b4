package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// whereServed skips what is about the server on a system that it does not run on.
func whereServed(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the server does not run here")
	}
}

// run is the program in an empty folder; what it printed, and its exit code.
func run(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), Env{Args: args, Environ: environ, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Version: "v1.2.3"})
	return code, out.String(), errs.String()
}

func TestUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	tests := []struct {
		args   string
		code   int
		stderr string
	}{
		{"version", 0, ""},
		{"", 0, ""},
		{"config", 0, ""},
		{"serve --help", 0, ""},
		{"config check", 0, ""},
		{"completion bash", 0, ""},
		{"--version", 0, ""},
		{"-V", 0, ""},
		{"help", 0, ""},
		{"help config check", 0, ""},
		{"help nope", 2, `granary: there is no command "nope"; did you mean granary copy?`},
		{"help config chekc", 2, `granary: there is no command "chekc"; did you mean granary config check?`},
		{"completion nope", 2, `granary: there is no command "nope"; see granary completion --help`},
		{"admin nope", 2, `granary: there is no command "nope"; see granary admin --help`},
		{"ls --json --nope", 2, `{"message":"unknown flag: --nope; see granary ls --help","exit_code":2}`},
		{"ls --nope --json", 2, `{"message":"unknown flag: --nope; see granary ls --help","exit_code":2}`},
		{"ls --nope --json=false", 2, `granary: unknown flag: --nope; see granary ls --help`},
		{"ls --json=maybe", 2, `{"message":"--json is \"maybe\": want true or false; see granary ls --help","exit_code":2}`},
		{"ls --json --json=maybe", 2, `{"message":"--json is \"maybe\": want true or false; see granary ls --help","exit_code":2}`},
		{"--json", 2, `{"message":"unknown flag: --json; see granary --help","exit_code":2}`},
		{"--json ls", 2, `{"message":"unknown flag: --json; see granary --help","exit_code":2}`},
		{"ci run --nope -- ls --json", 2, "granary: unknown flag: --nope; see granary ci run --help"},
		{"ci run --timeout 0 true", 2, "granary: --timeout is 0s: want a second or more"},
		{"ci run --timeout -5s true", 2, "granary: --timeout is -5s: want a second or more"},
		{"ci run --timeout 999ms true --json", 2, "granary: --timeout is 999ms: want a second or more"},
		{"push -V", 2, "granary: unknown shorthand flag: 'V' in -V; see granary push --help; granary --version prints this program's version, and a package's is NAME@VERSION"},
		{"config check --version 1", 2, "granary: unknown flag: --version; see granary config check --help; granary --version prints this program's version, and a package's is NAME@VERSION"},
		{"push -j 0 p n 1 f", 2, "granary: --jobs is 0: want 1 to 64"},
		{"push -j 65 p n 1 f", 2, "granary: --jobs is 65: want 1 to 64"},
		{"pull -j 0 p n", 2, "granary: --jobs is 0: want 1 to 64"},
		{"copy -j 0 p n --to q", 2, "granary: --jobs is 0: want 1 to 64"},
		{"push p n", 2, "granary: which version of n? want granary push PROJECT NAME VERSION PATH..."},
		{"rm p", 2, "granary: an argument is missing; want granary rm PROJECT NAME@VERSION [FILE...] [flags]"},
		{"rm", 2, "granary: 2 arguments are missing; want granary rm PROJECT NAME@VERSION [FILE...] [flags]"},
		{"serv", 2, `granary: there is no command "serv"; did you mean granary serve?`},
		{"frobnicate", 2, `granary: there is no command "frobnicate"; see granary --help`},
		{"config chekc", 2, `granary: there is no command "chekc"; did you mean granary config check?`},
		{"version now", 2, `granary: granary version takes no arguments, but got "now"`},
		{"serve --port 1", 2, "granary: unknown flag: --port; see granary serve --help"},
		{"serve --root-token x", 2, "granary: unknown flag: --root-token; see granary serve --help"},
		{"serve --naming x --log-format y", 2, "granary: naming is \"x\" (--naming): want strict or relaxed\n" +
			"granary: log-format is \"y\" (--log-format): want text or json"},
	}
	for _, tt := range tests {
		code, _, stderr := run(t, nil, strings.Fields(tt.args)...)
		if code != tt.code || strings.TrimSuffix(stderr, "\n") != tt.stderr {
			t.Errorf("granary %s: exit %d, stderr:\n%s\nwant %d:\n%s", tt.args, code, stderr, tt.code, tt.stderr)
		}
	}
	left, err := os.ReadDir(".")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// Every command's help tells the exit codes, and what it is for.
func TestHelp(t *testing.T) {
	var commands func(*cobra.Command)
	commands = func(cmd *cobra.Command) {
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		_, stdout, stderr := run(t, nil, args...)
		if !strings.Contains(stdout, exitHelpOf(cmd)) || strings.Count(stdout, "Exit codes:") != 1 || cmd.Short == "" {
			t.Errorf("granary %s:\n%s%s", args, stdout, stderr)
		}
		for _, sub := range cmd.Commands() {
			commands(sub)
		}
	}
	commands(newRoot(Env{}))
}

// Help asks for nothing that is slow: it makes as much as the commands and their
// flags are, and no more. It is counted, for time depends on the machine.
func TestHelpIsCheap(t *testing.T) {
	const most = 6_000 // allocations
	made := testing.AllocsPerRun(5, func() { run(t, nil, "--help") })
	t.Logf("%.0f allocations", made)
	if made > most {
		t.Errorf("granary --help makes %.0f allocations, want %d at most", made, most)
	}
}

// Commands with the server's settings show them by purpose.
func TestHelpBySection(t *testing.T) {
	for _, args := range [][]string{{"serve"}, {"config", "check"}, {"migrate-storage"}, {"migrate-database"}} {
		_, stdout, _ := run(t, nil, append(args, "--help")...)
		if strings.Count(stdout, "\nStorage:\n      --data-dir ") != 1 || strings.Count(stdout, "      --listen ") != 1 {
			t.Errorf("granary %s --help:\n%s", args, stdout)
		}
	}
}

// Every command has a manual page, which no line of its text can break.
func TestMan(t *testing.T) {
	dir := t.TempDir()
	if code, _, stderr := run(t, nil, "man", dir); code != 0 {
		t.Fatal(stderr)
	}
	for _, name := range []string{"granary", "granary-push", "granary-version-next", "granary-ci-run"} {
		text, err := os.ReadFile(filepath.Join(dir, name+".1"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, ".") && !regexp.MustCompile(`^\.(TH|SH|TP|B|nf|fi)\b`).MatchString(line) {
				t.Errorf("%s: %q", name, line)
			}
		}
	}
	if got, want := roff(".x a\\b\n'y -z"), "\\&.x a\\eb\n\\&'y \\-z"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestVersion(t *testing.T) {
	for _, asked := range []string{"version", "--version", "-V"} {
		if _, stdout, _ := run(t, nil, asked); !strings.HasPrefix(stdout, "granary v1.2.3 (go") {
			t.Error(asked, stdout)
		}
	}
	if v := versionOf(""); v == "" {
		t.Error("a build without a linked version has none")
	}
}

// A test binary does not know its modules: the tests of tools/release look at them.
func TestVersionAsJSON(t *testing.T) {
	var out, errs bytes.Buffer
	commit := strings.Repeat("0123456789", 4)
	code := Main(t.Context(), Env{Args: []string{"version", "--json"}, Stdout: &out, Stderr: &errs, Version: "v1.2.3", Commit: commit})
	var got build
	if err := json.Unmarshal(out.Bytes(), &got); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, out.String(), errs.String())
	}
	if got.Version != "v1.2.3" || got.Commit != commit || got.Go != runtime.Version() || got.OS != runtime.GOOS || got.Arch != runtime.GOARCH || got.Modules == nil {
		t.Errorf("%+v", got)
	}
}

func TestConfigCheck(t *testing.T) {
	whereServed(t)
	file := filepath.Join(t.TempDir(), "granary.yaml")
	if err := os.WriteFile(file, []byte("naming: relaxed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, []string{"GRANARY_CONFIG=" + file, "GRANARY_ROOT_TOKEN=abcdefghijklmnopqrstuvwxyz"}, "config", "check", "--listen=:1")
	if code != 0 || stderr != "" || strings.Contains(stdout, "abcdef") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	lines := strings.Split(stdout, "\n")
	for _, want := range []string{
		`listen: ":1"  # --listen`,
		`data_dir: "./granary-data"  # default`,
		"database: sqlite:granary-data/granary.db  # default",
		"blobs: file:granary-data/blobs  # default",
		`external_url: ""  # default`,
		"# root_token is set and hidden  # GRANARY_ROOT_TOKEN",
		"naming: relaxed  # " + file + ":1",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("there is no line %q in:\n%s", want, stdout)
		}
	}
}

// serve runs until its context ends, answers meanwhile, and exits with 0.
func TestServe(t *testing.T) {
	whereServed(t)
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	logs, stderr := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- Main(ctx, Env{Args: []string{"serve", "--listen=127.0.0.1:0", "--pprof-listen=127.0.0.1:0"},
			Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: stderr})
		_ = stderr.Close()
	}()
	lines := bufio.NewScanner(logs)
	address := func(message string) string {
		for lines.Scan() {
			if m := regexp.MustCompile(message + `.* address=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
				return m[1]
			}
		}
		t.Fatalf("no line with %q in the log", message)
		return ""
	}
	profiles, api := address("serving profiles"), address("listening")
	go func() { _, _ = io.Copy(io.Discard, logs) }()
	for _, url := range []string{"http://" + api + "/-/liveness", "http://" + api + "/-/metrics", "http://" + profiles + "/debug/pprof/cmdline"} {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", url, resp.Status)
		}
	}
	cancel()
	if got := <-code; got != 0 {
		t.Errorf("exit code %d", got)
	}
}

func TestServeFails(t *testing.T) {
	whereServed(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	t.Chdir(t.TempDir())
	code, _, stderr := run(t, nil, "serve", "--listen", ln.Addr().String())
	want := fmt.Sprintf("granary: cannot listen on %s: address already in use; is another server running there? --listen chooses another address\n", ln.Addr())
	if code != 1 || stderr != want {
		t.Errorf("exit %d: %s\nwant %s", code, stderr, want)
	}
}
