// Package httpd is running HTTP well: request ids, log, metrics, recovered
// panics, stalled bodies, slow clients and an orderly end. It knows nothing of
// packages, and nothing of the routes beyond the patterns that matched.
package httpd

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"granary/internal/trace"
)

// Options is what a chain and a server need to know. Log is required.
type Options struct {
	Log            *slog.Logger
	Metrics        *Metrics       // nil for none
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed

	// TLS makes a Server speak TLS, with HTTP/2 for clients that ask for it; nil for plain
	// HTTP. It has the certificates; NewServer adds the protocols to a copy. Protocols that
	// it names itself are agreed on and closed at once, as ACME's challenge wants it.
	TLS *tls.Config

	// Context, if not nil, adds to the context of each request.
	Context func(context.Context) context.Context

	StallTimeout  time.Duration // a body without progress for so long is cut off; 0 for never
	IdleTimeout   time.Duration // of a kept connection; 0 for 2 min
	HeaderTimeout time.Duration // for a whole request header; 0 for 30 s

	HandshakeTimeout time.Duration // of TLS; 0 for 10 s
	TakeTimeout      time.Duration // an answer over HTTP/2 of which the client takes nothing for so long is cut off; 0 for 5 min
	AnswerTimeout    time.Duration // the same for one of 4 KiB at most; 0 for 10 s
	ShutdownTimeout  time.Duration // what running requests get at the end; 0 for none

	// A client that still sends when it is refused is listened to for so long.
	LingerIdle  time.Duration // without a byte from it; 0 for 5 s
	LingerTime  time.Duration // in all; 0 for 30 s
	LingerBytes int64         // in all; 0 for 1 GiB
}

// Chain wraps next so that every request gets an id, a client address, its part of the
// trace that its client sent (trace.Of; none is begun here), a guard
// on its body, a line in the log, its metrics, and a plain 500 if next
// panics. It is one handler rather than a stack of them because every small
// download pays for it.
//
// Route patterns are read from the request that next was given: a layer that
// copies the request (WithContext) belongs behind the mux, not before it.
func Chain(next http.Handler, o Options) http.Handler {
	return &chain{next: next, o: o}
}

type chain struct {
	next http.Handler
	o    Options
}

func (c *chain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{
		ResponseWriter: w,
		start:          time.Now(),
		id:             requestID(r.Header),
		client:         clientIP(r, c.o.TrustedProxies),
		conn:           connOf(r.Context()),
	}
	x.doubtful = x.conn.doubtful(r)
	if r.ProtoMajor == 2 {
		x.stream = &stream{to: w, limit: cmp.Or(c.o.TakeTimeout, userTimeout), small: cmp.Or(c.o.AnswerTimeout, answerTime)}
	}
	w.Header()[idHeader] = []string{x.id}
	// A copy, not r itself: net/http looks at the Body of its own request after
	// the handler, and must find its own Body there.
	ctx := context.WithValue(r.Context(), exchangeKey{}, x)
	if parents := r.Header["Traceparent"]; len(parents) > 0 {
		if from, ok := trace.Parse(parents, r.Header["Tracestate"]); ok {
			x.trace = from.Child()
			ctx = trace.With(ctx, x.trace)
		}
	}
	if c.o.Context != nil {
		ctx = c.o.Context(ctx)
	}
	r = r.WithContext(ctx)
	x.body = guard(w, r, c.o.StallTimeout)
	if c.o.Metrics != nil {
		c.o.Metrics.inFlight.Inc()
	}
	defer c.end(x, r)
	c.next.ServeHTTP(x, r)
}

// end is deferred: it recovers the handler's panic, then writes the log line and
// the metrics. If the client must not take the answer for a whole one, it panics
// with http.ErrAbortHandler, so that net/http drops the connection.
func (c *chain) end(x *exchange, r *http.Request) {
	aborted := false
	if p := recover(); p == http.ErrAbortHandler {
		aborted = true
	} else if p != nil {
		x.panicked, x.stack = p, debug.Stack()
		if x.status == 0 {
			writePlain500(x)
		} else {
			aborted = true
		}
	}
	if x.status == 0 && !aborted {
		x.WriteHeader(http.StatusOK) // what net/http would send for a silent handler
	}
	took := time.Since(x.start)
	route := routeOf(r.Pattern)
	if c.o.Metrics != nil {
		c.o.Metrics.inFlight.Dec()
		c.o.Metrics.observe(r.Method, route, x.status, took)
	}
	c.log(x, r, route, took, aborted)
	if x.stream != nil {
		x.stream.end()
	}
	if x.stream != nil && x.body != nil && !x.body.whole && !aborted {
		_ = x.FlushError() // a client that left needs no answer
		x.stream.linger(r.Context())
	}
	x.leave(aborted)
	if aborted {
		panic(http.ErrAbortHandler)
	}
}

// writePlain500 drops the headers that the handler had set: a Content-Length or ETag
// of the failed answer would be wrong for this one. It keeps the CORS headers, which
// let a page of another origin read the answer.
func writePlain500(x *exchange) {
	h := x.Header()
	maps.DeleteFunc(h, func(name string, _ []string) bool {
		return name != idHeader && name != "Vary" && !strings.HasPrefix(name, "Access-Control-")
	})
	h.Set("Content-Type", "application/json")
	x.WriteHeader(http.StatusInternalServerError)
	_, _ = x.Write([]byte(`{"message":"500 Internal Server Error"}`))
}

// log writes the request's one line, with the panic or error that explains a
// 5xx, so that each is logged exactly once.
func (c *chain) log(x *exchange, r *http.Request, route string, took time.Duration, aborted bool) {
	level := slog.LevelInfo
	switch {
	case x.status >= 500 || x.panicked != nil:
		level = slog.LevelError
	case route == "/-/liveness" || route == "/-/readiness":
		level = slog.LevelDebug
	}
	if !c.o.Log.Enabled(r.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 17)
	attrs = append(attrs,
		slog.String("method", r.Method),
		slog.String("route", route),
		slog.String("path", loggedPath(r)),
		slog.Int("status", x.status),
		slog.Int64("bytes", x.sent),
		slog.Duration("duration", took),
		slog.String("remote_ip", x.client.String()),
		slog.String("request_id", x.id))
	attrs = append(attrs, x.trace.LogAttrs()...)
	if x.body != nil {
		attrs = append(attrs, slog.Int64("received", x.body.received))
	}
	if aborted {
		attrs = append(attrs, slog.Bool("aborted", true))
	}
	if err := x.noted(); err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	if x.panicked != nil {
		attrs = append(attrs, slog.Any("panic", x.panicked), slog.String("stack", string(x.stack)))
	}
	c.o.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// routeOf is a pattern without its method, which has its own field.
func routeOf(pattern string) string {
	if _, path, ok := strings.Cut(pattern, " "); ok {
		return strings.TrimLeft(path, " ")
	}
	return pattern
}

// loggedPath is the path as received, with its escapes, and never the query, which
// may hold a token.
func loggedPath(r *http.Request) string {
	const most = 1024
	path := r.RequestURI
	if !strings.HasPrefix(path, "/") {
		path = r.URL.EscapedPath() // http://user:password@host/... is allowed on the wire
	}
	path, _, _ = strings.Cut(path, "?")
	if len(path) > most {
		path = path[:most] + "..."
	}
	return path
}
