package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
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
	seconds float64 // with the sync at the end of a publication
	cpu     float64 // seconds the server used
	memory  int64   // its peak
	others  float64 // share of the machine that neither server nor bench used
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
	seeded map[string]bool
	stamp  int64 // of this run, in every version it publishes
	names  atomic.Int64
}

const (
	seedObjects = 500
	readBack    = 50 // of what a slice published is looked at afterwards
	giveUp      = 20 // errors of one client
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
	key := seedPath(s, large, 0) + s.name
	if d.seeded[key] {
		return nil
	}
	d.seeded[key] = true
	c, err := dial(ctx, s.host, s.token)
	if err != nil {
		return err
	}
	defer c.close()
	defer context.AfterFunc(ctx, c.close)()
	for i := range seedObjects {
		b := d.body(large)
		if err := d.publish(c, seedPath(s, large, i), b); err != nil {
			return err
		}
		if err := d.download(c, seedPath(s, large, i), b.size()); err != nil || large {
			return err
		}
	}
	return nil
}

func (d *driver) publish(c *conn, path string, b body) error {
	status, err := c.put(path, b)
	if err == nil && status != 201 {
		err = fmt.Errorf("PUT %s: status %d", path, status)
	}
	return err
}

func (d *driver) download(c *conn, path string, size int64) error {
	status, n, err := c.get(path)
	switch {
	case err != nil:
		return err
	case status != 200:
		return fmt.Errorf("GET %s: status %d", path, status)
	case n != size:
		return fmt.Errorf("GET %s: %d bytes of %d", path, n, size)
	}
	return nil
}

// downloadUntil counts what arrives before the end: sixteen whole gigabytes
// would take as long as they take. The seed's download was a whole one.
func (d *driver) downloadUntil(c *conn, path string, end time.Time) (int64, error) {
	if err := c.tcp.SetReadDeadline(end); err != nil {
		return 0, err
	}
	status, n, err := c.get(path)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, nil
	case err == nil && status != 200:
		err = fmt.Errorf("GET %s: status %d", path, status)
	}
	return n, err
}

// slice runs a scenario once and takes the figures around it.
func (d *driver) slice(ctx context.Context, s *server, sc scenario) (sample, error) {
	if err := syncDisk(ctx, d.dir); err != nil { // what went before is not this slice's
		return sample{}, err
	}
	var pids []int
	if s.pid != 0 {
		pids = processTree(s.pid)
		if err := resetPeak(pids); err != nil {
			return sample{}, err
		}
	}
	cpu, own, all, start := cpuSeconds(pids), ownCPU(), machineCPU(), time.Now()
	r, published := d.clients(ctx, s, sc)
	if sc.publish {
		if err := syncDisk(ctx, d.dir); err != nil {
			return sample{}, err
		}
	}
	r.seconds = time.Since(start).Seconds()
	r.cpu, r.memory = cpuSeconds(pids)-cpu, peakMemory(pids)
	r.others = max(0, machineCPU()-all-r.cpu-(ownCPU()-own)) / (r.seconds * float64(runtime.NumCPU()))
	if sc.large && len(published) > 1 {
		published = published[:1] // one of them takes as long as thousands of small ones
	}
	if err := d.lookAt(ctx, s, published, &r); err != nil {
		return sample{}, err
	}
	return r, ctx.Err()
}

// object is something that was published.
type object struct {
	path string
	size int64
}

// clients runs the timed part: each client on a connection of its own, until
// the time is up, or for one large publication.
func (d *driver) clients(ctx context.Context, s *server, sc scenario) (total sample, published []object) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	end := time.Now().Add(d.length)
	for range sc.clients {
		wg.Go(func() {
			mine, objects := d.client(ctx, s, sc, end)
			mu.Lock()
			defer mu.Unlock()
			total.ops += mine.ops
			total.bytes += mine.bytes
			total.errors += mine.errors
			if total.first == nil {
				total.first = mine.first
			}
			published = append(published, objects...)
		})
	}
	wg.Wait()
	return total, published
}

func (d *driver) client(ctx context.Context, s *server, sc scenario, end time.Time) (r sample, published []object) {
	var c *conn
	for more := true; more && r.errors < giveUp && ctx.Err() == nil; {
		var err error
		if c == nil {
			if c, err = dial(ctx, s.host, s.token); err == nil {
				defer c.close() // at most giveUp of them
				defer context.AfterFunc(ctx, c.close)()
			}
		}
		var o object
		if err == nil {
			o, err = d.operate(c, s, sc, end)
		}
		if err == nil {
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
	return r, published
}

// operate publishes or downloads one object of the scenario's kind. The size
// it returns is what was moved.
func (d *driver) operate(c *conn, s *server, sc scenario, end time.Time) (object, error) {
	switch {
	case sc.publish:
		b := d.body(sc.large)
		o := object{fmt.Sprintf("%sbench/%d.%d.0/file.bin", s.prefix, d.stamp, d.names.Add(1)), b.size()}
		return o, d.publish(c, o.path, b)
	case sc.large:
		o := object{path: seedPath(s, true, 0)}
		var err error
		o.size, err = d.downloadUntil(c, o.path, end)
		return o, err
	default:
		o := object{seedPath(s, false, rand.IntN(seedObjects)), smallSize}
		return o, d.download(c, o.path, o.size)
	}
}

// lookAt counts as an error whatever was published and is not there.
func (d *driver) lookAt(ctx context.Context, s *server, published []object, r *sample) error {
	if len(published) == 0 {
		return nil
	}
	c, err := dial(ctx, s.host, s.token)
	if err != nil {
		return err
	}
	defer c.close()
	defer context.AfterFunc(ctx, c.close)()
	for _, o := range published {
		if err := d.download(c, o.path, o.size); err != nil {
			if r.errors++; r.first == nil {
				r.first = fmt.Errorf("after publishing: %w", err)
			}
			return nil // the connection is no longer good
		}
	}
	return nil
}
