package s3

import (
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"sync"
	"testing"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/s3/s3test"
)

var uploadMiB = flag.Int64("s3.upload", 32, "MiB of each of the eight uploads that memory is measured with")

// TestMemory: eight uploads of unknown length at once take no more than 64 MiB
// of heap, garbage included. How long they are makes no difference.
func TestMemory(t *testing.T) {
	const most = 64 << 20
	cfg := config(s3test.Start(t), "memory")
	cfg.UploadMemory = 0
	s := open(t, cfg)
	runtime.GC()
	before := heap()
	peak, stop := uint64(0), make(chan struct{})
	var watching, uploading sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				peak = max(peak, heap())
			}
		}
	})
	for i := range 8 {
		uploading.Go(func() {
			body := io.LimitReader(rand.NewChaCha8([32]byte{byte(i)}), *uploadMiB<<20)
			r, err := blob.Receive(t.Context(), s, body, blob.Limits{Length: -1})
			if err == nil {
				err = errors.Join(r.Commit(), r.Abort())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	uploading.Wait()
	close(stop)
	watching.Wait()
	t.Logf("%d MiB before, %d MiB at most", before>>20, peak>>20)
	if peak > before+most {
		t.Errorf("%d MiB were taken", (peak-before)>>20)
	}
	if !s.memory.room.TryAcquire(s.memory.total) {
		t.Error("not all of the room was given back")
	}
}

// heap is the bytes of objects, live or not, and of the room that they leave
// between them.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64() + sample[1].Value.Uint64()
}

// TestPartSizes: whatever is declared fits into ten thousand parts, without a
// declaration more than 100 GiB do, and no part is smaller than stores take.
func TestPartSizes(t *testing.T) {
	for _, size := range []int64{1, 5 << 20, 48 << 30, 100 << 30, 240 << 30} {
		if n := partSize(0, size, leastPart); n*mostParts < size || n < leastPart || n > defaultMemory {
			t.Errorf("%d bytes: parts of %d", size, n)
		}
	}
	sum := int64(0)
	for n := range mostParts {
		if size := partSize(n, -1, leastPart); size < leastPart || size > defaultMemory {
			t.Errorf("part %d of %d bytes", n, size)
		}
		sum += partSize(n, -1, leastPart)
	}
	if sum < 100<<30 {
		t.Errorf("%d GiB fit", sum>>30)
	}
	if n := partSize(0, 100<<30, leastPart); 2*n > defaultMemory {
		t.Errorf("fewer than two uploads of 100 GiB fit at once, their parts have %d bytes", n)
	}
}

// TestFirstPart: who is alone gets large parts, who comes later smaller ones,
// down to the least that stores take, also where a setting leaves little.
func TestFirstPart(t *testing.T) {
	for _, tc := range []struct {
		total int64
		want  []int64 // MiB
	}{
		{0, []int64{10, 7, 5, 5, 5}},
		{LeastMemory, []int64{5, 5}},
		{1 << 30, []int64{16, 16, 16}},
	} {
		m := newMemory(tc.total)
		for i, want := range tc.want {
			n := m.firstPart()
			if n != want<<20 {
				t.Errorf("of %d, upload %d: parts of %d bytes, want %d MiB", m.total, i, n, want)
			}
			if _, err := m.part(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestMemoryIsShared: with room for two parts, many uploads finish one after
// the other; an upload that waits takes none, and gives up when its sender does.
func TestMemoryIsShared(t *testing.T) {
	cfg := config(s3test.Start(t), "shared")
	cfg.UploadMemory = LeastMemory
	s := open(t, cfg)
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			body := io.LimitReader(rand.NewChaCha8([32]byte{byte(i)}), 6<<20)
			r, err := blob.Receive(t.Context(), s, body, blob.Limits{Length: -1})
			if err == nil {
				err = errors.Join(r.Commit(), r.Abort())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
