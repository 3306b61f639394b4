package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/client"
)

// Which server is asked with which token: a token never goes to a server that
// it does not belong to.
func TestConnection(t *testing.T) {
	home := t.TempDir()
	if _, err := (logins{Default: "https://login.example/api/v4", Servers: map[string]string{"https://login.example/api/v4": "gnpat-login"},
		Profiles: map[string]profile{"work": {"https://work.example/api/v4", "gnpat-work"}, "deploy": {"https://login.example/api/v4", "gndt-deploy"}}}).
		write(Env{Environ: []string{"HOME=" + home}}); err != nil {
		t.Fatal(err)
	}
	netrc := "machine netrc.example login gitlab-ci-token password j\nmachine other.example login x password glpat-netrc"
	if err := os.WriteFile(filepath.Join(home, ".netrc"), []byte(netrc), 0o600); err != nil {
		t.Fatal(err)
	}
	ci := []string{"CI_API_V4_URL=https://ci.example/api/v4", "CI_JOB_TOKEN=job"}
	work := []string{"GRANARY_PROFILE=work"}
	for _, tt := range []struct {
		environ       []string
		server, token string // flags
		api           string
		want          client.Credential
	}{
		{nil, "", "", "https://login.example/api/v4", client.PrivateToken("gnpat-login")},
		{nil, "https://login.example:8443", "", "https://login.example:8443/api/v4", client.Credential{}},
		{nil, "http://login.example", "", "http://login.example/api/v4", client.Credential{}},
		{nil, "netrc.example", "", "https://netrc.example/api/v4", client.JobToken("j")},
		{nil, "other.example", "", "https://other.example/api/v4", client.PrivateToken("glpat-netrc")},
		{nil, "other.example", " glcbt-x\n", "https://other.example/api/v4", client.JobToken("glcbt-x")},
		{ci, "", "", "https://ci.example/api/v4", client.JobToken("job")},
		{ci, "elsewhere.example", "", "https://elsewhere.example/api/v4", client.Credential{}},
		{ci, "", "job", "https://ci.example/api/v4", client.JobToken("job")},
		{append(ci, "GRANARY_TOKEN=t"), "", "", "https://ci.example/api/v4", client.PrivateToken("t")},
		{append(ci, "GRANARY_SERVER=g.example", "GRANARY_TOKEN=t"), "", "", "https://g.example/api/v4", client.PrivateToken("t")},
		{append(ci, "GRANARY_SERVER=g.example", "GRANARY_TOKEN=t"), "ci.example", "", "https://ci.example/api/v4", client.JobToken("job")},
		{work, "", "", "https://work.example/api/v4", client.PrivateToken("gnpat-work")},
		{append(work, "GRANARY_SERVER=g.example", "GRANARY_TOKEN=t"), "", "", "https://work.example/api/v4", client.PrivateToken("gnpat-work")},
		{append(work, "GRANARY_SERVER=g.example", "GRANARY_TOKEN=t"), "g.example", "", "https://g.example/api/v4", client.PrivateToken("t")},
		{append(work, ci...), "", "t", "https://work.example/api/v4", client.PrivateToken("t")},
		{work, "elsewhere.example", "", "https://elsewhere.example/api/v4", client.Credential{}},
		{work, "login.example", "", "https://login.example/api/v4", client.PrivateToken("gnpat-login")},
		{[]string{"GRANARY_PROFILE=deploy"}, "", "", "https://login.example/api/v4", client.DeployToken("gndt-deploy")},
		{[]string{"GRANARY_TOKEN=gndt-t"}, "any.example", "", "https://any.example/api/v4", client.DeployToken("gndt-t")},
	} {
		o := connection{context: t.Context, env: Env{Environ: slices.Concat([]string{"HOME=" + home}, tt.environ)}, server: tt.server, token: tt.token}
		l := &stored{env: o.env}
		api, err := o.address(l)
		if err != nil || api.String() != tt.api {
			t.Errorf("%+v: %v %v", tt, api, err)
			continue
		}
		if got, err := o.credential(api, l); err != nil || got != tt.want {
			t.Errorf("%q --server %q --token %q: %#v %v, want %#v", tt.environ, tt.server, tt.token, got, err, tt.want)
		}
	}
}

