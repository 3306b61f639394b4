package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// server is a granary that serves from another root.
type server struct {
	cmd       *exec.Cmd
	url, data string
	log       bytes.Buffer // read it once the server has ended
}

// serve starts the program in a root, and waits until it is ready.
func serve(t *testing.T, root, data string, options ...string) *server {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	args := append(options, root, "/usr/bin/granary", "serve", "--data-dir", data, "--listen", address)
	s := &server{cmd: exec.CommandContext(t.Context(), "chroot", args...), url: "http://" + address, data: filepath.Join(root, data)}
	s.start(t)
	return s
}

// servePassed is serve with a socket that is passed as systemd does.
func servePassed(t *testing.T, root, data string, socket *os.File) *server {
	t.Helper()
	ln, err := net.FileListener(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := &server{url: "http://" + ln.Addr().String(), data: filepath.Join(root, data)}
	s.cmd = exec.CommandContext(t.Context(), "sh", "-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec chroot "$0" /usr/bin/granary serve --data-dir "$1"`, root, data)
	s.cmd.ExtraFiles = []*os.File{socket}
	s.start(t)
	return s
}

// start waits until the server is ready.
func (s *server) start(t *testing.T) {
	t.Helper()
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // the server refuses variables of tests, GRANARY_TEST_...
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if status, _ := s.ask(t, http.MethodGet, "/-/readiness", ""); status == http.StatusOK {
			return
		}
	}
	ended := errors.Join(s.cmd.Process.Kill(), s.cmd.Wait())
	t.Fatalf("it was not ready after a minute, and ended with %v:\n%s", ended, s.log.String())
}

// ask sends a request as the administrator, once there is one.
func (s *server) ask(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token, err := os.ReadFile(filepath.Join(s.data, "initial_root_token")); err == nil {
		req.Header.Set("PRIVATE-TOKEN", strings.TrimSpace(string(token)))
	}
	req.Close = true
	client := http.Client{Timeout: time.Minute} // a socket that nobody serves answers never
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(said)
}

const demo = "/api/v4/projects/root%2Fdemo/packages/generic/tool/1.0.0/"

func (s *server) publish(t *testing.T, name string) {
	t.Helper()
	if status, said := s.ask(t, http.MethodPut, demo+name, "what "+name+" is"); status != http.StatusCreated {
		t.Fatalf("%d %s", status, said)
	}
	s.has(t, name)
}

func (s *server) has(t *testing.T, name string) {
	t.Helper()
	if status, said := s.ask(t, http.MethodGet, demo+name, ""); status != http.StatusOK || said != "what "+name+" is" {
		t.Errorf("%d %s", status, said)
	}
}

func (s *server) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("it ends with %v\n%s", err, s.log.String())
	}
}

// startLoad has eight clients publish and install until stop is called, which returns how many
// requests had the right answer, and what the others got.
func startLoad(t *testing.T, s *server) (stop func() (answered int, wrong []string)) {
	ended := make(chan struct{})
	var mu sync.Mutex
	var clients sync.WaitGroup
	answered, wrong := 0, []string(nil)
	for client := range 8 {
		clients.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-ended:
					return
				default:
				}
				name := fmt.Sprintf("%d-%d", client, n)
				put, said := s.ask(t, http.MethodPut, demo+name, name)
				got, body := s.ask(t, http.MethodGet, demo+name, "")
				mu.Lock()
				if put == http.StatusCreated && got == http.StatusOK && body == name {
					answered += 2
				} else {
					wrong = append(wrong, fmt.Sprintf("%s: %d %s, %d %s", name, put, said, got, body))
				}
				mu.Unlock()
			}
		})
	}
	return func() (int, []string) { close(ended); clients.Wait(); return answered, wrong }
}
