package client

import (
	"context"
	"sync"
	"time"
)

// rateLimit holds transfers to so many bytes a second, all of them together. nil
// holds nothing. It is safe for concurrent use.
type rateLimit struct {
	perSecond int64 // bytes, more than 0

	mu   sync.Mutex
	free time.Time // when all that was let through has had its time
}

// newRateLimit is nil, which is no limit, for 0.
func newRateLimit(perSecond int64) *rateLimit {
	if perSecond <= 0 {
		return nil
	}
	return &rateLimit{perSecond: perSecond}
}

// most is how many of n bytes may move at once: a quarter of a second's worth, so
// that many transfers take turns and none looks as if it stood still.
func (l *rateLimit) most(n int) int {
	if l == nil {
		return n
	}
	return int(min(int64(n), max(1, l.perSecond/4)))
}

// wait returns when n bytes that moved have had their time, or ctx ends.
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