// Logins are kept where only their owner reads them, and not used otherwise.
func TestLoginsArePrivate(t *testing.T) {
	env := Env{Environ: []string{"XDG_CONFIG_HOME=" + t.TempDir()}}
	path, err := logins{Servers: map[string]string{"a": "b"}}.write(env)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing of who may read there")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}
	if l, err := readLogins(env); err != nil || l.Servers["a"] != "b" {
		t.Error(l, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := readLogins(env); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
}

// Logins that are damaged stop only what needs them.
func TestDamagedLogins(t *testing.T) {
	env := []string{"XDG_CONFIG_HOME=" + t.TempDir()}
	path, err := logins{Servers: map[string]string{"a": "b"}}.write(Env{Environ: env})
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, `{"servers`)
	for _, tt := range []struct {
		environ, server, token, profile string
		needs                           bool
	}{
		{"GRANARY_SERVER=g.example GRANARY_TOKEN=t", "", "", "", false},
		{"GRANARY_TOKEN=t", "g.example", "", "", false},
		{"", "g.example", "t", "", false},
		{"CI_API_V4_URL=https://g.example/api/v4 CI_JOB_TOKEN=j", "", "", "", false},
		{"GRANARY_SERVER=g.example", "", "", "", true},
		{"GRANARY_TOKEN=t", "", "", "", true},
		{"GRANARY_SERVER=g.example GRANARY_TOKEN=t", "other.example", "", "", true},
		{"GRANARY_SERVER=g.example GRANARY_TOKEN=t", "", "", "work", true},
		{"GRANARY_SERVER=g.example GRANARY_TOKEN=t GRANARY_PROFILE=work", "", "t", "", true},
	} {
		o := connection{context: t.Context, env: Env{Environ: slices.Concat(env, strings.Fields(tt.environ))}, server: tt.server, token: tt.token, profile: tt.profile}
		if _, err := o.client(); (err != nil) != tt.needs || err != nil && !strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

func TestParseNetrc(t *testing.T) {
	const text = `# comment
macdef init
machine a login no password no

machine A
  login ann
  account x
  password one
machine b password two login bob
default login any password three`
	for host, want := range map[string][2]string{"a": {"ann", "one"}, "b": {"bob", "two"}, "c": {"any", "three"}} {
		if login, password := parseNetrc(text, host); login != want[0] || password != want[1] {
			t.Errorf("%s: %s %s", host, login, password)
		}
	}
	for _, odd := range []string{"", "machine", "machine c", "machine a login", "machine a password"} {
		if login, password := parseNetrc(odd, "a"); login+password != "" {
			t.Errorf("%q: %q %q", odd, login, password)
		}
	}
}

func FuzzParseNetrc(f *testing.F) {
	f.Add("machine a login b password c\nmacdef x\n\ndefault login d", "a")
	f.Fuzz(func(t *testing.T, text, host string) {
		login, password := parseNetrc(text, host)
		if !strings.Contains(text, login) || !strings.Contains(text, password) {
			t.Errorf("%q %q", login, password)
		}
	})
}

func TestFormats(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 30: "5.0 GiB"} {
		if got := formatBytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	p := &progress{verb: "push", files: 3, size: 4 << 20, done: 1, moved: 1 << 20, rate: 1 << 20}
	if got, want := p.line(), "push: 1 of 3 files, 1.0 MiB of 4.0 MiB, 1.0 MiB/s, 3s left"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// On a terminal the line is drawn over itself and gone at the end; in a log it
// is a line of its own.
func TestProgress(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		var out bytes.Buffer
		p := &progress{w: &out, verb: "pull", files: 1, size: 3 << 20, stop: make(chan struct{}), terminal: terminal, width: func() int { return 20 }}
		p.add(1 << 20)
		p.ended.Go(func() { p.tell(10 * time.Millisecond) })
		time.Sleep(50 * time.Millisecond)
		p.close()
		first, _, _ := strings.Cut(strings.TrimLeft(out.String(), "\r"), map[bool]string{true: "\x1b", false: "\n"}[terminal])
		switch {
		case terminal && (first != "pull: 1.0 MiB of 3." || !strings.HasSuffix(out.String(), "\r\x1b[K")):
			t.Errorf("on a terminal: %q", out.String())
		case !terminal && (!strings.HasPrefix(first, "pull: 1.0 MiB of 3.0 MiB, ") || strings.ContainsAny(out.String(), "\r\x1b")):
			t.Errorf("in a log: %q", out.String())
		}
	}
}

// A token of two lines is a wrong setting, wherever it comes from.
func TestTokenOfTwoLines(t *testing.T) {
	environ := []string{"HOME=" + t.TempDir(), "GRANARY_SERVER=localhost:1", "GRANARY_TOKEN=secret\nsecret"}
	code, _, stderr := run(t, environ, "ls", "p")
	if want := "granary: the access token contains a line break or another control character, which no token has\n"; code != 2 || stderr != want {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}
