package httpd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// start serves h on a free port; the func it returns stops the server and waits.
func start(t *testing.T, h http.Handler, o Options, wrap func(net.Listener) net.Listener) (address string, stop func()) {
	t.Helper()
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		ln = wrap(ln)
	}
	o.Log = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- NewServer(h, o).Serve(ctx, ln) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return ln.Addr().String(), stop
}

func dial(t *testing.T, address, send string) net.Conn {
	t.Helper()
	c, err := dialEither(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, send); err != nil {
		t.Fatal(err)
	}
	return c
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }

// spy is a listener whose connections tell what net/http asks them to copy from.
type spy struct {
	net.Listener
	seen chan io.Reader
}

type spyConn struct {
	*net.TCPConn
	seen chan io.Reader
}

func (s spy) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return spyConn{c.(*net.TCPConn), s.seen}, nil
}

func (c spyConn) ReadFrom(src io.Reader) (int64, error) {
	c.seen <- src
	return c.TCPConn.ReadFrom(src)
}

// The connection must be handed the file itself, or the kernel cannot send it.
func TestSendfileSurvives(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	content := bytes.Repeat([]byte("granary!"), 1<<17)
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	seen := make(chan io.Reader, 10)
	o := Options{Metrics: NewMetrics(), StallTimeout: time.Minute}
	address, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(name)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		http.ServeContent(w, r, "f", time.Time{}, f)
	}), o, func(ln net.Listener) net.Listener { return spy{ln, seen} })
	for _, ranges := range []string{"", "bytes=1000-900000"} {
		r, _ := http.NewRequest("GET", "http://"+address, nil)
		want := content
		if ranges != "" {
			r.Header.Set("Range", ranges)
			want = content[1000:900001]
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("range %q: %d bytes, %v", ranges, len(got), err)
		}
		select {
		case src := <-seen:
			limited, isLimited := src.(*io.LimitedReader)
			if !isLimited {
				t.Fatalf("range %q: the connection reads from a %T", ranges, src)
			}
			if _, isFile := limited.R.(*os.File); !isFile {
				t.Errorf("range %q: the connection reads from a %T", ranges, limited.R)
			}
		default:
			t.Errorf("range %q: the connection was never asked to copy: sendfile is lost", ranges)
		}
	}
}

// counted is a listener whose connections count what is written to them.
type counted struct {
	net.Listener
	writes *atomic.Int64
}

type countedConn struct {
	net.Conn
	writes *atomic.Int64
}

func (l counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return countedConn{c, l.writes}, err
}

func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// A small answer leaves in one write, header and body.
func TestSmallAnswerIsOneWrite(t *testing.T) { plainAndTLS(t, testSmallAnswerIsOneWrite) }

func testSmallAnswerIsOneWrite(t *testing.T, start starter) {
	var writes atomic.Int64
	content := bytes.Repeat([]byte("granary!"), 512)
	address, _ := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}), Options{StallTimeout: time.Minute}, func(ln net.Listener) net.Listener { return counted{ln, &writes} })
	c := dial(t, address, "")
	in := bufio.NewReader(c)
	before := int64(0)
	for range 3 {
		before = writes.Load() // after the first request no handshake is among them
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if got := answer(t, in); got != "200 "+string(content) {
			t.Fatalf("%.80s", got)
		}
	}
	if n := writes.Load() - before; n != 1 {
		t.Errorf("%d writes", n)
	}
}

func TestIdleConnectionsDoNotStopService(t *testing.T) {
	if testing.Short() {
		t.Skip("opens 2000 connections")
	}
	address, _ := start(t, http.HandlerFunc(ok), Options{}, nil)
	for range 2000 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n"); err != nil { // a header that does not end
			t.Fatal(err)
		}
	}
	client := http.Client{Timeout: 5 * time.Second}
	for range 20 {
		resp, err := client.Get("http://" + address)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
}

func TestSlowHeadersAreCut(t *testing.T) { plainAndTLS(t, testSlowHeadersAreCut) }

func testSlowHeadersAreCut(t *testing.T, start starter) {
	address, _ := start(t, http.HandlerFunc(ok), Options{HeaderTimeout: 100 * time.Millisecond}, nil)
	c := dial(t, address, "GET / HTTP/1.1\r\nHost: ")
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("the connection is still open: %v", err)
	}
}

func TestBigHeadersAreRefused(t *testing.T) {
	address, _ := start(t, http.HandlerFunc(ok), Options{}, nil)
	r, _ := http.NewRequest("GET", "http://"+address, nil)
	r.Header.Set("X-Big", strings.Repeat("x", 80<<10))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestDrainLetsADownloadFinish(t *testing.T) {
	begun := make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first ")
		_ = http.NewResponseController(w).Flush()
		close(begun)
		time.Sleep(300 * time.Millisecond)
		if r.Context().Err() == nil {
			_, _ = io.WriteString(w, "last")
		}
	})
	address, stop := start(t, h, Options{ShutdownTimeout: 10 * time.Second}, nil)
	got := make(chan string)
	go func() {
		resp, err := http.Get("http://" + address)
		if err != nil {
			got <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		got <- fmt.Sprint(string(text), err)
	}()
	<-begun
	stop()
	if text := <-got; text != "first last<nil>" {
		t.Errorf("the download ended with %s", text)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("a drained server accepts connections")
	}
}

func TestDrainIsBounded(t *testing.T) { plainAndTLS(t, testDrainIsBounded) }

func testDrainIsBounded(t *testing.T, start starter) {
	begun, left := make(chan struct{}), make(chan error, 1)
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		left <- r.Context().Err()
	})
	address, stop := start(t, h, Options{ShutdownTimeout: 50 * time.Millisecond}, nil)
	dial(t, address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-begun
	stop()
	select {
	case err := <-left:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	default:
		t.Error("Serve returned before the handler")
	}
}

func TestListenFault(t *testing.T) {
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	address := ln.Addr().String()
	_, err = Listen(t.Context(), address)
	if want := "cannot listen on " + address + ": address already in use"; err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// answer reads one response's status and body from a raw connection.
func answer(t *testing.T, in *bufio.Reader) string {
	t.Helper()
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(resp.StatusCode, " ", string(text))
}
