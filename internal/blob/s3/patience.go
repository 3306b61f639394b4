package s3

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// errStalled says that a request made no progress. The SDK tries again.
var errStalled = errors.New("the store made no progress for too long")

const (
	patienceMoving  = 30 * time.Second // without a byte sent or received
	patienceWorking = 5 * time.Minute  // while the store copies or puts together
)

// newTransport keeps connections to one store. It asks for no compression: what
// is stored is what is read.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     30 * time.Second,
		WriteBufferSize:     64 << 10,
		ReadBufferSize:      64 << 10,
		DisableCompression:  true,
	}
}

// patient ends a request that makes no progress, however long the whole request may
// take. It also promises what a http.RoundTripper need not: the request's body is not
// read after the answer's body is closed, or after an error. Only then can the body's
// memory be used again.
type patient struct {
	inner http.RoundTripper
	limit time.Duration // 0 for patienceMoving
}

// RoundTrip implements http.RoundTripper.
func (p patient) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	w := &watch{limit: p.limitFor(req), cancel: cancel, ctx: ctx, sent: make(chan struct{})}
	w.timer = time.AfterFunc(w.limit, func() { cancel(errStalled) })
	req = req.WithContext(ctx) // a copy
	if req.Body == nil || req.Body == http.NoBody {
		close(w.sent)
	} else {
		req.Body, req.GetBody = &sending{ReadCloser: req.Body, w: w}, nil
	}
	resp, err := p.inner.RoundTrip(req)
	w.timer.Stop()
	if err != nil {
		err = w.reason(err)
		w.end()
		return nil, err
	}
	resp.Body = &receiving{ReadCloser: resp.Body, w: w}
	return resp, nil
}

func (p patient) limitFor(req *http.Request) time.Duration {
	switch {
	case p.limit > 0:
		return p.limit
	case req.Method == http.MethodPost, req.Header.Get("X-Amz-Copy-Source") != "":
		return patienceWorking
	}
	return patienceMoving
}

// watch ends a request without progress.
type watch struct {
	limit  time.Duration
	timer  *time.Timer
	ctx    context.Context
	cancel context.CancelCauseFunc
	sent   chan struct{} // closed when the request's body is not read any more
}

// reason returns errStalled if the watch ended the request, else err.
func (w *watch) reason(err error) error {
	if context.Cause(w.ctx) == errStalled {
		return errStalled
	}
	return err
}

func (w *watch) end() {
	w.cancel(nil)
	<-w.sent
}

// sending is a request's body.
type sending struct {
	io.ReadCloser
	w    *watch
	once sync.Once
}

func (s *sending) Read(b []byte) (int, error) {
	s.w.timer.Reset(s.w.limit)
	return s.ReadCloser.Read(b)
}

func (s *sending) Close() error {
	defer s.once.Do(func() { close(s.w.sent) })
	return s.ReadCloser.Close()
}

// receiving is an answer's body. Only the store is hurried: between two Reads
// the reader may take its time.
type receiving struct {
	io.ReadCloser
	w *watch
}

func (r *receiving) Read(b []byte) (int, error) {
	r.w.timer.Reset(r.w.limit)
	n, err := r.ReadCloser.Read(b)
	r.w.timer.Stop()
	if err != nil && err != io.EOF {
		err = r.w.reason(err)
	}
	return n, err
}

func (r *receiving) Close() error {
	err := r.ReadCloser.Close()
	r.w.end()
	return err
}
