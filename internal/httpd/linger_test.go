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
	"strings"
	"sync"
	"testing"
	"time"
)

func refuse(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "no", http.StatusUnauthorized)
}

const large = 24 << 20 // more than the buffers of both sockets take

// sendAll sends a whole request before it looks for an answer, as most clients do.
func sendAll(t *testing.T, address, header string, body io.Reader) string {
	t.Helper()
	c := dial(t, address, header)
	defer c.Close()
	if _, err := io.Copy(c, body); err != nil {
		return fmt.Sprint("sending: ", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return fmt.Sprint("reading: ", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Sprint("reading: ", err)
	}
	return fmt.Sprint(resp.StatusCode, " ", strings.TrimSpace(string(text)))
}

func zeros(n int) io.Reader { return bytes.NewReader(make([]byte, n)) }

// A refusal is whole at the client, whatever it still had to send.
func TestRefusalReachesTheClient(t *testing.T) { plainAndTLS(t, testRefusalReachesTheClient) }

func testRefusalReachesTheClient(t *testing.T, start starter) {
	long := func(w http.ResponseWriter, _ *http.Request) { // longer than net/http's buffer: no Content-Length
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, strings.Repeat("no ", 5000))
	}
	silent := func(w http.ResponseWriter, _ *http.Request) {}
	sized := fmt.Sprintf("Host: x\r\nContent-Length: %d\r\n", large)
	chunks := func() io.Reader {
		return io.MultiReader(strings.NewReader(fmt.Sprintf("%x\r\n", large)), zeros(large), strings.NewReader("\r\n0\r\n\r\n"))
	}
	whole := strings.TrimSpace(strings.Repeat("no ", 5000))
	tests := map[string]struct {
		handler http.HandlerFunc
		header  string
		body    func() io.Reader
		want    string
	}{
		"kept":            {refuse, "PUT / HTTP/1.1\r\n" + sized, nil, "401 no"},
		"closed":          {refuse, "PUT / HTTP/1.1\r\nConnection: close\r\n" + sized, nil, "401 no"},
		"expecting":       {refuse, "PUT / HTTP/1.1\r\nExpect: 100-continue\r\n" + sized, nil, "401 no"},
		"HTTP/1.0":        {refuse, "PUT / HTTP/1.0\r\n" + sized, nil, "401 no"},
		"1.0 kept":        {refuse, "PUT / HTTP/1.0\r\nConnection: keep-alive\r\n" + sized, nil, "401 no"},
		"chunks":          {refuse, "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n", chunks, "401 no"},
		"chunks, closed":  {refuse, "PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n", chunks, "401 no"},
		"long":            {long, "PUT / HTTP/1.1\r\n" + sized, nil, "409 " + whole},
		"long, closed":    {long, "PUT / HTTP/1.1\r\nConnection: close\r\n" + sized, nil, "409 " + whole},
		"no refusal":      {silent, "POST / HTTP/1.1\r\nConnection: close\r\n" + sized, nil, "200 "},
		"by net/http":     {refuse, "PUT /50%.bin HTTP/1.1\r\n" + sized, nil, "400 400 Bad Request"},
		"an odd Expect":   {refuse, "PUT / HTTP/1.1\r\nExpect: more\r\n" + sized, nil, "417 "},
		"too long header": {refuse, "PUT / HTTP/1.1\r\nX: " + strings.Repeat("x", 80<<10) + "\r\n" + sized, nil, "431 431 Request Header Fields Too Large"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			address, _ := start(t, tt.handler, Options{StallTimeout: time.Minute}, nil)
			if tt.body == nil {
				tt.body = func() io.Reader { return zeros(large) }
			}
			for range 5 {
				if got := sendAll(t, address, tt.header+"\r\n", tt.body()); got != tt.want {
					t.Fatalf("%.60q, want %.60q", got, tt.want)
				}
			}
		})
	}
}

// So is what a client is told whose body stood still, even if it moves again.
func TestStalledClientIsTold(t *testing.T) { plainAndTLS(t, testStalledClientIsTold) }

func testStalledClientIsTold(t *testing.T, start starter) {
	address, _ := start(t, upload(0), Options{StallTimeout: 100 * time.Millisecond}, nil)
	for _, connection := range []string{"close", "keep-alive"} {
		for _, length := range []int{large, 200_000} {
			c := dial(t, address, fmt.Sprintf("PUT / HTTP/1.1\r\nHost: x\r\nConnection: %s\r\nContent-Length: %d\r\n\r\nabc", connection, length))
			in := bufio.NewReader(c)
			if _, err := in.Peek(1); err != nil { // it is out
				t.Fatal(err)
			}
			if err := sendSlowly(c, length-3, 4, 10*time.Millisecond); err != nil {
				t.Errorf("%s, %d bytes: sending on: %v", connection, length, err)
			}
			if got := answer(t, in); got != "408 stalled\n" {
				t.Errorf("%s, %d bytes: answer %q", connection, length, got)
			}
		}
	}
}

