package deliver

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
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
	"granary/internal/webhooks"
)

// house is a real database with a project, and a clock that can be put forward.
type house struct {
	t       *testing.T
	db      *metadb.DB
	project projects.Project
	userID  int64
	skew    atomic.Int64
}

func newHouse(t *testing.T) *house {
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
	return &house{t: t, db: db, project: p, userID: u.ID}
}

func (h *house) now() time.Time { return time.Now().Add(time.Duration(h.skew.Load())) }

// hook makes a hook past the check of its URL: what counts is the dialing.
func (h *house) hook(url string, change ...func(*webhooks.Hook)) webhooks.Hook {
	h.t.Helper()
	made := webhooks.Hook{ProjectID: h.project.ID, Packages: true, VerifyTLS: true, CreatedAt: h.now(), Target: webhooks.Target{URL: url}}
	for _, f := range change {
		f(&made)
	}
	made, err := h.db.InsertHook(h.t.Context(), made, fault.Limit{Most: 100}, audit.Event{})
	if err != nil {
		h.t.Fatal(err)
	}
	return made
}

func (h *house) publish(file string) {
	h.t.Helper()
	_, err := h.db.AddFile(h.t.Context(), registry.Publication{
		ProjectID: h.project.ID, Coordinates: registry.Coordinates{Name: "n", Version: "1.0.0", File: registry.FileName(file)},
		CreatorID: h.userID, Size: 1, Digest: blob.Digest{1}, Small: []byte("x"), Now: h.now(),
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) attempts(hook webhooks.Hook) []webhooks.Attempt {
	h.t.Helper()
	found, err := h.db.ListAttempts(h.t.Context(), hook.ID, webhooks.AttemptFilter{}, page.Request{Number: 1, Size: 100})
	if err != nil {
		h.t.Fatal(err)
	}
	return found.Rows
}

// sender reaches this machine only where it is allowed to.
func (h *house) sender(allow ...string) *Sender {
	var g webhooks.Guard
	for _, network := range allow {
		g.Allow = append(g.Allow, netip.MustParsePrefix(network))
	}
	s := NewSender(g, "https://granary.example.com", "test", h.now)
	s.timeout = 2 * time.Second
	h.t.Cleanup(s.Close)
	return s
}

// work runs a worker until the condition holds, and then stops it.
func (h *house) work(s *Sender, until func() bool) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	w := Worker{Outbox: h.db, Sender: s, Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(), Now: h.now}
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	defer running.Wait()
	defer cancel()
	eventually.Holds(h.t, "what the worker is to do", until)
}

// tried is a condition: the hook's log has so many attempts.
func (h *house) tried(hook webhooks.Hook, n int) func() bool {
	return func() bool { return len(h.attempts(hook)) >= n }
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
	h := newHouse(t)
	r := newReceiver(t, 500, 302, 200)
	hook := h.hook(r.URL)
	h.publish("a")
	s := h.sender(loopback)
	for n := range 3 {
		h.work(s, h.tried(hook, n+1))
		h.skew.Add(int64(2 * time.Minute))
	}
	next, err := h.db.NextDelivery(t.Context(), [4]int64{})
	if err != nil || !next.IsZero() {
		t.Errorf("left in the outbox, due %v: %v", next, err)
	}
	keys := r.seen()
	if len(keys) != 3 || keys[0] == "" || keys[0] != keys[1] || keys[0] != keys[2] {
		t.Errorf("keys %q: a redirect is not followed, a retry has the same key", keys)
	}
	for i, want := range []int{200, 302, 500} {
		if a := h.attempts(hook)[i]; a.Status != want {
			t.Errorf("attempt %d: %+v", i, a)
		}
	}
	if got, err := h.db.FindHook(t.Context(), h.project.ID, hook.ID); err != nil || got.Failures != 0 {
		t.Errorf("%+v %v", got, err)
	}
}

// A receiver that takes too long is given up, be it with its header or in the
// middle of its body, and is tried again.
func TestTimeouts(t *testing.T) {
	h := newHouse(t)
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
	first, second := h.hook(r.URL+"/header"), h.hook(r.URL+"/body")
	h.publish("a")
	s := h.sender(loopback)
	s.timeout = 50 * time.Millisecond
	h.work(s, func() bool { return h.tried(first, 1)() && h.tried(second, 1)() })
	for _, hook := range []webhooks.Hook{first, second} {
		if a := h.attempts(hook)[0]; a.Status != 0 || a.Fault != "execution expired: no answer in time" || a.Took < 50*time.Millisecond {
			t.Errorf("%+v", a)
		}
	}
	if next, err := h.db.NextDelivery(t.Context(), [4]int64{}); err != nil || next.Before(h.now().Add(5*time.Second)) {
		t.Errorf("due %v %v", next, err)
	}
}

// Names and redirects that lead to this machine are not followed; the address
// decides, not the name.
func TestGuardAtTheDial(t *testing.T) {
	h := newHouse(t)
	inside := newReceiver(t, 200)
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	redirects := httptest.NewServer(http.RedirectHandler(inside.URL, http.StatusTemporaryRedirect))
	defer redirects.Close()
	strict := h.sender()
	for _, url := range []string{"http://localhost" + port, inside.URL, "http://127.1" + port, "http://[::ffff:127.0.0.1]" + port, "http://0" + port, "http://[::1]" + port} {
		a := strict.attempt(t.Context(), webhooks.Delivery{Hook: webhooks.Hook{VerifyTLS: true, Target: webhooks.Target{URL: url}}})
		// Some resolvers know no short forms of addresses, and no ::1 here.
		unknown := !strings.Contains(url, "localhost") && url != inside.URL && strings.Contains(a.Fault, "name of the host")
		if a.Status != 0 || a.Fault != errBlocked.Error() && !unknown {
			t.Errorf("%s: %+v", url, a)
		}
	}
	// The redirecting receiver may be reached, and what it points at as well.
	hook := h.hook(redirects.URL)
	h.publish("a")
	h.work(h.sender(loopback), h.tried(hook, 1))
	if a := h.attempts(hook)[0]; a.Status != 307 || a.ResponseHeaders["Location"] != inside.URL {
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
	a := newHouse(t).sender(loopback).attempt(t.Context(), webhooks.Delivery{Hook: webhooks.Hook{Target: webhooks.Target{URL: "http://granary.invalid/"}}})
	if a.Status != 0 || len(proxy.seen()) != 0 || !strings.Contains(a.Fault, "name of the host") {
		t.Errorf("%+v", a)
	}
}

func TestTLS(t *testing.T) {
	h := newHouse(t)
	r := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer r.Close()
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s := h.sender(loopback)
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
	h := newHouse(t)
	r := newReceiver(t, 200)
	hook := h.hook(r.URL)
	h.publish("a")
	taken, err := h.db.ClaimDelivery(t.Context(), [4]int64{}, h.now())
	if err != nil {
		t.Fatal(err)
	}
	s := h.sender(loopback)
	h.publish("b")
	h.work(s, h.tried(hook, 1))
	if got := r.seen(); len(got) != 1 || got[0] == taken.Key {
		t.Fatalf("sent while it is leased: %q", got)
	}
	h.skew.Add(int64(webhooks.Lease + time.Second))
	h.work(s, h.tried(hook, 2))
	if got := r.seen(); len(got) != 2 || got[1] != taken.Key {
		t.Errorf("sent %q, want %s last", got, taken.Key)
	}
}

// A worker that is stopped lets what it sends come to its end; what takes too
// long is not noted as the receiver's failure, and is sent again.
func TestStop(t *testing.T) {
	h := newHouse(t)
	arrived, answer := make(chan struct{}, 8), make(chan struct{})
	r := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-answer }))
	defer r.Close()
	hook := h.hook(r.URL)
	h.publish("a")
	h.work(h.sender(loopback), func() bool {
		<-arrived
		time.AfterFunc(50*time.Millisecond, func() { close(answer) })
		return true
	})
	if got := h.attempts(hook); len(got) != 1 || got[0].Status != 200 {
		t.Errorf("%+v", got)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	h.publish("b")
	d, err := h.db.ClaimDelivery(t.Context(), [4]int64{}, h.now())
	if err != nil {
		t.Fatal(err)
	}
	w := Worker{Outbox: h.db, Sender: h.sender(loopback), Log: slog.New(slog.DiscardHandler), Now: h.now}
	w.deliver(gone, d, h.now().Add(webhooks.Lease))
	w.deliver(t.Context(), d, h.now()) // its lease ends: another may be sending it
	if got := h.attempts(hook); len(got) != 1 {
		t.Errorf("noted as a failure: %+v", got[0])
	}
}

