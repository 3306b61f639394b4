package deliver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/blob"
	"granary/internal/eventually"
	"granary/internal/fault"
	"granary/internal/metadb"
	"granary/internal/metadb/metadbtest/fresh"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/trace"
	"granary/internal/webhooks"
)

// outbox is a real database with a project, and a clock that can be put forward.
type outbox struct {
	t       *testing.T
	db      *metadb.DB
	project projects.Project
	userID  int64
	skew    atomic.Int64
	log     *slog.Logger // of its workers
}

func newOutbox(t *testing.T) *outbox {
	t.Helper()
	ctx := t.Context()
	db, _ := fresh.Database(t)
	if err := db.UseKey(ctx, [metadb.KeySize]byte{1}); err != nil {
		t.Fatal(err)
	}
	u, err := db.InsertUser(ctx, auth.User{Username: "root", Name: "Administrator", Email: "root@example.com", ProjectsLimit: 100, CreatedAt: time.Now()}, audit.Event{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := db.InsertProject(ctx, projects.Project{
		Name: "demo", Path: "demo", CreatorID: u.ID, Namespace: projects.Group{ID: u.NamespaceID}, CreatedAt: time.Now(), PackageAccess: access.PackagesEnabled,
	}, access.Owner, fault.Limit{Most: 100}, audit.Event{})
	if err != nil {
		t.Fatal(err)
	}
	return &outbox{t: t, db: db, project: p, userID: u.ID, log: slog.New(slog.DiscardHandler)}
}

func (o *outbox) now() time.Time { return time.Now().Add(time.Duration(o.skew.Load())) }

// hook makes a hook past the check of its URL: what counts is the dialing.
func (o *outbox) hook(url string, change ...func(*webhooks.Hook)) webhooks.Hook {
	o.t.Helper()
	made := webhooks.Hook{ProjectID: o.project.ID, Packages: true, VerifyTLS: true, CreatedAt: o.now(), Target: webhooks.Target{URL: url}}
	for _, f := range change {
		f(&made)
	}
	made, err := o.db.InsertHook(o.t.Context(), made, fault.Limit{Most: 100}, audit.Event{})
	if err != nil {
		o.t.Fatal(err)
	}
	return made
}

func (o *outbox) publish(file string) {
	o.t.Helper()
	_, err := o.db.AddFile(o.t.Context(), registry.Publication{
		ProjectID: o.project.ID, Coordinates: registry.Coordinates{Name: "n", Version: "1.0.0", File: registry.FileName(file)},
		CreatorID: o.userID, Size: 1, Digest: blob.Digest{1}, Small: []byte("x"), Now: o.now(),
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *outbox) attempts(hook webhooks.Hook) []webhooks.Attempt {
	o.t.Helper()
	found, err := o.db.ListAttempts(o.t.Context(), hook.ID, webhooks.AttemptFilter{}, page.Request{Number: 1, Size: 100})
	if err != nil {
		o.t.Fatal(err)
	}
	return found.Rows
}

// sender reaches this machine only where it is allowed to.
func (o *outbox) sender(allow ...string) *Sender {
	var g webhooks.Guard
	for _, network := range allow {
		g.Allow = append(g.Allow, netip.MustParsePrefix(network))
	}
	s := NewSender(g, "https://granary.example.com", "test", o.now)
	s.timeout = 2 * time.Second
	o.t.Cleanup(s.Close)
	return s
}

// work runs a worker until the condition holds, and then stops it.
func (o *outbox) work(s *Sender, until func() bool) {
	o.t.Helper()
	ctx, cancel := context.WithCancel(o.t.Context())
	w := Worker{Outbox: o.db, Sender: s, Log: o.log, Metrics: NewMetrics(), Now: o.now}
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	defer running.Wait()
	defer cancel()
	eventually.Holds(o.t, "what the worker is to do", until)
}

// tried is a condition: the hook's log has so many attempts.
func (o *outbox) tried(hook webhooks.Hook, n int) func() bool {
	return func() bool { return len(o.attempts(hook)) >= n }
}

// receiver answers with the statuses in turn, the last of them for ever, and
// keeps the keys it was sent.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	keys []string
}

func newReceiver(t *testing.T, statuses ...int) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		status := statuses[min(len(r.keys), len(statuses)-1)]
		r.keys = append(r.keys, req.Header.Get("Idempotency-Key"))
		if status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.keys...)
}

const loopback = "127.0.0.0/8"

// What failed is sent again after a while, under the same key, and then no more.
func TestRetriesAfterFailure(t *testing.T) {
	o := newOutbox(t)
	r := newReceiver(t, 500, 302, 200)
	hook := o.hook(r.URL)
	o.publish("a")
	s := o.sender(loopback)
	for n := range 3 {
		o.work(s, o.tried(hook, n+1))
		o.skew.Add(int64(2 * time.Minute))
	}
	next, err := o.db.NextDelivery(t.Context(), [4]int64{})
	if err != nil || !next.IsZero() {
		t.Errorf("left in the outbox, due %v: %v", next, err)
	}
	keys := r.seen()
	if len(keys) != 3 || keys[0] == "" || keys[0] != keys[1] || keys[0] != keys[2] {
		t.Errorf("keys %q: a redirect is not followed, a retry has the same key", keys)
	}
	for i, want := range []int{200, 302, 500} {
		if a := o.attempts(hook)[i]; a.Status != want {
			t.Errorf("attempt %d: %+v", i, a)
		}
	}
	if got, err := o.db.FindHook(t.Context(), o.project.ID, hook.ID); err != nil || got.Failures != 0 {
		t.Errorf("%+v %v", got, err)
	}
}

// A receiver that takes too long is given up, be it with its header or in the
// middle of its body, and is tried again.
func TestTimeouts(t *testing.T) {
	o := newOutbox(t)
	done := make(chan struct{})
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "body") {
			_, _ = io.WriteString(w, "begin")
			_ = http.NewResponseController(w).Flush()
		}
		<-done
	}))
	defer r.Close()
	defer close(done)
	first, second := o.hook(r.URL+"/header"), o.hook(r.URL+"/body")
	o.publish("a")
	s := o.sender(loopback)
	s.timeout = 50 * time.Millisecond
	o.work(s, func() bool { return o.tried(first, 1)() && o.tried(second, 1)() })
	for _, hook := range []webhooks.Hook{first, second} {
		if a := o.attempts(hook)[0]; a.Status != 0 || a.Fault != "execution expired: no answer in time" || a.Took < 50*time.Millisecond {
			t.Errorf("%+v", a)
		}
	}
	if next, err := o.db.NextDelivery(t.Context(), [4]int64{}); err != nil || next.Before(o.now().Add(5*time.Second)) {
		t.Errorf("due %v %v", next, err)
	}
}

