package daemon

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"granary/internal/metadb/metadbtest"
)

var (
	crashKills = flag.Int("crash.kills", 200, "how often TestCrash kills the server")
	crashSeed  = flag.Uint64("crash.seed", 0, "the seed of TestCrash; 0 takes the time")
)

const (
	crashClients = 8  // that publish or read at once
	killsPerDir  = 50 // before a data directory is searched in full and a new one begun
)

// TestCrash kills the server (SIGKILL) while clients publish, at random moments
// and at the named points of a commit, and starts it again on the same data
// directory. The law, for the clients' sight of it:
//
//  1. A publish that was answered with 201 is there for good: its bytes, whole,
//     and newer than every publish of the same name that had ended when it
//     began.
//  2. A publish that was not answered is there whole or not at all. The kill may
//     have fallen between the commit and the answer, and nobody can take the
//     commit back then. So "not visible" means: no name ever shows bytes other
//     than those of one publish to that very name, from the first to the last;
//     what a restart shows of it once, it shows for good; and it never hides
//     what was acknowledged after it had ended.
//  3. What anybody has read counts like what was acknowledged: a file that was
//     seen does not vanish.
//  4. Publishing again what was not answered succeeds.
//  5. The same holds for drafts (crash_drafts_test.go): a file that was answered with 201
//     is in the draft, or in the final version; a finalise that was answered is there for
//     good, with its manifest; one that was not happened whole or not at all.
//
// And for what lies on the disk (crash_audit_test.go has the list): the database is sound,
// one row for each package and for each publish, no temporary files, no bytes
// without a row, every blob the one it is named after.
//
// A killed process loses what it holds in memory, but nothing that the kernel
// has taken: a missing fsync does not show here.
//
// -crash.database and -crash.blobs choose where records and bytes are. The law is
// the same; on PostgreSQL, which has nodes, uploads that were cut short lie in the
// store for a day.
func TestCrash(t *testing.T) {
	seed := *crashSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	began := time.Now()
	left := atomic.Int64{}
	left.Store(int64(*crashKills))
	c := &crashes{t: t, places: newPlaces(t), kills: map[string]int{}}
	dirs := atomic.Uint64{}
	var running sync.WaitGroup
	for range min(4, runtime.GOMAXPROCS(0)) {
		running.Go(func() {
			for left.Load() > 0 && !c.hopeless() {
				n := dirs.Add(1)
				k := newKilledServer(c, filepath.Join(metadbtest.Memory(t), "data"), n, rand.New(rand.NewPCG(seed, n)))
				k.name = fmt.Sprintf("seed %d, directory %d", seed, n)
				k.run(func() bool { return left.Add(-1) >= 0 })
			}
		})
	}
	running.Wait()
	total := 0
	for _, n := range c.kills {
		total += n
	}
	t.Logf("%d kills in %d directories, %d publishes acknowledged, %d retried, %d read while they came, %d violations, %v (seed %d)",
		total, dirs.Load(), c.acked.Load(), c.retried.Load(), c.seen.Load(), c.violations.Load(), time.Since(began).Round(time.Second), seed)
	for _, where := range slices.Sorted(maps.Keys(c.kills)) {
		t.Logf("%6d  %s", c.kills[where], where)
	}
	if total < *crashKills && !t.Failed() {
		t.Errorf("%d kills of %d", total, *crashKills)
	}
}

// crashes is what all directories report to.
type crashes struct {
	t                                *testing.T
	places                           places
	acked, retried, seen, violations atomic.Int64

	mu    sync.Mutex
	kills map[string]int // by where
}

func (c *crashes) hopeless() bool { return c.violations.Load() >= 20 }

func (c *crashes) violation(format string, args ...any) {
	if c.violations.Add(1) <= 20 {
		c.t.Errorf(format, args...)
	}
}

// plan is how a life of the server ends.
type plan struct {
	where string        // a named point, or startup or anytime, or before-finalise or after-finalise
	nth   int           // at which visit to the point
	after time.Duration // for startup and anytime: since the start, or under load
}

