package cluster

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

// trouble is what the way to the S3 server does to a request.
type trouble int32

const (
	none trouble = iota
	internalError
	slowDown
	hang
	cutRequest // in the middle of what goes there
	cutAnswer  // in the middle of what comes back
	troubles
)

func (t trouble) String() string {
	return [...]string{"nothing", "S3 answers 500", "S3 answers 503", "S3 does not answer", "S3 breaks off uploads", "S3 breaks off downloads"}[t]
}

// troubled is a way to the S3 server on which things go wrong on demand.
type troubled struct {
	now   atomic.Int32
	calls atomic.Int64 // that met with trouble
}

func (w *troubled) set(t trouble) { w.now.Store(int32(t)) }

// before starts the way to an endpoint and returns its own URL. The signatures
// hold, for the host is passed on as it came.
func (w *troubled) before(t *testing.T, endpoint string) string {
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		FlushInterval: -1,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ModifyResponse: func(resp *http.Response) error {
			if trouble(w.now.Load()) == cutAnswer && resp.ContentLength > 1 {
				w.calls.Add(1)
				resp.Body = &cut{resp.Body, resp.ContentLength / 2}
			}
			return nil
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch trouble(w.now.Load()) {
		case internalError:
			w.calls.Add(1)
			http.Error(rw, "trouble", http.StatusInternalServerError)
			return
		case slowDown:
			w.calls.Add(1)
			http.Error(rw, "trouble", http.StatusServiceUnavailable)
			return
		case hang:
			w.calls.Add(1)
			select {
			case <-r.Context().Done():
			case <-time.After(20 * time.Second):
			}
			panic(http.ErrAbortHandler)
		case cutRequest:
			if r.ContentLength > 1 {
				w.calls.Add(1)
				_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
				panic(http.ErrAbortHandler)
			}
		}
		proxy.ServeHTTP(rw, r)
	}))
	server.Config.ErrorLog = nil
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// cut is a body that breaks off.
type cut struct {
	io.ReadCloser
	left int64
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}
