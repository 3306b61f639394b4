package httpd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"granary/internal/trace"
)

// logged is a chain's options with a JSON log, and a func that reads its lines.
func logged(t *testing.T, level slog.Level) (Options, func() []map[string]any) {
	t.Helper()
	var text bytes.Buffer
	o := Options{Log: slog.New(slog.NewJSONHandler(&text, &slog.HandlerOptions{Level: level}))}
	return o, func() []map[string]any {
		var lines []map[string]any
		for line := range bytes.Lines(text.Bytes()) {
			var m map[string]any
			if err := json.Unmarshal(line, &m); err != nil {
				t.Fatalf("log line %q: %v", line, err)
			}
			lines = append(lines, m)
		}
		return lines
	}
}

func TestRequestID(t *testing.T) {
	long := strings.Repeat("x", 128)
	tests := []struct {
		given []string
		taken bool
	}{
		{[]string{"abc-1.2_Z"}, true}, {[]string{long}, true},
		{nil, false}, {[]string{""}, false}, {[]string{long + "x"}, false}, {[]string{"a b"}, false},
		{[]string{"a\x00"}, false}, {[]string{"é"}, false}, {[]string{"a", "b"}, false},
	}
	for _, tt := range tests {
		o, _ := logged(t, slog.LevelInfo)
		var seen string
		h := Chain(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = RequestID(r.Context()) }), o)
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["X-Request-Id"] = tt.given
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("X-Request-Id"); got != seen || !validID(got) {
			t.Errorf("%q: answered %q, in the context %q", tt.given, got, seen)
		}
		if tt.taken != (len(tt.given) == 1 && seen == tt.given[0]) {
			t.Errorf("%q: id is %q", tt.given, seen)
		}
	}
}

func TestClientIP(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	tests := []struct {
		remote    string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:5", nil, "192.0.2.1"},
		{"192.0.2.1:5", []string{"198.51.100.1"}, "192.0.2.1"}, // not from a proxy: not believed
		{"10.0.0.1:5", []string{"198.51.100.1"}, "198.51.100.1"},
		{"[::1]:5", []string{"6.6.6.6, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"10.0.0.1:5", []string{"6.6.6.6", "198.51.100.1,10.0.0.2"}, "198.51.100.1"},
		{"10.0.0.1:5", []string{"[2001:db8::7]:443"}, "2001:db8::7"},
		{"[::ffff:10.0.0.1]:5", []string{"198.51.100.1:80"}, "198.51.100.1"},
		{"10.0.0.1:5", []string{"6.6.6.6, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"10.0.0.1:5", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"10.0.0.1:5", []string{",", ""}, "10.0.0.1"},
		{"@", nil, "invalid IP"},
	}
	for _, tt := range tests {
		r := &http.Request{RemoteAddr: tt.remote, Header: http.Header{"X-Forwarded-For": tt.forwarded}}
		if got := clientIP(r, trusted).String(); got != tt.want {
			t.Errorf("%s %q: %s, want %s", tt.remote, tt.forwarded, got, tt.want)
		}
	}
}

// One line per request: route, and a path without the query, whatever form the
// request target has.
func TestLog(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /a/{id}", func(w http.ResponseWriter, r *http.Request) {
		Note(r.Context(), errors.New("the disk is on fire"))
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "12345")
	})
	mux.HandleFunc("GET /-/liveness", func(http.ResponseWriter, *http.Request) {})
	o, lines := logged(t, slog.LevelDebug)
	h := Chain(mux, o)
	for _, target := range []string{"/a/x%2Fy?private_token=SECRET", "http://u:SECRET@h/b?job_token=SECRET", "/-/liveness"} {
		r := httptest.NewRequest("GET", target, nil)
		r.Header.Set("X-Request-Id", "id")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	var got []map[string]any
	for _, l := range lines() {
		delete(l, "time")
		delete(l, "duration")
		got = append(got, l)
	}
	line := func(level, route, path string, status, sent float64) map[string]any {
		return map[string]any{"level": level, "msg": "request", "method": "GET", "route": route, "path": path,
			"status": status, "bytes": sent, "remote_ip": "192.0.2.1", "request_id": "id"}
	}
	want := []map[string]any{
		line("ERROR", "/a/{id}", "/a/x%2Fy", 503, 5),
		line("INFO", "", "/b", 404, 19),
		line("DEBUG", "/-/liveness", "/-/liveness", 200, 0),
	}
	want[0]["error"] = "the disk is on fire"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestPanic(t *testing.T) {
	o, lines := logged(t, slog.LevelInfo)
	h := Chain(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Vary", "Origin")
		panic("a bug")
	}), o)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 500 || w.Body.String() != `{"message":"500 Internal Server Error"}` || w.Header().Get("Content-Length") != "" {
		t.Errorf("answer: %d %v %s", w.Code, w.Header(), w.Body)
	}
	if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Vary") != "Origin" || w.Header().Get("X-Request-Id") == "" {
		t.Errorf("a page of another origin cannot read it: %v", w.Header())
	}
	got := lines()
	if len(got) != 1 || got[0]["panic"] != "a bug" || got[0]["level"] != "ERROR" || !strings.Contains(got[0]["stack"].(string), "TestPanic") {
		t.Errorf("log: %v", got)
	}
}

