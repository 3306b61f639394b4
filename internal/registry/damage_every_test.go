package registry_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/fault"
	"granary/internal/metadb"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

var (
	damageBlobs = flag.Int("damage.blobs", 100, "how many blobs TestEveryDamageIsFound damages, on a disk and on S3")
	damageSeed  = flag.Uint64("damage.seed", 18, "the seed of TestEveryDamageIsFound")
)

// rotten is a blob that a test damages.
type rotten struct {
	name  registry.Raw
	body  []byte
	wrong []byte // nil: it is gone
	want  blob.Damage
	found registry.FindingKind
}

// TestEveryDamageIsFound: one bit of each blob is flipped, or it is cut short, or has the
// bytes of another, or is gone; in the store and in the database, at random. A check finds
// each and nothing else, and so does one cycle of the scrub. None is served after. The same
// bytes published again are, and then nothing is found.
func TestEveryDamageIsFound(t *testing.T) { onEachRotting(t, testEveryDamageIsFound) }

func testEveryDamageIsFound(t *testing.T, r rotting) {
	began := time.Now()
	r.Now = func() time.Time { // events of one microsecond have to look for an id
		r.now = r.now.Add(time.Millisecond)
		return r.now
	}
	whole := blobtest.Bytes(1<<40, 5000)
	if err := r.publish(t.Context(), at("whole"), whole); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(*damageSeed, 0))
	blobs, counts := r.fillRotten(t, random)
	r.wantFindings(t, nil)
	for _, b := range blobs {
		r.rot(t, b)
	}
	r.wantFindings(t, blobs)
	found, err := r.scrub(t)
	if err != nil || len(found) != len(blobs) {
		t.Errorf("a cycle finds %d, %v, want %d", len(found), err, len(blobs))
	}
	for _, b := range blobs {
		if kind := found[blobtest.Digest(b.body)]; kind != b.want {
			t.Errorf("%s is found to be %q, want %q", b.name.File, kind, b.want)
		}
		got, err := r.read(t.Context(), b.name)
		if len(got) > 0 || b.want != blob.Missing && !fault.Is(err, fault.Unavailable) || b.want == blob.Missing && !fault.Is(err, fault.Damaged) {
			t.Errorf("%s is served: %d bytes, %v", b.name.File, len(got), err)
		}
	}
	r.checkMarks(t, len(blobs))
	for _, b := range blobs {
		if err := r.publish(t.Context(), b.name, b.body); err != nil {
			t.Errorf("%s again: %v", b.name.File, err)
		}
		if got, err := r.read(t.Context(), b.name); err != nil || !bytes.Equal(got, b.body) {
			t.Errorf("%s, published again: %d bytes, %v", b.name.File, len(got), err)
		}
	}
	r.checkMarks(t, 0)
	r.wantFindings(t, nil)
	if again, err := r.scrub(t); err != nil || len(again) > 0 {
		t.Errorf("the next cycle finds %d, %v", len(again), err)
	}
	if got, err := r.read(t.Context(), at("whole")); err != nil || !bytes.Equal(got, whole) {
		t.Errorf("the whole one: %d bytes, %v", len(got), err)
	}
	t.Logf("%d blobs, each damaged, found by a check and by a scrub, and not served: %v; %v (seed %d)", len(blobs), counts, time.Since(began).Round(time.Millisecond), *damageSeed)
}

// fillRotten publishes blobs, half of them small enough for the database, and chooses what
// happens to each.
func (r rotting) fillRotten(t *testing.T, random *rand.Rand) (blobs []*rotten, counts map[string]int) {
	t.Helper()
	counts = map[string]int{}
	for i := range *damageBlobs {
		size := 1 + random.IntN(inline)
		if i%2 == 0 {
			size += inline
		}
		b := &rotten{name: at(fmt.Sprintf("file%d", i)), body: blobtest.Bytes(uint64(i), size)} //nolint:gosec // not negative
		if err := r.publish(t.Context(), b.name, b.body); err != nil {
			t.Fatal(err)
		}
		blobs = append(blobs, b)
	}
	for i, b := range blobs {
		kind := []string{"bit", "cut", "swap", "gone"}[random.IntN(4)]
		switch kind {
		case "bit":
			bit := random.IntN(8 * len(b.body))
			b.wrong = bytes.Clone(b.body)
			b.wrong[bit/8] ^= 1 << (bit % 8)
		case "cut":
			b.wrong = b.body[:random.IntN(len(b.body))]
		case "swap":
			b.wrong = blobs[(i+2*random.IntN(len(blobs)/2-1)+2)%len(blobs)].body // of the same kind of place
		}
		counts[kind]++
		switch {
		case kind == "gone":
			b.want, b.found = blob.Missing, registry.MissingBytes
		case len(b.wrong) != len(b.body) && len(b.body) <= inline: // the scrub reads these anyway
			b.want, b.found = blob.OtherBytes, registry.OtherSize
		case len(b.wrong) != len(b.body):
			b.want, b.found = blob.OtherSize, registry.OtherSize
		default:
			b.want, b.found = blob.OtherBytes, registry.WrongBytes
		}
	}
	return blobs, counts
}

// rot does the damage.
func (r rotting) rot(t *testing.T, b *rotten) {
	t.Helper()
	d := blobtest.Digest(b.body)
	if len(b.body) <= inline {
		query, args := `UPDATE blob_contents SET content = $1 WHERE blob_id = (SELECT id FROM blobs WHERE digest = $2)`, []any{b.wrong, d[:]}
		if b.want == blob.Missing {
			query, args = `DELETE FROM blob_contents WHERE blob_id = (SELECT id FROM blobs WHERE digest = $1)`, args[1:]
		}
		db := r.ledger.Records.(*metadb.DB)
		n, err := sqldb.Write(t.Context(), db.DB, func(tx *sqldb.Tx) (int64, error) { return tx.Count(query, args...) })
		if err != nil || n != 1 {
			t.Fatalf("%d rows, %v", n, err)
		}
		return
	}
	path := filepath.Join(r.dir, d.String()[:2], d.String())
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		t.Skipf("the store's files cannot be reached: %v", err)
	}
	err := os.WriteFile(path, b.wrong, 0o600) // what the S3 server knows of the file stays with it
	if b.want == blob.Missing {
		err = os.Remove(path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// wantFindings checks that a check finds these blobs and nothing else.
func (r rotting) wantFindings(t *testing.T, want []*rotten) {
	t.Helper()
	found := map[blob.Digest][]registry.FindingKind{}
	check := registry.Check{
		Records: r.Records, Store: r.store, Read: registry.AllBlobs(), Age: registry.Grace, Now: time.Now,
		Tell: func(f registry.Finding) error { found[f.Digest] = append(found[f.Digest], f.Kind); return nil },
	}
	if _, err := check.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, b := range want {
		d := blobtest.Digest(b.body)
		if !slices.Equal(found[d], []registry.FindingKind{b.found}) {
			t.Errorf("a check finds %s to be %q, want %q", b.name.File, found[d], b.found)
		}
		delete(found, d)
	}
	for d, kinds := range found {
		t.Errorf("a check finds %s to be %q", d, kinds)
	}
}
