package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind says what sort of failure an error is.
type Kind int

// The kinds. Failed is the zero value: any other error.
const (
	Failed   Kind = iota
	Broken        // the connection broke, or there was none
	Busy          // the server asks to come again: 408, 429, 502, 503, 504
	Denied        // 401 and 403
	NotFound      // 404
	Refused       // every other 3xx and 4xx: asking again will not help
	Damaged       // other bytes arrived than were published
	Local         // a file on this machine cannot be read or written
)

// KindOf is the kind of an error that came from this package.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.kind()
	}
	if e, ok := errors.AsType[*failure](err); ok {
		return e.kind
	}
	return Failed
}

// Error is an answer of the server that is not a success.
type Error struct {
	Status     int           // of HTTP
	Message    string        // the server's own words, without the status; may be ""
	Location   string        // the target of a redirect
	RetryAfter time.Duration // how long it asks to wait; 0 if it did not
	RequestID  string        // under which the server's log knows it; may be ""
	Shown      string        // the kind of credential that was shown, in words; "" for none

	Difference *Difference // why a version is not what was expected; nil for every other answer

	// Unescaped says that the address held an escaped slash, and that the answer
	// is not one of GitLab's for such an address: a proxy may have unescaped it.
	Unescaped bool

	// Elsewhere is the host that answered in the server's place, such as an object
	// store's, after a redirect: it was shown no credential. "" for the server itself.
	Elsewhere string
}

