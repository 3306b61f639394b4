package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"granary/dev/servers"
	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

var (
	hostileFiles = flag.Int("hostile.files", 5000, "how many different files TestHostileMemory downloads")
	hostileSlow  = flag.Int("hostile.slow", 200, "how many clients of TestHostileMemory read nothing of a list; half as many send slowly, and read ranges slowly")
	hostileFor   = flag.Duration("hostile.for", 15*time.Second, "how long the requests of TestHostileMemory go on")
)

const (
	hostilePeak = 128 << 20 // bytes that the server may hold at most
	// hostileRest is how much above the start it may keep: 8 MiB that it remembers, 12
	// MiB of SQLite's pages, and what the runtime has not given back yet.
	hostileRest = 32 << 20
)

// TestHostileMemory sends at once what strangers once could fill the memory with:
// references, searches and Range headers as long as headers may be, clients that
// ask for the largest lists and read nothing, bodies that never end, downloads of
// very many files. The resident memory of the server stays below a limit, and is
// given back afterwards. It runs without the race detector, which multiplies
// memory.
func TestHostileMemory(t *testing.T) {
	pprof, err := servers.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, server := start(t, "--data-dir="+metadbtest.Memory(t)+"/data", "--pprof-listen="+pprof)
	h := &hostile{t: t, url: server, pid: p.cmd.Process.Pid}
	h.prepare()
	h.rest(pprof)
	before := h.resident("VmRSS")
	t.Logf("%4d MiB at the start, %d at most while it was filled", before>>20, h.resident("VmHWM")>>20)
	h.resetPeak()

	ctx, cancel := context.WithTimeout(t.Context(), *hostileFor)
	defer cancel()
	var running sync.WaitGroup
	for _, attack := range []func(context.Context){
		h.references, h.spellings, h.searches, h.ranges, h.guesses, h.downloads, h.slowLists, h.slowBodies, h.slowRanges,
	} {
		running.Go(func() { attack(ctx) })
	}
	running.Wait()
	peak := h.resident("VmHWM")
	if peak > hostilePeak {
		t.Errorf("%d MiB at most, want %d", peak>>20, hostilePeak>>20)
	}
	h.rest(pprof)
	after := h.resident("VmRSS")
	for end := time.Now().Add(time.Minute); after > before+hostileRest && time.Now().Before(end); after = h.resident("VmRSS") {
		time.Sleep(time.Second)
	}
	if after > before+hostileRest {
		t.Errorf("%d MiB afterwards, want at most %d", after>>20, (before+hostileRest)>>20)
	}
	t.Logf("%4d MiB at most, %d afterwards; %d requests, %d of them answered by 5xx", peak>>20, after>>20, h.sent.Load(), h.failed.Load())
	if h.internal.Load() > 0 {
		t.Errorf("%d answers were 500", h.internal.Load())
	}
}

// hostile is clients that mean no good, without a credential.
type hostile struct {
	t   *testing.T
	url string
	pid int

	project  string // its id; public
	sent     atomic.Int64
	failed   atomic.Int64 // 503 is an honest answer
	internal atomic.Int64 // 500 is none
}

// prepare makes a public project with the largest releases, a large file and
// many small ones.
func (h *hostile) prepare() {
	_, body := ask(h.t, "POST", h.url+"/api/v4/projects", strings.NewReader(`{"name":"open","path":"open","visibility":"public"}`), "Content-Type", "application/json")
	var made struct{ ID int64 }
	if err := json.Unmarshal([]byte(body), &made); err != nil || made.ID == 0 {
		h.t.Fatalf("no project: %s", body)
	}
	h.project = strconv.FormatInt(made.ID, 10)
	description := strings.Repeat("long ", 199_000)
	h.many(100, func(n int) {
		release := fmt.Sprintf(`{"tag_name":"v%d","description":%q}`, n, description)
		h.must("POST", "/projects/"+h.project+"/releases", release, http.StatusCreated)
	})
	h.must("PUT", h.file("large", 0), strings.Repeat("0123456789abcdef", 256<<10), http.StatusCreated)
	h.many(*hostileFiles, func(n int) {
		h.must("PUT", h.file("small", n), fmt.Sprintf("%030d", n), http.StatusCreated)
	})
	h.awaitRecords(time.Now())
}

