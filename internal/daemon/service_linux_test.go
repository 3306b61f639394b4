package daemon

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"granary/internal/eventually"
)

// supervisor is the part of systemd that hears what services tell.
type supervisor struct {
	at   string
	mu   sync.Mutex
	told []string
}

func newSupervisor(t *testing.T) *supervisor {
	t.Helper()
	s := &supervisor{at: filepath.Join(t.TempDir(), "notify")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		for text := make([]byte, 4096); ; {
			n, err := conn.Read(text)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.told = append(s.told, string(text[:n]))
			s.mu.Unlock()
		}
	}()
	return s
}

// heard is what was told so far.
func (s *supervisor) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.told)
}

func (s *supervisor) count(text string) (n int) {
	for _, told := range s.heard() {
		if told == text {
			n++
		}
	}
	return n
}

// passing starts a server with sockets, as systemd does. names is LISTEN_FDNAMES.
func passing(t *testing.T, files []*os.File, names string, environ []string, args ...string) *process {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, os.Args[0]}, args...)...)
	cmd.ExtraFiles = files
	p, err := launchBy(cmd, append([]string{asRoot, fmt.Sprint("LISTEN_FDS=", len(files)), "LISTEN_FDNAMES=" + names}, environ...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if strings.Contains(p.logged(), "DATA RACE") {
			t.Errorf("in the server:\n%s", p.logged())
		}
	})
	return p
}

