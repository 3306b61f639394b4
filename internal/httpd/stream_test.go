package httpd

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// overHTTP2 serves h, and returns a client of HTTP/2 with one connection to it.
func overHTTP2(t *testing.T, h http.HandlerFunc, o Options) (client *http.Client, url string, stop func()) {
	t.Helper()
	address, stop := startTLS(t, h, o, nil)
	transport := &http.Transport{TLSClientConfig: anyServer(), ForceAttemptHTTP2: true, MaxConnsPerHost: 1}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}, "https://" + strings.TrimPrefix(address, overTLSPrefix), stop
}

// said is the answer to a request, as "2 200 text": protocol, status and body.
func said(client *http.Client, method, url string, body io.Reader) string {
	req, err := http.NewRequestWithContext(context.Background(), method, url, body)
	if err != nil {
		return err.Error()
	}
	resp, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(resp.ProtoMajor, " ", resp.StatusCode, " ", strings.TrimSpace(string(text)))
}

// An upload over HTTP/2 that stands still is told so, and its connection goes on.
func TestStalledStreamIsCut(t *testing.T) {
	client, url, _ := overHTTP2(t, upload(0), Options{StallTimeout: 200 * time.Millisecond})
	body, more := io.Pipe()
	defer more.Close()
	go func() { _, _ = io.WriteString(more, "abc") }()
	begun := time.Now()
	if got := said(client, "PUT", url, body); got != "2 408 stalled" {
		t.Errorf("answer %q", got)
	}
	if took := time.Since(begun); took < 200*time.Millisecond || took > 5*time.Second {
		t.Errorf("cut after %v", took)
	}
	if got := said(client, "PUT", url, zeros(3<<20)); got != "2 200 whole" {
		t.Errorf("next answer %q", got)
	}
}

// A refusal over HTTP/2 comes before the body is sent, and leaves the connection alone.
func TestRefusedStream(t *testing.T) {
	client, url, _ := overHTTP2(t, refuse, Options{StallTimeout: time.Minute})
	for range 5 {
		if got := said(client, "PUT", url, zeros(large)); got != "2 401 no" {
			t.Fatalf("answer %q", got)
		}
	}
}

// A client that opens the window of its connection, and not of a stream, ends that stream
// alone.
func TestAnswerThatNobodyTakesIsCut(t *testing.T) {
	ended := make(chan error, 1)
	client, url, _ := overHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/large" {
			ok(w, r)
			return
		}
		_, err := io.Copy(w, io.LimitReader(endless{}, 1<<30))
		ended <- err
	}, Options{TakeTimeout: 300 * time.Millisecond})
	resp, err := client.Get(url + "/large")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the answer was sent whole to a client that took nothing")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the handler still waits for the client")
	}
	if got := said(client, "GET", url+"/small", nil); got != "2 200 ok" {
		t.Errorf("next answer %q", got)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// A client may be slow for many times the limit, as long as it takes something in.
func TestSlowStreamPasses(t *testing.T) {
	const size = 12 << 20 // more than the client's own buffer for a stream
	client, url, _ := overHTTP2(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		_, _ = w.Write(make([]byte, size)) // in one piece
	}, Options{TakeTimeout: 400 * time.Millisecond})
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := int64(0)
	for err == nil {
		time.Sleep(100 * time.Millisecond)
		var n int64
		n, err = io.CopyN(io.Discard, resp.Body, 1<<20)
		got += n
	}
	if err != io.EOF || got != size {
		t.Errorf("%d bytes of %d, %v", got, size, err)
	}
}

// A download over HTTP/2 that runs is finished at the end, and nothing new is taken.
func TestDrainOfStreams(t *testing.T) {
	begun := make(chan struct{})
	client, url, stop := overHTTP2(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first ")
		_ = http.NewResponseController(w).Flush()
		close(begun)
		time.Sleep(300 * time.Millisecond)
		_, _ = io.WriteString(w, "last")
	}, Options{ShutdownTimeout: 10 * time.Second})
	got := make(chan string)
	go func() { got <- said(client, "GET", url, nil) }()
	<-begun
	stop()
	if text := <-got; text != "2 200 first last" {
		t.Errorf("the download ended with %s", text)
	}
	if text := said(client, "GET", url, nil); !strings.Contains(text, "refused") {
		t.Errorf("a drained server says %s", text)
	}
}

