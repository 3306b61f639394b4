package daemon

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"granary/internal/blob/disk"
	"granary/internal/config"
)

// The server under test is this test binary once more, run with asServer set
// and the flags of `granary serve`, so that it can be killed and can fill a
// disk without taking the test along.
const (
	asServer  = "DAEMON_TEST_SERVE"
	dieAt     = "DAEMON_TEST_DIE_AT"   // "POINT N": kill yourself when you come to POINT the Nth time
	dieOnce   = "DAEMON_TEST_DIE_ONCE" // a file: visits to the point count once it is there
	askFor    = "DAEMON_TEST_ASK_FOR"  // a duration: so long ask whether others use the bucket; else not
	rootToken = "gnpat-root-token-of-the-tests"
	asRoot    = "GRANARY_ROOT_TOKEN=" + rootToken
	noReserve = "GRANARY_DISK_RESERVE=0" // unless a test says otherwise: many servers share the disk
)

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		os.Exit(serveForTest())
	}
	if os.Getenv(doThis) != "" {
		os.Exit(doForTest())
	}
	flag.Parse()
	os.Exit(m.Run())
}

// settings are what `granary serve` would make of args.
func settings(environ []string, args ...string) (config.Config, error) {
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	config.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		return config.Config{}, err
	}
	cfg, faults := config.Load(flags, environ, config.ReadFile)
	if len(faults) > 0 {
		return cfg, fmt.Errorf("settings: %v", faults)
	}
	return cfg, nil
}

func serveForTest() int {
	// Not to outlive the test, however that ends.
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); os.Exit(3) }()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg, err := settings(os.Environ(), os.Args[1:]...)
	if err == nil {
		die := killAt(os.Getenv(dieAt), os.Getenv(dieOnce))
		wait, _ := time.ParseDuration(cmp.Or(os.Getenv(askFor), "1ms"))
		err = run(ctx, cfg, "test", os.Stdout, os.Stderr, crashPoints{
			commit:  die,
			store:   func(p disk.Point) { die(string(p)) },
			records: die,
			askFor:  wait,
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// killAt makes a hook that kills its own process as if from outside: no
// deferred function runs, nothing is flushed. once is a file, or "".
func killAt(plan, once string) func(point string) {
	at, count, _ := strings.Cut(plan, " ")
	n, _ := strconv.ParseInt(count, 10, 64)
	var hits atomic.Int64
	return func(point string) {
		if point != at {
			return
		}
		if _, err := os.Stat(once); once != "" && err != nil {
			return
		}
		if hits.Add(1) == n {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal may take a moment
		}
	}
}

// process is a server in a process of its own.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout bytes.Buffer
	exited chan struct{} // closed when it is gone; err is set then
	err    error

	listening chan string // its address, once

	mu  sync.Mutex
	log []string // lines, those of requests only where they are errors
	all bool     // keep all lines
}

// bare is what a server gets of our environment, and more: none of ours may be a
// setting of its, or one that it does not know.
func bare(more ...string) (environ []string) {
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GORACE", "GOCOVERDIR"} {
		if value, set := os.LookupEnv(name); set {
			environ = append(environ, name+"="+value)
		}
	}
	return append(environ, more...)
}

// launch starts a server and does not wait for it. It has environ and what is bare.
func launch(environ []string, args ...string) (*process, error) {
	return launchBy(exec.Command(os.Args[0], args...), environ)
}

// launchBy is launch by a command, which becomes the server.
func launchBy(cmd *exec.Cmd, environ []string) (*process, error) {
	p := &process{
		cmd: cmd, exited: make(chan struct{}), listening: make(chan string, 1),
		all: slices.Contains(cmd.Args, "--log-level=debug"),
	}
	p.cmd.Env = append(bare(asServer+"=1", noReserve), environ...)
	p.cmd.Stdout = &p.stdout
	logs, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.read(logs)
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

func (p *process) read(logs io.Reader) {
	address := regexp.MustCompile(`msg=listening address=(\S+)`)
	for lines := bufio.NewScanner(logs); lines.Scan(); {
		line := lines.Text()
		if m := address.FindStringSubmatch(line); m != nil {
			p.listening <- m[1]
		}
		if p.all || !strings.Contains(line, " level=INFO ") {
			p.mu.Lock()
			p.log = append(p.log, line)
			p.mu.Unlock()
		}
	}
}

// logged is the log so far.
func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.log, "\n")
}

// url waits for the server to listen and returns its address; "" where the
// process ended instead.
func (p *process) url() string {
	select {
	case address := <-p.listening:
		return "http://" + address
	case <-p.exited:
		return ""
	}
}

// kill is kill -9, and waits for the end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.exited
	_ = p.stdin.Close()
}

// killed reports whether the process ended by SIGKILL and not by itself.
func (p *process) killed() bool {
	exit, ok := errors.AsType[*exec.ExitError](p.err)
	return ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}

// start starts a server on dir that lives until the test ends, or until
// terminate.
func start(t *testing.T, args ...string) (*process, string) {
	t.Helper()
	return startIn(t, nil, args...)
}

func startIn(t *testing.T, environ []string, args ...string) (*process, string) {
	t.Helper()
	p, err := launch(append([]string{asRoot}, environ...), append([]string{"--listen=127.0.0.1:0"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if strings.Contains(p.logged(), "DATA RACE") {
			t.Errorf("in the server:\n%s", p.logged())
		}
	})
	url := p.url()
	if url == "" {
		t.Fatalf("the server ended: %v\n%s", p.err, p.logged())
	}
	return p, url
}

// terminate asks the process to end, and tells how it did.
func (p *process) terminate(t *testing.T, within time.Duration) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.exited:
	case <-time.After(within):
		t.Fatalf("the server has not ended within %v of SIGTERM\n%s", within, p.logged())
	}
	if p.err != nil {
		t.Errorf("the server ended with %v, want exit code 0\n%s", p.err, p.logged())
	}
}

const demoFiles = "/api/v4/projects/root%2Fdemo/packages/generic/"

// ask sends a request as root and returns the answer and its whole body.
func ask(t *testing.T, method, url string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Private-Token", rootToken)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}
