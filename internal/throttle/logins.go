package throttle

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// The limits of failed logins, by address.
const (
	failuresPerMinute = 300 // look-ups of secrets that proved bad
	trialsPerSecond   = 10  // look-ups of unknown secrets from an address that is over
	knownSlots        = 1 << 16
)

// Logins limits what a client can make the server do with secrets that are not
// good, and lets good ones through: it remembers which were good lately, 512 KiB
// of fingerprints. A nil Logins limits nothing. It is safe for use by many
// goroutines.
type Logins struct {
	failures *Throttle
	trials   *Throttle
	known    [knownSlots]atomic.Uint64
}

// NewLogins makes Logins on a clock.
func NewLogins(now func() time.Time) *Logins {
	return &Logins{
		failures: New("throttle_failed_logins", Rate{failuresPerMinute, 60}, now),
		trials:   New("throttle_failed_logins", Rate{trialsPerSecond, 1}, now),
	}
}

// Failures is the Throttle that refuses, for its figures.
func (l *Logins) Failures() *Throttle { return l.failures }

// Admit says whether the secret of the digest may be looked up for a client, or
// returns a *Refusal. It passes good secrets that were seen lately, and a few
// others each second: a good one may be among them.
func (l *Logins) Admit(from netip.Addr, digest [32]byte) error {
	if l == nil {
		return nil
	}
	k := Address(from)
	if !l.failures.full(k) || l.slot(digest).Load() == fingerprint(digest) {
		return nil
	}
	now := l.failures.now().Unix()
	if l.trials.add(k, now, 1) <= trialsPerSecond {
		return nil
	}
	return l.failures.refusal(now, l.failures.add(k, now, 1))
}

// Good remembers a secret that is good.
func (l *Logins) Good(digest [32]byte) {
	if l == nil {
		return
	}
	if slot, print := l.slot(digest), fingerprint(digest); slot.Load() != print {
		slot.Store(print)
	}
}

// Bad counts a secret that is unknown or dead, and forgets it.
func (l *Logins) Bad(from netip.Addr, digest [32]byte) {
	if l == nil {
		return
	}
	l.failures.add(Address(from), l.failures.now().Unix(), 1)
	l.slot(digest).CompareAndSwap(fingerprint(digest), 0)
}

// slot is the digest's slot in the table. Digests are random, so that no client can
// choose whose slot it overwrites; a wrong match costs one look-up.
func (l *Logins) slot(digest [32]byte) *atomic.Uint64 {
	return &l.known[number(digest[:8])%knownSlots]
}

func fingerprint(digest [32]byte) uint64 { return number(digest[8:16]) }