// frames is a client of HTTP/2 that does what no library lets it.
type frames struct {
	*http2.Framer
	t      *testing.T
	header bytes.Buffer
	encode *hpack.Encoder
}

func dialFrames(t *testing.T, address string, settings ...http2.Setting) *frames {
	t.Helper()
	c, err := tls.Dial("tcp", strings.TrimPrefix(address, overTLSPrefix), anyServer("h2"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	f := &frames{Framer: http2.NewFramer(c, c), t: t}
	f.encode = hpack.NewEncoder(&f.header)
	if err := f.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return f
}

// head is the fragment of a header for a POST.
func (f *frames) head() []byte {
	f.header.Reset()
	for _, field := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "x"}, {":path", "/"}} {
		_ = f.encode.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	return f.header.Bytes()
}

// More requests at a time than are allowed are refused, and what the others may send
// before a handler reads it is bounded for all of them together.
func TestStreamsAreBounded(t *testing.T) {
	var running atomic.Int64
	leave := make(chan struct{})
	address, _ := startTLS(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		running.Add(1)
		<-leave
	}), Options{}, nil)
	defer close(leave)
	f := dialFrames(t, address)
	window, each, most := 65_535, uint32(65_535), uint32(0)
	const tried = 130
	for i := range tried {
		if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: f.head(), EndHeaders: true}); err != nil {
			t.Fatal(err)
		}
	}
	refused := 0
	for refused < tried-maxStreams {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatalf("%v, after %d were refused", err, refused)
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if v, ok := frame.Value(http2.SettingMaxConcurrentStreams); ok {
				most = v
			}
			if v, ok := frame.Value(http2.SettingInitialWindowSize); ok {
				each = v
			}
			if !frame.IsAck() { // else the server does not count on its settings
				_ = f.WriteSettingsAck()
			}
		case *http2.WindowUpdateFrame:
			if frame.StreamID == 0 {
				window += int(frame.Increment)
			}
		case *http2.RSTStreamFrame:
			refused++
		}
	}
	time.Sleep(100 * time.Millisecond)
	if n := running.Load(); n != maxStreams || most != maxStreams || window > 1<<20 || each > 1<<20 {
		t.Errorf("%d handlers run, %d are allowed; they may send %d bytes, each %d", n, most, window, each)
	}
}

// A client that takes nothing of an answer that is in memory, or of a small one, loses it soon: it
// could hold many of them by one connection.
func TestAnswersInMemoryAreCutSoon(t *testing.T) {
	const limit = 300 * time.Millisecond
	for size, o := range map[int]Options{2: {AnswerTimeout: limit}, 100 << 10: {}} {
		address, _ := startTLS(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if size > streamBuffer {
				_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit))
			}
			_, _ = w.Write(make([]byte, size))
		}), o, nil)
		f := dialFrames(t, address, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		begun := time.Now()
		if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.head(), EndHeaders: true, EndStream: true}); err != nil {
			t.Fatal(err)
		}
		for ended := false; !ended; {
			frame, err := f.ReadFrame()
			if err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			_, ended = frame.(*http2.RSTStreamFrame)
		}
		if took := time.Since(begun); took < limit || took > 10*time.Second {
			t.Errorf("%d bytes: cut after %v", size, took)
		}
	}
}

// A handler's deadline is for its next write: it may be long about the one after that.
func TestDeadlineOfAStreamIsForOneWrite(t *testing.T) {
	client, url, _ := overHTTP2(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 2 {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
			_, _ = io.WriteString(w, strings.Repeat("x", 8<<10))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(500 * time.Millisecond)
		}
	}, Options{})
	if got := said(client, "GET", url, nil); got != "2 200 "+strings.Repeat("x", 16<<10) {
		t.Errorf("%.80q", got)
	}
}

// A header that goes on and on ends the connection.
func TestEndlessHeaderOfAStream(t *testing.T) {
	address, _ := startTLS(t, http.HandlerFunc(ok), Options{}, nil)
	f := dialFrames(t, address)
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.head(), EndStream: true}); err != nil {
		t.Fatal(err)
	}
	f.header.Reset()
	_ = f.encode.WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("x", 10_000), Sensitive: true})
	part, sent := f.header.Bytes(), 0
	var err error
	for ; err == nil && sent < 64<<20; sent += len(part) {
		err = f.WriteContinuation(1, false, part)
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d MiB of one header were taken: %v", sent>>20, err)
	}
}
