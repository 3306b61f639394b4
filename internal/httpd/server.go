package httpd

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	maxHeaderBytes = 64 << 10 // of a request; net/http adds 4 KiB of slop

	// userTimeout ends a connection whose peer reads nothing. A download has no
	// deadline (a large file over a slow line is fine), so a waiting sendfile
	// would otherwise wait for ever.
	userTimeout = 5 * time.Minute

	// silenceAtEnd is how long a connection without a request holds up the end. net/http has the
	// same limit.
	silenceAtEnd = 5 * time.Second

	// answerTime is for a client of HTTP/2 to take a small answer, which net/http sends when the
	// handler has ended. Over HTTP/1.1 the kernel takes it.
	answerTime = 10 * time.Second

	// maxStreams is how many requests one connection of HTTP/2 may have at a time. Each takes
	// about 25 KiB as long as its client takes no answer. What all of them have sent and
	// no handler has read is 1 MiB at most, as net/http has it.
	maxStreams = 32

	// graceAfterCut is the time for handlers to notice that their request is over.
	graceAfterCut = 5 * time.Second
)

// Server serves HTTP on one listener until its context ends.
type Server struct {
	http     http.Server
	shutdown time.Duration
	running  atomic.Int64 // handlers that have not returned
	silent   atomic.Int64 // connections whose first request has not come
	cut      context.CancelFunc
	limits   lingering
	end      func() // lets nothing linger any more
	log      *slog.Logger

	tls       *tls.Config   // nil for plain HTTP
	handshake time.Duration // at most
}

// NewServer makes a server of h behind Chain. There is no limit on how long a
// body or an answer takes as long as bytes move: see Options.StallTimeout for
// the one and Listen for the other.
func NewServer(h http.Handler, o Options) *Server {
	base, cut := context.WithCancel(context.Background())
	ending := make(chan struct{})
	s := &Server{
		shutdown: o.ShutdownTimeout, cut: cut,
		limits: lingeringOf(o, ending), end: sync.OnceFunc(func() { close(ending) }), log: o.Log,
		tls: withProtocols(o.TLS), handshake: cmp.Or(o.HandshakeTimeout, handshakeTime),
	}
	h = Chain(h, o)
	s.http = http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.running.Add(1)
			defer s.running.Add(-1)
			connOf(r.Context()).spoke()
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: cmp.Or(o.HeaderTimeout, 30*time.Second),
		IdleTimeout:       cmp.Or(o.IdleTimeout, 2*time.Minute),
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       inContext,
		ConnState:         follow,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
	}
	return s
}

// Serve answers requests on ln until ctx is done, then drains: nothing new is
// accepted, what was accepted is answered, running requests get Options.ShutdownTimeout to finish; then it closes
// the connections and cancels the contexts of the rest, and gives them a moment to
// notice. It returns nil then; an error means that accepting failed before. It
// closes ln, and can be called once.
//
// The contexts of requests do not descend from ctx: they continue when ctx ends.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	defer s.cut()
	defer s.end()
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.connections(ln)) }()
	select {
	case err := <-failed:
		s.end()
		_ = s.http.Close()
		return fmt.Errorf("the server on %s failed: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	s.end()
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.shutdown)
	defer cancel()
	_ = ln.Close()
	err := <-failed // after this nothing is accepted
	s.waitForFirst(bounded)
	if s.http.Shutdown(bounded) != nil {
		_ = s.http.Close()
		s.cut()
		s.waitForHandlers(graceAfterCut)
	}
	if !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("the server on %s failed: %w", ln.Addr(), err)
	}
	return nil
}

// waitForFirst lets the first request of each connection that was accepted reach its handler.
// net/http drops what it reads after Shutdown was called, without an answer; and the client, whose
// connection was accepted, does not know that it may ask another server.
func (s *Server) waitForFirst(ctx context.Context) {
	for end := time.Now().Add(silenceAtEnd); s.silent.Load() > 0 && time.Now().Before(end) && ctx.Err() == nil; {
		time.Sleep(5 * time.Millisecond)
	}
}

// connections are those of ln as net/http should see them.
func (s *Server) connections(ln net.Listener) net.Listener {
	ours := conns{ln, s.limits, &s.silent}
	if s.tls == nil {
		return ours
	}
	return overTLS(ours, s.tls, s.handshake, s.log)
}

// waitForHandlers lets what they use be closed after Serve has returned.
func (s *Server) waitForHandlers(most time.Duration) {
	for end := time.Now().Add(most); s.running.Load() > 0 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
}

// Listen opens a TCP listener on HOST:PORT whose connections end when the peer
// has taken nothing in for 5 minutes (Linux; elsewhere the system's own limits
// hold). Errors say what was tried and why it failed, in plain words.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	return listen(ctx, address, userTimeout)
}

func listen(ctx context.Context, address string, timeout time.Duration) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return setUserTimeout(c, timeout)
	}}
	ln, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, plain(err))
	}
	return ln, nil
}

// TakeOver gives a listener that another program opened what Listen sets. It must be a TCP
// one: no other has addresses of clients.
func TakeOver(ln net.Listener) error {
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return fmt.Errorf("cannot serve on %s (%s): want a TCP socket", ln.Addr(), ln.Addr().Network())
	}
	c, err := tcp.SyscallConn()
	if err == nil {
		err = setUserTimeout(c, userTimeout)
	}
	if err != nil {
		return fmt.Errorf("cannot limit how long a client of the socket %s reads nothing (want plain TCP, not MPTCP): %w", ln.Addr(), err)
	}
	return nil
}

// plain strips what net and os put around the reason: "listen tcp ...: bind:".
func plain(err error) error {
	if oe := (*net.OpError)(nil); errors.As(err, &oe) {
		err = oe.Err
	}
	if se := (*os.SyscallError)(nil); errors.As(err, &se) {
		err = se.Err
	}
	return err
}

// Pprof serves Go's profiles, at /debug/pprof/. It belongs on a listener of its
// own that only this machine reaches.
func Pprof() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
