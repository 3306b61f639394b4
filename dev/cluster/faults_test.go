package cluster

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

var rounds = flag.Int("faults.rounds", 1, "how often each fault is made")

const clients = 16

// TestFaults: while clients publish and install through the balancer, nodes are
// killed, PostgreSQL is restarted without warning, the S3 server goes and comes
// back, and what it says is broken in every way. Every 201 is installable from
// every node afterwards, nothing else is visible but whole, nobody sees a wrong
// byte or a 500, and all of it recovers by itself.
func TestFaults(t *testing.T) {
	way := &troubled{}
	c, err := Start(t.Context(), Options{Nodes: 3, between: func(endpoint string) string { return way.before(t, endpoint) }})
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}

	w := newWorkload(c)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() { w.work(ctx, client) })
	}
	made := map[string]int{}
	for range *rounds {
		for _, f := range faults(c, way) {
			time.Sleep(500 * time.Millisecond)
			if err := f.make(t.Context()); err != nil {
				t.Fatalf("%s: %v", f.name, err)
			}
			made[f.name]++
		}
	}
	stop()
	wg.Wait()

	awaitRecovery(t, w)
	w.audit(t)
	for _, what := range slices.Sorted(maps.Keys(made)) {
		t.Logf("%6d  %s", made[what], what)
	}
	for _, what := range slices.Sorted(maps.Keys(w.seen)) {
		t.Logf("%6d  %s", w.seen[what], what)
	}
	t.Logf("%6d  answers of the S3 server broken; %d promises, %d violations", way.calls.Load(), len(w.kept), len(w.violations))
	for _, v := range w.violations[:min(20, len(w.violations))] {
		t.Error(v)
	}
	if len(w.kept) < 100 || w.seen["install: 200"] < 50 || way.calls.Load() < 20 {
		t.Error("too little happened to show anything")
	}
}

// fault is one thing that goes wrong and is over when make returns.
type fault struct {
	name string
	make func(context.Context) error
}

func faults(c *Cluster, way *troubled) []fault {
	var all []fault
	for _, p := range c.Nodes {
		all = append(all, fault{"kill -9 of a node", func(ctx context.Context) error {
			p.Kill()
			time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
			return p.Start(ctx)
		}})
	}
	all = append(all, fault{"PostgreSQL restarted (immediate)", func(ctx context.Context) error {
		c.Database.End(syscall.SIGQUIT)
		time.Sleep(time.Second)
		return c.Database.Start(ctx)
	}}, fault{"S3 server killed and restarted", func(ctx context.Context) error {
		c.Objects.Kill()
		time.Sleep(time.Second)
		return c.Objects.Start(ctx)
	}})
	for kind := none + 1; kind < troubles; kind++ {
		all = append(all, fault{kind.String(), func(context.Context) error {
			way.set(kind)
			time.Sleep(2 * time.Second)
			way.set(none)
			return nil
		}})
	}
	return all
}

// awaitRecovery waits until everything works again; nobody lends a hand.
func awaitRecovery(t *testing.T, w *workload) {
	t.Helper()
	random := rand.New(rand.NewPCG(99, 99))
	until := time.Now().Add(30 * time.Second)
	for good := 0; good < 10; {
		path := fmt.Sprintf("/api/v4/projects/root%%2Fdemo/packages/generic/after/1.0.%d/file.bin", time.Now().UnixNano())
		if w.publish(path, random) {
			good++
			continue
		}
		good = 0
		if time.Now().After(until) {
			t.Fatal("publishing does not work again after 30 s")
		}
		time.Sleep(100 * time.Millisecond)
	}
}
