package ui

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	yamlv3 "go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "rewrite what the tests compare with")

const snippetToken = "gnpat-of-the-snippet-tests"

// textOf is the snippet for a tool.
func textOf(t *testing.T, f installable, tool string) string {
	t.Helper()
	all := snippets(f)
	i := slices.IndexFunc(all, func(s snippet) bool { return s.Tool == tool })
	if i < 0 || len(all) != 9 {
		t.Fatalf("%s is not among the %d snippets", tool, len(all))
	}
	return all[i].Text
}

// storeOf serves one file at its address, to those who may have it, and refuses all else.
func storeOf(t *testing.T, f installable, content []byte) installable {
	t.Helper()
	want := "/below/api/v4/projects/7/packages/generic/" + f.Name + "/" + f.Version + "/" + f.Path
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != want {
			t.Errorf("asked for %q, want %q", r.URL.Path, want)
		}
		if !f.Public && r.Header.Get("PRIVATE-TOKEN") != snippetToken && r.Header.Get("JOB-TOKEN") != snippetToken {
			t.Errorf("no token among %v", r.Header)
		}
		if f.Public && (r.Header.Get("PRIVATE-TOKEN") != "" || r.Header.Get("JOB-TOKEN") != "") {
			t.Error("a token that nobody needs was sent")
		}
		_, _ = w.Write(content)
	}))
	t.Cleanup(server.Close)
	digest := sha256.Sum256(content)
	f.Server, f.ProjectID, f.SHA256 = server.URL+"/below", 7, hex.EncodeToString(digest[:])
	return f
}

// installables are what the registry accepts under relaxed naming, and at the end what it
// never has: snippets are safe all the same.
func installables() []installable {
	return []installable{
		{Name: "sonde", Version: "2.4.1", Path: "sonde_2.4.1_linux_amd64.tar.gz"},
		{Name: "a+b", Version: "v1.0_rc-1+x.y", Path: "a+b~1@2.bin"},
		{Name: "-n", Version: "-v", Path: "-f"},
		{Name: "n", Version: "1", Path: "-"},
		{Name: "n", Version: "1", Path: `d e/it's "$(touch pwned)" ` + "`touch pwned`" + ` 100% \n *?[x] {a,b} ^ü/f`},
		{Name: "n'$(touch pwned)", Version: `1"; touch pwned; "`, Path: "w'$(touch pwned);\"`touch pwned`\n\r{{x}}\\"},
	}
}

// run runs a text as the script of a shell, and returns the folder in which it ran.
func run(t *testing.T, shell []string, text string) (dir string, err error) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.CommandContext(t.Context(), shell[0], append(shell[1:], text)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GRANARY_TOKEN="+snippetToken, "CI_JOB_TOKEN="+snippetToken, "http_proxy=", "no_proxy=*")
	out, err := cmd.CombinedOutput()
	if _, there := os.Stat(filepath.Join(dir, "pwned")); there == nil {
		t.Errorf("a value was run as a command:\n%s", text)
	}
	t.Logf("%s", out)
	return dir, err
}

// installed fails unless the file is in dir with the content.
func installed(t *testing.T, dir string, f installable, content string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, f.local()))
	if err != nil || string(got) != content {
		t.Errorf("installed %q, %v", got, err)
	}
	if base := path.Base(f.Path); regexp.MustCompile(`^[A-Za-z0-9._+~@-]+$`).MatchString(base) && filepath.Base(f.local()) != base {
		t.Errorf("saved as %s, want %s", f.local(), base)
	}
}

// The commands for a shell install the file, and end with an error if it has other bytes.
func TestShellSnippets(t *testing.T) {
	const content = "the content"
	for _, f := range installables() {
		for _, public := range []bool{false, true} {
			f.Public = public
			f := storeOf(t, f, []byte(content))
			wrong := f
			wrong.SHA256 = strings.Repeat("0", 64)
			for _, shell := range [][]string{{"sh", "-c"}, {"bash", "-c"}} {
				for _, tool := range []string{"curl", "wget"} {
					dir, err := run(t, shell, textOf(t, f, tool))
					if err != nil {
						t.Errorf("%v\n%s", err, textOf(t, f, tool))
					}
					installed(t, dir, f, content)
					if _, err := run(t, shell, textOf(t, wrong, tool)); err == nil {
						t.Errorf("%s takes other bytes than the digest's", tool)
					}
				}
			}
		}
	}
}

// A refusal leaves no file that looks like the package's.
func TestCurlSnippetRefused(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	f := installable{Server: server.URL, Name: "n", Version: "1", Path: "f", SHA256: strings.Repeat("0", 64)}
	dir, err := run(t, []string{"sh", "-c"}, textOf(t, f, "curl"))
	if _, there := os.Stat(filepath.Join(dir, "f")); err == nil || !os.IsNotExist(there) {
		t.Errorf("%v, %v", err, there)
	}
}

