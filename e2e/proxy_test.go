package e2e

import (
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// proxy lies between a client and $URL, and breaks connections.
type proxy struct {
	target string
	ln     net.Listener
	cuts   atomic.Int64 // connections that are still to be cut
	after  int64        // bytes in both directions
	full   func()       // called, where it is not nil, instead of cutting; then no byte moves
	pace   int64        // bytes a second, each way of a connection; 0 for as fast as it goes

	mu    sync.Mutex
	conns []net.Conn
	ended sync.WaitGroup
}

// start returns the address of the proxy.
func (p *proxy) start(ts *testscript.TestScript) string {
	target, err := url.Parse(ts.Getenv("URL"))
	ts.Check(err)
	p.target = target.Host
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	p.ln = ln
	p.ended.Go(p.accept)
	ts.Defer(p.close)
	return "http://" + ln.Addr().String()
}

func (p *proxy) accept() {
	for {
		in, err := p.ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = in.Close()
			continue
		}
		p.keep(in, out)
		left := new(atomic.Int64)
		left.Store(1 << 62)
		if p.cuts.Add(-1) >= 0 {
			left.Store(p.after)
		}
		p.ended.Go(func() { p.pass(in, out, left) })
		p.ended.Go(func() { p.pass(out, in, left) })
	}
}

// pass moves bytes until one end closes, or none are left.
func (p *proxy) pass(from, to net.Conn, left *atomic.Int64) {
	buffer := make([]byte, 4<<10)
	for {
		n, err := from.Read(buffer)
		if left.Add(-int64(n)) < 0 && p.full != nil {
			p.full()
			return
		}
		if left.Load() >= 0 && n > 0 {
			_, _ = to.Write(buffer[:n])
			if p.pace > 0 {
				time.Sleep(time.Duration(n) * time.Second / time.Duration(p.pace))
			}
		}
		if err != nil || left.Load() < 0 {
			_ = from.Close()
			_ = to.Close()
			return
		}
	}
}

func (p *proxy) keep(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, conns...)
}

func (p *proxy) close() {
	_ = p.ln.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.ended.Wait()
}

// cut is the command that starts a proxy and points the client at it.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut BYTES CONNECTIONS")
	}
	after, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	cuts, err := strconv.Atoi(args[1])
	ts.Check(err)
	p := &proxy{after: after}
	p.cuts.Store(int64(cuts))
	ts.Setenv("GRANARY_SERVER", p.start(ts))
}

// slow is the command that starts a proxy that takes its time.
func slow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: slow BYTES")
	}
	pace, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	ts.Setenv("GRANARY_SERVER", (&proxy{pace: pace}).start(ts))
}

// interrupt runs granary and sends it SIGINT when so many bytes have moved.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: interrupt BYTES COMMAND...")
	}
	after, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	cmd := exec.Command(granaryPath(ts), args[1:]...)
	reached := make(chan struct{})
	var once sync.Once
	p := &proxy{after: after, full: func() { once.Do(func() { close(reached) }) }}
	p.cuts.Store(1 << 30)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(clientEnviron(ts), "GRANARY_SERVER="+p.start(ts))
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-reached:
	case err := <-ended:
		ts.Fatalf("it ended before: %v\n%s", err, output.String())
	}
	_ = cmd.Process.Signal(os.Interrupt)
	if err := <-ended; cmd.ProcessState.ExitCode() != 130 || !strings.Contains(output.String(), "interrupted") {
		ts.Fatalf("it ended with %v, want exit code 130\n%s", err, output.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs("interrupted"), []byte(output.String()), 0o644))
}

// clientEnviron is what granary's client reads of a script's variables.
func clientEnviron(ts *testscript.TestScript) []string {
	environ := append(os.Environ(), "XDG_CONFIG_HOME=")
	for _, name := range []string{"HOME", "GORACE", "GRANARY_SERVER", "GRANARY_TOKEN"} {
		environ = append(environ, name+"="+ts.Getenv(name))
	}
	return environ
}

// bytes makes a file that cannot be compressed.
func makeBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bytes FILE COUNT")
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	random, err := os.Open("/dev/urandom")
	ts.Check(err)
	defer random.Close()
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o777))
	f, err := os.Create(path)
	ts.Check(err)
	_, err = io.CopyN(f, random, n)
	ts.Check(err)
	ts.Check(f.Close())
}
