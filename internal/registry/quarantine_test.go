package registry_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/fault"
	"granary/internal/registry"
)

// TestCheckQuarantines: damage that a check finds is marked, wrong bytes are set aside and
// kept, and no longer served. Without it nothing changes.
func TestCheckQuarantines(t *testing.T) { onEachRot(t, testCheckQuarantines) }

func testCheckQuarantines(t *testing.T, r rot) {
	if found := r.check(t, nil); len(found) != 3 {
		t.Errorf("found %v", found)
	}
	if n, err := r.Records.CountMarks(t.Context()); err != nil || n != 0 {
		t.Errorf("%d marks of a check that only looks, %v", n, err)
	}
	quarantine := &registry.Mend{Into: r.store, Quarantine: true}
	for range 2 { // the second finds the same
		found := r.check(t, quarantine)
		if len(found) != 3 {
			t.Errorf("found %v", found)
		}
		for file, f := range found {
			if f.Mended || !f.Aside || f.NotAside != "" {
				t.Errorf("%s: %+v", file, f)
			}
		}
	}
	if n := r.events(t, audit.BlobDamaged); n != 3 {
		t.Errorf("%d events tell of damage", n)
	}
	r.checkMarks(t, 3)
	wrong := bytes.Clone(r.bodies["wrong"])
	wrong[77/8] ^= 1 << (77 % 8)
	if got, err := os.ReadFile(filepath.Join(r.dir, "damaged", blobtest.Digest(r.bodies["wrong"]).String())); err != nil || !bytes.Equal(got, wrong) {
		t.Errorf("%d bytes are set aside, %v", len(got), err)
	}
	for _, file := range []string{"wrong", "small"} {
		if got, err := r.read(t.Context(), at(file)); !fault.Is(err, fault.Unavailable) || len(got) > 0 {
			t.Errorf("%s is served: %d bytes, %v", file, len(got), err)
		}
	}
	found := r.check(t, &registry.Mend{From: copiesIn{r.copies.(blob.Source)}, Into: r.store, Quarantine: true})
	for file, f := range found {
		if !f.Mended || f.Aside {
			t.Errorf("%s: %+v", file, f)
		}
	}
	r.checkMarks(t, 0)
	r.wantServed(t)
}

// TestQuarantineOfMiscounted: what has no files on record cannot be marked. That is said, and
// nothing is moved; a repair needs no mark.
func TestQuarantineOfMiscounted(t *testing.T) {
	c := checkedDisk(t)
	d := c.digest("large-3")
	c.exec(t, `UPDATE blobs SET files = 0 WHERE digest = $1`, d[:])
	c.rewrite(t, "large-3", func(b []byte) []byte { b[7]++; return b })
	_, found := c.wants(t, func(o *registry.Check) {
		reading(o)
		o.Mend = &registry.Mend{Into: c.store, Quarantine: true}
	}, "uses 1.0.0 large-3", "wrong 1.0.0 large-3")
	if f := found[1]; f.Aside || !strings.Contains(f.NotAside, "number of files") {
		t.Errorf("%+v", f)
	}
	c.wants(t, c.mendingFrom(c.copies.(blob.Source)), "uses 1.0.0 large-3", "wrong 1.0.0 large-3 mended")
}
