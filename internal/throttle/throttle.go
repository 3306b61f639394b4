// Package throttle counts what each client asks for and says when it is too
// much. Its memory is fixed in advance, whatever clients do (design note 009).
package throttle

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Rate is a number of requests in a window of whole seconds. The zero Rate
// limits nothing.
type Rate struct {
	Requests int64
	Seconds  int64
}

// Key is the user, deploy token or address that is counted.
type Key struct {
	kind byte
	id   uint64
	rest uint64
}

// Address is the key of a client's address: of an IPv6 address the first 64
// bits, for the rest is the client's to choose.
func Address(a netip.Addr) Key {
	a = a.Unmap()
	b := a.As16()
	k := Key{kind: 'a', id: number(b[:8])}
	if !a.Is6() {
		k.kind, k.rest = 'A', number(b[8:])
	}
	return k
}

// User is the key of a user, by id.
func User(id int64) Key { return Key{kind: 'u', id: uint64(id)} }

// Place is the key of a project by its id, or of a group by its id below 0.
func Place(id int64) Key { return Key{kind: 'p', id: uint64(id)} }

// DeployToken is the key of a deploy token, by id.
func DeployToken(id int64) Key { return Key{kind: 'd', id: uint64(id)} }

// number reads 8 bytes.
func number(b []byte) uint64 {
	var n uint64
	for _, x := range b[:8] {
		n = n<<8 | uint64(x)
	}
	return n
}

// The memory of one Throttle: 65,536 keys have a counter of their own, some 4 MiB
// at most. Those that come when these are taken share 16,384 more until the window ends.
const (
	shards       = 64
	keysPerShard = 1024
	sharedSlots  = 256 // per shard
)

// Throttle counts by key in fixed windows, which begin at whole multiples of
// their length for all keys. A nil Throttle limits nothing. It is safe for
// use by many goroutines.
type Throttle struct {
	name    string
	rate    Rate
	now     func() time.Time
	seed    maphash.Seed
	refused atomic.Uint64
	reached atomic.Int64 // the last window in which some key had its fill
	shards  [shards]shard
}

type shard struct {
	mu     sync.Mutex
	window int64
	counts map[Key]int64
	shared [sharedSlots]int64
}

// New makes a Throttle with the name that clients see; nil if the rate is zero.
func New(name string, rate Rate, now func() time.Time) *Throttle {
	if rate.Requests <= 0 || rate.Seconds <= 0 {
		return nil
	}
	t := &Throttle{name: name, rate: rate, now: now, seed: maphash.MakeSeed()}
	t.reached.Store(-1)
	return t
}

// Count counts a request, and returns a *Refusal if it exceeds the rate.
func (t *Throttle) Count(k Key) error {
	if t == nil {
		return nil
	}
	now := t.now().Unix()
	observed := t.add(k, now, 1)
	if observed <= t.rate.Requests {
		return nil
	}
	return t.refusal(now, observed)
}

// full reports whether the key has had its fill, without counting. While no
// key has, it costs no lock.
func (t *Throttle) full(k Key) bool {
	now := t.now().Unix()
	return t.reached.Load() == now/t.rate.Seconds && t.add(k, now, 0) >= t.rate.Requests
}

// add adds n to the key's count and returns it.
func (t *Throttle) add(k Key, now, n int64) int64 {
	hash := maphash.Comparable(t.seed, k)
	window := now / t.rate.Seconds
	s := &t.shards[hash%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.window != window || s.counts == nil {
		s.window, s.counts, s.shared = window, map[Key]int64{}, [sharedSlots]int64{}
	}
	count, known := s.counts[k]
	slot := &s.shared[hash/shards%sharedSlots]
	switch {
	case !known && len(s.counts) >= keysPerShard:
		*slot += n
		count = *slot
	case n != 0:
		count += n
		s.counts[k] = count
	}
	if count >= t.rate.Requests {
		t.reached.Store(window)
	}
	return count
}

func (t *Throttle) refusal(now, observed int64) *Refusal {
	t.refused.Add(1)
	end := (now/t.rate.Seconds + 1) * t.rate.Seconds
	return &Refusal{
		Name:      t.name,
		PerMinute: (t.rate.Requests*60 + t.rate.Seconds - 1) / t.rate.Seconds,
		Observed:  observed,
		Remaining: max(t.rate.Requests-observed, 0),
		Reset:     time.Unix(end, 0),
		After:     time.Duration(end-now) * time.Second,
	}
}

// Name is the name that clients see.
func (t *Throttle) Name() string { return t.name }

// Refused is how many requests were refused since the start.
func (t *Throttle) Refused() uint64 { return t.refused.Load() }

// Refusal is the error of a request above the rate, with what its answer says
// (contract rest-api H).
type Refusal struct {
	Name      string
	PerMinute int64         // the limit, scaled to 60 s and rounded up
	Observed  int64         // in this window, refused ones included
	Remaining int64         // in this window
	Reset     time.Time     // when the window ends
	After     time.Duration // until then, whole seconds, at least one
}

// Error is the text for logs.
func (r *Refusal) Error() string {
	return fmt.Sprintf("%s: %d requests in this window, again in %v", r.Name, r.Observed, r.After)
}