// A slow receiver holds up itself, and nobody else.
func TestSlowReceiver(t *testing.T) {
	h := newHouse(t)
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
	hook := h.hook(slow.URL)
	for range 3 * perHook {
		h.publish("slow")
	}
	r := newReceiver(t, 200)
	quick := h.hook(r.URL)
	h.publish("quick")
	h.work(h.sender(loopback), func() bool {
		if !h.tried(quick, 1)() || open.Load() < perHook {
			return false
		}
		close(answer)
		return true
	})
	if got := most.Load(); got != perHook {
		t.Errorf("%d at a time for one hook", got)
	}
	if n := len(h.attempts(hook)); n < perHook {
		t.Errorf("%d attempts", n)
	}
}

// What a receiver answers is kept within bounds, as text.
func TestAnswersAreBounded(t *testing.T) {
	h := newHouse(t)
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := range 200 {
			w.Header().Set("X-"+strings.Repeat("a", i%20)+string(rune('a'+i%26)), strings.Repeat("v", 2000))
		}
		_, _ = w.Write(append([]byte{0, 0xff}, strings.Repeat("x", 1<<20)...))
	}))
	defer r.Close()
	a := h.sender(loopback).attempt(t.Context(), webhooks.Delivery{Hook: webhooks.Hook{Target: webhooks.Target{URL: r.URL}}})
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