// Error is the status and the server's own words.
func (e *Error) Error() string {
	text := "the server answered " + strconv.Itoa(e.Status)
	if e.Elsewhere != "" {
		text = e.Elsewhere + ", to which the server redirects, answered " + strconv.Itoa(e.Status)
	}
	if words := http.StatusText(e.Status); words != "" {
		text += " " + words
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Location != "" {
		text += ": it moved to " + e.Location
	}
	if e.Status >= 500 && e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

func (e *Error) kind() Kind {
	switch {
	case slices.Contains([]int{408, 429, 502, 503, 504}, e.Status):
		return Busy
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		return Denied
	case e.Status == http.StatusNotFound:
		return NotFound
	case e.Status < 500:
		return Refused
	}
	return Failed
}

// status reports whether err is an answer with this status.
func status(err error, code int) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == code
}

// failure is an error of a kind without an answer of the server.
type failure struct {
	kind Kind
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// final ends the attempts at a call.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

const (
	maxMessage = 1 << 10 // bytes of the server's words that are shown
	maxRefusal = 1 << 20 // bytes of an answer that is read for them: 300 paths of 2,048 bytes fit
)

// refusal reads the message of an answer that is not a success, in any of GitLab's
// shapes (contract generic-packages 7). A proxy's page is not a message.
func (c *Client) refusal(resp *http.Response) *Error {
	e := &Error{Status: resp.StatusCode, RequestID: c.said(resp.Header.Get("X-Request-Id")), RetryAfter: retryAfter(resp.Header),
		Shown: c.config.Credential.kind}
	if resp.StatusCode/100 == 3 {
		e.Location = c.place(resp.Header.Get("Location"))
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // of a page a part is enough
	var body struct {
		Message     any    `json:"message"`
		Error       any    `json:"error"`
		Description string `json:"error_description"`

		Missing, Extra, Differs []string
	}
	isJSON := json.Unmarshal(text, &body) == nil
	e.Unescaped = unescaped(resp, isJSON, body.Error)
	e.Elsewhere = elsewhere(resp)
	switch {
	case isJSON:
		e.Message = words(body.Message)
		if e.Message == "" {
			e.Message = words(body.Error)
		}
		if body.Description != "" {
			e.Message += ": " + body.Description
		}
		if len(body.Missing)+len(body.Extra)+len(body.Differs) > 0 {
			e.Difference = &Difference{c.paths(body.Missing), c.paths(body.Extra), c.paths(body.Differs)}
		}
	case strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain"):
		e.Message = string(text)
	}
	e.Message = c.said(e.Message)
	for _, start := range []string{http.StatusText(e.Status), "Bad request"} {
		e.Message = strings.TrimPrefix(strings.TrimPrefix(e.Message, strconv.Itoa(e.Status)+" "), start)
	}
	e.Message = strings.TrimPrefix(e.Message, " - ")
	return e
}

// unescaped reports whether a server, or a proxy in front of it, seems to have received
// an unescaped slash where the client sent an escaped one: GitLab answers an unknown
// route with the key "error", and any other fault in JSON with other words. Granary says
// so if it can.
func unescaped(resp *http.Response, isJSON bool, words any) bool {
	if resp.Request == nil || !strings.Contains(resp.Request.URL.EscapedPath(), "%2F") {
		return false
	}
	text, _ := words.(string)
	noRoute := !isJSON || text == "404 Not Found" || strings.HasPrefix(text, "404 Not Found - the path of the project came with a plain slash")
	return resp.StatusCode == http.StatusNotFound && noRoute || resp.StatusCode == http.StatusBadRequest && !isJSON
}

// elsewhere is the host that a redirect led to, "" if it is the client's server.
func elsewhere(resp *http.Response) string {
	if resp.Request == nil {
		return ""
	}
	asked := resp.Request
	for asked.Response != nil && asked.Response.Request != nil { // each is there for the answer before
		asked = asked.Response.Request
	}
	if asked.URL.Scheme == resp.Request.URL.Scheme && asked.URL.Host == resp.Request.URL.Host {
		return ""
	}
	return printable(resp.Request.URL.Host)
}

// words makes one line of a message: a text, a list, or texts by field.
func words(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		var parts []string
		for _, one := range v {
			parts = append(parts, words(one))
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		var parts []string
		for field, reasons := range v {
			parts = append(parts, field+" "+words(reasons))
		}
		slices.Sort(parts)
		return strings.Join(parts, "; ")
	}
	return ""
}

// said is what a server said, fit to be shown: one line, without control characters
// and without the credential that it was shown.
func (c *Client) said(text string) string { return printable(c.config.Credential.hide(text)) }

// place is an address that a server named, fit to be shown: without a password, and
// without a query or a fragment, which may be a signature.
func (c *Client) place(address string) string {
	if i := strings.IndexAny(address, "?#"); i >= 0 {
		address = address[:i]
	}
	scheme, rest, absolute := strings.Cut(address, "//")
	if host, path, _ := strings.Cut(rest, "/"); absolute && strings.Contains(host, "@") {
		address = scheme + "//" + host[strings.LastIndex(host, "@")+1:] + "/" + path
	}
	return c.said(address)
}

// discreet is an error in words that are fit to be shown: those of net/http and of
// encoding/json hold pieces of what the server sent, and may hold whole addresses.
func (c *Client) discreet(err error) error {
	text := regexp.MustCompile(`\?[^\s"]+`).ReplaceAllString(err.Error(), "?(hidden)")
	return &worded{c.said(text), err}
}

// worded is an error in other words.
type worded struct {
	words string
	err   error
}

func (w *worded) Error() string { return w.words }
func (w *worded) Unwrap() error { return w.err }

// unreadable is an answer that is not what the API answers.
func (c *Client) unreadable(err error) error {
	return fmt.Errorf("%s did not answer like a GitLab API: %w", c.api, c.discreet(err))
}

// printable is one line without control characters, which could move a
// terminal's cursor.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return strings.TrimSpace(text[:min(len(text), maxMessage)])
}

// broken words a failed exchange. What the caller itself ended is ctx's error.
func (c *Client) broken(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		return &failure{Broken, fmt.Errorf("%s: %w", c.api.Host, errStalled)}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return f // a file of ours, read for the body, or a redirect that is not followed
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	kind := Broken
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		kind = Failed
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		kind = Failed
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		kind = Failed
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = errors.New("the connection broke")
	}
	return &failure{kind, fmt.Errorf("%s: %w", c.api.Host, c.discreet(err))}
}

// local is a failure of this machine.
func local(err error) error { return &failure{Local, err} }
