package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// promise is a file and what its publisher was told.
type promise struct {
	path   string
	digest [sha256.Size]byte
	size   int
}

// workload is clients that publish and install through the balancer, and what they
// have seen.
type workload struct {
	c    *Cluster
	http *http.Client

	mu         sync.Mutex
	kept       []promise      // a 201
	unknown    []promise      // no 201, and all of the body sent: whole or not at all
	never      []promise      // the body was cut: nothing may be seen
	seen       map[string]int // answers, by what they were
	violations []string
}

func newWorkload(c *Cluster) *workload {
	return &workload{c: c, seen: map[string]int{}, http: &http.Client{
		Timeout:   90 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}}
}

func (w *workload) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[what]++
}

func (w *workload) violation(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violations = append(w.violations, fmt.Sprintf(format, args...))
}

// work publishes and installs until ctx is done; what has begun then is ended.
func (w *workload) work(ctx context.Context, client int) {
	random := rand.New(rand.NewPCG(uint64(client), 1))
	for n := 0; ctx.Err() == nil; n++ {
		path := fmt.Sprintf("/api/v4/projects/root%%2Fdemo/packages/generic/workload/%d.%d.0/file.bin", client, n)
		switch {
		case random.IntN(10) == 0:
			w.publishHalf(path, random)
		case random.IntN(10) < 6:
			w.publish(path, random)
		default:
			w.install(random)
		}
	}
}

// sizes: kept by the database, put in one, and put in parts.
func body(random *rand.Rand) []byte {
	size := []int{1 << 10, 1 << 10, 1 << 10, 1 << 10, 200 << 10, 200 << 10, 6 << 20, 12 << 20}[random.IntN(8)]
	b := make([]byte, size)
	for i := 0; i < len(b); i += 512 { // unlike any other, and cheap
		b[i], b[i+1], b[i+2], b[i+3] = byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32())
	}
	return b
}

func (w *workload) publish(path string, random *rand.Rand) bool {
	b := body(random)
	p := promise{path, sha256.Sum256(b), len(b)}
	status, _, err := w.call(w.c.URL, http.MethodPut, path, bytes.NewReader(b))
	w.judge("publish", path, status, err, http.StatusCreated)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && status == http.StatusCreated {
		w.kept = append(w.kept, p)
		return true
	}
	w.unknown = append(w.unknown, p)
	return false
}

var errCut = errors.New("cut")

// publishHalf breaks off in the middle of a body of declared length.
func (w *workload) publishHalf(path string, random *rand.Rand) {
	b := body(random)
	half := io.MultiReader(bytes.NewReader(b[:len(b)/2]), failing{})
	req, err := http.NewRequest(http.MethodPut, w.c.URL+path, half)
	if err != nil {
		w.violation("%v", err)
		return
	}
	req.ContentLength = int64(len(b))
	req.Header.Set("PRIVATE-TOKEN", w.c.Token)
	resp, err := w.http.Do(req)
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode < 400 {
			w.violation("half of %s was answered with %d", path, resp.StatusCode)
		}
	}
	w.count("publish: cut by its sender")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.never = append(w.never, promise{path: path})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errCut }

func (w *workload) install(random *rand.Rand) {
	w.mu.Lock()
	if len(w.kept) == 0 {
		w.mu.Unlock()
		return
	}
	p := w.kept[random.IntN(len(w.kept))]
	w.mu.Unlock()
	status, got, err := w.call(w.c.URL, http.MethodGet, p.path, nil)
	w.judge("install", p.path, status, err, http.StatusOK)
	if err == nil && status == http.StatusOK && sha256.Sum256(got) != p.digest {
		w.violation("%s: installed %d other bytes than the %d published", p.path, len(got), p.size)
	}
}

// judge holds an answer to the law: what was asked for, 503, or a broken
// connection.
func (w *workload) judge(what, path string, status int, err error, want int) {
	switch {
	case err != nil:
		w.count(what + ": connection broken")
	case status == want || status == http.StatusServiceUnavailable:
		w.count(fmt.Sprintf("%s: %d", what, status))
	default:
		w.violation("%s %s: %d", what, path, status)
	}
}

// call returns an error for an answer that did not come whole.
func (w *workload) call(base, method, path string, b io.Reader) (int, []byte, error) {
	req, err := http.NewRequest(method, base+path, b)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("PRIVATE-TOKEN", w.c.Token)
	resp, err := w.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp.StatusCode, got, err
}

// audit asks every node for everything that was ever published.
func (w *workload) audit(t *testing.T) {
	t.Helper()
	limit := make(chan struct{}, 8)
	var wg sync.WaitGroup
	each := func(promises []promise, judge func(p promise, status int, right bool) bool) {
		for _, address := range w.c.Addresses {
			for _, p := range promises {
				limit <- struct{}{}
				wg.Go(func() {
					defer func() { <-limit }()
					status, got, err := w.call("http://"+address, http.MethodGet, p.path, nil)
					if err != nil || !judge(p, status, sha256.Sum256(got) == p.digest) {
						w.violation("afterwards %s on %s: %d, %d bytes, %v", p.path, address, status, len(got), err)
					}
				})
			}
		}
	}
	each(w.kept, func(_ promise, status int, right bool) bool { return status == http.StatusOK && right })
	each(w.unknown, func(_ promise, status int, right bool) bool {
		return status == http.StatusNotFound || status == http.StatusOK && right
	})
	each(w.never, func(_ promise, status int, _ bool) bool { return status == http.StatusNotFound })
	wg.Wait()
}
