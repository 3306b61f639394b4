package webhooks

import (
	"regexp"
	"testing"
	"time"
)

// TestRetry: ten seconds, five times as long each time, an hour and a half at most; a
// fifth more or less. After eight attempts or three days a delivery is given up.
func TestRetry(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for attempts, want := range map[int]time.Duration{
		1: 10 * time.Second, 2: 50 * time.Second, 3: 250 * time.Second, 4: 1250 * time.Second,
		5: 90 * time.Minute, 6: 90 * time.Minute, 7: 90 * time.Minute, 8: 0,
	} {
		for _, age := range []time.Duration{0, maxAge, maxAge + 1} {
			want := want
			if age > maxAge {
				want = 0
			}
			due, again := Delivery{Attempts: attempts, CreatedAt: now.Add(-age)}.Retry(now)
			if pause := due.Sub(now); again != (want > 0) || again && (pause < want*4/5 || pause > want*6/5) {
				t.Errorf("after %d attempts and %v: %v, %v, want %v", attempts, age, pause, again, want)
			}
		}
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