// choosePlan gives each way to die its share. Folds come every 5 seconds, so
// they have to be rare.
func choosePlan(rng *rand.Rand, at places) plan {
	if len(at.folds) > 0 && rng.IntN(100) == 0 {
		return plan{where: pick(rng, at.folds...), nth: 1}
	}
	switch p := rng.IntN(10); {
	case p < 1:
		return plan{where: "startup", after: time.Duration(rng.IntN(250)) * time.Millisecond}
	case p < 2:
		return plan{where: pick(rng, "before-finalise", "after-finalise"), nth: 1 + rng.IntN(3)}
	case p < 4:
		return plan{where: "anytime", after: time.Duration(rng.IntN(60_000)) * time.Microsecond}
	case p < 7 || len(at.points) == 0:
		return plan{where: pick(rng, "before-commit", "after-commit"), nth: 1 + rng.IntN(15)}
	default:
		return plan{where: pick(rng, at.points...), nth: 1 + rng.IntN(4)}
	}
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

// killedServer is one data directory, what was published there, and what must be true
// of it.
type killedServer struct {
	*crashes
	*ledger
	*draftLedger
	place
	name string
	dir  string
	rng  *rand.Rand
	life int

	server *process // of this life
	url    string
	http   *http.Client
}

func newKilledServer(c *crashes, dir string, n uint64, rng *rand.Rand) *killedServer {
	return &killedServer{crashes: c, ledger: newLedger(), draftLedger: &draftLedger{}, place: c.places.place(c.t, dir, n), dir: dir, rng: rng}
}

// run kills the server as long as another kill is wanted, and then looks at
// everything.
func (k *killedServer) run(another func() bool) {
	for k.life = 1; k.life <= killsPerDir && !k.hopeless() && another(); k.life++ {
		p := choosePlan(k.rng, k.crashes.places)
		k.live(p)
		if k.rng.IntN(8) == 0 {
			k.audit() // SQLite recovers then, and not the server
		}
	}
	k.live(plan{})
	k.audit()
	k.hashBlobs()
	if err := os.RemoveAll(k.dir); err != nil {
		k.t.Error(err)
	}
}

func (k *killedServer) wrong(format string, args ...any) {
	k.violation("%s, life %d: %s", k.name, k.life, fmt.Sprintf(format, args...))
}

// live is one life of the server: from its start to the kill that p says, or
// for an empty one to the end of the full search.
func (k *killedServer) live(p plan) {
	environ := k.environ
	if p.nth > 0 {
		point, _ := strings.CutSuffix(p.where, "-finalise")
		if point != p.where {
			point += "-commit"
			environ = append(slices.Clone(environ), dieOnce+"="+k.armed())
			_ = os.Remove(k.armed()) // it is there if the last life ended so
		}
		environ = append(slices.Clone(environ), fmt.Sprintf("%s=%s %d", dieAt, point, p.nth))
	}
	server, err := launch(environ, "--listen=127.0.0.1:0", "--data-dir="+k.dir)
	if err != nil {
		k.wrong("%v", err)
		return
	}
	k.server = server
	if p.where == "startup" {
		time.Sleep(p.after)
	} else if k.url = server.url(); k.url != "" {
		transport := &http.Transport{MaxIdleConnsPerHost: 2 * crashClients}
		k.http = &http.Client{Transport: transport}
		k.noLeftovers()
		k.visit(p)
		transport.CloseIdleConnections()
	}
	server.kill()
	k.awaitEnd()
	k.crashed()
	if !server.killed() {
		k.wrong("the server ended by itself: %v\n%s", server.err, server.logged())
	} else if log := server.logged(); log != "" {
		k.wrong("the server complained:\n%s", log)
	}
	if p.where != "" {
		k.crashes.mu.Lock()
		defer k.crashes.mu.Unlock()
		k.kills[p.where]++
	}
}

// visit reads what was published, publishes again what was not answered, and
// then, if the server is to die, publishes until it does.
func (k *killedServer) visit(p plan) {
	all := p.where == ""
	k.inspect(k.doubtful(all, k.rng))
	k.inspectDrafts(all)
	var running sync.WaitGroup
	open := k.unanswered()
	for part := range slices.Chunk(open, len(open)/crashClients+1) {
		running.Go(func() {
			for _, a := range part {
				if k.alive() {
					k.retried.Add(1)
					k.publish(k.again(a))
				}
			}
		})
	}
	running.Wait()
	if !all {
		k.load(p)
		return
	}
	if open := k.unanswered(); len(open) > 0 {
		k.wrong("%d publishes were not answered, and the server was not killed", len(open))
	}
	k.inspect(k.doubtful(all, k.rng))
}

// load publishes and reads until the server has died as p says.
func (k *killedServer) load(p plan) {
	var running sync.WaitGroup
	if strings.HasSuffix(p.where, "-finalise") {
		running.Go(func() { k.finaliseAll(p) })
	} else {
		k.clients(&running)
	}
	patience := p.after
	if p.nth > 0 {
		patience = time.Minute // folds come every 5 s, and the machine may be busy
	}
	select {
	case <-k.server.exited:
	case <-time.After(patience):
		if p.nth > 0 {
			k.wrong("the server did not come to %s %d times", p.where, p.nth)
		}
		k.server.kill()
	}
	running.Wait()
}

// clients start to publish and read.
func (k *killedServer) clients(running *sync.WaitGroup) {
	for i := range crashClients {
		rng := rand.New(rand.NewPCG(k.rng.Uint64(), k.rng.Uint64()))
		running.Go(func() {
			for k.alive() && !k.hopeless() {
				switch i {
				case 0:
					k.look(k.anyName(rng))
				case 1:
					if v := k.stage(rng); rng.IntN(4) > 0 && k.alive() {
						k.finalise(v, http.StatusCreated)
					}
				default:
					k.publish(k.invent(rng))
				}
			}
		})
	}
}

func (k *killedServer) alive() bool {
	select {
	case <-k.server.exited:
		return false
	default:
		return true
	}
}

// publish sends one attempt. Whatever the server answers while it lives must
// be 201.
func (k *killedServer) publish(a *attempt) {
	k.begin(a)
	var body io.Reader = bytes.NewReader(a.bytes())
	if a.chunked {
		body = io.MultiReader(body) // of unknown length
	}
	status, _, text := k.request(http.MethodPut, a.name.path, body)
	switch status {
	case http.StatusCreated:
		k.acked.Add(1)
		k.acknowledged(a)
	case 0: // no answer
	default:
		k.wrong("PUT %s: %d %s", a.name.path, status, text)
	}
}

// look reads a name while others publish.
func (k *killedServer) look(n *name) {
	if n == nil {
		return
	}
	before, now := k.mayShow(n)
	status, digest, text := k.request(http.MethodGet, n.path, nil)
	if status == 0 {
		return
	}
	if status == http.StatusOK {
		k.seen.Add(1)
	}
	if !k.showed(n, before, now, status, digest) {
		k.wrong("GET %s under load: %d %s %.200s, want %s", n.path, status, digest, text, before)
	}
}

// inspect reads names while nobody publishes.
func (k *killedServer) inspect(names []*name) {
	var running sync.WaitGroup
	for part := range slices.Chunk(names, len(names)/crashClients+1) {
		running.Go(func() {
			for _, n := range part {
				status, digest, text := k.request(http.MethodGet, n.path, nil)
				if status != 0 && !k.shows(n, status, digest) {
					k.wrong("GET %s after a restart: %d %s %.200s, want %s", n.path, status, digest, text, n)
				}
			}
		})
	}
	running.Wait()
}

// request returns the status, 0 for no whole answer, and the digest or the
// text of the body.
func (k *killedServer) request(method, path string, body io.Reader) (status int, digest, text string) {
	resp, answer := k.send(method, path, body)
	switch {
	case resp == nil:
		return 0, "", ""
	case resp.StatusCode == http.StatusOK:
		digest = digestOf(answer)
		if said := resp.Header.Get("X-Checksum-Sha256"); said != digest {
			text = "and X-Checksum-SHA256 " + said
			digest = "other bytes: " + digest
		}
		return resp.StatusCode, digest, text
	}
	return resp.StatusCode, "", string(answer)
}

// send returns nil for no whole answer. The server alone may be at fault for it. The
// status of a 201 says it: the rest may be cut off.
func (k *killedServer) send(method, path string, body io.Reader) (*http.Response, []byte) {
	req, err := http.NewRequestWithContext(context.Background(), method, k.url+demoFiles+path, body)
	if err != nil {
		panic(err)
	}
	req.Header.Set("Private-Token", rootToken)
	resp, err := k.http.Do(req)
	if err == nil {
		defer resp.Body.Close()
		var answer []byte
		answer, err = io.ReadAll(resp.Body)
		if err == nil || resp.StatusCode == http.StatusCreated {
			return resp, answer
		}
	}
	select {
	case <-k.server.exited:
	case <-time.After(30 * time.Second): // the connection dies before the process is reaped
		k.wrong("%s %s: %v, and the server lives", method, path, err)
	}
	return nil, nil
}

// noLeftovers looks for what a crash may have left behind in the directory. What the server of
// now is just writing, such as its records, is gone soon.
func (k *killedServer) noLeftovers() {
	got := ""
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = k.holds(); got == k.left {
			return
		}
	}
	k.wrong("the directory holds %s, want %s", got, k.left)
}

// holds is the names in the directory, and in that of unfinished blobs.
func (k *killedServer) holds() string {
	var names []string
	dirs := []string{k.dir}
	if !k.postgres && k.bucket == nil {
		dirs = append(dirs, filepath.Join(k.blobs, "tmp"))
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			k.wrong("%v", err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	return strings.Join(names, " ")
}
