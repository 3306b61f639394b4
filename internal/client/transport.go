package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const maxRedirects = 10 // of one request

// sendStep is how much of a body is written to a connection at once. Go's own 32 KiB
// cost a push of 1 GiB a tenth of its time in calls.
const sendStep = 256 << 10

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dial,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   32,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   30 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // a file's bytes and its length are what was published
		WriteBufferSize:       256 << 10,
		ReadBufferSize:        64 << 10,
	}
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return stepping{conn}, nil
}

// stepping is a connection to which bodies are copied in steps of sendStep.
type stepping struct{ net.Conn }

// ReadFrom implements io.ReaderFrom, by which net/http copies a body.
func (c stepping) ReadFrom(r io.Reader) (int64, error) {
	step := int64(sendStep)
	if l, ok := r.(*io.LimitedReader); ok { // a small body needs no large buffer
		step = max(1, min(step, l.N))
	}
	return io.CopyBuffer(struct{ io.Writer }{c.Conn}, r, make([]byte, step))
}

// checkProxies refuses an invalid address of a proxy: net/http would continue without a
// proxy. The error does not repeat the address, which may contain a password.
func checkProxies(getenv func(string) string) error {
	for _, names := range [][]string{{"HTTPS_PROXY", "https_proxy"}, {"HTTP_PROXY", "http_proxy"}} {
		i := slices.IndexFunc(names, func(name string) bool { return getenv(name) != "" }) // net/http takes the first
		if i >= 0 && !isProxy(getenv(names[i])) {
			return fmt.Errorf("%s is not a proxy's address: want one such as http://proxy.example.com:3128", names[i])
		}
	}
	return nil
}

// isProxy reports an address that net/http can use: without a scheme it is http.
func isProxy(text string) bool {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	return err == nil && u.Hostname() != "" && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme)
}

// trusting is a TLS configuration that trusts these authorities and the machine's; nil
// for Go's default.
func trusting(authorities []byte) (*tls.Config, error) {
	if authorities == nil {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // this machine has none
	}
	if !pool.AppendCertsFromPEM(authorities) {
		return nil, errors.New("there is no certificate in PEM among the authorities")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// checkRedirect follows a GET, without the credential if it leads to another server.
// Nothing else is followed: net/http would make a GET of a PUT. A circle of redirects,
// or one without an address, is not retried.
func (c *Client) checkRedirect(r *http.Request, via []*http.Request) error {
	if m := via[0].Method; m != http.MethodGet && m != http.MethodHead {
		return http.ErrUseLastResponse
	}
	to := c.place(r.URL.Scheme + "://" + r.URL.Host + r.URL.Path)
	switch {
	case len(via) >= maxRedirects:
		return &failure{Refused, fmt.Errorf("%s redirects too often: %d redirects, the last to %s", c.api.Host, maxRedirects, to)}
	case r.URL.Scheme != "http" && r.URL.Scheme != "https", r.URL.Host == "":
		return &failure{Refused, fmt.Errorf("%s redirects to %s, which is not an HTTP address", c.api.Host, to)}
	}
	if r.URL.Scheme != c.api.Scheme || r.URL.Host != c.api.Host {
		r.Header.Del(c.config.Credential.header)
	}
	return nil
}

// redirects refuses a redirect to an address that cannot be parsed. net/http would
// report a broken connection, and print the address with its signature.
type redirects struct {
	client *Client
	next   http.RoundTripper
}

// RoundTrip sends one request.
func (t *redirects) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	if err != nil || resp.StatusCode/100 != 3 {
		return resp, err
	}
	to := resp.Header.Get("Location")
	if _, err := r.URL.Parse(to); err == nil {
		return resp, nil
	}
	_ = resp.Body.Close() // nothing of it is used
	return nil, &failure{Refused, fmt.Errorf("%s redirects to %s, which is not an HTTP address", t.client.api.Host, t.client.place(to))}
}
