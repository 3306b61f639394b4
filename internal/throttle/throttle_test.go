package throttle

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// TestMemory: a million addresses take no more memory than the counters there
// are, and each is still limited.
func TestMemory(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	th := New("t", Rate{Requests: 100, Seconds: 60}, func() time.Time { return now })
	address := func(i uint32) Key {
		return Address(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, i))))
	}
	for i := range uint32(1_000_000) {
		_ = th.Count(address(i)) // what counts is what it leaves behind
	}
	if n := entries(th); n > shards*keysPerShard {
		t.Errorf("%d keys are counted, want at most %d", n, shards*keysPerShard)
	}
	late := address(1 << 31)
	for range 100 {
		_ = th.Count(late)
	}
	if th.Count(late) == nil {
		t.Error("a late address is not limited")
	}
	now = now.Add(time.Minute)
	if err := th.Count(late); err != nil {
		t.Errorf("in the next window: %v", err)
	}
}

func entries(t *Throttle) (n int) {
	for i := range t.shards {
		n += len(t.shards[i].counts)
	}
	return n
}

func TestKeys(t *testing.T) {
	key := func(a string) Key { return Address(netip.MustParseAddr(a)) }
	if key("::ffff:192.0.2.1") != key("192.0.2.1") || key("192.0.2.1") == key("192.0.2.2") ||
		key("2001:db8::1") != key("2001:db8::2") || key("2001:db8::1") == key("2001:db8:0:1::1") ||
		key("::1") == key("0.0.0.0") || User(1) == DeployToken(1) {
		t.Error("keys are not those of clients")
	}
}

func BenchmarkCount(b *testing.B) {
	th := New("t", Rate{Requests: 1 << 40, Seconds: 60}, time.Now)
	b.RunParallel(func(pb *testing.PB) {
		k := User(7)
		for pb.Next() {
			_ = th.Count(k)
		}
	})
}

func BenchmarkAdmit(b *testing.B) {
	l := NewLogins(time.Now)
	b.RunParallel(func(pb *testing.PB) {
		from := netip.MustParseAddr("192.0.2.1")
		for pb.Next() {
			_ = l.Admit(from, [32]byte{1})
			l.Good([32]byte{1})
		}
	})
}