// awaitRecords waits until the records in the store have what was done before a time: to write
// them takes memory, too.
func (h *hostile) awaitRecords(done time.Time) {
	// What concerns no package is written at most once a minute.
	eventually.HoldsWithin(h.t, 3*time.Minute, "the records are written", func() bool {
		_, metrics := ask(h.t, "GET", h.url+"/-/metrics", nil)
		_, after, _ := strings.Cut(metrics, "\ngranary_records_lag_seconds ")
		lag := 0.0
		_, _ = fmt.Sscan(after, &lag)
		return lag > 0 && time.Since(done).Seconds() > lag
	})
}

func (h *hostile) file(name string, n int) string {
	return fmt.Sprintf("/projects/%s/packages/generic/%s/1.0.%d/file", h.project, name, n)
}

// many calls do with each number below n, 16 at once.
func (h *hostile) many(n int, do func(int)) {
	var next atomic.Int64
	var running sync.WaitGroup
	for range 16 {
		running.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				do(int(i))
			}
		})
	}
	running.Wait()
}

func (h *hostile) must(method, path, body string, want int) {
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+"/api/v4"+path, strings.NewReader(body))
	if err != nil {
		h.t.Error(err)
		return
	}
	req.Header.Set("Private-Token", rootToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Error(err)
		return
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != want {
		h.t.Errorf("%s %.80s: %s %.200s", method, path, resp.Status, text)
	}
}

// get asks for a path again and again, until ctx is done.
func (h *hostile) get(ctx context.Context, clients int, path func(n int) (string, http.Header)) {
	var next atomic.Int64
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			for ctx.Err() == nil {
				at, header := path(int(next.Add(1)))
				h.ask(ctx, at, header)
			}
		})
	}
	running.Wait()
}