// Names and redirects that lead to this machine are not followed; the address
// decides, not the name.
func TestGuardAtTheDial(t *testing.T) {
	o := newOutbox(t)
	inside := newReceiver(t, 200)
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	redirects := httptest.NewServer(http.RedirectHandler(inside.URL, http.StatusTemporaryRedirect))
	defer redirects.Close()
	strict := o.sender()
	for _, url := range []string{"http://localhost" + port, inside.URL, "http://127.1" + port, "http://[::ffff:127.0.0.1]" + port, "http://0" + port, "http://[::1]" + port} {
		a := strict.attempt(t.Context(), webhooks.Delivery{Hook: webhooks.Hook{VerifyTLS: true, Target: webhooks.Target{URL: url}}})
		// Some resolvers know no short forms of addresses, and no ::1 here.
		unknown := !strings.Contains(url, "localhost") && url != inside.URL && strings.Contains(a.Fault, "name of the host")
		if a.Status != 0 || a.Fault != errBlocked.Error() && !unknown {
			t.Errorf("%s: %+v", url, a)
		}
	}
	// The redirecting receiver may be reached, and what it points at as well.
	hook := o.hook(redirects.URL)
	o.publish("a")
	o.work(o.sender(loopback), o.tried(hook, 1))
	if a := o.attempts(hook)[0]; a.Status != 307 || a.ResponseHeaders["Location"] != inside.URL {
		t.Errorf("%+v", a)
	}
	if got := inside.seen(); len(got) != 0 {
		t.Errorf("it was reached %d times", len(got))
	}
}

