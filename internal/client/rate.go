package client

import (
	"context"
	"sync"
	"time"
)

// rateLimit holds the transfers of one client together to so many bytes a second.
// nil limits nothing. It is safe for concurrent use.
type rateLimit struct {
	perSecond int64

	mu   sync.Mutex
	free time.Time // when all that was let through has had its time
}

// newRateLimit returns nil if perSecond is 0.
func newRateLimit(perSecond int64) *rateLimit {
	if perSecond <= 0 {
		return nil
	}
	return &rateLimit{perSecond: perSecond}
}

// most is how many bytes should move at once, of those that could: a tenth of a
// second's, so that the transfer stays even and no watchdog takes it for stalled.
func (l *rateLimit) most(could int) int {
	if l == nil {
		return could
	}
	return int(min(int64(could), max(1, l.perSecond/10)))
}

// wait returns when n bytes may pass. It fails if ctx ends first.
func (l *rateLimit) wait(ctx context.Context, n int) error {
	if l == nil || n == 0 {
		return nil
	}
	l.mu.Lock()
	now := time.Now()
	if l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(float64(n) / float64(l.perSecond) * float64(time.Second)))
	pause := l.free.Sub(now)
	l.mu.Unlock()
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
