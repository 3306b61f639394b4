package systemd

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// asService makes the test's own program the service that systemd starts.
const asService = "GRANARY_SYSTEMD_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asService) != "" {
		if err := service(); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// service says which sockets it got and what a program that it starts sees of them, and
// answers one connection on each with its name.
func service() error {
	sockets, err := Listeners()
	if err != nil {
		return err
	}
	if again, err := Listeners(); err != nil || len(again) > 0 {
		return fmt.Errorf("the second call returned %v: %w", again, err)
	}
	child, err := exec.Command("sh", "-c", "env | grep -c ^LISTEN_; ls -l /proc/self/fd | grep -c socket:").Output()
	if strings.Join(strings.Fields(string(child)), " ") != "0 0" {
		return fmt.Errorf("a child sees variables and sockets: %q, %w", child, err)
	}
	for _, s := range sockets {
		fmt.Printf("%s %s\n", s.Name, s.Listener.Addr())
	}
	fmt.Println("end")
	for _, s := range sockets {
		conn, err := s.Listener.Accept()
		if err != nil {
			return err
		}
		if _, err := io.WriteString(conn, "this is "+s.Name); err != nil {
			return err
		}
		if err := conn.Close(); err != nil {
			return err
		}
	}
	return nil
}

// listen opens a socket and returns it as systemd passes it on.
func listen(t *testing.T, network, address string) (*os.File, string) {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	f, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, ln.Addr().String()
}

// start runs the service with files from descriptor 3 on, as systemd does: LISTEN_PID is its own
// number. It returns the lines that the service says before it answers.
func start(t *testing.T, files []*os.File, environ ...string) (lines []string, end func() error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `[ -n "$LISTEN_PID" ] || export LISTEN_PID=$$; exec "$0"`, self)
	cmd.Env = append(os.Environ(), append(environ, asService+"=1")...)
	cmd.ExtraFiles = files
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for said := bufio.NewScanner(out); said.Scan() && said.Text() != "end"; {
		lines = append(lines, said.Text())
	}
	return lines, cmd.Wait
}

func wantAnswer(t *testing.T, network, address, want string) {
	t.Helper()
	conn, err := net.DialTimeout(network, address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if got, err := io.ReadAll(conn); err != nil || string(got) != want {
		t.Errorf("%s answers %q, %v; want %q", address, got, err, want)
	}
}

// A service gets the sockets with their names and in their order, and what it starts gets
// none of them.
func TestSocketsOfAChild(t *testing.T) {
	web, webAt := listen(t, "tcp", "127.0.0.1:0")
	metrics, metricsAt := listen(t, "tcp", "[::1]:0")
	local, localAt := listen(t, "unix", filepath.Join(t.TempDir(), "s"))
	lines, end := start(t, []*os.File{web, metrics, local}, "LISTEN_FDS=3", "LISTEN_FDNAMES=granary.socket:metrics")
	if want := []string{"granary.socket " + webAt, "metrics " + metricsAt, " " + localAt}; !slices.Equal(lines, want) {
		t.Errorf("it has %q, want %q", lines, want)
	}
	wantAnswer(t, "tcp", webAt, "this is granary.socket")
	wantAnswer(t, "tcp", metricsAt, "this is metrics")
	wantAnswer(t, "unix", localAt, "this is ")
	if err := end(); err != nil {
		t.Error(err)
	}
}

// What is no listening stream socket is refused with its name, and what is another
// process's is left alone.
func TestSocketsRefused(t *testing.T) {
	web, _ := listen(t, "tcp", "127.0.0.1:0")
	packets, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = packets.Close() }()
	datagrams, err := packets.File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = datagrams.Close() }()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	tests := []struct {
		files   []*os.File
		environ []string
		want    string
	}{
		{[]*os.File{web, datagrams}, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=a:b"}, `failed: the socket "b" from systemd (descriptor 4): want one that accepts connections: ListenStream=, with Accept=no`},
		{[]*os.File{null}, []string{"LISTEN_FDS=1"}, `failed: the socket "" from systemd (descriptor 3): want a socket, not a file, pipe or device`},
		{nil, []string{"LISTEN_FDS=-1"}, `failed: LISTEN_FDS is "-1": want the number of sockets that systemd passes`},
		{nil, []string{"LISTEN_FDS=many"}, `failed: LISTEN_FDS is "many": want the number of sockets that systemd passes`},
		{nil, []string{"LISTEN_FDS=0"}, ""},
		{nil, []string{"LISTEN_FDS=1", "LISTEN_PID=1"}, ""},
	}
	for _, test := range tests {
		lines, end := start(t, test.files, test.environ...)
		err := end()
		if strings.Join(lines, "\n") != test.want || (err != nil) != (test.want != "") {
			t.Errorf("%v: got %q, %v; want %q", test.environ, lines, err, test.want)
		}
	}
}

