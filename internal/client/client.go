// Package client is a Go client of GitLab's package API: publishing, installing
// and looking at generic packages, CI/CD variables, and granary's CI jobs. It
// speaks to GitLab and to granary. It uses features that only one of them has (digests
// in headers, tags on variables) if an answer shows them, and never requires them.
//
// Calls retry when a connection breaks and when the server asks for a retry (408, 429,
// 502, 503, 504), never when it refuses. A token goes only to the server it was given
// for: a redirect to another address, such as an object store, is followed without it.
//
// A Client is safe for concurrent use.
package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Defaults of Config.
const (
	DefaultAttempts = 6                      // of one call
	DefaultBackoff  = 500 * time.Millisecond // before the second attempt; it doubles
	DefaultStall    = 2 * time.Minute        // without a byte
)

const (
	maxAnswer  = 8 << 20          // bytes of a JSON answer
	answerWait = 15 * time.Minute // for the answer to a whole body: a large file takes time to be stored
)

// Config is what a Client needs to know.
type Config struct {
	Server     string     // the server's address, with or without /api/v4
	Credential Credential // the zero value is anonymous
	UserAgent  string     // "" for Go's

	Attempts  int               // of one call, 0 for DefaultAttempts
	Backoff   time.Duration     // before the second attempt, 0 for DefaultBackoff
	Transport http.RoundTripper // how requests travel, nil for the network

	// Authorities are certificates in PEM to trust in addition to those of this
	// machine. They have no effect with a Transport.
	Authorities []byte

	Stall time.Duration // a transfer without a byte for this long is broken, 0 for DefaultStall
	Rate  int64         // bytes a second that all transfers together may move, 0 for no limit

	// Trace, if not nil, gets a line without secrets for every request and answer. It
	// may be called from several goroutines.
	Trace func(line string)

	// Waiting, if not nil, gets the reason and the length of each pause before a
	// retry. It may be called from several goroutines.
	Waiting func(why error, pause time.Duration)
}

// Client calls one server.
type Client struct {
	api    *url.URL // ends with /api/v4
	config Config
	http   *http.Client
	rate   *rateLimit // nil for none

	features atomic.Pointer[string] // that the server named last
	plain    atomic.Bool            // it has refused a route of a feature, and names none
}

// New makes a client. It fails if the server's or a proxy's address is invalid, if the
// credential contains control characters, or if the authorities have no certificate.
func New(config Config) (*Client, error) {
	api, err := ParseServer(config.Server)
	if err != nil {
		return nil, err
	}
	if err := config.Credential.check(); err != nil {
		return nil, err
	}
	if config.Attempts == 0 {
		config.Attempts = DefaultAttempts
	}
	if config.Backoff == 0 {
		config.Backoff = DefaultBackoff
	}
	if config.Stall == 0 {
		config.Stall = DefaultStall
	}
	c := &Client{api: api, config: config, rate: newRateLimit(config.Rate)}
	if config.Transport == nil {
		if err := checkProxies(os.Getenv); err != nil {
			return nil, err
		}
		transport := newTransport()
		if transport.TLSClientConfig, err = trusting(config.Authorities); err != nil {
			return nil, err
		}
		config.Transport = transport
	}
	if config.Trace != nil {
		config.Transport = &tracer{client: c, next: config.Transport}
	}
	c.http = &http.Client{Transport: &redirects{client: c, next: config.Transport}, CheckRedirect: c.checkRedirect}
	return c, nil
}

// ParseServer reads a server's address, such as packages.example.com or
// https://example.com/gitlab/api/v4, and returns that of its API. Without a
// scheme it is https, on this machine http.
func ParseServer(text string) (*url.URL, error) {
	given := text
	if !strings.Contains(text, "://") {
		host, _, _ := strings.Cut(text, "/")
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		scheme := "https://"
		if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
			scheme = "http://"
		}
		text = scheme + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the server is %q: want an address such as https://packages.example.com", given)
	}
	if u.User != nil {
		return nil, errors.New("the server address must not contain a password; pass the token separately")
	}
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/api/v4") + "/api/v4"
	u.RawPath = ""
	return u, nil
}

