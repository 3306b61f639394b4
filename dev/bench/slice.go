package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// scenario is one way to use a server.
type scenario struct {
	publish bool
	large   bool
	clients int
}

func (s scenario) name(largeSize int64) string {
	verb, size := "download", sizeText(smallSize)
	if s.publish {
		verb = "publish"
	}
	if s.large {
		size = sizeText(largeSize)
	}
	return fmt.Sprintf("%s %s x %d", verb, size, s.clients)
}

// scenarios are in the order they must run in. Downloads of the large file
// come before publications push it out of the page cache. Small files come
// last and stay: for minutes after many were removed, ext4 creates new ones
// several times slower, and what follows would be measured in its shadow.
func scenarios(clients, uploads int) []scenario {
	var list []scenario
	for _, large := range []bool{true, false} {
		many := clients
		list = append(list, scenario{large: large, clients: 1}, scenario{large: large, clients: many})
		if large {
			many = uploads
		}
		list = append(list, scenario{publish: true, large: large, clients: 1}, scenario{publish: true, large: large, clients: many})
	}
	return list
}

// sample is what one slice gave: one scenario on one server in one round.
type sample struct {
	ops     int
	bytes   int64
	seconds float64            // with the sync at the end of a publication
	apart   float64            // seconds before the work began: connecting
	cpu     float64            // seconds the server used, all its parts
	parts   map[string]float64 // the same by part, and what the bench used
	memory  int64              // the peak of the server's greatest node
	busy    float64            // share of the machine that server and bench used
	others  float64            // share that neither used
	p99     time.Duration      // of the clients' operations
	errors  int
	first   error
}

// driver runs slices.
type driver struct {
	dir    string
	length time.Duration // of a slice that is not a fixed amount of work
	size   int64         // of a large body
	head   *head
	bodies *bodies
	seeds  int // small files that downloads ask for
	seeded map[string]bool
	stamp  int64 // of this run, in every version it publishes
	names  atomic.Int64
}

func newDriver(dir string, o options) (*driver, error) {
	h, err := newHead(filepath.Join(dir, "head"), o.size)
	if err != nil {
		return nil, err
	}
	return &driver{dir: dir, length: o.slice, size: o.size, head: h, bodies: newBodies(),
		seeds: 500, seeded: map[string]bool{}, stamp: time.Now().Unix()}, nil
}

const (
	readBack = 50 // of what a slice published is looked at afterwards
	giveUp   = 20 // errors of one client
)

func (d *driver) body(large bool) body {
	if large {
		return d.bodies.large(d.head)
	}
	return d.bodies.small()
}

func seedPath(s *server, large bool, i int) string {
	file := "small.bin"
	if large {
		file = "large.bin"
	}
	return fmt.Sprintf("%sseed/1.%d.0/%s", s.prefix, i, file)
}

// seed publishes what the downloads ask for, and reads it once into the cache.
func (d *driver) seed(ctx context.Context, s *server, large bool) error {
	key := seedPath(s, large, 0) + s.data
	if d.seeded[key] {
		return nil
	}
	d.seeded[key] = true
	c, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	defer context.AfterFunc(ctx, c.close)()
	for i := range d.seeds {
		b := d.body(large)
		if err := c.publish(seedPath(s, large, i), b); err != nil {
			return err
		}
		if _, err := c.download(seedPath(s, large, i), b.size(), time.Time{}); err != nil || large {
			return err
		}
	}
	return nil
}

// slice runs a scenario once and takes the figures around it.
func (d *driver) slice(ctx context.Context, s *server, sc scenario) (sample, error) {
	if err := syncDisk(ctx, d.dir); err != nil { // what went before is not this slice's
		return sample{}, err
	}
	now := readProcesses()
	for _, node := range s.nodes {
		if err := resetPeak(now.tree(node)); err != nil {
			return sample{}, err
		}
	}
	used, all, start := s.used(now), machineCPU(), time.Now()
	r, published := d.work(ctx, s, sc)
	if sc.publish {
		if err := syncDisk(ctx, d.dir); err != nil {
			return sample{}, err
		}
	}
	elapsed := time.Since(start).Seconds()
	r.seconds = elapsed - r.apart
	r.count(s, used, machineCPU()-all, elapsed)
	if sc.large && len(published) > 1 {
		published = published[:1] // one of them takes as long as thousands of small ones
	}
	if err := d.lookAt(ctx, s, published, &r); err != nil {
		return sample{}, err
	}
	if sc.publish && sc.large && s.blobs != "" {
		if err := removeLarge(s.blobs, d.size); err != nil {
			return sample{}, err
		}
	}
	return r, ctx.Err()
}

