package records_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"granary/internal/blob"
	"granary/internal/records"
)

// packOf packs bodies, which must fit into one.
func packOf(t *testing.T, bodies ...string) (blob.Digest, []byte) {
	t.Helper()
	var p records.Packer
	for _, b := range bodies {
		if !p.Add(sha256.Sum256([]byte(b)), []byte(b)) {
			t.Fatalf("a pack has no room for %d bytes", len(b))
		}
	}
	name, pack := p.Finish()
	return name, bytes.Clone(pack)
}

// bodiesOf reads a pack.
func bodiesOf(r io.Reader, name blob.Digest) (bodies []string, err error) {
	err = records.ReadPack(r, name, func(d blob.Digest, body []byte) error {
		if d != sha256.Sum256(body) {
			return fmt.Errorf("%s was passed on with other bytes", d)
		}
		bodies = append(bodies, string(body))
		return nil
	})
	return bodies, err
}

func TestPackGivesBackItsBodies(t *testing.T) {
	want := []string{"one", "", "three\x00three", "one"}
	name, pack := packOf(t, want...)
	got, err := bodiesOf(bytes.NewReader(pack), name)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("ReadPack = %q, %v; want %q", got, err, want)
	}
	index, err := records.ReadPackIndex(bytes.NewReader(pack))
	if err != nil || len(index) != len(want) {
		t.Fatalf("ReadPackIndex = %v, %v; want %d entries", index, err, len(want))
	}
	for i, e := range index {
		body := pack[e.Offset : e.Offset+e.Size]
		if string(body) != want[i] || e.Digest != sha256.Sum256(body) {
			t.Errorf("entry %d leads to %q, want %q", i, body, want[i])
		}
	}
}

func TestEmptyPackIsAPack(t *testing.T) {
	name, pack := packOf(t)
	if got, err := bodiesOf(bytes.NewReader(pack), name); err != nil || len(got) > 0 {
		t.Errorf("ReadPack = %q, %v; want nothing", got, err)
	}
	if index, err := records.ReadPackIndex(bytes.NewReader(pack)); err != nil || len(index) > 0 {
		t.Errorf("ReadPackIndex = %v, %v; want nothing", index, err)
	}
}

// Any damage is an error, and no wrong byte is passed on before it.
func TestDamagedPackIsRefused(t *testing.T) {
	name, pack := packOf(t, "one", "", "three")
	refuse := func(what string, damaged []byte) {
		t.Helper()
		if got, err := bodiesOf(bytes.NewReader(damaged), name); !errors.Is(err, records.ErrPack) {
			t.Errorf("%s: ReadPack = %q, %v; want ErrPack", what, got, err)
		}
	}
	for n := range pack {
		refuse(fmt.Sprintf("cut after %d bytes", n), pack[:n])
	}
	refuse("a byte too many", append(bytes.Clone(pack), 0))
	for bit := range 8 * len(pack) {
		damaged := bytes.Clone(pack)
		damaged[bit/8] ^= 1 << (bit % 8)
		refuse(fmt.Sprintf("bit %d", bit), damaged)
	}
	_, other := packOf(t, "one", "", "threE")
	refuse("another pack under its name", other)
}

// An index that is read by itself is right, or refused: only what is in a body may be
// wrong, which shows when the body is compared with its digest.
func TestDamagedIndexIsRefused(t *testing.T) {
	_, pack := packOf(t, "one", "", "three")
	want, err := records.ReadPackIndex(bytes.NewReader(pack))
	if err != nil {
		t.Fatal(err)
	}
	for n := range pack {
		if got, err := records.ReadPackIndex(bytes.NewReader(pack[:n])); !errors.Is(err, records.ErrPack) {
			t.Errorf("cut after %d bytes: %v, %v; want ErrPack", n, got, err)
		}
	}
	for bit := range 8 * len(pack) {
		damaged := bytes.Clone(pack)
		damaged[bit/8] ^= 1 << (bit % 8)
		got, err := records.ReadPackIndex(bytes.NewReader(damaged))
		if err == nil && fmt.Sprint(got) != fmt.Sprint(want) || err != nil && !errors.Is(err, records.ErrPack) {
			t.Errorf("bit %d: %v, %v; want the index or ErrPack", bit, got, err)
		}
	}
}