// Proxies of the environment are not asked: they would be told where to go.
func TestNoProxy(t *testing.T) {
	proxy := newReceiver(t, 200)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	a := newOutbox(t).sender(loopback).attempt(t.Context(), webhooks.Delivery{Hook: webhooks.Hook{Target: webhooks.Target{URL: "http://granary.invalid/"}}})
	if a.Status != 0 || len(proxy.seen()) != 0 || !strings.Contains(a.Fault, "name of the host") {
		t.Errorf("%+v", a)
	}
}

func TestTLS(t *testing.T) {
	o := newOutbox(t)
	r := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer r.Close()
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s := o.sender(loopback)
	for verify, want := range map[bool]string{true: "SSL_connect: certificate verify failed: it is signed by an unknown authority", false: "200"} {
		a := s.attempt(t.Context(), webhooks.Delivery{Hook: webhooks.Hook{VerifyTLS: verify, Target: webhooks.Target{URL: r.URL}}})
		if a.Outcome() != want {
			t.Errorf("verify %v: %+v", verify, a)
		}
	}
}

// Who dies in the middle of a delivery leaves it to the next, once its lease
// is over.
func TestTakeover(t *testing.T) {
	o := newOutbox(t)
	r := newReceiver(t, 200)
	hook := o.hook(r.URL)
	o.publish("a")
	taken, err := o.db.ClaimDelivery(t.Context(), [4]int64{}, o.now())
	if err != nil {
		t.Fatal(err)
	}
	s := o.sender(loopback)
	o.publish("b")
	o.work(s, o.tried(hook, 1))
	if got := r.seen(); len(got) != 1 || got[0] == taken.Key {
		t.Fatalf("sent while it is leased: %q", got)
	}
	o.skew.Add(int64(webhooks.Lease + time.Second))
	o.work(s, o.tried(hook, 2))
	if got := r.seen(); len(got) != 2 || got[1] != taken.Key {
		t.Errorf("sent %q, want %s last", got, taken.Key)
	}
}

// A worker that is stopped lets what it sends come to its end; what takes too
// long is not noted as the receiver's failure, and is sent again.
func TestStop(t *testing.T) {
	o := newOutbox(t)
	arrived, answer := make(chan struct{}, 8), make(chan struct{})
	r := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-answer }))
	defer r.Close()
	hook := o.hook(r.URL)
	o.publish("a")
	o.work(o.sender(loopback), func() bool {
		<-arrived
		time.AfterFunc(50*time.Millisecond, func() { close(answer) })
		return true
	})
	if got := o.attempts(hook); len(got) != 1 || got[0].Status != 200 {
		t.Errorf("%+v", got)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	o.publish("b")
	d, err := o.db.ClaimDelivery(t.Context(), [4]int64{}, o.now())
	if err != nil {
		t.Fatal(err)
	}
	w := Worker{Outbox: o.db, Sender: o.sender(loopback), Log: slog.New(slog.DiscardHandler), Now: o.now}
	w.deliver(gone, d, o.now().Add(webhooks.Lease))
	w.deliver(t.Context(), d, o.now()) // its lease ends: another may be sending it
	if got := o.attempts(hook); len(got) != 1 {
		t.Errorf("noted as a failure: %+v", got[0])
	}
}

// A slow receiver holds up itself, and nobody else.
func TestSlowReceiver(t *testing.T) {
	o := newOutbox(t)
	answer := make(chan struct{})
	var open, most atomic.Int64
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		n := open.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		<-answer
		open.Add(-1)
	}))
	defer slow.Close()
	hook := o.hook(slow.URL)
	for range 3 * perHook {
		o.publish("slow")
	}
	r := newReceiver(t, 200)
	quick := o.hook(r.URL)
	o.publish("quick")
	o.work(o.sender(loopback), func() bool {
		if !o.tried(quick, 1)() || open.Load() < perHook {
			return false
		}
		close(answer)
		return true
	})
	if got := most.Load(); got != perHook {
		t.Errorf("%d at a time for one hook", got)
	}
	if n := len(o.attempts(hook)); n < perHook {
		t.Errorf("%d attempts", n)
	}
}