// used is the CPU seconds of each part so far, and the bench's own.
func (s *server) used(now processes) map[string]float64 {
	used := map[string]float64{ownPart: ownCPU()}
	for _, p := range s.parts {
		used[p.name] += now.cpu(p.pid)
	}
	return used
}

// ownPart is the bench's name among the parts.
const ownPart = "bench"

// count takes the figures of a slice. before is what was used at its start, all
// what the whole machine used since.
func (r *sample) count(s *server, before map[string]float64, all, elapsed float64) {
	now := readProcesses()
	r.parts = s.used(now)
	sum := 0.0
	for name := range r.parts {
		r.parts[name] -= before[name]
		sum += r.parts[name]
	}
	r.cpu = sum - r.parts[ownPart]
	cores := elapsed * float64(runtime.NumCPU())
	r.busy, r.others = sum/cores, max(0, all-sum)/cores
	for _, node := range s.nodes {
		r.memory = max(r.memory, peakMemory(now.tree(node)))
	}
}

// work runs the timed part.
func (d *driver) work(ctx context.Context, s *server, sc scenario) (sample, []object) {
	if s.work != nil {
		return s.work(ctx, sc), nil
	}
	return d.clients(ctx, s, sc)
}

// object is something that was published.
type object struct {
	path string
	size int64
}

// clients have a connection each, and work until the time is up, or for one
// large publication.
func (d *driver) clients(ctx context.Context, s *server, sc scenario) (total sample, published []object) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var times []time.Duration
	end := time.Now().Add(d.length)
	for range sc.clients {
		wg.Go(func() {
			mine, took, objects := d.client(ctx, s, sc, end)
			mu.Lock()
			defer mu.Unlock()
			total.ops += mine.ops
			total.bytes += mine.bytes
			total.errors += mine.errors
			if total.first == nil {
				total.first = mine.first
			}
			published, times = append(published, objects...), append(times, took...)
		})
	}
	wg.Wait()
	if slices.Sort(times); len(times) > 0 {
		total.p99 = times[len(times)*99/100]
	}
	return total, published
}

func (d *driver) client(ctx context.Context, s *server, sc scenario, end time.Time) (r sample, times []time.Duration, published []object) {
	var c session
	for more := true; more && r.errors < giveUp && ctx.Err() == nil; {
		var err error
		if c == nil {
			if c, err = s.dial(ctx); err == nil {
				defer c.close() // at most giveUp of them
				defer context.AfterFunc(ctx, c.close)()
			}
		}
		var o object
		begun := time.Now()
		if err == nil {
			o, err = d.operate(c, s, sc, end)
		}
		if err == nil {
			times = append(times, time.Since(begun))
			r.ops++
			r.bytes += o.size
		} else {
			c = nil // what is left in it belongs to what failed
			if r.errors++; r.first == nil {
				r.first = err
			}
		}
		if err == nil && sc.publish && len(published) < max(1, readBack/sc.clients) {
			published = append(published, o)
		}
		more = (!sc.large || !sc.publish) && time.Now().Before(end)
	}
	return r, times, published
}

// operate publishes or downloads one object of the scenario's kind. The size
// it returns is what was moved.
func (d *driver) operate(c session, s *server, sc scenario, end time.Time) (object, error) {
	switch {
	case sc.publish:
		b := d.body(sc.large)
		o := object{fmt.Sprintf("%sbench/%d.%d.0/file.bin", s.prefix, d.stamp, d.names.Add(1)), b.size()}
		return o, c.publish(o.path, b)
	case sc.large:
		// Sixteen whole gigabytes would take as long as they take. The seed's
		// download was a whole one.
		o := object{path: seedPath(s, true, 0)}
		var err error
		o.size, err = c.download(o.path, d.size, end)
		return o, err
	default:
		o := object{seedPath(s, false, rand.IntN(d.seeds)), smallSize}
		_, err := c.download(o.path, o.size, time.Time{})
		return o, err
	}
}

// lookAt counts as an error whatever was published and is not there.
func (d *driver) lookAt(ctx context.Context, s *server, published []object, r *sample) error {
	if len(published) == 0 {
		return nil
	}
	c, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	defer context.AfterFunc(ctx, c.close)()
	for _, o := range published {
		if _, err := c.download(o.path, o.size, time.Time{}); err != nil {
			if r.errors++; r.first == nil {
				r.first = fmt.Errorf("after publishing: %w", err)
			}
			return nil // the connection is no longer good
		}
	}
	return nil
}
