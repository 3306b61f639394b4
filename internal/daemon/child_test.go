package daemon

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"granary/internal/blob/disk"
	"granary/internal/config"
)

// The server that tests kill is this test binary once more: the real one, with
// hooks.
const (
	childDir   = "TEST_CHILD_DATA_DIR"
	childPoint = "TEST_CHILD_DIES_AT"
	childHits  = "TEST_CHILD_DIES_AFTER"
	childToken = "child-token-0123456789"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(beChild(dir))
	}
	os.Exit(m.Run())
}

func beChild(dir string) int {
	cfg, faults := load("--data-dir", dir, "--listen", "127.0.0.1:0", "--log-level", "info", "--log-format", "text")
	if len(faults) > 0 {
		return 2
	}
	hits, err := strconv.ParseInt(os.Getenv(childHits), 10, 64)
	if err != nil {
		return 2
	}
	die := dieAt(os.Getenv(childPoint), hits)
	h := hooks{commit: die, blob: func(p disk.Point) { die(string(p)) }}
	if err := run(context.Background(), cfg, "test", io.Discard, os.Stderr, h); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	return 0
}

// load reads settings as the command line would.
func load(args ...string) (config.Config, []config.Fault) {
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	config.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		return config.Config{}, []config.Fault{{Setting: err.Error()}}
	}
	return config.Load(flags, []string{"GRANARY_ROOT_TOKEN=" + childToken}, os.ReadFile)
}

// dieAt kills the process when it comes to the point for the n-th time after it
// was armed, by SIGUSR1.
func dieAt(point string, n int64) func(string) {
	armed := make(chan os.Signal, 1)
	signal.Notify(armed, syscall.SIGUSR1)
	var counting atomic.Bool
	go func() {
		<-armed
		counting.Store(true)
	}()
	var seen atomic.Int64
	return func(at string) {
		if at == point && counting.Load() && seen.Add(1) == n {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

// child is a running server.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	url   string
	ended chan struct{}
}

func startChild(t *testing.T, dir, point string, hits int) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childPoint+"="+point, childHits+"="+strconv.Itoa(hits))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: cmd, ended: make(chan struct{})}
	address := make(chan string, 1)
	go func() {
		defer close(c.ended)
		c.watch(stderr, address)
		_ = cmd.Wait() // killed, as it should be
	}()
	select {
	case c.url = <-address:
	case <-c.ended:
		t.Errorf("the server in %s ended before it listened", dir)
	case <-time.After(30 * time.Second):
		t.Errorf("the server in %s does not listen", dir)
	}
	return c
}

// watch reads the log: where the server listens, and what went wrong inside.
func (c *child) watch(stderr io.Reader, address chan<- string) {
	listening := regexp.MustCompile(`msg=listening .*url=(\S+)`)
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		line := lines.Text()
		if m := listening.FindStringSubmatch(line); m != nil {
			address <- m[1]
		} else if bytes.Contains(lines.Bytes(), []byte("level=ERROR")) || !bytes.Contains(lines.Bytes(), []byte("level=")) {
			c.t.Errorf("the server says: %s", line)
		}
	}
}

// arm lets the server die at its point from now on.
func (c *child) arm() {
	if err := c.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		c.t.Errorf("arming the server: %v", err)
	}
}

// kill ends the server as hard as it goes and waits for its end.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.ended
}

// dies waits for the server to kill itself.
func (c *child) dies(most time.Duration) bool {
	select {
	case <-c.ended:
		return true
	case <-time.After(most):
		return false
	}
}

func (c *child) do(method, name string, body []byte) (int, string, error) {
	req, err := http.NewRequest(method, c.url+"/api/v4/projects/root%2Fdemo/packages/generic/"+name, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Private-Token", childToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

func (c *child) put(name string, body []byte) (int, error) {
	status, _, err := c.do("PUT", name, body)
	return status, err
}

func (c *child) get(name string) (int, string, error) { return c.do("GET", name, nil) }

// checkDatabase asks SQLite whether the file is sound, and counts what must be
// there once.
func checkDatabase(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for query, want := range map[string]string{
		"PRAGMA integrity_check":                        "ok",
		"SELECT COUNT(*) FROM pragma_foreign_key_check": "0",
		`SELECT COUNT(*) FROM (SELECT 1 FROM packages GROUP BY project_id, name, version HAVING COUNT(*) > 1)`:        "0",
		`SELECT COUNT(*) FROM blobs b WHERE b.files <> (SELECT COUNT(*) FROM package_files f WHERE f.blob_id = b.id)`: "0",
		`SELECT COUNT(*) FROM blobs b JOIN blob_contents c ON c.blob_id = b.id WHERE b.size <> length(c.content)`:     "0",
		`SELECT COUNT(*) FROM users`:    "1",
		`SELECT COUNT(*) FROM projects`: "1",
	} {
		var got string
		if err := db.QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", query, got, err, want)
		}
	}
}