// What a receiver answers is kept within bounds, as text.
func TestAnswersAreBounded(t *testing.T) {
	o := newOutbox(t)
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := range 200 {
			w.Header().Set("X-"+strings.Repeat("a", i%20)+string(rune('a'+i%26)), strings.Repeat("v", 2000))
		}
		_, _ = w.Write(append([]byte{0, 0xff}, strings.Repeat("x", 1<<20)...))
	}))
	defer r.Close()
	a := o.sender(loopback).attempt(t.Context(), webhooks.Delivery{Hook: webhooks.Hook{Target: webhooks.Target{URL: r.URL}}})
	size := 0
	for name, value := range a.ResponseHeaders {
		size += len(name) + len(value)
		if len(value) > maxHeaderLine {
			t.Errorf("%s has %d bytes", name, len(value))
		}
	}
	if a.Status != 200 && a.Fault == "" || size > maxHeaderText || len(a.ResponseBody) > maxBody {
		t.Errorf("%d %s: %d bytes of headers, %d of body", a.Status, a.Fault, size, len(a.ResponseBody))
	}
	if a.Status == 200 && !strings.HasPrefix(a.ResponseBody, "\uFFFD\uFFFDxx") {
		t.Errorf("%.20q", a.ResponseBody)
	}
}

// A delivery continues the trace of the request that caused it: the same id and state at every
// attempt, a span for each, in the headers and in the log. A header that the hook's owner set gives
// way. Without a trace nothing of the kind is sent, and a success is not logged.
func TestTrace(t *testing.T) {
	o := newOutbox(t)
	var mu sync.Mutex
	var came []http.Header
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if came = append(came, req.Header); len(came) == 1 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer r.Close()
	hook := o.hook(r.URL, func(h *webhooks.Hook) { h.Target.Headers = []webhooks.Header{{Key: "traceparent", Value: "mine"}} })
	request := trace.Context{ID: "4bf92f3577b34da6a3ce929d0e0e4736", Span: "00f067aa0ba902b7", Flags: 1, State: "rojo=1"}
	publish := func(ctx context.Context, file string) {
		_, err := o.db.AddFile(ctx, registry.Publication{
			ProjectID: o.project.ID, Coordinates: registry.Coordinates{Name: "n", Version: "1.0.0", File: registry.FileName(file)},
			CreatorID: o.userID, Size: 1, Digest: blob.Digest{1}, Small: []byte("x"), Now: o.now(),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	publish(trace.With(t.Context(), request), "a")
	var log bytes.Buffer
	o.log = slog.New(slog.NewTextHandler(&log, nil))
	s := o.sender(loopback)
	o.work(s, o.tried(hook, 1))
	o.skew.Add(int64(2 * time.Minute))
	o.work(s, o.tried(hook, 2))
	publish(t.Context(), "b")
	o.work(s, o.tried(hook, 3))

	mu.Lock()
	defer mu.Unlock()
	var spans []string
	for i, h := range came[:2] {
		sent, ok := trace.Parse(h["Traceparent"], h["Tracestate"])
		if !ok || sent.ID != request.ID || sent.Flags != 1 || sent.State != "rojo=1" || sent.Span == request.Span {
			t.Errorf("attempt %d has %q and %q", i, h["Traceparent"], h["Tracestate"])
		}
		spans = append(spans, sent.Span)
	}
	if spans[0] == spans[1] {
		t.Errorf("both attempts are span %s", spans[0])
	}
	if h := came[2]; !slices.Equal(h["Traceparent"], []string{"mine"}) || h["Tracestate"] != nil {
		t.Errorf("without a trace it has %q and %q", h["Traceparent"], h["Tracestate"])
	}
	ids := " trace_id=" + request.ID + " span_id=%s parent_id=" + request.Span + "\n"
	for i, want := range []string{`msg="a webhook delivery failed" .* attempt=1 outcome=failed cause=500` + ids, `msg="a webhook was delivered" .* attempt=2 outcome=delivered status=200` + ids} {
		if !regexp.MustCompile(fmt.Sprintf(want, spans[i])).MatchString(log.String()) {
			t.Errorf("no %s in\n%s", fmt.Sprintf(want, spans[i]), log.String())
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines:\n%s", n, log.String())
	}
	if kept := o.attempts(hook)[2].RequestHeaders; kept["Traceparent"] != came[0].Get("Traceparent") {
		t.Errorf("the attempts' log has %v", kept)
	}
}