// The real program that stands in for systemd opens the socket and starts the service with the
// first connection, which is answered.
func TestSystemdSocketActivate(t *testing.T) {
	activate, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Fatal("systemd-socket-activate is missing: run tools/install-test-deps")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(t.TempDir(), "s")
	var out strings.Builder
	cmd := exec.CommandContext(t.Context(), activate, "--listen="+at, "--fdname=web", "-E", asService+"=1", self)
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(at); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	wantAnswer(t, "unix", at, "this is web")
	if err := cmd.Wait(); err != nil || out.String() != "web "+at+"\nend\n" {
		t.Errorf("%v: it has %q", err, out.String())
	}
}

// receive opens a socket of datagrams, has it told, and returns what arrived.
func receive(t *testing.T, name string, tell func() error) string {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	t.Setenv("NOTIFY_SOCKET", name)
	if err := tell(); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 4096)
	n, err := conn.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(text[:n])
}

// What is told is what systemd's own program tells, over a path and an abstract socket.
func TestNotify(t *testing.T) {
	program, err := exec.LookPath("systemd-notify")
	if err != nil {
		t.Fatal("systemd-notify is missing: run tools/install-test-deps")
	}
	for _, name := range []string{filepath.Join(t.TempDir(), "n"), "@granary-test-" + strconv.Itoa(os.Getpid())} {
		ours := receive(t, name, func() error { return Notify("READY=1", "STATUS=it serves") })
		_ = os.Remove(name) // an abstract one is gone
		theirs := receive(t, name, func() error {
			return exec.CommandContext(t.Context(), program, "--no-block", "--ready", "--status=it serves").Run()
		})
		if ours != theirs {
			t.Errorf("%s: we tell %q, systemd-notify tells %q", name, ours, theirs)
		}
	}
	t.Setenv("NOTIFY_SOCKET", "")
	if err := Notify("READY=1"); err != nil {
		t.Errorf("without systemd: %v", err)
	}
	for _, name := range []string{"vsock:2:1234", filepath.Join(t.TempDir(), "none")} {
		t.Setenv("NOTIFY_SOCKET", name)
		if err := Notify("READY=1"); err == nil {
			t.Errorf("nobody hears %s, and it was told", name)
		}
	}
}

func TestWatchdog(t *testing.T) {
	ours := strconv.Itoa(os.Getpid())
	for _, test := range []struct {
		pid, period string
		want        time.Duration
	}{
		{"", "", 0}, {ours, "30000000", 30 * time.Second}, {"", "1500", 1500 * time.Microsecond},
		{"1", "30000000", 0}, {ours, "-1", 0}, {ours, "0", 0}, {ours, "soon", 0}, {ours, "18446744073709551615", 0}, {ours, "9223372036854775807", 0},
	} {
		t.Setenv("WATCHDOG_PID", test.pid)
		t.Setenv("WATCHDOG_USEC", test.period)
		if got := Watchdog(); got != test.want {
			t.Errorf("%q in %q: %v, want %v", test.period, test.pid, got, test.want)
		}
	}
}