// API is the address of the server's API, without a slash at its end.
func (c *Client) API() string { return c.api.String() }

// Credential is what the client shows the server.
func (c *Client) Credential() Credential { return c.config.Credential }

// Server is the address of the server's pages.
func (c *Client) Server() string { return strings.TrimSuffix(c.api.String(), "/api/v4") }

// call is one request to the API.
type call struct {
	method string
	path   string // below the API, escaped
	query  url.Values
	header http.Header
	form   url.Values // parameters in the body, nil for none
	text   string     // or a plain text as the body; "" for none
	body   io.Reader  // if there is neither
	length int64      // of body
	most   int        // bytes of a JSON answer, 0 for maxAnswer
}

// send makes one attempt. An answer above 2xx is an *Error; the answer's body
// is the caller's to close.
func (c *Client) send(ctx context.Context, q call) (*http.Response, error) {
	if err := c.mayAsk(q); err != nil {
		closeBody(q.body)
		return nil, err
	}
	address := c.api.String() + q.path
	if len(q.query) > 0 {
		address += "?" + q.query.Encode()
	}
	body, kind := q.body, ""
	switch {
	case q.form != nil:
		body, kind = strings.NewReader(q.form.Encode()), "application/x-www-form-urlencoded"
	case q.text != "":
		body, kind = strings.NewReader(q.text), "text/plain"
	}
	r, err := http.NewRequestWithContext(ctx, q.method, address, body)
	if err != nil {
		closeBody(body)
		return nil, err
	}
	for name, values := range q.header {
		r.Header[name] = values
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	} else if body != nil {
		r.ContentLength = q.length
	}
	if c.config.UserAgent != "" {
		r.Header.Set("User-Agent", c.config.UserAgent)
	}
	if cred := c.config.Credential; cred.header != "" {
		r.Header.Set(cred.header, cred.value)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, c.broken(ctx, err)
	}
	c.note(resp)
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, c.refusal(resp)
	}
	return resp, nil
}

// closeBody closes a body that is not sent, as net/http closes one that is.
func closeBody(body io.Reader) {
	if file, ok := body.(io.Closer); ok {
		_ = file.Close() // it was only read
	}
}

// json makes a call whose answer is JSON, and retries it. With once the call must not
// happen twice: then a broken connection ends it.
func (c *Client) json(ctx context.Context, q call, once bool, into any) (header http.Header, err error) {
	err = c.retry(ctx, func(int) error {
		header, err = c.jsonOnce(ctx, q, into)
		if once && KindOf(err) == Broken {
			return final{err}
		}
		return err
	})
	if f, ok := errors.AsType[final](err); ok {
		err = f.error
	}
	return header, err
}

func (c *Client) jsonOnce(ctx context.Context, q call, into any) (http.Header, error) {
	ctx, watch := c.watch(ctx)
	defer watch.stop()
	resp, err := c.send(ctx, q)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	most := cmp.Or(q.most, maxAnswer)
	text, err := io.ReadAll(io.LimitReader(resp.Body, int64(most)+1))
	if err != nil {
		return nil, c.broken(ctx, err)
	}
	if len(text) > most {
		return nil, fmt.Errorf("%s answered with more than %d bytes", resp.Request.URL.Host, most)
	}
	if into == nil {
		return resp.Header, nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return nil, c.unreadable(err)
	}
	return resp.Header, nil
}

func (c *Client) get(ctx context.Context, path string, query url.Values, into any) (http.Header, error) {
	return c.json(ctx, call{method: http.MethodGet, path: path, query: query}, false, into)
}

// Call calls a route of the API that has no method here: path is below the API and
// escaped. After a broken connection only a GET is retried. into may be nil.
func (c *Client) Call(ctx context.Context, method, path string, form url.Values, into any) error {
	_, err := c.json(ctx, call{method: method, path: path, form: form}, method != http.MethodGet, into)
	return err
}

// projectPath is the path of a project's resources, by its id or its full path.
func projectPath(project string) string { return "/projects/" + url.PathEscape(project) }
