package daemon

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// By itself Go lets garbage grow to the size of what is in use, and gives memory back
// slowly. A burst of requests would leave the process half as large again as it has
// to be. The limit below is a soft one, at which Go collects more often.
const (
	leastMemory  = 64 << 20 // bytes: below it the limit is of no effect
	besideHeap   = 16 << 20 // bytes of stacks, and of what the runtime needs itself
	memoryAgain  = time.Second
	littleMemory = 24 << 20 // bytes: leastMemory of a command
	littleBeside = 6 << 20  // bytes: besideHeap of a command
	littleAgain  = 100 * time.Millisecond
	liveHeapName = "/gc/heap/live:bytes"
)

// startMemory keeps the runtime's memory at one and a half times of what is in use,
// or at leastMemory if that is more. The limit follows within a second, so that many
// uploads at once are not slowed down by it. GOMEMLIMIT in the environment is the
// operator's own limit, and stays.
func startMemory(ctx context.Context) (stop func()) {
	return limitMemory(ctx, memoryAgain, memoryFor)
}

// startLittleMemory is startMemory for commands that go through all blobs: they keep a set of
// these in memory and little else, so a sixth of that is enough for garbage.
func startLittleMemory(ctx context.Context) (stop func()) {
	return limitMemory(ctx, littleAgain, littleFor)
}

// limitMemory sets the limit for what is in use, again and again.
func limitMemory(ctx context.Context, again time.Duration, limit func(live int64) int64) (stop func()) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	before := debug.SetMemoryLimit(limit(0))
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() {
		every(ctx, again, func() { debug.SetMemoryLimit(limit(liveHeap())) })
	})
	return func() {
		cancel()
		running.Wait()
		debug.SetMemoryLimit(before)
	}
}

// memoryFor is the limit for so many bytes in use.
func memoryFor(live int64) int64 { return max(leastMemory, live+live/2+besideHeap) }

// littleFor is the limit of a command for so many bytes in use.
func littleFor(live int64) int64 { return max(littleMemory, live+live/6+littleBeside) }

// liveHeap is how many bytes the last collection found in use.
func liveHeap() int64 {
	sample := []metrics.Sample{{Name: liveHeapName}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(sample[0].Value.Uint64()) //nolint:gosec // no heap has 2^63 bytes
}
