package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/disk"
	"granary/internal/fault"
	"granary/internal/metadb"
	"granary/internal/metadb/metadbtest"
	"granary/internal/page"
	"granary/internal/registry"
	"granary/internal/trail"
)

// copiesIn is an Elsewhere with a copy in each store.
type copiesIn []blob.Source

func (from copiesIn) Copies(_ context.Context, b registry.Wanted) (all []registry.Copy, _ error) {
	for i, store := range from {
		c := registry.Copy{Open: func(ctx context.Context) (io.ReadCloser, error) { return store.Open(ctx, b.Digest) }}
		if len(from) > 1 {
			c.Where = fmt.Sprint("store ", i+1)
		}
		all = append(all, c)
	}
	return all, nil
}

// mendingFrom makes a check read all bytes, and repair them.
func (c *checked) mendingFrom(source blob.Source) func(*registry.Check) {
	return func(o *registry.Check) {
		reading(o)
		o.Mend = &registry.Mend{From: copiesIn{source}, Into: c.store}
	}
}

// events counts the events of a name.
func (r *faultyRegistry) events(t *testing.T, name audit.Name) int {
	t.Helper()
	found, err := r.ledger.Records.(*metadb.DB).ListEvents(t.Context(), trail.Filter{}, page.Request{Number: 1, Size: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return len(slices.DeleteFunc(found.Rows, func(e audit.Event) bool { return e.Name != name }))
}

// ticking gives each event a moment of its own.
func (r *faultyRegistry) ticking() {
	var mu sync.Mutex
	r.Now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		r.now = r.now.Add(time.Millisecond)
		return r.now
	}
}

// rot is three damaged files: one in the store, one that the store lost, one in the database.
type rot struct {
	rotting
	bodies map[string][]byte
	copies blob.Store
}

func onEachRot(t *testing.T, test func(t *testing.T, r rot)) {
	onEachRotting(t, func(t *testing.T, r rotting) {
		r.ticking()
		all := rot{r, map[string][]byte{"wrong": blobtest.Bytes(1, 5000), "lost": blobtest.Bytes(2, 6000), "small": blobtest.Bytes(3, 300)}, openDisk(t)}
		for file, body := range all.bodies {
			if err := r.publish(t.Context(), at(file), body); err != nil {
				t.Fatal(err)
			}
			blobtest.Put(t, all.copies, body)
		}
		all.damage(t)
		test(t, all)
	})
}

func (r rot) damage(t *testing.T) {
	t.Helper()
	r.flip(t, r.bodies["wrong"], 77)
	r.flip(t, r.bodies["small"], 78)
	if err := r.Blobs.Delete(t.Context(), blobtest.Digest(r.bodies["lost"])); err != nil {
		t.Fatal(err)
	}
}

// wantServed reads all files.
func (r rot) wantServed(t *testing.T) {
	t.Helper()
	for file, body := range r.bodies {
		if got, err := r.read(t.Context(), at(file)); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s: %d bytes, %v", file, len(got), err)
		}
	}
}

// named is the file of a digest.
func (r rot) named(d blob.Digest) string {
	for file, body := range r.bodies {
		if blobtest.Digest(body) == d {
			return file
		}
	}
	return d.String()
}

