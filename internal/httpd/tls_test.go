package httpd

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"granary/dev/servers"
)

// starter is start, or startTLS.
type starter func(t *testing.T, h http.Handler, o Options, wrap func(net.Listener) net.Listener) (address string, stop func())

// plainAndTLS runs a test of HTTP/1.1 twice: what holds without TLS holds with it.
func plainAndTLS(t *testing.T, test func(*testing.T, starter)) {
	t.Run("plain", func(t *testing.T) { test(t, start) })
	t.Run("TLS", func(t *testing.T) { test(t, startTLS) })
}

// overTLSPrefix marks the addresses of startTLS, so that dial knows them.
const overTLSPrefix = "tls:"

// startTLS is start with TLS, and a certificate that nobody has to believe.
func startTLS(t *testing.T, h http.Handler, o Options, wrap func(net.Listener) net.Listener) (address string, stop func()) {
	t.Helper()
	if o.TLS == nil {
		o.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	}
	address, stop = start(t, h, o, wrap)
	return overTLSPrefix + address, stop
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	cert, key, err := servers.SelfSigned(t.TempDir(), time.Now().Add(time.Hour), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// anyServer is a client's side of TLS that believes every certificate.
func anyServer(protocols ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: protocols}
}

func dialEither(address string) (net.Conn, error) {
	if at, secure := strings.CutPrefix(address, overTLSPrefix); secure {
		return tls.Dial("tcp", at, anyServer("http/1.1"))
	}
	return net.Dial("tcp", address)
}

// A client that shakes no hands keeps nobody waiting, and is let go.
func TestSlowHandshakeIsCut(t *testing.T) {
	address, stop := startTLS(t, http.HandlerFunc(ok), Options{HandshakeTimeout: 300 * time.Millisecond}, nil)
	at := strings.TrimPrefix(address, overTLSPrefix)
	begun := time.Now()
	var slow []net.Conn
	for _, sent := range []string{"", "\x16", "\x16\x03\x01\x02\x00\x01"} {
		slow = append(slow, dial(t, at, sent))
	}
	if got := sendAll(t, address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", strings.NewReader("")); got != "200 ok" {
		t.Errorf("beside slow clients: %s", got)
	}
	for _, c := range slow {
		if _, err := io.ReadAll(c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("the connection is still open: %v", err)
		}
	}
	if took := time.Since(begun); took < 300*time.Millisecond || took > 5*time.Second {
		t.Errorf("cut after %v", took)
	}
	dial(t, at, "\x16")
	begun = time.Now()
	stop()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the end waited %v for a handshake", took)
	}
}

// A handshake that has begun when nothing is accepted any more is brought to its end.
func TestHandshakeOutlivesItsListener(t *testing.T) {
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := withProtocols(&tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	h := overTLS(conns{ln, lingering{}, new(atomic.Int64)}, config, 10*time.Second, slog.New(slog.DiscardHandler))
	defer h.Close()
	c := dial(t, ln.Addr().String(), "")
	time.Sleep(50 * time.Millisecond) // it is accepted
	_ = ln.Close()
	client := tls.Client(c, anyServer("http/1.1"))
	shaken := make(chan error, 1)
	go func() { shaken <- client.HandshakeContext(t.Context()) }()
	if got, err := h.Accept(); err != nil {
		t.Error(err)
	} else {
		defer got.Close()
	}
	if err := <-shaken; err != nil {
		t.Error(err)
	}
	if _, err := h.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("then: %v", err)
	}
}

// Plain HTTP is told what to do, even if it sends more than we read.
func TestPlainRequestToTLS(t *testing.T) {
	address, _ := startTLS(t, http.HandlerFunc(ok), Options{}, nil)
	at := strings.TrimPrefix(address, overTLSPrefix)
	const want = "400 400 Bad Request: this address speaks TLS; call it with https://"
	for range 5 {
		if got := sendAll(t, at, "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 25165824\r\n\r\n", zeros(large)); got != want {
			t.Fatalf("%s\nwant %s", got, want)
		}
	}
	if text, _ := io.ReadAll(dial(t, at, "SSH-2.0-OpenSSH_9.2p1\r\n")); strings.Contains(string(text), "HTTP") {
		t.Errorf("another protocol is answered %q", text)
	}
}

// A handshake for a protocol that is no HTTP is all that it gets.
func TestHandshakeForAnotherProtocol(t *testing.T) {
	o := Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate(t)}, NextProtos: []string{"acme-tls/1"}}}
	address, _ := startTLS(t, http.HandlerFunc(ok), o, nil)
	c, err := tls.Dial("tcp", strings.TrimPrefix(address, overTLSPrefix), anyServer("acme-tls/1"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if text, _ := io.ReadAll(c); c.ConnectionState().NegotiatedProtocol != "acme-tls/1" || len(text) > 0 {
		t.Errorf("agreed on %q, and got %q", c.ConnectionState().NegotiatedProtocol, text)
	}
	if len(o.TLS.NextProtos) != 1 || o.TLS.MinVersion != 0 {
		t.Errorf("the caller's configuration has changed: %q", o.TLS.NextProtos)
	}
}

// Versions of TLS before 1.2 are refused; handlers see TLS in both protocols.
func TestVersionsOfTLS(t *testing.T) {
	seen := make(chan *tls.ConnectionState, 1)
	address, _ := startTLS(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.TLS }), Options{}, nil)
	at := strings.TrimPrefix(address, overTLSPrefix)
	old := anyServer()
	old.MaxVersion = tls.VersionTLS11
	if c, err := tls.Dial("tcp", at, old); err == nil {
		_ = c.Close()
		t.Error("TLS 1.1 was agreed on")
	}
	for _, protocol := range []string{"h2", "http/1.1"} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: anyServer(), ForceAttemptHTTP2: protocol == "h2"}}
		resp, err := client.Get("https://" + at)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		state := <-seen
		if wanted := []string{"h2", ""}; state == nil || state.Version != tls.VersionTLS13 || !slices.Contains(wanted, state.NegotiatedProtocol) || (resp.ProtoMajor == 2) != (protocol == "h2") {
			t.Errorf("%s: %s, state %+v", protocol, resp.Proto, state)
		}
		client.CloseIdleConnections()
	}
	plain, _ := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.TLS }), Options{}, nil)
	dial(t, plain, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if state := <-seen; state != nil {
		t.Errorf("without TLS handlers see %+v", state)
	}
}