// socketAt opens a listener as systemd does, and returns it as it is passed on.
func socketAt(t *testing.T, network, address string) (*os.File, string) {
	t.Helper()
	var plain net.ListenConfig
	plain.SetMultipathTCP(false) // Go's own choice where it can, and not systemd's
	ln, err := plain.Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ln.(interface{ File() (*os.File, error) }).File()
	if err = errors.Join(err, ln.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, ln.Addr().String()
}

// systemd is told when the server serves, that it lives, and that it stops; without systemd
// nothing is different.
func TestServiceTells(t *testing.T) {
	systemd := newSupervisor(t)
	p, url := startIn(t, []string{"NOTIFY_SOCKET=" + systemd.at, "WATCHDOG_USEC=200000"}, "--data-dir="+t.TempDir(), "--shutdown-timeout=7s")
	eventually.Holds(t, "it lives", func() bool { return systemd.count("WATCHDOG=1") >= 3 })
	if heard := systemd.heard(); heard[0] != "READY=1\nSTATUS=serving "+url {
		t.Errorf("first it told %q", heard[0])
	}
	p.terminate(t, 20*time.Second)
	eventually.Holds(t, "it stops", func() bool {
		return systemd.count("STOPPING=1\nSTATUS=stopping; running requests may take 7s\nEXTEND_TIMEOUT_USEC=37000000") == 1
	})
}

// The server is ready only when its start is over: one that fails never was.
func TestServiceThatFailsIsNotReady(t *testing.T) {
	systemd := newSupervisor(t)
	dir := t.TempDir()
	_, url := start(t, "--data-dir="+dir)
	p, err := launch([]string{asRoot, "NOTIFY_SOCKET=" + systemd.at}, "--listen=127.0.0.1:0", "--data-dir="+dir)
	if err != nil {
		t.Fatal(err)
	}
	<-p.exited
	if heard := systemd.heard(); p.err == nil || len(heard) > 0 {
		t.Errorf("beside %s it told %q, and ended with %v", url, heard, p.err)
	}
}

// The watchdog is told only what the server's own answers show. Another answer than 200, or none
// in time, is none; it is asked again until one comes.
func TestWatchdogAsks(t *testing.T) {
	systemd := newSupervisor(t)
	t.Setenv("NOTIFY_SOCKET", systemd.at)
	var asked atomic.Int64
	hangs := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch n := asked.Add(1); {
		case n <= 2:
			<-hangs
		case n <= 4:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	defer close(hangs)
	t.Setenv("WATCHDOG_USEC", "400000")
	stop := newService(slog.New(slog.DiscardHandler)).watch(t.Context(), "http", server.Listener.Addr())
	eventually.Holds(t, "it is asked four times", func() bool { return asked.Load() >= 4 })
	early := asked.Load() == 4 && systemd.count("WATCHDOG=1") > 0
	eventually.Holds(t, "it answers", func() bool { return systemd.count("WATCHDOG=1") >= 2 })
	stop()
	if said := systemd.count("WATCHDOG=1"); early || int64(said) > asked.Load()-4 {
		t.Errorf("told %d times, after %d questions, of which 4 had no right answer", said, asked.Load())
	}
}

// Over TLS the watchdog believes any certificate, since it asks itself; and a handshake that is
// refused, for want of a first certificate, is an answer, too.
func TestWatchdogAsksOverTLS(t *testing.T) {
	systemd := newSupervisor(t)
	t.Setenv("NOTIFY_SOCKET", systemd.at)
	t.Setenv("WATCHDOG_USEC", "400000")
	var asked atomic.Int64
	for name, config := range map[string]*tls.Config{"served": nil, "refused": {
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none yet") },
	}} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		if server.TLS = config; config == nil {
			server.StartTLS()
		} else {
			server.Listener = tls.NewListener(server.Listener, config)
			server.Start()
		}
		before := systemd.count("WATCHDOG=1")
		stop := newService(slog.New(slog.DiscardHandler)).watch(t.Context(), "https", server.Listener.Addr())
		eventually.Holds(t, name+": it is told", func() bool { return systemd.count("WATCHDOG=1") >= before+2 })
		stop()
		server.Close()
	}
	if asked.Load() < 2 {
		t.Errorf("the handler was asked %d times", asked.Load())
	}
}

// During an upgrade of the schema systemd is asked for more time, again and again.
func TestUpgradeAsksForTime(t *testing.T) {
	systemd := newSupervisor(t)
	t.Setenv("NOTIFY_SOCKET", systemd.at)
	synctest.Test(t, func(*testing.T) {
		over := newService(slog.New(slog.DiscardHandler)).upgrading()
		time.Sleep(12 * time.Second)
		over()
		time.Sleep(time.Minute)
	})
	const want = "STATUS=upgrading the schema of the database, or waiting for a node that does\nEXTEND_TIMEOUT_USEC=60000000"
	eventually.Holds(t, "two messages", func() bool { return systemd.count(want) == 2 })
	if heard := systemd.heard(); len(heard) != 2 {
		t.Errorf("it told %q", heard)
	}
}

// Sockets from systemd take the place of the addresses in the settings.
func TestPassedSockets(t *testing.T) {
	web, webAt := socketAt(t, "tcp", "127.0.0.1:0")
	metrics, metricsAt := socketAt(t, "tcp", "127.0.0.1:0")
	p := passing(t, []*os.File{metrics, web}, "metrics:granary.socket", nil, "--listen=127.0.0.1:1", "--metrics=off", "--data-dir="+t.TempDir())
	url := p.url()
	if url != "http://"+webAt {
		t.Fatalf("the log names %q, not http://%s\n%s", url, webAt, p.logged())
	}
	if resp, body := ask(t, "GET", url+"/api/v4/projects/root%2Fdemo", nil); resp.StatusCode != 200 || !strings.Contains(body, `"web_url":"`+url+`/root/demo"`) {
		t.Errorf("%s %s", resp.Status, body)
	}
	if resp, body := ask(t, "GET", "http://"+metricsAt+"/-/metrics", nil); resp.StatusCode != 200 || !strings.Contains(body, "granary_http_requests_total") {
		t.Errorf("metrics: %s", resp.Status)
	}
	p.terminate(t, 20*time.Second)
}

// A socket that cannot be used ends the start with a line that says what to change; and nothing was
// made.
func TestPassedSocketsRefused(t *testing.T) {
	web, _ := socketAt(t, "tcp", "127.0.0.1:0")
	second, _ := socketAt(t, "tcp", "127.0.0.1:0")
	local, _ := socketAt(t, "unix", "@granary-test-"+fmt.Sprint(os.Getpid()))
	for _, test := range []struct {
		files []*os.File
		names string
		want  string
	}{
		{[]*os.File{web}, "packages.socket", `systemd passed the socket "packages.socket" (127.0.0.1:`},
		{[]*os.File{web}, "packages.socket", `there are "http", or granary.socket, for listen and "metrics" for metrics-listen`},
		{[]*os.File{web, second}, "http:http", "systemd passed 2 sockets for listen (127.0.0.1:"},
		{[]*os.File{local}, "http", "(unix): want a TCP socket"},
	} {
		data := filepath.Join(t.TempDir(), "data")
		p := passing(t, test.files, test.names, nil, "--data-dir="+data)
		<-p.exited
		if p.err == nil || !strings.Contains(p.logged(), test.want) {
			t.Errorf("%s: %v, and the log is %q; want %q", test.names, p.err, p.logged(), test.want)
		}
		if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the data directory was made: %v", test.names, err)
		}
	}
}

