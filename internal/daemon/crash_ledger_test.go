package daemon

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// ledger is the clients' own book of what they published. Its clock is a
// count: everything that a client sees happens at a moment of its own, so that
// "before" and "after" are certain.
type ledger struct {
	mu       sync.Mutex
	clock    int
	contents uint64 // different ones so far
	names    []*name
	byPath   map[string]*name
	attempts []*attempt
	inFlight map[*attempt]bool
	open     map[*attempt]bool // not answered, and not tried again
	touched  map[*name]bool    // since they were last inspected
}

func newLedger() *ledger {
	return &ledger{byPath: map[string]*name{}, inFlight: map[*attempt]bool{}, open: map[*attempt]bool{}, touched: map[*name]bool{}}
}

// name is one file of one package, and what a GET of it may show.
type name struct {
	path   string
	nobody bool       // may show nothing: 404
	newest []*attempt // may show one of these
}

// String is what the name may show.
func (n name) String() string {
	var may []string
	if n.nobody {
		may = append(may, "404")
	}
	for _, a := range n.newest {
		may = append(may, fmt.Sprintf("%s (%d bytes)", a.digest, a.size))
	}
	return "[" + strings.Join(may, " or ") + "]"
}

// attempt is one publish.
type attempt struct {
	name    *name
	content uint64
	size    int
	digest  string
	chunked bool

	began int
	ended int // when it had taken effect at the latest, if it did at all
	sure  bool
}

// never is the end of what may take effect at any time to come.
const never = math.MaxInt

func (a *attempt) bytes() []byte {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], a.content)
	b := make([]byte, a.size)
	_, _ = rand.NewChaCha8(seed).Read(b) // never fails
	return b
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// tick is a moment after all earlier ones. The caller holds mu.
func (l *ledger) tick() int { l.clock++; return l.clock }

// invent thinks of something to publish: a new package, a new file of a version
// that has many, or a name that is there, as often as not the one that others
// publish at this moment. Some of it has bytes that another name has.
func (l *ledger) invent(rng *rand.Rand) *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &attempt{chunked: rng.IntN(4) == 0}
	serial := len(l.attempts)
	switch p := rng.IntN(10); {
	case p < 4:
		a.name = l.at(fmt.Sprintf("new%d/1.0.%d/file.bin", serial, rng.IntN(3)))
	case p < 7 || len(l.names) == 0:
		a.name = l.at(fmt.Sprintf("shared/1.%d.0/file%d.bin", serial/50, serial))
	case p < 9:
		a.name = l.names[max(0, len(l.names)-1-rng.IntN(5))]
	default:
		a.name = l.names[rng.IntN(len(l.names))]
	}
	if other := l.other(rng, a.name); other != nil {
		a.content, a.size, a.digest = other.content, other.size, other.digest
	} else {
		l.contents++
		a.content, a.size = rng.Uint64(), size(rng)
		a.digest = digestOf(a.bytes())
	}
	return a
}

func size(rng *rand.Rand) int {
	switch p := rng.IntN(100); {
	case p < 50:
		return rng.IntN(4 << 10)
	case p < 65:
		return rng.IntN(64<<10 + 1) // up to what the database keeps
	case p < 97:
		return 64<<10 + rng.IntN(300<<10)
	default:
		return rng.IntN(12 << 20) // up to parts, where the store is S3
	}
}

// other is, one time in eight, an attempt under another name. One name never
// has the same bytes from two attempts but the second of them retries the
// first: they could not be told apart.
func (l *ledger) other(rng *rand.Rand, n *name) *attempt {
	if len(l.attempts) == 0 || rng.IntN(8) > 0 {
		return nil
	}
	a := l.attempts[max(0, len(l.attempts)-1-rng.IntN(20))]
	for _, b := range l.attempts {
		if b.name == n && b.digest == a.digest {
			return nil
		}
	}
	return a
}

