package webhooks

import (
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"granary/internal/trace"
)

// Delivery is one event on its way to one hook.
type Delivery struct {
	ID        int64
	Hook      Hook
	Key       string // the same at every attempt
	Event     Event
	Body      string // as sent, for a resend; empty if the event was not sent yet
	Attempts  int    // this one included
	CreatedAt time.Time

	// Trace is this attempt's part of the trace of the request that caused it; the zero value
	// if that had none.
	Trace trace.Context
}

// Attempt is one try, as the log keeps it.
type Attempt struct {
	ID              int64
	HookID          int64
	Key             string
	URL             string            // without user and password
	RequestHeaders  map[string]string // secrets redacted
	RequestBody     string
	Status          int // of the answer; 0 for none
	ResponseHeaders map[string]string
	ResponseBody    string // its beginning
	Fault           string // why there was no answer
	Took            time.Duration
	CreatedAt       time.Time
}

// OK reports whether the attempt succeeded. A redirect is not followed and is a
// failure: the receiver has not accepted the event.
func (a Attempt) OK() bool { return a.Status >= 200 && a.Status < 300 }

// Outcome is the answer's status, or why there was none.
func (a Attempt) Outcome() string {
	if a.Status == 0 {
		return a.Fault
	}
	return strconv.Itoa(a.Status)
}

// NewKey is a random UUID (RFC 9562, version 4).
func NewKey() string {
	var b [16]byte
	_, _ = crand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Lease is how long a claimed delivery belongs to one node. An attempt takes two
// thirds of it at most; the rest is for a slow database and for different clocks of
// nodes. If a node dies with a delivery, the delivery waits for the end of the lease.
const Lease = 15 * time.Second

// How often and how long a delivery is tried.
const (
	maxAttempts = 8
	maxAge      = 3 * 24 * time.Hour
	firstPause  = 10 * time.Second
	pauseGrowth = 5 // 10 s, 50 s, 4 min, 21 min, and then an hour and a half each time
	longPause   = 90 * time.Minute
)

// When a hook that keeps failing is left alone, as GitLab does it.
const (
	graceFailures = 3
	lastFailure   = 40
	firstRest     = time.Minute
	longRest      = 24 * time.Hour
)

// Retry returns when a failed delivery is due again; ok is false if it is abandoned.
func (d Delivery) Retry(now time.Time) (due time.Time, ok bool) {
	if d.Attempts >= maxAttempts || now.Sub(d.CreatedAt) > maxAge {
		return time.Time{}, false
	}
	pause := firstPause
	for range d.Attempts - 1 {
		pause = min(pause*pauseGrowth, longPause)
	}
	return now.Add(jitter(pause)), true
}

// jitter moves a pause by up to a fifth, so that what failed together does not
// come back together.
func jitter(pause time.Duration) time.Duration {
	return pause + time.Duration((rand.Float64()-0.5)*0.4*float64(pause))
}

// Note counts the outcome of an attempt. A hook rests after some failures in a
// row, longer each time; after many it is disabled until its owner changes its
// URL or sends it a test that arrives.
func (h *Hook) Note(a Attempt, now time.Time) {
	if a.OK() {
		h.Failures, h.Disabled = 0, nil
		return
	}
	h.Failures = min(h.Failures+1, lastFailure)
	if h.Failures > graceFailures {
		rest := firstRest
		for range h.Failures - graceFailures {
			rest = min(rest*2, longRest)
		}
		until := now.Add(rest)
		h.Disabled = &until
	}
}

// Dead reports a hook to which nothing is sent any more.
func (h Hook) Dead() bool { return h.Failures >= lastFailure }

// Resting reports a hook to which nothing is sent now.
func (h Hook) Resting(now time.Time) bool {
	return h.Dead() || h.Disabled != nil && h.Disabled.After(now)
}

// Alert is the hook's state in GitLab's words.
func (h Hook) Alert(now time.Time) string {
	switch {
	case h.Dead():
		return "disabled"
	case h.Resting(now):
		return "temporarily_disabled"
	}
	return "executable"
}
