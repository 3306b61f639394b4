package webhooks

import (
	"regexp"
	"testing"
	"time"
)

// Pauses grow, and a delivery is given up after eight attempts or three days.
func TestRetry(t *testing.T) {
	now := time.Now()
	d := Delivery{CreatedAt: now}
	whole := time.Duration(0)
	for d.Attempts = 1; ; d.Attempts++ {
		due, again := d.Retry(now)
		if !again {
			break
		}
		pause := due.Sub(now)
		if pause < 8*time.Second || pause > longPause*6/5 {
			t.Errorf("after attempt %d: %v", d.Attempts, pause)
		}
		whole += pause
	}
	if d.Attempts != maxAttempts || whole < 3*time.Hour || whole > 8*time.Hour {
		t.Errorf("%d attempts in %v", d.Attempts, whole)
	}
	d.Attempts = 1
	if _, again := d.Retry(now.Add(maxAge + time.Second)); again {
		t.Error("an old delivery is tried again")
	}
}

func TestNoteRestsLonger(t *testing.T) {
	now := time.Now()
	var h Hook
	var rests []time.Duration
	for range lastFailure {
		h.Note(Attempt{Status: 503}, now)
		if h.Disabled != nil {
			rests = append(rests, h.Disabled.Sub(now))
		}
	}
	if len(rests) != lastFailure-graceFailures || rests[0] != 2*time.Minute || rests[1] != 4*time.Minute || rests[len(rests)-1] != longRest || !h.Dead() {
		t.Errorf("%v, dead %v", rests, h.Dead())
	}
	h.Note(Attempt{Status: 200}, now)
	if h.Resting(now) || h.Failures != 0 {
		t.Errorf("after success: %+v", h)
	}
	for status, want := range map[int]bool{0: false, 200: true, 204: true, 301: false, 302: false, 404: false, 500: false} {
		if got := (Attempt{Status: status}).OK(); got != want {
			t.Errorf("status %d: %v", status, got)
		}
	}
}

func TestNewKey(t *testing.T) {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if a, b := NewKey(), NewKey(); !uuid.MatchString(a) || a == b {
		t.Errorf("%s %s", a, b)
	}
}
