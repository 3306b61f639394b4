package daemon

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// serveHere runs the server in this process until stop, and tells what it
// printed.
func serveHere(t *testing.T, environ []string, args ...string) (url string, stop func() (stdout string)) {
	t.Helper()
	cfg, err := settings(append([]string{noReserve}, environ...), append([]string{"--listen=127.0.0.1:0"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	logs, stderr := io.Pipe()
	var stdout bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, cfg, "test", &stdout, stderr, crashPoints{askFor: time.Millisecond})
		_ = stderr.Close()
	}()
	p := &process{listening: make(chan string, 1), exited: make(chan struct{})}
	go func() { p.read(logs); close(p.exited) }()
	if url = p.url(); url == "" {
		t.Fatalf("the server ended: %v", <-ended)
	}
	return url, func() string {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		return stdout.String()
	}
}

// The first start makes a token and says what to do with it, once.
func TestFirstStart(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	url, stop := serveHere(t, nil, "--data-dir="+data)

	kept, err := os.ReadFile(filepath.Join(data, tokenFile))
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimSuffix(string(kept), "\n")
	if !regexp.MustCompile(`^gnpat-[A-Z0-9]{52}$`).MatchString(token) {
		t.Errorf("the token is %q", token)
	}
	for name, want := range map[string]os.FileMode{
		".": os.ModeDir | 0o700, tokenFile: 0o600, "granary.db": 0o600, "granary.db-wal": 0o600,
		lockName: 0o600, "blobs": os.ModeDir | 0o700, "blobs/tmp": os.ModeDir | 0o700, "blobs/identity": 0o600,
	} {
		if info, err := os.Stat(filepath.Join(data, name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v, want mode %v", name, info.Mode(), err, want)
		}
	}
	pasteCommands(t, dir, url, data)

	stdout := stop()
	for _, want := range []string{url, token, filepath.Join(data, tokenFile), "root/demo"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	_, stop = serveHere(t, nil, "--data-dir="+data)
	if stdout := stop(); stdout != "" {
		t.Errorf("the second start prints\n%s", stdout)
	}
}

// pasteCommands runs the commands of the banner as they stand there.
func pasteCommands(t *testing.T, dir, url, data string) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(data, tokenFile))
	if err != nil {
		t.Fatal(err)
	}
	var banner strings.Builder
	if err := (greeting{url: url, token: strings.TrimSpace(string(token)), path: data}).write(&banner); err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(banner.String(), "install it:\n")
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", script+"\nmkdir there; cd there; "+lastLine(script)+"\ncmp hello.txt ../hello.txt")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", script, err, out)
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// The administrator's token can be chosen, so that scripts can start from
// nothing. It counts at the first start only.
func TestChosenToken(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for i, token := range []string{rootToken, "gnpat-another-one-that-comes-late"} {
		url, stop := serveHere(t, []string{"GRANARY_ROOT_TOKEN=" + token}, "--data-dir="+data)
		if resp, body := ask(t, "GET", url+"/api/v4/user", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("start %d: %s %s", i+1, resp.Status, body)
		}
		if resp, _ := ask(t, "GET", url+"/api/v4/user", nil, "Private-Token", token); i == 1 && resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("the token that came late: %s", resp.Status)
		}
		stop()
	}
}

// A first start that is killed before or after any of its commits is taken up
// by the next: there is one administrator with one token, that of the file.
func TestFirstStartIsTakenUp(t *testing.T) {
	for _, point := range []string{"before-commit", "after-commit"} {
		for n, killed := 1, true; killed; n++ {
			data := filepath.Join(t.TempDir(), "data")
			p, err := launch([]string{fmt.Sprintf("%s=%s %d", dieAt, point, n)}, "--listen=127.0.0.1:0", "--data-dir="+data)
			if err != nil {
				t.Fatal(err)
			}
			killed = p.url() == ""
			p.kill()
			if !p.killed() || n > 10 {
				t.Fatalf("%s %d: %v\n%s", point, n, p.err, p.logged())
			}
			if !killed && n < 4 {
				t.Errorf("a first start has only %d commits", n-1)
			}
			url, stop := serveHere(t, nil, "--data-dir="+data)
			token, err := os.ReadFile(filepath.Join(data, tokenFile))
			if err != nil {
				t.Fatal(err)
			}
			secret := strings.TrimSpace(string(token))
			resp, body := ask(t, "PUT", url+demoFiles+"a/1.0.0/a", strings.NewReader("a"), "Private-Token", secret)
			if resp.StatusCode != http.StatusCreated {
				t.Errorf("%s %d: %s %s", point, n, resp.Status, body)
			}
			_, body = ask(t, "GET", url+"/api/v4/personal_access_tokens", nil, "Private-Token", secret)
			if tokens := strings.Count(body, `"user_id"`); tokens != 1 {
				t.Errorf("%s %d: %d tokens: %s", point, n, tokens, body)
			}
			// Where the kill fell behind the token's commit nobody was told,
			// but for the file.
			if told := strings.Contains(p.stdout.String()+stop(), secret); !told && point == "before-commit" {
				t.Errorf("%s %d: nobody was told the token", point, n)
			}
		}
	}
}

func TestReachable(t *testing.T) {
	for _, tt := range []struct{ listen, external, want string }{
		{"127.0.0.1:0", "", `^http://127\.0\.0\.1:\d+$`},
		{"[::]:0", "", `^http://localhost:\d+$`},
		{":0", "https://packages.example.com/x", `^https://packages\.example\.com/x$`},
	} {
		args := []string{"--listen=" + tt.listen, "--data-dir=" + t.TempDir()}
		if tt.external != "" {
			args = append(args, "--external-url="+tt.external)
		}
		_, stop := serveHere(t, nil, args...)
		stdout := stop()
		got, _, _ := strings.Cut(strings.TrimPrefix(stdout, "granary is ready at "), "\n")
		if !regexp.MustCompile(tt.want).MatchString(got) {
			t.Errorf("%s %s: ready at %q, want %s", tt.listen, tt.external, got, tt.want)
		}
	}
}

func TestLogFormat(t *testing.T) {
	cfg, err := settings(nil, "--log-format=json", "--log-level=warn")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	log := NewLogger(cfg, &out)
	log.Info("no")
	log.Warn("yes", slog.Any("token", cfg.RootToken))
	if got := out.String(); !strings.HasPrefix(got, `{"time":`) || strings.Count(got, "\n") != 1 {
		t.Error(got)
	}
}
