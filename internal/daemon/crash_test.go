package daemon

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

var crashKills = flag.Int("crash.kills", 200, "how often TestCrash kills the server")

// crashPoints are where the server kills itself; "" is a kill from outside at
// any moment.
func crashPoints() []string {
	return []string{
		"", "", "before-commit", "after-commit", // of a transaction
		"before-sync", "before-rename", "before-dirsync", "after-dirsync", // of a blob
	}
}

// TestCrash is the crash law. Clients publish to the real server, which is
// killed with SIGKILL at random moments and at named points, and started again
// on the same directory. Then:
//
//   - every acknowledged file reads back with its bytes, and under a name that
//     was published again the last acknowledged one or a later one;
//   - a publish that was not acknowledged is there whole or not at all: the
//     kill may have fallen between the commit and the answer, which nobody
//     outside can tell from a lost answer; never a part, never other bytes;
//   - publishing it again succeeds;
//   - no temporary file is left, and the database is sound.
//
// SIGKILL leaves the page cache alone, so a forgotten fsync does not show here;
// the order of syncs is the matter of blob/disk's own tests.
func TestCrash(t *testing.T) {
	const lanes = 2
	var wg sync.WaitGroup
	totals := make([]tally, lanes)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i := range lanes {
		wg.Go(func() {
			lane := &crashLane{
				t: t, dir: filepath.Join(t.TempDir(), "data"), rnd: rand.New(rand.NewPCG(seed, uint64(i))),
				files: map[string]*history{},
			}
			for kill := range *crashKills / lanes {
				lane.round(kill)
				if t.Failed() {
					break
				}
			}
			lane.last()
			totals[i] = lane.tally
		})
	}
	wg.Wait()
	var sum tally
	for _, one := range totals {
		sum.kills += one.kills
		sum.acknowledged += one.acknowledged
		sum.lost += one.lost
		sum.retried += one.retried
		sum.read += one.read
	}
	t.Logf("%d kills, %d publishes acknowledged, %d cut off, %d of them retried, %d files read back",
		sum.kills, sum.acknowledged, sum.lost, sum.retried, sum.read)
	if sum.acknowledged < sum.kills || sum.lost == 0 {
		t.Errorf("the clients were too idle for the kills to mean anything")
	}
}

// tally is what a lane has done.
type tally struct{ kills, acknowledged, lost, retried, read int }

// crashLane is one data directory and all that was ever published to it.
type crashLane struct {
	t   *testing.T
	dir string
	rnd *rand.Rand

	mu    sync.Mutex
	files map[string]*history
	fresh []string // names published to since the last check
	next  int
	tally tally
}

// history is what was sent to one name, in order. Only one client at a time
// publishes to a name.
type history struct {
	bodies [][]byte
	acked  int // how many bodies from the start are acknowledged or overtaken: the newest of them may be served
}

// round starts the server, checks what the last kill left, publishes until the
// next kill.
func (l *crashLane) round(kill int) {
	points := crashPoints()
	point, hits := points[kill%len(points)], 1+l.rnd.IntN(12)
	s := startChild(l.t, l.dir, point, hits)
	defer s.kill()
	l.check(s)
	if point != "" {
		s.arm()
	}
	var wg sync.WaitGroup
	for client := range 8 {
		seed := l.rnd.Uint64()
		wg.Go(func() { l.publish(s, client, rand.New(rand.NewPCG(seed, 0))) })
	}
	if point == "" {
		time.Sleep(time.Duration(5+l.rnd.IntN(60)) * time.Millisecond)
		s.kill()
	} else if !s.dies(10 * time.Second) {
		l.t.Errorf("the server never came to %s for the %dth time", point, hits)
		s.kill()
	}
	wg.Wait()
	l.tally.kills++
}

// publish sends files until the server is gone.
func (l *crashLane) publish(s *child, client int, rnd *rand.Rand) {
	for i := 0; ; i++ {
		name := l.name(client, i, rnd)
		body := make([]byte, bodySize(rnd))
		for j := range body {
			body[j] = byte(rnd.Uint32())
		}
		l.mu.Lock()
		h := l.files[name]
		if h == nil {
			h = &history{}
			l.files[name] = h
		}
		h.bodies = append(h.bodies, body)
		l.fresh = append(l.fresh, name)
		l.mu.Unlock()
		status, err := s.put(name, body)
		l.mu.Lock()
		if err != nil {
			l.tally.lost++
			l.mu.Unlock()
			return
		}
		if status != 201 {
			l.t.Errorf("publish %s: %d", name, status)
		}
		h.acked = len(h.bodies)
		l.tally.acknowledged++
		l.mu.Unlock()
	}
}

// name is a version of its own, a file of a version that all share, or a name
// that this client publishes again and again.
func (l *crashLane) name(client, i int, rnd *rand.Rand) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	switch rnd.IntN(4) {
	case 0:
		return fmt.Sprintf("shared/1.0.0/file-%d", l.next)
	case 1:
		return fmt.Sprintf("again/1.0.%d/file", client)
	}
	return fmt.Sprintf("own/1.%d.%d/file", l.next, i)
}

// bodySize: most bodies ride with their record, some lie in the blob store.
func bodySize(rnd *rand.Rand) int {
	switch rnd.IntN(5) {
	case 0:
		return 70_000 + rnd.IntN(200_000)
	case 1:
		return 0
	}
	return 1 + rnd.IntN(9000)
}

// check holds the server to the law, and publishes again what was cut off.
func (l *crashLane) check(s *child) {
	names := l.fresh
	l.fresh = nil
	for _, name := range names {
		h := l.files[name]
		served := l.serves(s, name, h)
		if h.acked == len(h.bodies) {
			continue
		}
		l.tally.retried++
		again := h.bodies[len(h.bodies)-1]
		if status, err := s.put(name, again); err != nil || status != 201 {
			l.t.Errorf("publishing %s again: %d %v", name, status, err)
		}
		h.acked = len(h.bodies)
		if now := l.serves(s, name, h); now != len(h.bodies)-1 {
			l.t.Errorf("%s serves body %d after body %d was published again (before: %d)", name, now, len(h.bodies)-1, served)
		}
	}
	if left, err := os.ReadDir(filepath.Join(l.dir, "blobs", "tmp")); err != nil || len(left) > 0 {
		l.t.Errorf("temporary files are left: %v %v", left, err)
	}
}

// serves is which of the bodies sent to a name is served, -1 for none, after
// making sure that it is one that the law allows.
func (l *crashLane) serves(s *child, name string, h *history) int {
	l.tally.read++
	status, body, err := s.get(name)
	switch {
	case err != nil:
		l.t.Errorf("reading %s: %v", name, err)
	case status == 404 && h.acked == 0:
	case status != 200:
		l.t.Errorf("%s: %d, though %d of %d publishes were acknowledged", name, status, h.acked, len(h.bodies))
	default:
		for i := len(h.bodies) - 1; i >= 0; i-- {
			if string(h.bodies[i]) != body {
				continue
			}
			if i < h.acked-1 {
				l.t.Errorf("%s serves body %d, though body %d was acknowledged", name, i, h.acked-1)
			}
			return i
		}
		l.t.Errorf("%s serves %d bytes that nobody published there", name, len(body))
	}
	return -1
}

// last reads back everything that was ever acknowledged, and the database's
// own opinion of itself.
func (l *crashLane) last() {
	s := startChild(l.t, l.dir, "", 0)
	l.check(s)
	for name, h := range l.files {
		l.serves(s, name, h)
	}
	s.kill()
	checkDatabase(l.t, filepath.Join(l.dir, "granary.db"))
}
