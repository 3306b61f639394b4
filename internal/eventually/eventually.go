// Package eventually is how tests wait for what another process or goroutine does.
package eventually

import (
	"testing"
	"time"
)

// Holds returns once a condition holds, and fails the test if it does not within a
// minute: far longer than anything takes, since a loaded machine is slow. what names
// the condition in the failure.
func Holds(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	HoldsWithin(tb, time.Minute, what, condition)
}

// HoldsWithin is Holds with another limit, for what must not take longer.
func HoldsWithin(tb testing.TB, limit time.Duration, what string, condition func() bool) {
	tb.Helper()
	pause := time.Millisecond
	for end := time.Now().Add(limit); !condition(); time.Sleep(pause) {
		if time.Now().After(end) {
			tb.Fatalf("not within %v: %s", limit, what)
		}
		pause = min(2*pause, 50*time.Millisecond) // a condition may be a request
	}
}
