package client

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// tracer writes a line for every request and one for its answer, which begin with the
// request's number. No line holds a secret: they have only a few harmless headers, and
// the length of bodies.
type tracer struct {
	client *Client
	next   http.RoundTripper
	count  atomic.Int64
}

// RoundTrip sends one request.
func (t *tracer) RoundTrip(r *http.Request) (*http.Response, error) {
	n, began := t.count.Add(1), time.Now()
	t.client.config.Trace(fmt.Sprintf("%d> %s", n, t.request(r)))
	resp, err := t.next.RoundTrip(r)
	took := time.Since(began).Round(time.Millisecond)
	if err != nil {
		t.client.config.Trace(fmt.Sprintf("%d< %v, after %s", n, t.client.discreet(err), took))
		return nil, err
	}
	t.client.config.Trace(fmt.Sprintf("%d< %s", n, t.client.said(answer(resp, took))))
	return resp, nil
}

// request is the method, the address and the kind of credential. If a server redirected
// to the address, its query may be a signature and is left out.
func (t *tracer) request(r *http.Request) string {
	address := r.URL.String()
	if r.Response != nil {
		address = t.client.place(address)
		if r.URL.RawQuery != "" {
			address += "?(hidden)"
		}
	}
	words := []string{r.Method + " " + address}
	if cred := t.client.config.Credential; r.Header.Get(cred.header) != "" {
		words = append(words, "with the "+cred.kind)
	}
	if span := r.Header.Get("Range"); span != "" {
		words = append(words, span)
	}
	if r.ContentLength > 0 {
		words = append(words, fmt.Sprintf("%d bytes", r.ContentLength))
	}
	return strings.Join(words, ", ")
}

// answer is the status, how much there is, how long it took and what the
// server's log calls it.
func answer(resp *http.Response, took time.Duration) string {
	words := []string{resp.Proto + " " + resp.Status}
	if resp.ContentLength >= 0 {
		words = append(words, fmt.Sprintf("%d bytes", resp.ContentLength))
	}
	words = append(words, "after "+took.String())
	if id := resp.Header.Get("X-Request-Id"); id != "" {
		words = append(words, "request "+id)
	}
	return strings.Join(words, ", ")
}
