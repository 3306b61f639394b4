// Package deliver sends events to hooks: Sender makes one attempt, Worker sends the
// deliveries that wait in the outbox.
package deliver

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"granary/internal/webhooks"
)

// Bounds of an attempt.
const (
	longest       = 10 * time.Second // an attempt takes
	maxBody       = 8 << 10          // bytes of an answer that are read
	maxHeaders    = 50               // headers of an answer that are kept
	maxHeaderLine = 1 << 10          // bytes of each
	maxHeaderText = 8 << 10          // bytes of all
	maxAsked      = 8                // attempts that people wait for, at a time
)

const redacted = "[REDACTED]"

// Sender makes single attempts.
type Sender struct {
	base    string
	version string
	now     func() time.Time
	timeout time.Duration // from the look-up of the name to the end of the answer
	strict  *http.Client  // verifies certificates
	lenient *http.Client
	asked   chan struct{}
}

// NewSender makes a sender that reaches only what the guard permits. base is
// the server's own address, without a slash at its end.
func NewSender(guard webhooks.Guard, base, version string, now func() time.Time) *Sender {
	return &Sender{
		base: base, version: version, now: now, timeout: longest,
		strict: newClient(guard, true), lenient: newClient(guard, false), asked: make(chan struct{}, maxAsked),
	}
}

// Close ends the connections that are kept open.
func (s *Sender) Close() {
	s.strict.CloseIdleConnections()
	s.lenient.CloseIdleConnections()
}

// Send implements webhooks.Sender, for attempts whose request waits for the result.
func (s *Sender) Send(ctx context.Context, d webhooks.Delivery) webhooks.Attempt {
	select {
	case s.asked <- struct{}{}:
		defer func() { <-s.asked }()
		return s.attempt(ctx, d)
	case <-ctx.Done():
		return webhooks.Attempt{HookID: d.Hook.ID, Key: d.Key, Fault: "the server is busy with other tests", CreatedAt: s.now()}
	}
}

// attempt sends a delivery once. The result holds any fault.
func (s *Sender) attempt(ctx context.Context, d webhooks.Delivery) webhooks.Attempt {
	began := s.now()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	a := webhooks.Attempt{HookID: d.Hook.ID, Key: d.Key, RequestBody: d.Body, CreatedAt: began, RequestHeaders: map[string]string{}, ResponseHeaders: map[string]string{}}
	req, err := s.request(ctx, d, &a)
	if err != nil {
		a.Fault = reason(err)
		return a
	}
	client := s.strict
	if !d.Hook.VerifyTLS {
		client = s.lenient
	}
	if err := exchange(client, req, &a); err != nil {
		a.Status, a.Fault = 0, reason(err)
	}
	a.Took = max(0, s.now().Sub(began))
	return a
}

// exchange sends a request and keeps the beginning of its answer.
func exchange(client *http.Client, req *http.Request, a *webhooks.Attempt) error {
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // nothing of it is wanted any more
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	a.Status, a.ResponseBody, a.ResponseHeaders = resp.StatusCode, clip(text(string(body)), maxBody), headersOf(resp.Header)
	return err
}

// request builds the request of a delivery and notes in the attempt what the
// log shows of it. User and password in the URL become Basic auth.
func (s *Sender) request(ctx context.Context, d webhooks.Delivery, a *webhooks.Attempt) (*http.Request, error) {
	target := d.Hook.Target
	u, err := url.Parse(target.URL)
	if err != nil {
		return nil, err
	}
	user := u.User
	u.User = nil
	a.URL = u.String()
	if a.RequestBody == "" {
		if a.RequestBody, err = payload(d.Event, s.base); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(a.RequestBody))
	if err != nil {
		return nil, err
	}
	if user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	for _, h := range target.Headers {
		req.Header.Set(h.Key, h.Value)
		a.RequestHeaders[http.CanonicalHeaderKey(h.Key)] = redacted
	}
	for name, value := range s.headers(d, a) {
		req.Header[name] = []string{value}
		a.RequestHeaders[name] = value
	}
	if target.Token != "" {
		req.Header.Set("X-Gitlab-Token", target.Token)
		a.RequestHeaders["X-Gitlab-Token"] = redacted
	}
	return req, nil
}

// headers are those that every delivery has (GitLab's names), the trace of those that have one
// (W3C Trace Context), and the signature of those that are signed (Standard Webhooks 1.0, as
// GitLab since 19.0).
func (s *Sender) headers(d webhooks.Delivery, a *webhooks.Attempt) map[string]string {
	h := map[string]string{
		"Content-Type":          "application/json",
		"User-Agent":            "granary/" + s.version,
		"Idempotency-Key":       d.Key,
		"X-Gitlab-Event":        "Package Hook",
		"X-Gitlab-Instance":     s.base,
		"X-Gitlab-Webhook-UUID": webhooks.NewKey(),
	}
	if d.Event.UUID != "" {
		h["X-Gitlab-Event-UUID"] = d.Event.UUID
	}
	if d.Trace.Valid() {
		h["Traceparent"] = d.Trace.Traceparent()
		if d.Trace.State != "" {
			h["Tracestate"] = d.Trace.State
		}
	}
	if key := d.Hook.Target.Key(); key != nil {
		at := strconv.FormatInt(s.now().Unix(), 10)
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(d.Key + "." + at + "." + a.RequestBody))
		h["webhook-id"], h["webhook-timestamp"] = d.Key, at
		h["webhook-signature"] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return h
}

// headersOf is the headers of an answer as far as the log keeps them.
func headersOf(h http.Header) map[string]string {
	kept, size := map[string]string{}, 0
	for _, name := range slices.Sorted(maps.Keys(h)) {
		value := clip(text(strings.Join(h[name], ", ")), maxHeaderLine)
		name = clip(text(name), maxHeaderLine)
		if size += len(name) + len(value); len(kept) == maxHeaders || size > maxHeaderText {
			break
		}
		kept[name] = value
	}
	return kept
}

// text is the part of a receiver's text that a record can hold.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// clip cuts a text to a number of bytes, between two characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}
