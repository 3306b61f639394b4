package registry_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/fault"
	"granary/internal/registry"
)

// faults are database and store, each of which can fail at its n-th operation.
func faults(r *faultyRegistry) map[string]struct {
	set    func(nth int, kept bool)
	failed func() bool
} {
	type who = struct {
		set    func(nth int, kept bool)
		failed func() bool
	}
	return map[string]who{
		"store": {func(nth int, kept bool) { r.store.Fail(blobtest.Fault{Nth: nth, Kept: kept}) }, r.store.Failed},
		"ledger": {r.ledger.fail, func() bool {
			r.ledger.mu.Lock()
			defer r.ledger.mu.Unlock()
			return r.ledger.failed
		}},
	}
}

// never is a fault that does not come.
const never = 1 << 30

// TestPublishUnderFaults: with every fault at every step of a publish the file exists
// whole or not at all, a retry succeeds, and the sweep leaves exactly what files refer
// to (design, sections 5 and 9).
func TestPublishUnderFaults(t *testing.T) { onEachStore(t, testPublishUnderFaults) }

func testPublishUnderFaults(t *testing.T, r *faultyRegistry) {
	seed := uint64(0)
	referenced := map[blob.Digest]bool{oldDigest: true}
	for _, size := range []int{0, 100, 3000, 600_000} {
		for who, f := range faults(r) {
			for _, kept := range []bool{false, true} {
				for _, republish := range []bool{false, true} {
					for came, nth := true, 1; came; nth++ {
						seed++
						name := fmt.Sprintf("%s-%d-%v-%v-%d", who, size, kept, republish, nth)
						body := blobtest.Bytes(seed, size)
						came = faultOnce(t, r, name, body, republish, func() { f.set(nth, kept) }, f.failed)
						if nth%2 == 0 { // the others gave up
							retry(t, r, name, body)
						}
						if got, err := r.read(t.Context(), at(name)); err == nil && size > inline {
							referenced[blobtest.Digest(got)] = true
						}
					}
				}
			}
		}
	}
	unswept := len(r.stored(t))
	r.now = r.now.Add(registry.Grace + time.Minute)
	if _, err := r.Sweep(t.Context(), registry.Grace); err != nil {
		t.Fatal(err)
	}
	stored := r.stored(t)
	if len(stored) == 0 || unswept <= len(stored) {
		t.Fatalf("%d blobs before the sweep, %d after: it had nothing to do", unswept, len(stored))
	}
	for d := range referenced {
		if !stored[d] {
			t.Errorf("the sweep took %s, which a file refers to", d)
		}
		delete(stored, d)
	}
	for d := range stored {
		t.Errorf("the sweep left %s, which no file refers to", d)
	}
}

var (
	old       = bytes.Repeat([]byte("old"), 1000)
	oldDigest = blobtest.Digest(old)
)

// faultOnce publishes with one fault and reports whether it came.
func faultOnce(t *testing.T, r *faultyRegistry, name string, body []byte, republish bool, set func(), failed func() bool) bool {
	t.Helper()
	ctx, c := t.Context(), at(name)
	if republish {
		if err := r.publish(ctx, c, old); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	set()
	err := r.publish(ctx, c, body)
	came := failed()
	r.store.Fail(blobtest.Fault{Nth: never})
	r.ledger.fail(never, false)
	if err != nil && !came {
		t.Fatalf("%s: %v", name, err)
	}
	got, readErr := r.read(ctx, c)
	switch {
	case err == nil && (readErr != nil || !bytes.Equal(got, body)):
		t.Errorf("%s: published, and reads back as %d bytes, %v", name, len(got), readErr)
	case readErr != nil && (republish || !fault.Is(readErr, fault.NotFound)):
		t.Errorf("%s: after %v: %v", name, err, readErr)
	case readErr == nil && !bytes.Equal(got, body) && (!republish || !bytes.Equal(got, old)):
		t.Errorf("%s: after %v it reads back as %d other bytes", name, err, len(got))
	}
	return came
}

func retry(t *testing.T, r *faultyRegistry, name string, body []byte) {
	t.Helper()
	if err := r.publish(t.Context(), at(name), body); err != nil {
		t.Errorf("%s: the retry: %v", name, err)
	}
	if got, err := r.read(t.Context(), at(name)); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%s: after the retry: %d bytes, %v", name, len(got), err)
	}
}

// TestSweepUnderFaults: a sweep that fails removes nothing that a file refers to, and
// the next one finishes. What it removed can be published again at once.
func TestSweepUnderFaults(t *testing.T) { onEachStore(t, testSweepUnderFaults) }