// sendsFor is for how long a refused client can go on sending, byte by byte.
func sendsFor(t *testing.T, c net.Conn, each time.Duration) time.Duration {
	t.Helper()
	if got := answer(t, bufio.NewReader(c)); got != "401 no\n" {
		t.Fatalf("answer %q", got)
	}
	begun := time.Now()
	for time.Since(begun) < 15*time.Second {
		if _, err := c.Write([]byte("x")); err != nil {
			break
		}
		time.Sleep(each)
	}
	return time.Since(begun)
}

func TestLingeringIsBounded(t *testing.T) { plainAndTLS(t, testLingeringIsBounded) }

func testLingeringIsBounded(t *testing.T, start starter) {
	const header = "PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9000000\r\n\r\n"
	tests := map[string]struct {
		idle, time time.Duration
		bytes      int64
		each       time.Duration // between two bytes of the client
	}{
		"idle":  {100 * time.Millisecond, time.Minute, 1 << 20, 300 * time.Millisecond},
		"time":  {time.Minute, 300 * time.Millisecond, 1 << 20, 20 * time.Millisecond},
		"bytes": {time.Minute, time.Minute, 10, 20 * time.Millisecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			address, _ := start(t, http.HandlerFunc(refuse), Options{LingerIdle: tt.idle, LingerTime: tt.time, LingerBytes: tt.bytes}, nil)
			if took := sendsFor(t, dial(t, address, header), tt.each); took > 10*time.Second {
				t.Errorf("the client was listened to for %v", took)
			}
		})
	}
}

// An end of the server waits for no refused client, in order or not.
func TestEndOfServerEndsLingering(t *testing.T) { plainAndTLS(t, testEndOfServerEndsLingering) }

func testEndOfServerEndsLingering(t *testing.T, start starter) {
	address, stop := start(t, http.HandlerFunc(refuse), Options{ShutdownTimeout: time.Minute}, nil)
	c := dial(t, address, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n")
	if got := answer(t, bufio.NewReader(c)); got != "401 no\n" {
		t.Fatalf("answer %q", got)
	}
	begun := time.Now()
	stop()
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("the end took %v", took)
	}
}

// The line in the log and the metrics tell of the answer, not of what follows.
func TestLogDoesNotWaitForLingering(t *testing.T) {
	lines := make(chan string, 10)
	o := Options{Log: slog.New(slog.NewTextHandler(writerFunc(func(p []byte) { lines <- string(p) }), nil)), Metrics: NewMetrics()}
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	defer served.Wait()
	defer cancel()
	served.Go(func() { _ = NewServer(http.HandlerFunc(refuse), o).Serve(ctx, ln) })
	c := dial(t, ln.Addr().String(), "PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9000000\r\n\r\n")
	if got := answer(t, bufio.NewReader(c)); got != "401 no\n" {
		t.Fatalf("answer %q", got)
	}
	if line := <-lines; !strings.Contains(line, "status=401") {
		t.Error(line)
	}
	if _, err := c.Write([]byte("x")); err != nil { // it is listened to all the same
		t.Error(err)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

// A connection goes on after a refusal where the rest of the body is short and
// has come, and is told to be over where it is not.
func TestConnectionAfterARefusal(t *testing.T) { plainAndTLS(t, testConnectionAfterARefusal) }

func testConnectionAfterARefusal(t *testing.T, start starter) {
	address, _ := start(t, http.HandlerFunc(refuse), Options{StallTimeout: time.Minute, LingerIdle: 100 * time.Millisecond}, nil)
	put := func(length, send int) string {
		return fmt.Sprintf("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", length, strings.Repeat("x", send))
	}
	const chunks = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
	c := dial(t, address, put(50_000, 50_000)+put(5, 5))
	in := bufio.NewReader(c)
	for n := range 3 {
		if n == 2 {
			_, _ = io.WriteString(c, chunks)
		}
		if got := answer(t, in); got != "401 no\n" {
			t.Fatalf("answer %q", got)
		}
	}
	for _, request := range []string{put(9_000_000, 10), put(100_000, 10), strings.TrimSuffix(chunks, "0\r\n\r\n")} { // too long; does not come
		c := dial(t, address, request)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !resp.Close || resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%.60q: %s, close is %v", request, resp.Status, resp.Close)
		}
		_ = resp.Body.Close()
		_, _ = io.WriteString(c, put(5, 5))
		_ = c.(halfCloser).CloseWrite()
		if rest, err := io.ReadAll(c); len(rest) > 0 && !errors.Is(err, net.ErrClosed) {
			t.Errorf("%.60q: a rest of a body was taken for a request: %q", request, rest)
		}
	}
}