func (h *hostile) ask(ctx context.Context, path string, header http.Header) {
	req, err := http.NewRequestWithContext(ctx, "GET", h.url+"/api/v4"+path, nil)
	if err != nil {
		h.t.Error(err)
		return
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return // ctx is done, or the server has had enough
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // may be cut
	h.sent.Add(1)
	if resp.StatusCode >= 500 {
		h.failed.Add(1)
	}
	if resp.StatusCode == http.StatusInternalServerError {
		h.internal.Add(1)
		h.t.Logf("500: GET %.100s", path)
	}
}

// references have tens of thousands of zeros before the id.
func (h *hostile) references(ctx context.Context) {
	h.get(ctx, 4, func(n int) (string, http.Header) {
		return "/projects/" + strings.Repeat("0", 30_000+n%20_000) + h.project + "/packages/generic/small/1.0.1/file", http.Header{}
	})
}

// spellings are the many ways to write one path, of a project that is hidden.
func (h *hostile) spellings(ctx context.Context) {
	h.get(ctx, 2, func(n int) (string, http.Header) {
		letters := []byte("root%2Fdemo")
		for i, c := range letters {
			if n>>i&1 == 1 && c >= 'a' {
				letters[i] -= 'a' - 'A'
			}
		}
		return "/projects/" + string(letters) + "/packages/generic/a/1.0.0/a", http.Header{}
	})
}

func (h *hostile) searches(ctx context.Context) {
	long := strings.Repeat("a", 50_000)
	paths := []string{"/projects?search=", "/groups?search=", "/projects/" + h.project + "/packages?package_name=", "/projects?page=1&nothing="}
	h.get(ctx, 4, func(n int) (string, http.Header) { return paths[n%len(paths)] + long, http.Header{} })
}

// ranges ask for the same bytes thousands of times.
func (h *hostile) ranges(ctx context.Context) {
	same := "bytes=0-0" + strings.Repeat(",0-0", 14_000)
	var apart strings.Builder
	for n := range 900 {
		fmt.Fprintf(&apart, ",%d-%d", n*4000, n*4000+3000)
	}
	h.get(ctx, 8, func(n int) (string, http.Header) {
		if n%2 == 0 {
			return h.file("large", 0), http.Header{"Range": {same}}
		}
		return h.file("large", 0), http.Header{"Range": {"bytes=" + apart.String()[1:]}}
	})
}

func (h *hostile) guesses(ctx context.Context) {
	h.get(ctx, 2, func(n int) (string, http.Header) {
		return "/projects", http.Header{"Private-Token": {fmt.Sprintf("gnpat-%020d", n)}}
	})
}

func (h *hostile) downloads(ctx context.Context) {
	h.many(*hostileFiles, func(n int) {
		h.ask(context.WithoutCancel(ctx), h.file("small", n), http.Header{})
	})
}

// slowLists ask for the largest lists from many addresses, and read nothing.
func (h *hostile) slowLists(ctx context.Context) {
	request := "GET /api/v4/projects/" + h.project + "/releases?per_page=100&include_html_description=true HTTP/1.1\r\nHost: x\r\n\r\n"
	h.slow(ctx, *hostileSlow, []byte(request))
}

// slowBodies send all of a body but its last byte.
func (h *hostile) slowBodies(ctx context.Context) {
	body := `{"a":"` + strings.Repeat("x", 16<<10-100) // as much as is taken without a login
	head := fmt.Sprintf("POST /api/v4/projects/%s/packages/protection/rules HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		h.project, len(body)+1)
	h.slow(ctx, *hostileSlow/2, []byte(head+body))
}

// slowRanges ask for hundreds of parts of a file, and read nothing.
func (h *hostile) slowRanges(ctx context.Context) {
	var parts strings.Builder
	for n := range 900 {
		fmt.Fprintf(&parts, ",%d-%d", n*4000, n*4000+3000)
	}
	h.slow(ctx, *hostileSlow/2, []byte("GET /api/v4"+h.file("large", 0)+" HTTP/1.1\r\nHost: x\r\nRange: bytes="+parts.String()[1:]+"\r\n\r\n"))
}

// slow opens connections from many addresses, sends the request on each, and
// waits. A connection that was cut is opened again.
func (h *hostile) slow(ctx context.Context, clients int, request []byte) {
	at, err := url.Parse(h.url)
	if err != nil {
		h.t.Error(err)
		return
	}
	var running sync.WaitGroup
	for n := range clients {
		running.Go(func() {
			from := &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+n/4))}
			dialer := net.Dialer{LocalAddr: from}
			for ctx.Err() == nil {
				conn, err := dialer.DialContext(ctx, "tcp", at.Host)
				if err != nil {
					continue
				}
				_ = conn.(*net.TCPConn).SetReadBuffer(4096) // a wish
				_, _ = conn.Write(request)                  // may be refused meanwhile
				h.sent.Add(1)
				select {
				case <-ctx.Done():
				case <-time.After(12 * time.Second):
				}
				_ = conn.Close()
			}
		})
	}
	running.Wait()
}

// rest has the server collect its garbage, which it does by itself within
// minutes.
func (h *hostile) rest(pprof string) {
	for range 2 { // what is pooled lives for one more
		resp, err := http.Get("http://" + pprof + "/debug/pprof/heap?gc=1&debug=1")
		if err != nil {
			h.t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}

// resident is a figure of the server's memory, in bytes.
func (h *hostile) resident(name string) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.pid))
	if err != nil {
		h.t.Fatal(err)
	}
	_, after, _ := bytes.Cut(status, []byte(name+":"))
	var kib int64
	if _, err := fmt.Sscan(string(after), &kib); err != nil {
		h.t.Fatal(err)
	}
	return kib << 10
}

// resetPeak makes VmHWM begin anew.
func (h *hostile) resetPeak() {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", h.pid), []byte("5"), 0o600); err != nil {
		h.t.Fatal(err)
	}
}