func testSweepUnderFaults(t *testing.T, r *faultyRegistry) {
	kept, free := blobtest.Bytes(1, 5000), blobtest.Bytes(2, 5000)
	if err := r.publish(t.Context(), at("kept"), kept); err != nil {
		t.Fatal(err)
	}
	want := map[blob.Digest]bool{blobtest.Digest(kept): true}
	for who, f := range faults(r) {
		for _, keptDeed := range []bool{false, true} {
			for nth := 1; ; nth++ {
				name := fmt.Sprintf("%s-%v-%d", who, keptDeed, nth)
				r.ledger.fail(2, false) // the record is not made, the bytes are left
				if err := r.publish(t.Context(), at(name), free); err == nil || !r.stored(t)[blobtest.Digest(free)] {
					t.Fatalf("%s: %v; nothing was left to sweep", name, err)
				}
				r.now = r.now.Add(registry.Grace + time.Minute)
				f.set(nth, keptDeed)
				_, err := r.Sweep(t.Context(), registry.Grace)
				came := f.failed()
				f.set(never, false)
				if (err != nil) != came {
					t.Fatalf("%s: %v", name, err)
				}
				if _, err := r.Sweep(t.Context(), registry.Grace); err != nil {
					t.Fatalf("%s: the next sweep: %v", name, err)
				}
				if got := r.stored(t); !maps.Equal(got, want) {
					t.Fatalf("%s: %d blobs are left", name, len(got))
				}
				if !came {
					break
				}
			}
		}
	}
	if err := r.publish(t.Context(), at("again"), free); err != nil {
		t.Fatal(err)
	}
	if got, err := r.read(t.Context(), at("again")); err != nil || !bytes.Equal(got, free) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestSweepKeepsToTheGrace: what was pinned recently stays, whether a file followed or
// not.
func TestSweepKeepsToTheGrace(t *testing.T) { onEachStore(t, testSweepKeepsToTheGrace) }

func testSweepKeepsToTheGrace(t *testing.T, r *faultyRegistry) {
	body := blobtest.Bytes(1, 5000)
	r.ledger.fail(2, false)
	if err := r.publish(t.Context(), at("f"), body); err == nil {
		t.Fatal("the ledger did not fail")
	}
	for _, step := range []struct {
		wait  time.Duration
		swept int
	}{{registry.Grace - time.Minute, 0}, {2 * time.Minute, 1}, {0, 0}} {
		r.now = r.now.Add(step.wait)
		if n, err := r.Sweep(t.Context(), registry.Grace); n.Blobs != step.swept || err != nil {
			t.Errorf("%+v swept, %v, want %d", n, err, step.swept)
		}
	}
	if n := len(r.stored(t)); n != 0 {
		t.Errorf("%d blobs are left", n)
	}
}

// noDuplicates is records whose projects allow no file twice.
type noDuplicates struct{ registry.Records }

func (c noDuplicates) FindPackageProject(ctx context.Context, ref string, a access.Actor) (registry.Project, error) {
	p, err := c.Records.FindPackageProject(ctx, ref, a)
	p.Duplicates = registry.DuplicatePolicy{}
	return p, err
}

// TestRestoreUnderFaults: lost bytes that are published again are back when the
// publish succeeds. With every fault at every step they are right or still lost, and a
// retry brings them back.
func TestRestoreUnderFaults(t *testing.T) { onEachStore(t, testRestoreUnderFaults) }

func testRestoreUnderFaults(t *testing.T, r *faultyRegistry) {
	r.Records = noDuplicates{r.Records}
	body, c := blobtest.Bytes(1, 5000), at("f")
	if err := r.publish(t.Context(), c, body); err != nil {
		t.Fatal(err)
	}
	for who, f := range faults(r) {
		for _, kept := range []bool{false, true} {
			for came, nth := true, 1; came; nth++ {
				if err := r.store.Delete(t.Context(), blobtest.Digest(body)); err != nil {
					t.Fatal(err)
				}
				f.set(nth, kept)
				err := r.publish(t.Context(), c, body)
				came = f.failed()
				r.store.Fail(blobtest.Fault{Nth: never})
				r.ledger.fail(never, false)
				got, readErr := r.read(t.Context(), c)
				switch back := bytes.Equal(got, body); {
				case err == nil && !back, readErr != nil && !fault.Is(readErr, fault.Damaged), readErr == nil && !back, err != nil && !came:
					t.Errorf("%s %d %v: after %v: %d bytes, %v", who, nth, kept, err, len(got), readErr)
				case !back:
					if err := r.publish(t.Context(), c, body); err != nil {
						t.Errorf("%s %d %v: the retry: %v", who, nth, kept, err)
					}
				}
			}
		}
	}
	if got, err := r.read(t.Context(), c); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
