package daemon

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
)

// TestMemoryFollows: the limit is never below what is in use, whatever that is, and
// is gone with the server; what the operator set stays.
func TestMemoryFollows(t *testing.T) {
	for _, live := range []int64{0, 1 << 20, 30 << 20, 40 << 20, 1 << 30, 1 << 40} {
		if limit := memoryFor(live); limit < leastMemory || limit < live+live/2 {
			t.Errorf("%d bytes in use, limit %d", live, limit)
		}
		if limit := littleFor(live); limit < littleMemory || limit < live+live/6 || limit > memoryFor(live) {
			t.Errorf("%d bytes in use, limit of a command %d", live, limit)
		}
	}
	kept := make([]byte, 80<<20)
	runtime.GC()
	if live := liveHeap(); live < int64(len(kept)) {
		t.Errorf("%d bytes in use, want at least %d", live, len(kept))
	}
	runtime.KeepAlive(kept)
	before := debug.SetMemoryLimit(-1)
	stop := startMemory(t.Context())
	if limit := debug.SetMemoryLimit(-1); limit == math.MaxInt64 {
		t.Error("no limit")
	}
	stop()
	startLittleMemory(t.Context())()
	t.Setenv("GOMEMLIMIT", "1GiB")
	startMemory(t.Context())()
	if after := debug.SetMemoryLimit(-1); after != before {
		t.Errorf("limit %d afterwards, was %d", after, before)
	}
}
