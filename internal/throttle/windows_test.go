package throttle

import (
	"errors"
	"net/netip"
	"testing"
	"time"
)

// TestWindows: windows begin at multiples of their length, and a refusal says when
// the next one does.
func TestWindows(t *testing.T) {
	var now int64
	th := New("t", Rate{Requests: 2, Seconds: 10}, func() time.Time { return time.Unix(now, 999_999_999) })
	for _, tt := range []struct {
		at       int64
		key      Key
		observed int64 // 0: it passes
		after    time.Duration
	}{
		{107, User(1), 0, 0},
		{107, User(1), 0, 0},
		{107, User(1), 3, 3 * time.Second},
		{107, User(2), 0, 0}, // nobody else's count
		{109, User(1), 4, time.Second},
		{110, User(1), 0, 0},
		{119, User(1), 0, 0},
		{119, User(1), 3, time.Second},
		{500, User(1), 0, 0},
	} {
		now = tt.at
		err := th.Count(tt.key)
		r, refused := errors.AsType[*Refusal](err)
		switch {
		case refused != (tt.observed > 0):
			t.Errorf("at %d: %v", tt.at, err)
		case refused && (r.Observed != tt.observed || r.Remaining != 0 || r.After != tt.after || r.Reset.Unix() != tt.at+int64(tt.after/time.Second) || r.PerMinute != 12):
			t.Errorf("at %d: %+v", tt.at, r)
		}
	}
	if th.Refused() != 3 {
		t.Errorf("%d were refused, want 3", th.Refused())
	}
}

// TestRates: the limit that clients read is of a minute, rounded up, and a rate that
// is none limits nothing.
func TestRates(t *testing.T) {
	clock := func() time.Time { return time.Unix(0, 0) }
	for rate, want := range map[Rate]int64{
		{1, 60}: 1, {1, 1}: 60, {1, 3600}: 1, {100, 3600}: 2, {7, 120}: 4, {8, 120}: 4,
		{0, 60}: 0, {60, 0}: 0, {-1, 60}: 0, {}: 0,
	} {
		th := New("t", rate, clock)
		var err error
		for range max(rate.Requests, 0) + 1 {
			err = th.Count(User(1))
		}
		got := int64(0)
		if r, refused := errors.AsType[*Refusal](err); refused {
			got = r.PerMinute
		}
		if got != want {
			t.Errorf("%+v: %d per minute, want %d", rate, got, want)
		}
	}
}

// TestLogins: after its failures an address has a few trials each second; secrets
// that were good lately pass, and no other address suffers.
func TestLogins(t *testing.T) {
	now := time.Unix(1_800_000_000, 0) // a window of minutes begins
	l := NewLogins(func() time.Time { return now })
	from, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	good, bad := [32]byte{1, 8: 1}, [32]byte{2, 8: 2}
	admitted := func(from netip.Addr, secret [32]byte, tries int) (n int) {
		for range tries {
			if l.Admit(from, secret) == nil {
				n++
			}
		}
		return n
	}
	l.Good(good)
	for range failuresPerMinute - 1 {
		l.Bad(from, bad)
	}
	for _, tt := range []struct {
		name   string
		before func()
		from   netip.Addr
		secret [32]byte
		want   int // of 20 tries
	}{
		{"one failure is left", func() {}, from, bad, 20},
		{"none is left", func() { l.Bad(from, bad) }, from, bad, trialsPerSecond},
		{"none is left, and no trial", func() {}, from, bad, 0},
		{"a good one", func() {}, from, good, 20},
		{"another address", func() {}, other, bad, 20},
		{"a second later", func() { now = now.Add(time.Second) }, from, bad, trialsPerSecond},
		{"the good one is dead", func() { l.Bad(other, good) }, from, good, 0},
		{"the next minute", func() { now = now.Add(time.Minute) }, from, bad, 20},
	} {
		tt.before()
		if got := admitted(tt.from, tt.secret, 20); got != tt.want {
			t.Errorf("%s: %d of 20 are admitted, want %d", tt.name, got, tt.want)
		}
	}
}