// While a socket stays with systemd, one server after the other serves it: no connection is
// refused, and no request is lost, whether its connection is new or kept.
func TestRestartBehindSocket(t *testing.T) {
	socket, at := socketAt(t, "tcp", "127.0.0.1:0")
	url, dir := "http://"+at, t.TempDir()
	begin := func() *process {
		systemd := newSupervisor(t)
		p := passing(t, []*os.File{socket}, "granary.socket", []string{"NOTIFY_SOCKET=" + systemd.at}, "--data-dir="+dir, "--idle-timeout=1s")
		eventually.Holds(t, "it is ready", func() bool { return len(systemd.heard()) > 0 })
		return p
	}
	server := begin()
	var load sync.WaitGroup
	var published, fetched atomic.Int64
	end := make(chan struct{})
	each := func(kept bool, once func(client *http.Client)) {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: !kept}}
		load.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
					once(client)
				}
			}
		})
	}
	publish := func(client *http.Client) {
		n := published.Add(1)
		if err := answers(client, "PUT", fmt.Sprintf("%s%sload/1.0.%d/f", url, demoFiles, n), fmt.Sprint("bytes ", n), 201, ""); err != nil {
			t.Error(err)
		}
	}
	fetch := func(client *http.Client) {
		fetched.Add(1)
		if err := answers(client, "GET", url+demoFiles+"first/1.0.0/f", "", 200, "first"); err != nil {
			t.Error(err)
		}
	}
	if err := answers(http.DefaultClient, "PUT", url+demoFiles+"first/1.0.0/f", "first", 201, ""); err != nil {
		t.Fatal(err)
	}
	each(false, publish)
	each(false, publish)
	each(false, fetch)
	each(true, fetch)
	const restarts = 3
	for range restarts {
		before := published.Load() + fetched.Load()
		eventually.Holds(t, "requests are answered", func() bool { return published.Load()+fetched.Load() > before+40 })
		server.terminate(t, 30*time.Second)
		server = begin()
	}
	close(end)
	load.Wait()
	for n := int64(1); n <= published.Load(); n++ {
		if err := answers(http.DefaultClient, "GET", fmt.Sprintf("%s%sload/1.0.%d/f", url, demoFiles, n), "", 200, fmt.Sprint("bytes ", n)); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d publishes and %d downloads over %d restarts", published.Load(), fetched.Load(), restarts)
}

// answers sends a request as root, and returns how its answer differs from the wanted one.
func answers(client *http.Client, method, url, body string, status int, want string) error {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Private-Token", rootToken)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status || want != "" && string(text) != want {
		return fmt.Errorf("%s %s: %s %q, %w", method, url, resp.Status, text, err)
	}
	return nil
}
