package throttle

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"granary/internal/eventually"
)

// waits starts to take n bytes and returns once it waits in the queue.
func waits(t *testing.T, b *Budget, ctx context.Context, k Key, n int64) (done chan error) {
	t.Helper()
	_, before := b.Held()
	done = make(chan error, 1)
	go func() { done <- b.Take(ctx, k, n) }()
	eventually.Holds(t, "it waits in the queue", func() bool {
		_, now := b.Held()
		return now > before
	})
	return done
}

func TestBudgetServesWhoCameFirst(t *testing.T) {
	b := NewBudget(10, 6)
	take := func(k Key, n int64) {
		t.Helper()
		if err := b.Take(t.Context(), k, n); err != nil {
			t.Fatal(err)
		}
	}
	take(User(1), 6)
	own := waits(t, b, t.Context(), User(1), 2) // has its part
	take(User(2), 3)                            // and keeps nobody else waiting
	large := waits(t, b, t.Context(), User(3), 5)
	small := waits(t, b, t.Context(), User(4), 1) // fits, but came later
	b.Give(User(2), 3)
	if taken, waiting := b.Held(); taken != 6 || waiting != 3 {
		t.Errorf("%d bytes are taken and %d wait, want 6 and 3", taken, waiting)
	}
	b.Give(User(1), 6)
	for _, done := range []chan error{own, large, small} {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	b.Give(User(1), 2)
	b.Give(User(3), 5)
	b.Give(User(4), 1)
	if taken, waiting := b.Held(); taken != 0 || waiting != 0 || len(b.keys) != 0 {
		t.Errorf("at the end %d bytes are taken, %d wait, %d keys are known", taken, waiting, len(b.keys))
	}
}

func TestBudgetLetsWhoLeavesGo(t *testing.T) {
	b := NewBudget(10, 10)
	if err := b.Take(t.Context(), User(1), 8); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	large := waits(t, b, ctx, User(2), 9)
	small := waits(t, b, t.Context(), User(3), 2)
	leave()
	if err := <-large; !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
	if err := <-small; err != nil {
		t.Errorf("who was behind got %v", err)
	}
	if taken, _ := b.Held(); taken != 10 {
		t.Errorf("%d bytes are taken, want 10", taken)
	}
}

// TestBudgetIsNeverExceeded by many at once, who leave whenever they like.
func TestBudgetIsNeverExceeded(t *testing.T) {
	b := NewBudget(1000, 300)
	var mu sync.Mutex
	held, each := int64(0), map[Key]int64{}
	change := func(k Key, n int64) {
		mu.Lock()
		defer mu.Unlock()
		held += n
		if each[k] += n; held > 1000 || each[k] > 300 {
			t.Errorf("%d bytes are held, %d of them by one", held, each[k])
		}
	}
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for range 200 {
				k, n := User(int64(i%8)), rand.Int64N(300)+1
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.Int64N(int64(time.Millisecond))))
				if b.Take(ctx, k, n) == nil {
					change(k, n)
					change(k, -n)
					b.Give(k, n)
				}
				cancel()
			}
		})
	}
	all.Wait()
	if taken, waiting := b.Held(); taken != 0 || waiting != 0 || len(b.keys) != 0 {
		t.Errorf("at the end %d bytes are taken, %d wait, %d keys are known", taken, waiting, len(b.keys))
	}
}

func TestNoBudgetIsNoLimit(t *testing.T) {
	var b *Budget
	if err := b.Take(t.Context(), User(1), 1<<40); err != nil {
		t.Error(err)
	}
	b.Give(User(1), 1<<40)
}