// A browser must not guess what profiles are.
func TestPprofHasNosniff(t *testing.T) {
	for _, path := range []string{"", "cmdline", "symbol", "heap", "goroutine?debug=1", "none"} {
		w := httptest.NewRecorder()
		Pprof().ServeHTTP(w, httptest.NewRequest("GET", "/debug/pprof/"+path, nil))
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q: %d %v", path, w.Code, w.Header())
		}
	}
}

// After the header is out a panic must not look like a whole answer.
func TestPanicMidAnswer(t *testing.T) {
	for _, value := range []any{"a bug", http.ErrAbortHandler} {
		o, lines := logged(t, slog.LevelInfo)
		srv := httptest.NewServer(Chain(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(value)
		}), o))
		resp, err := http.Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%v: the client took a torn answer for a whole one", value)
		}
		_ = resp.Body.Close()
		srv.Close()
		got := lines()
		if len(got) != 1 || got[0]["aborted"] != true || (got[0]["stack"] != nil) != (value == "a bug") {
			t.Errorf("%v: log: %v", value, got)
		}
	}
}

func TestMetrics(t *testing.T) {
	o, _ := logged(t, slog.LevelInfo)
	o.Metrics = NewMetrics()
	mux := http.NewServeMux()
	mux.HandleFunc("/a/{id}", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("GET /-/metrics", o.Metrics.Handler())
	h := Chain(mux, o)
	for _, call := range [][2]string{{"GET", "/a/1"}, {"GET", "/a/2"}, {"BREW", "/a/3"}, {"GET", "/x"}} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(call[0], call[1], nil))
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/-/metrics", nil))
	for _, want := range []string{
		`granary_http_requests_total{method="GET",route="/a/{id}",status="2xx"} 2`,
		`granary_http_requests_total{method="other",route="/a/{id}",status="2xx"} 1`,
		`granary_http_requests_total{method="GET",route="unmatched",status="4xx"} 1`,
		`granary_http_request_duration_seconds_count{method="GET",route="/a/{id}",status="2xx"} 2`,
		"granary_http_requests_in_flight 1\n", "go_goroutines", "process_open_fds",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
}

func TestOutsideOfARequest(t *testing.T) {
	ctx := t.Context()
	Note(ctx, errors.New("x"))
	if RequestID(ctx) != "" || ClientIP(ctx).IsValid() {
		t.Error("an id or address from nowhere")
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add("1.2.3.4, [::1]:5,,x")
	f.Fuzz(func(t *testing.T, line string) {
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {line}}}
		if !clientIP(r, []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}).IsValid() {
			t.Errorf("%q: no address", line)
		}
	})
}

// What the chain costs a small request, beside a handler without it.
func BenchmarkChain(b *testing.B) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /a/{id}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	log := slog.New(slog.NewJSONHandler(io.Discard, nil)) //nolint:sloglint // what formatting costs is measured, too
	run := func(name string, h http.Handler) {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/a/1", nil)
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
	run("bare", mux)
	run("chain", Chain(mux, Options{Log: log, Metrics: NewMetrics(), StallTimeout: 1}))
	run("chain without log", Chain(mux, Options{Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics()}))
}

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// A trace that a client sends is continued in the context and in the log; without one, or with
// one that W3C calls invalid, nothing is made up.
func TestTrace(t *testing.T) {
	const id, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for _, test := range []struct {
		parents, states []string
		want            trace.Context
	}{
		{[]string{"00-" + id + "-" + span + "-01"}, []string{"a=1", "b=2"}, trace.Context{ID: id, Parent: span, Flags: 1, State: "a=1,b=2"}},
		{[]string{"00-" + id + "-" + span + "-00"}, nil, trace.Context{ID: id, Parent: span}},
		{[]string{"00-" + id + "-" + span + "-01", "00-" + id + "-" + span + "-01"}, []string{"a=1"}, trace.Context{}},
		{[]string{"00-" + id + "-0000000000000000-01"}, []string{"a=1"}, trace.Context{}},
		{[]string{id}, nil, trace.Context{}},
		{nil, []string{"a=1"}, trace.Context{}},
	} {
		o, lines := logged(t, slog.LevelInfo)
		var seen, further trace.Context
		o.Context = func(ctx context.Context) context.Context { further = trace.Of(ctx); return ctx }
		h := Chain(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = trace.Of(r.Context()) }), o)
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Traceparent"], r.Header["Tracestate"] = test.parents, test.states
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if test.want.Valid() {
			test.want.Span = seen.Span
			if len(seen.Span) != 16 || seen.Span == span {
				t.Errorf("%q: our span is %q", test.parents, seen.Span)
			}
		}
		if seen != test.want || further != test.want {
			t.Errorf("%q: %+v and %+v, want %+v", test.parents, seen, further, test.want)
		}
		line := lines()[0]
		for name, want := range map[string]string{"trace_id": test.want.ID, "span_id": test.want.Span, "parent_id": test.want.Parent} {
			if got, there := line[name]; there != (want != "") || there && got != want {
				t.Errorf("%q: the log has %s %v, want %q", test.parents, name, got, want)
			}
		}
		for name := range w.Header() {
			if strings.HasPrefix(strings.ToLower(name), "trace") {
				t.Errorf("%q: the answer has %s", test.parents, name)
			}
		}
	}
}
