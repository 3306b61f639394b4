package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	maxPause    = 30 * time.Second // between two attempts, unless the server asks for more
	maxPatience = 5 * time.Minute  // for what the server asks
)

// errStalled ends a transfer that does not move.
var errStalled = errors.New("no byte moved for too long")

// retry calls op until it succeeds, fails for good, or has been tried as often
// as configured. attempt counts from 0.
func (c *Client) retry(ctx context.Context, op func(attempt int) error) error {
	for attempt := 0; ; attempt++ {
		err := op(attempt)
		if err == nil || ctx.Err() != nil || !c.pause(ctx, attempt, err) {
			return err
		}
	}
}

// pause waits before the next attempt, and reports whether there is to be one.
func (c *Client) pause(ctx context.Context, attempt int, why error) bool {
	if _, ok := errors.AsType[final](why); ok {
		return false
	}
	if k := KindOf(why); k != Broken && k != Busy || attempt+1 >= c.config.Attempts {
		return false
	}
	wait := min(c.config.Backoff<<min(attempt, 20), maxPause)
	wait = wait/2 + rand.N(wait/2+1) // so that clients that failed together do not retry together
	if e, ok := errors.AsType[*Error](why); ok {
		if e.RetryAfter > maxPatience {
			return false
		}
		wait = max(wait, e.RetryAfter)
	}
	if c.config.Waiting != nil {
		c.config.Waiting(why, wait)
	}
	select {
	case <-time.After(wait):
		return true
	case <-ctx.Done():
		return false
	}
}

// watchdog ends a transfer that does not move.
type watchdog struct {
	timer  *time.Timer
	limit  time.Duration
	cancel context.CancelCauseFunc
}

// watch is ctx with a watchdog over it, which must be stopped.
func (c *Client) watch(ctx context.Context) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watchdog{limit: c.config.Stall, cancel: cancel}
	w.timer = time.AfterFunc(w.limit, func() { cancel(errStalled) })
	return ctx, w
}

// moved says that bytes moved.
func (w *watchdog) moved() { w.timer.Reset(w.limit) }

// sent says that all was sent: what remains is the answer.
func (w *watchdog) sent() { w.timer.Reset(max(w.limit, answerWait)) }

func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// retryAfter is how long an answer asks to wait, 0 if it does not.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return time.Duration(min(seconds, 24*3600)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