// check runs a check that reads all, and returns what it found by the file's name.
func (r rot) check(t *testing.T, mend *registry.Mend) map[string]registry.Finding {
	t.Helper()
	found := map[string]registry.Finding{}
	check := registry.Check{
		Records: r.Records, Store: r.store, Read: registry.AllBlobs(), Age: registry.Grace, Now: r.Now, Mend: mend,
		Tell: func(f registry.Finding) error { found[r.named(f.Digest)] = f; return nil },
	}
	if _, err := check.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestRepairUnmarks: what the scrub has marked is served again as soon as a check has
// repaired it, and an event tells of each; also of those that were not marked before.
func TestRepairUnmarks(t *testing.T) { onEachRot(t, testRepairUnmarks) }

func testRepairUnmarks(t *testing.T, r rot) {
	for round, scrubbed := range []bool{true, false} {
		if scrubbed {
			if found, err := r.scrub(t); err != nil || len(found) != 3 {
				t.Fatalf("found %v, %v", found, err)
			}
		}
		found := r.check(t, &registry.Mend{From: copiesIn{r.copies.(blob.Source)}, Into: r.store})
		if len(found) != 3 || !found["wrong"].Mended || !found["lost"].Mended || !found["small"].Mended {
			t.Errorf("found %+v", found)
		}
		if n, err := r.Records.CountMarks(t.Context()); err != nil || n != 0 {
			t.Errorf("%d marks, %v", n, err)
		}
		r.wantServed(t)
		if damaged, repaired := r.events(t, audit.BlobDamaged), r.events(t, audit.BlobRepaired); damaged != 3*(round+1) || repaired != damaged {
			t.Errorf("round %d: %d events tell of damage, %d of repair", round, damaged, repaired)
		}
		r.damage(t)
	}
}

// TestRepairAsksEachCopy: a copy that is wrong, or not there, is passed by and named; where
// the right one was is told.
func TestRepairAsksEachCopy(t *testing.T) {
	r := newRotOnDisk(t)
	empty, wrong := openDisk(t).(blob.Source), openDisk(t)
	for _, body := range r.bodies {
		d := blobtest.Digest(body)
		up, err := wrong.Create(t.Context(), blob.Declared{Size: -1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := up.Write(append([]byte("x"), body[1:]...)); err != nil {
			t.Fatal(err)
		}
		if err := up.Commit(d); err != nil {
			t.Fatal(err)
		}
	}
	for file, f := range r.check(t, &registry.Mend{From: copiesIn{empty, wrong.(blob.Source)}, Into: r.store}) {
		if f.Mended || f.Refusal != "store 1: it has no such bytes; store 2: its bytes are damaged, too" {
			t.Errorf("%s: mended is %v, %q", file, f.Mended, f.Refusal)
		}
	}
	if n, err := r.Records.CountMarks(t.Context()); err != nil || n != 0 {
		t.Errorf("%d marks though nothing could be repaired, %v", n, err)
	}
	for file, f := range r.check(t, &registry.Mend{From: copiesIn{empty, wrong.(blob.Source), r.copies.(blob.Source)}, Into: r.store}) {
		if !f.Mended || f.From != "store 3" {
			t.Errorf("%s: %+v", file, f)
		}
	}
	r.wantServed(t)
}

func newRotOnDisk(t *testing.T) (r rot) {
	dir := filepath.Join(metadbtest.Memory(t), "blobs")
	store, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	r = rot{rotting{newRegistryOn(t, store), dir}, map[string][]byte{"wrong": blobtest.Bytes(1, 5000), "lost": blobtest.Bytes(2, 6000), "small": blobtest.Bytes(3, 300)}, openDisk(t)}
	r.ticking()
	for file, body := range r.bodies {
		if err := r.publish(t.Context(), at(file), body); err != nil {
			t.Fatal(err)
		}
		blobtest.Put(t, r.copies, body)
	}
	r.damage(t)
	return r
}

// TestMarksAreRepaired: a look at the marks repairs what it can, tells from where, and tries
// the rest again at the next look.
func TestMarksAreRepaired(t *testing.T) { onEachRot(t, testMarksAreRepaired) }

func testMarksAreRepaired(t *testing.T, r rot) {
	if found, err := r.scrub(t); err != nil || len(found) != 3 {
		t.Fatalf("found %v, %v", found, err)
	}
	var repaired, refused []string
	look := func(stores ...blob.Source) {
		t.Helper()
		repaired, refused = nil, nil
		err := r.CheckMarks(t.Context(), registry.MarksOptions{
			Rate: 1 << 30, From: copiesIn(stores),
			Repaired: func(d blob.Digest, where string) { repaired = append(repaired, d.String()+" "+where) },
			Refused:  func(d blob.Digest, why error) { refused = append(refused, why.Error()) },
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	empty := openDisk(t).(blob.Source)
	for range 2 {
		if look(empty); len(repaired) > 0 || !slices.Equal(refused, slices.Repeat([]string{"it has no such bytes"}, 3)) {
			t.Errorf("from an empty store: %q, %q", repaired, refused)
		}
	}
	if look(empty, r.copies.(blob.Source)); len(repaired) != 3 || len(refused) > 0 || !strings.HasSuffix(repaired[0], " store 2") {
		t.Errorf("%q, %q", repaired, refused)
	}
	r.checkMarks(t, 0)
	r.wantServed(t)
	if n := r.events(t, audit.BlobRepaired); n != 3 {
		t.Errorf("%d events tell of repair", n)
	}
}

// TestRepairUnderFaults: whichever step of a repair fails, kept or not, no wrong byte is
// served, and the next run repairs all.
func TestRepairUnderFaults(t *testing.T) {
	for _, side := range []string{"store", "records"} {
		for _, kept := range []bool{false, true} {
			for n := 1; ; n++ {
				failed := true
				t.Run(fmt.Sprintf("%s %d kept %v", side, n, kept), func(t *testing.T) { failed = repairUnderFault(t, side, n, kept) })
				if !failed {
					if n < 4 {
						t.Errorf("%s: there were only %d operations", side, n-1)
					}
					break
				}
			}
		}
	}
}

func repairUnderFault(t *testing.T, side string, n int, kept bool) (failed bool) {
	r := newRotOnDisk(t)
	for file, m := range map[string]registry.DamageMark{
		"wrong": {Kind: blob.OtherBytes}, "small": {Kind: blob.OtherBytes, Aside: true}, "lost": {Kind: blob.Missing, Aside: true},
	} {
		m.Digest = blobtest.Digest(r.bodies[file])
		if marked, err := r.Records.MarkDamaged(t.Context(), m, r.now, audit.Event{At: r.Now()}); err != nil || !marked {
			t.Fatal(marked, err)
		}
	}
	if err := r.LearnMarks(t.Context()); err != nil { // a disk sends wrong bytes as they are until they are aside
		t.Fatal(err)
	}
	if side == "store" {
		r.store.Fail(blobtest.Fault{Nth: n, Kept: kept})
	} else {
		r.ledger.fail(n, kept)
	}
	ignore := func(blob.Digest, error) {}
	o := registry.MarksOptions{Rate: 1 << 30, From: copiesIn{r.copies.(blob.Source)}, Repaired: func(blob.Digest, string) {}, Refused: ignore}
	_ = r.CheckMarks(t.Context(), o)
	if failed = r.store.Failed() || r.ledger.failed; !failed {
		r.store.Fail(blobtest.Fault{Op: "none"})
		r.ledger.fail(0, false)
	}
	for file, body := range r.bodies {
		if got, err := r.read(t.Context(), at(file)); err == nil && !bytes.Equal(got, body) {
			t.Errorf("%s is served wrong: %d bytes", file, len(got))
		}
	}
	if err := r.CheckMarks(t.Context(), o); err != nil {
		t.Error(err)
	}
	r.checkMarks(t, 0)
	r.wantServed(t)
	return failed
}

// writesWrong is a store whose disk loses a byte of all that is written to it.
type writesWrong struct {
	*blobtest.Faulty
	path func(blob.Digest) string
}

type wrongUpload struct {
	blob.Upload
	path func(blob.Digest) string
}

func (s writesWrong) Create(ctx context.Context, d blob.Declared) (blob.Upload, error) {
	up, err := s.Faulty.Create(ctx, d)
	return wrongUpload{up, s.path}, err
}

func (u wrongUpload) Commit(d blob.Digest) error {
	err := u.Upload.Commit(d)
	info, failed := os.Stat(u.path(d))
	if failed == nil {
		failed = os.Truncate(u.path(d), info.Size()-1)
	}
	return errors.Join(err, failed)
}

// TestRepairThatDoesNotReadBack: bytes that a disk has not kept as they were written are set
// aside again, and not served. A disk that does keep them gets them at the next try.
func TestRepairThatDoesNotReadBack(t *testing.T) {
	r := newRotOnDisk(t)
	path := func(d blob.Digest) string { return filepath.Join(r.dir, d.String()[:2], d.String()) }
	found := r.check(t, &registry.Mend{From: copiesIn{r.copies.(blob.Source)}, Into: writesWrong{r.store, path}})
	for _, file := range []string{"wrong", "lost"} {
		d := blobtest.Digest(r.bodies[file])
		if f := found[file]; f.Mended || f.Refusal != "they were written, and do not read back" {
			t.Errorf("%s: mended is %v, %q", file, f.Mended, f.Refusal)
		}
		if mark, err := r.Records.FindMark(t.Context(), d); err != nil || !mark.Aside {
			t.Errorf("%s: %+v, %v", file, mark, err)
		}
		if got, err := os.ReadFile(filepath.Join(r.dir, "damaged", d.String())); err != nil || len(got) != len(r.bodies[file])-1 {
			t.Errorf("%s: %d bytes are set aside, %v", file, len(got), err)
		}
		if got, err := r.read(t.Context(), at(file)); err == nil {
			t.Errorf("%s is served: %d bytes", file, len(got))
		}
	}
	r.check(t, &registry.Mend{From: copiesIn{r.copies.(blob.Source)}, Into: r.store})
	r.checkMarks(t, 0)
	r.wantServed(t)
}

// TestRepairBesideScrub: checks that repair, the scrub and its looks at marks, and a
// publisher of the same bytes, all at once: right bytes are never set aside for good.
func TestRepairBesideScrub(t *testing.T) { onEachRot(t, testRepairBesideScrub) }

func testRepairBesideScrub(t *testing.T, r rot) {
	mend := func() *registry.Mend {
		return &registry.Mend{From: copiesIn{r.copies.(blob.Source)}, Into: r.store}
	}
	for round := range 8 {
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				check := registry.Check{
					Records: r.Records, Store: r.store, Read: registry.AllBlobs(), Age: registry.Grace, Now: r.Now, Mend: mend(),
					Tell: func(registry.Finding) error { return nil },
				}
				if _, err := check.Run(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Go(func() {
			if err := r.Scrub(t.Context(), registry.ScrubOptions{Period: time.Nanosecond, Rate: 1 << 30}); err != nil {
				t.Error(err)
			}
			if err := r.CheckMarks(t.Context(), registry.MarksOptions{Rate: 1 << 30}); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			for file, body := range r.bodies {
				if err := r.publish(t.Context(), at(file), body); err != nil && !fault.Is(err, fault.Unavailable) {
					t.Error(err)
				}
			}
		})
		all.Wait()
		if err := r.CheckMarks(t.Context(), registry.MarksOptions{Rate: 1 << 30}); err != nil {
			t.Error(err)
		}
		r.check(t, mend())
		for file, body := range r.bodies {
			if got, err := r.read(t.Context(), at(file)); err != nil || !bytes.Equal(got, body) {
				t.Fatalf("round %d: %s: %d bytes, %v", round, file, len(got), err)
			}
		}
		r.checkMarks(t, 0)
		r.damage(t)
	}
}

// TestRepairFromWhatDoesNotAnswer: a place that fails is named, and changes nothing.
func TestRepairFromWhatDoesNotAnswer(t *testing.T) {
	r := newRotOnDisk(t)
	for file, f := range r.check(t, &registry.Mend{From: awayPlace{}, Into: r.store}) {
		if f.Mended || f.Refusal != errAway.Error() {
			t.Errorf("%s: %+v", file, f)
		}
	}
	if n, err := r.Records.CountMarks(t.Context()); err != nil || n != 0 {
		t.Errorf("%d marks, %v", n, err)
	}
}

var errAway = errors.New("the place is away")

type awayPlace struct{}

func (awayPlace) Copies(context.Context, registry.Wanted) ([]registry.Copy, error) {
	return nil, errAway
}