// at is the name with the path. The caller holds mu.
func (l *ledger) at(path string) *name {
	n := l.byPath[path]
	if n == nil {
		n = &name{path: path, nobody: true}
		l.byPath[path] = n
		l.names = append(l.names, n)
	}
	return n
}

// again is another attempt to publish what was not answered.
func (l *ledger) again(a *attempt) *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, a)
	return &attempt{name: a.name, content: a.content, size: a.size, digest: a.digest, chunked: !a.chunked}
}

func (l *ledger) begin(a *attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.began, a.ended = l.tick(), never
	a.name.newest = append(a.name.newest, a)
	l.attempts = append(l.attempts, a)
	l.inFlight[a], l.open[a], l.touched[a.name] = true, true, true
}

func (l *ledger) acknowledged(a *attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.inFlight, a)
	delete(l.open, a)
	l.settle(a)
}

// settle notes that a has taken effect by now: what had ended before it began
// is hidden for good. The caller holds mu.
func (l *ledger) settle(a *attempt) {
	a.ended, a.sure = min(a.ended, l.tick()), true
	a.name.nobody = false
	a.name.newest = slices.DeleteFunc(a.name.newest, func(b *attempt) bool { return b.ended <= a.began })
}

// crashed notes that what was not answered has taken effect by now, or never
// will.
func (l *ledger) crashed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for a := range l.inFlight {
		a.ended = min(a.ended, l.tick())
	}
	clear(l.inFlight)
}

// unanswered is what has to be published again, in the order of its first
// time.
func (l *ledger) unanswered() []*attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.SortedFunc(maps.Keys(l.open), func(a, b *attempt) int { return a.began - b.began })
}

// doubtful is what should be inspected after a crash: all names, or those of
// the last life and a few others.
func (l *ledger) doubtful(all bool, rng *rand.Rand) []*name {
	l.mu.Lock()
	defer l.mu.Unlock()
	if all {
		return slices.Clone(l.names)
	}
	for range min(30, len(l.names)) {
		l.touched[l.names[rng.IntN(len(l.names))]] = true
	}
	names := slices.SortedFunc(maps.Keys(l.touched), func(a, b *name) int { return strings.Compare(a.path, b.path) })
	clear(l.touched)
	return names
}

// anyName is mostly one of the newest.
func (l *ledger) anyName(rng *rand.Rand) *name {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.names) == 0 {
		return nil
	}
	return l.names[max(0, len(l.names)-1-rng.IntN(30))]
}

// shows notes what a name shows while nobody publishes, and reports whether it
// may. From now on it may show nothing else that began before.
func (l *ledger) shows(n *name, status int, digest string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if status == http.StatusNotFound && n.nobody {
		n.newest = nil
		return true
	}
	shown := having(n.newest, digest)
	if status != http.StatusOK || len(shown) == 0 {
		return false
	}
	if len(shown) == 1 {
		l.settle(shown[0])
	}
	n.nobody, n.newest = false, shown
	return true
}

// mayShow is what a name may show now, to be handed to showed.
func (l *ledger) mayShow(n *name) (before name, now int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return name{path: n.path, nobody: n.nobody, newest: slices.Clone(n.newest)}, l.tick()
}

// showed notes what a name showed at some moment since then, and reports
// whether it might: what it might show then, or what began since.
func (l *ledger) showed(n *name, before name, since, status int, digest string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if status == http.StatusNotFound {
		return before.nobody
	}
	if status != http.StatusOK {
		return false
	}
	may := before.newest
	for _, a := range slices.Backward(l.attempts) { // newest has lost those that others replaced since
		if a.began <= since {
			break
		}
		if a.name == n {
			may = append(may, a)
		}
	}
	shown := having(may, digest)
	if len(shown) == 1 {
		l.settle(shown[0])
	}
	return len(shown) > 0
}

func having(attempts []*attempt, digest string) (same []*attempt) {
	for _, a := range attempts {
		if a.digest == digest {
			same = append(same, a)
		}
	}
	return same
}
