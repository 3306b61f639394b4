package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

// jsonServer is a server whose log is JSON, line by line.
type jsonServer struct {
	cmd   *exec.Cmd
	ended chan error

	mu    sync.Mutex
	lines []map[string]any
}

func startJSON(t *testing.T, args ...string) *jsonServer {
	t.Helper()
	s := &jsonServer{cmd: exec.Command("granary", append([]string{"serve", "--log-format=json"}, args...)...), ended: make(chan error, 1)}
	s.cmd.Env = append(os.Environ(), "GRANARY_ROOT_TOKEN="+token, "GRANARY_DISK_RESERVE=0", "GRANARY_ENCRYPTION_KEY="+strings.Repeat("0a", 32))
	logs, err := s.cmd.StderrPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	go func() {
		for all := bufio.NewScanner(logs); all.Scan(); {
			line := map[string]any{}
			if err := json.Unmarshal(all.Bytes(), &line); err != nil || line["time"] == nil || line["level"] == nil || line["msg"] == nil {
				t.Errorf("a line of the log is not JSON, or lacks something: %q (%v)", all.Text(), err)
			}
			s.mu.Lock()
			s.lines = append(s.lines, line)
			s.mu.Unlock()
		}
		s.ended <- s.cmd.Wait()
	}()
	return s
}

// told are the lines so far, but for those of requests, in short.
func (s *jsonServer) told() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		if l["msg"] != "request" {
			all = append(all, fmt.Sprintf("%v %v %v", l["level"], l["msg"], l["task"]))
		}
	}
	return all
}

// field waits for a line, and returns a field of it.
func (s *jsonServer) field(t *testing.T, msg, name string) (text string) {
	t.Helper()
	eventually.Holds(t, "a line "+msg, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		i := slices.IndexFunc(s.lines, func(l map[string]any) bool { return strings.HasPrefix(l["msg"].(string), msg) })
		if i >= 0 {
			text = fmt.Sprint(s.lines[i][name])
		}
		return i >= 0
	})
	return text
}

// fails waits for an end with an exit code, of which the last line tells.
func (s *jsonServer) fails(t *testing.T, code int, said string) {
	t.Helper()
	err := <-s.ended
	if e := (*exec.ExitError)(nil); !errors.As(err, &e) || e.ExitCode() != code {
		t.Errorf("it ended with %v, want exit code %d", err, code)
	}
	if len(s.lines) == 0 || !strings.Contains(fmt.Sprint(s.lines[len(s.lines)-1]["error"]), said) {
		t.Errorf("the log ends with %v, want an error %q", s.lines, said)
	}
}

// The log is JSON to its last line: at the start, in trouble, and whichever way the
// server ends. A database that is away is not told of again and again, and that it
// is back once.
func TestLogIsJSONToTheLastLine(t *testing.T) {
	cluster := metadbtest.NewServer(t)
	database := "--database=" + cluster.DSN("granary")
	s := startJSON(t, "--listen=127.0.0.1:0", "--data-dir="+t.TempDir(), database, "--blobs=file:"+t.TempDir())
	address, url := s.field(t, "listening", "address"), s.field(t, "listening", "url")

	startJSON(t, "--listen="+address, "--data-dir="+t.TempDir()).fails(t, 1, "is another server running there?")
	startJSON(t, "--listen=nowhere", "--inline-max=1GiB").fails(t, 2, "inline-max")
	startJSON(t, "--listen=127.0.0.1:0", "--data-dir=/dev/null/x").fails(t, 1, "--data-dir chooses another directory")

	breakOff(t, address)
	ready := func(want int) func() bool {
		return func() bool {
			resp, err := http.Get(url + "/-/readiness")
			if err == nil {
				resp.Body.Close()
			}
			return err == nil && resp.StatusCode == want
		}
	}
	eventually.Holds(t, "ready", ready(200))
	if err := cluster.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, "not ready", ready(503))
	s.field(t, "database: cannot renew the row of this node", "error")
	s.field(t, "the background tasks cannot reach the database from this node", "error")
	for range 40 { // two seconds
		time.Sleep(50 * time.Millisecond)
		ready(503)()
	}
	if err := cluster.Start(); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, "ready again", ready(200))
	s.field(t, "database: the row of this node is renewed again", "node")
	s.field(t, "the background tasks reach the database again from this node", "failures")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-s.ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	told := s.told()
	if told[len(told)-1] != "INFO stopped <nil>" {
		t.Errorf("the log ends with %q", told[len(told)-1])
	}
	slices.Sort(told)
	for i := range told[1:] {
		if told[i] == told[i+1] {
			t.Errorf("told twice: %s", told[i])
		}
	}
}

// breakOff ends a connection in the middle of a body.
func breakOff(t *testing.T, address string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "PUT /api/v4/projects/1/packages/generic/a/1/b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
	if err != nil {
		t.Error(err)
	}
}
