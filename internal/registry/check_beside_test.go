package registry_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"granary/internal/blob/blobtest"
	"granary/internal/registry"
)

var checkRuns = flag.Int("check.runs", 50, "how often TestCheckBesideTraffic checks")

const (
	besidePublishers = 8
	besideBodies     = 300         // so few that they are removed, swept and published again
	besideGrace      = time.Second // longer than a publish takes from its pin to its record
)

// TestCheckBesideTraffic: beside publishers, deletions and a sweep that waits for a
// second only, a check finds nothing. Bytes of a publish that failed because its pin was
// swept are without a record for good reason, and do not count.
func TestCheckBesideTraffic(t *testing.T) {
	r := newRegistryOn(t, openDisk(t))
	r.Now = time.Now
	ctx, cancel := context.WithCancel(t.Context())
	var traffic sync.WaitGroup
	var failed sync.Map // digests of publishes that failed
	for n := range besidePublishers {
		traffic.Go(func() { publishAndDelete(ctx, r, n, &failed) })
	}
	var swept int
	traffic.Go(func() {
		for ctx.Err() == nil {
			n, err := r.Sweep(context.WithoutCancel(ctx), besideGrace)
			if err != nil {
				t.Error(err)
			}
			swept += n.Blobs
		}
	})
	began := time.Now()
	var seen, read int64
	for n := range *checkRuns {
		check := registry.Check{Records: r.Records, Store: r.store, Now: time.Now, Tell: func(f registry.Finding) error {
			if _, known := failed.Load(f.Digest); !known || f.Kind != registry.Stray {
				t.Errorf("run %d, after %v: %+v", n, time.Since(began), f)
			}
			return nil
		}}
		if n%2 == 0 {
			check.Read = registry.AllBlobs()
		}
		done, err := check.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen, read = seen+done.There, read+done.Read
	}
	cancel()
	traffic.Wait()
	t.Logf("%d runs in %v: %d blobs compared, %d read; %d swept meanwhile", *checkRuns, time.Since(began), seen, read, swept)
	if seen == 0 || read == 0 {
		t.Errorf("%d blobs compared, %d read: there was nothing to check", seen, read)
	}
}

// publishAndDelete publishes the same few bodies again and again, and removes their
// versions.
func publishAndDelete(ctx context.Context, r *faultyRegistry, n int, failed *sync.Map) {
	running := context.WithoutCancel(ctx)
	for i := 0; ctx.Err() == nil; i++ {
		seed := rand.Uint64N(besideBodies) //nolint:gosec // a test's choice
		size := int(seed) * 8              // a half of them in the database
		body := blobtest.Bytes(seed, size)
		c := registry.Raw{Name: fmt.Sprint("p", n), Version: fmt.Sprintf("%d.0.0", i%9), File: fmt.Sprint("f", seed)}
		if err := r.publish(running, c, body); err != nil {
			failed.Store(blobtest.Digest(body), true)
		}
		if i%12 == 0 {
			c.File = ""
			_ = r.DeleteVersion(running, r.admin, r.project, c, nil) // it may not be there
		}
		time.Sleep(rand.N(4 * time.Millisecond)) //nolint:gosec // a pause
	}
}