// granary gets exactly the words that are meant, and a pattern that matches only the file.
func TestGranarySnippet(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "granary"), []byte("#!/bin/sh\nprintf '%s\\0' \"$@\" >words\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for _, f := range installables() {
		f.Server, f.Project = "https://packages.example.com:8443/below", "acme/tools"
		dir, err := run(t, []string{"sh", "-c"}, textOf(t, f, "granary"))
		if err != nil {
			t.Fatal(err)
		}
		words, err := os.ReadFile(filepath.Join(dir, "words"))
		if err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(strings.Split(strings.TrimSuffix(string(words), "\x00"), "\x00"), func(w string) bool { return w == "--" })
		if len(got) != 6 || !slices.Equal(got[:5], []string{"pull", "--server", f.Server, f.Project, f.Name + "@" + f.Version}) {
			t.Fatalf("%q", got)
		}
		if match, err := path.Match(got[5], f.Path); !match || err != nil {
			t.Errorf("the pattern %q does not match %q: %v", got[5], f.Path, err)
		}
	}
}

// The lines of a GitLab job are run one after the other.
func TestGitLabCISnippet(t *testing.T) {
	for _, f := range installables() {
		f := storeOf(t, f, []byte("the content"))
		var jobs map[string]struct{ Script []string }
		if err := yamlv3.Unmarshal([]byte(textOf(t, f, "GitLab CI")), &jobs); err != nil || len(jobs["install"].Script) != 2 {
			t.Fatalf("%v: %v", err, jobs)
		}
		dir, err := run(t, []string{"sh", "-e", "-c"}, strings.Join(jobs["install"].Script, "\n"))
		if err != nil {
			t.Error(err)
		}
		installed(t, dir, f, "the content")
	}
}

// What a Dockerfile runs is a shell's; ADD has only words without a special byte.
func TestDockerfileSnippet(t *testing.T) {
	for _, f := range installables() {
		f := storeOf(t, f, []byte("the content"))
		first, rest, _ := strings.Cut(textOf(t, f, "Dockerfile"), " \\\n")
		if first != "RUN --mount=type=secret,id=granary_token,env=GRANARY_TOKEN" {
			t.Error(first)
		}
		dir, err := run(t, []string{"sh", "-c"}, rest)
		if err != nil {
			t.Error(err)
		}
		installed(t, dir, f, "the content")
		f.Public = true
		add := regexp.MustCompile(`^ADD --checksum=sha256:` + f.SHA256 + ` \\\n  http://[A-Za-z0-9._~:/%-]+ \\\n  \./[A-Za-z0-9._+~@-]+$`)
		if text := textOf(t, f, "Dockerfile"); !add.MatchString(text) {
			t.Errorf("%s", text)
		}
	}
}

// No value brings a quote of PowerShell's or a brace of a template's.
func TestOtherSnippetsHaveAPlainAlphabet(t *testing.T) {
	for _, f := range installables() {
		f := storeOf(t, f, nil)
		f.Server += "/${x}'‘{{y}}\""
		plain := regexp.MustCompile(`^[A-Za-z0-9._~:/%@+-]+$`)
		for what, value := range map[string]string{"address": f.url(), "server": f.server(), "name": f.local()} {
			if !plain.MatchString(value) {
				t.Errorf("%s: %q", what, value)
			}
		}
		var release map[string]any
		if err := yamlv3.Unmarshal([]byte(textOf(t, f, "GoReleaser")), &release); err != nil || release["release"] == nil {
			t.Errorf("%v: %v", err, release)
		}
	}
}

// TestSnippets compares all texts with testdata/snippets.txt, to be read by people.
func TestSnippets(t *testing.T) {
	var b strings.Builder
	for _, public := range []bool{false, true} {
		for _, s := range snippets(installable{
			Server: "https://packages.acme.example", Project: "acme/platform/tools", ProjectID: 42, Name: "sonde", Version: "2.4.1",
			Path: "sonde_2.4.1_linux_amd64.tar.gz", SHA256: "c65e731c6ae4249820c2fb45c16c88871c4103b00ffdd9279fa6dcc2973824a7", Public: public,
		}) {
			b.WriteString("== " + s.Tool + map[bool]string{true: ", anyone may download"}[public] + "\n" + s.Text + "\n\n")
		}
	}
	if *update {
		if err := os.WriteFile("testdata/snippets.txt", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/snippets.txt")
	if err != nil || string(want) != b.String() {
		t.Errorf("%v: the snippets differ from testdata/snippets.txt: go test ./internal/ui -run TestSnippets -update", err)
	}
}

// TestPullLatest: the command of a package page is quoted, and no name is an option.
func TestPullLatest(t *testing.T) {
	for name, want := range map[string]string{
		"sonde": "granary pull acme/tools sonde@latest", "-lead": "granary pull -- acme/tools -lead@latest", "a+b": "granary pull acme/tools a+b@latest",
		"it's": `granary pull acme/tools 'it'\''s@latest'`, "a b": "granary pull acme/tools 'a b@latest'", "~x": "granary pull acme/tools '~x@latest'",
	} {
		if got := pullLatest("acme/tools", name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
