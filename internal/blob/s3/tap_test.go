package s3

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/blob/s3/s3test"
)

// tap is the line to a real server. It can break, and keeps what was asked.
type tap struct {
	*http.Transport

	patience time.Duration

	mu    sync.Mutex
	fault func(*http.Request) fault // nil: none
	asked []*http.Request           // the heads of all requests
}

// fault is what happens to one request.
type fault string

const (
	none     fault = ""
	refuse   fault = "refuse"      // nobody answers
	slowDown fault = "503"         // the store is busy, in S3's words
	broken   fault = "500"         // a proxy has an error, in nobody's words
	cutBody  fault = "cut request" // the line breaks in the middle of what is sent
	cutReply fault = "cut answer"  // the line breaks in the middle of the answer's body
	lost     fault = "lost answer" // the deed is done, and nobody hears of it
	hang     fault = "hang"        // nothing moves any more
)

var errTap = errors.New("the line broke on purpose")

func newTap(t testing.TB) *tap {
	tr := newTransport()
	t.Cleanup(tr.CloseIdleConnections)
	return &tap{Transport: tr, patience: patienceMoving}
}

// open opens a store whose line is the tap.
func (p *tap) open(t testing.TB, cfg Config) *Store {
	t.Helper()
	cfg.Transport = patient{inner: p, limit: p.patience}
	return open(t, cfg)
}

// set makes faults of the requests to come.
func (p *tap) set(f func(*http.Request) fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

// nth makes the n-th request from now fail, and those after it where always.
func (p *tap) nth(n int, always bool, kind fault) (came func() bool) {
	var mu sync.Mutex
	count := 0
	p.set(func(*http.Request) fault {
		mu.Lock()
		defer mu.Unlock()
		if count++; count == n || always && count > n {
			return kind
		}
		return none
	})
	return func() bool { mu.Lock(); defer mu.Unlock(); return count >= n }
}

func (p *tap) RoundTrip(req *http.Request) (*http.Response, error) {
	p.mu.Lock()
	p.asked = append(p.asked, req)
	kind := none
	if p.fault != nil {
		kind = p.fault(req)
	}
	p.mu.Unlock()
	switch kind {
	case refuse, slowDown, broken, hang:
		return p.answerNot(req, kind)
	case cutBody:
		if req.Body != nil && req.Body != http.NoBody {
			req = req.Clone(req.Context())
			req.Body = &cut{ReadCloser: req.Body, left: req.ContentLength / 2}
		}
	}
	resp, err := p.Transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	switch kind {
	case cutReply:
		resp.Body = &cut{ReadCloser: resp.Body, left: (resp.ContentLength + 1) / 2}
	case lost:
		resp.Body.Close()
		return nil, errTap
	}
	return resp, nil
}

func (p *tap) answerNot(req *http.Request, kind fault) (*http.Response, error) {
	if kind == hang {
		<-req.Context().Done()
	}
	if req.Body != nil {
		req.Body.Close()
	}
	text := `<html>it is broken</html>`
	status := http.StatusInternalServerError
	switch kind {
	case hang:
		return nil, req.Context().Err()
	case refuse:
		return nil, errTap
	case slowDown:
		text, status = `<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`, http.StatusServiceUnavailable
	}
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)),
	}, nil
}

// cut breaks off after some bytes.
type cut struct {
	io.ReadCloser
	left int64
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTap
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// requests are those that match, as "METHOD path?query".
func (p *tap) requests(match func(*http.Request) bool) (found []*http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.asked {
		if match(r) {
			found = append(found, r)
		}
	}
	return found
}

// tapped opens a store with a line for faults of a kind. It soon loses patience if they hang; else
// it is as patient as in use, for a busy machine stands still for a while, too.
func tapped(t testing.TB, srv *s3test.Server, prefix string, kind fault) (*Store, *tap) {
	p := newTap(t)
	if kind == hang {
		p.patience = 600 * time.Millisecond
	}
	return p.open(t, config(srv, prefix)), p
}