// An error of the store that a pack comes from says nothing about the pack.
func TestPackThatCannotBeReadIsNotDamaged(t *testing.T) {
	name, pack := packOf(t, "one")
	lost := errors.New("the line broke")
	_, err := bodiesOf(io.MultiReader(bytes.NewReader(pack[:30]), failing{lost}), name)
	if !errors.Is(err, lost) || errors.Is(err, records.ErrPack) {
		t.Errorf("ReadPack = %v; want the error of the reader", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestFullPackIsInItsBounds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, most := range []int{40, records.MaxBody} {
		var p records.Packer
		for round := range 2 {
			var bodies int
			for {
				body := make([]byte, random.IntN(most+1))
				for i := range body {
					body[i] = byte(random.Uint32())
				}
				if !p.Add(sha256.Sum256(body), body) {
					break
				}
				bodies++
			}
			if p.Len() != bodies {
				t.Errorf("Len = %d, want %d", p.Len(), bodies)
			}
			name, pack := p.Finish()
			if len(pack) > records.PackSize || len(pack) < records.PackSize-most-100 {
				t.Errorf("round %d: a full pack has %d bytes, want nearly %d", round, len(pack), records.PackSize)
			}
			got, err := bodiesOf(bytes.NewReader(pack), name)
			if err != nil || len(got) != bodies {
				t.Errorf("round %d: %d bodies, %v; want %d", round, len(got), err, bodies)
			}
		}
	}
	var p records.Packer
	if p.Add(blob.Digest{}, make([]byte, records.MaxBody+1)) {
		t.Error("a body larger than MaxBody was taken")
	}
}

func TestKnownKnowsWhatWasAdded(t *testing.T) {
	const bodies = 20_000
	k := records.NewKnown()
	digest := func(i int) blob.Digest { return sha256.Sum256(fmt.Append(nil, i)) }
	at := func(i int) int64 { return 1<<(i%32) + int64(i%2) }
	for i := range bodies {
		k.Add(digest(i), int64(i), at(i))
		if i%5000 == 0 { // adding goes on after a question
			k.Has(digest(i), int64(i))
		}
	}
	for i := range bodies {
		if place, has := k.Has(digest(i), int64(i)); !has || place != at(i) {
			t.Fatalf("body %d: %d, %v", i, place, has)
		}
		if _, has := k.Has(digest(i), int64(i)+1); has {
			t.Fatalf("body %d is known with another size", i)
		}
		if _, has := k.Has(digest(bodies+i), int64(i)); has {
			t.Fatalf("body %d is known, and was never added", bodies+i)
		}
	}
	if k.Len() != bodies {
		t.Errorf("Len = %d, want %d", k.Len(), bodies)
	}
}

// TestKnownWithoutNumbers: a set whose bodies all have the number 1 gets others later.
func TestKnownWithoutNumbers(t *testing.T) {
	k := records.NewKnown()
	digest := func(i int) blob.Digest { return sha256.Sum256(fmt.Append(nil, i)) }
	const bodies = 3000
	for i := range bodies {
		k.Add(digest(i), 7, 1)
		k.Add(digest(i), 7, 1)
	}
	k.Compact()
	if k.Len() != bodies {
		t.Fatalf("Len = %d, want %d", k.Len(), bodies)
	}
	want := map[int]int64{bodies: 3, bodies + 1: 1}
	for i := range bodies {
		want[i] = 1
	}
	k.Add(digest(bodies), 7, 3)
	k.Add(digest(bodies+1), 7, 1)
	for i := 0; i < bodies; i += 3 {
		if !k.Move(digest(i), 7, 1, 1<<31) || k.Move(digest(i), 7, 1, 2) {
			t.Fatalf("body %d was not moved from 1 alone", i)
		}
		want[i] = 1 << 31
	}
	for i := range bodies + 3 {
		if place, has := k.Has(digest(i), 7); place != want[i] || has != (want[i] > 0) {
			t.Fatalf("body %d: %d, %v; want %d", i, place, has, want[i])
		}
	}
	k.Compact()
	if place, _ := k.Has(digest(0), 7); place != 1<<31 || k.Len() != bodies+2 {
		t.Errorf("after Compact: %d of %d", place, k.Len())
	}
}

// Two digests that agree in all bits but one, as nobody can find them, are still two.
func TestKnownTellsNearDigestsApart(t *testing.T) {
	k := records.NewKnown()
	var near blob.Digest
	near[31] = 1
	k.Add(near, 5, 1)
	if _, has := k.Has(blob.Digest{}, 5); has {
		t.Error("a digest counts as known because its first 255 bits are")
	}
}
