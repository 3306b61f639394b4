package registry_test

import (
	"fmt"
	"sync"
	"testing"

	"granary/internal/blob/blobtest"
	"granary/internal/registry"
)

// TestCheckCountsAnew: wrong numbers of files are corrected if that is asked for.
func TestCheckCountsAnew(t *testing.T) {
	c := checkedDisk(t)
	for file, set := range map[string]string{"large-7": "files = files + 3", "small-7": "files = files - 1", "upload-1": "files = 0"} {
		d := c.digest(file)
		c.exec(t, `UPDATE blobs SET `+set+` WHERE digest = $1`, d[:])
	}
	want := []string{"uses  upload-1", "uses 2.0.0 large-7", "uses in the database 2.0.0 small-7"}
	c.wants(t, nil, want...)
	for i := range want {
		want[i] += " mended"
	}
	c.wants(t, func(o *registry.Check) { o.Mend = &registry.Mend{Counts: true} }, want...)
	c.wants(t, reading)
}

// TestCountAnewBesidePublishers: a count that is corrected while others publish and delete
// is right afterwards.
func TestCountAnewBesidePublishers(t *testing.T) {
	r := newRegistry(t)
	r.ticking()
	body := blobtest.Bytes(1, 5000)
	d := blobtest.Digest(body)
	if err := r.publish(t.Context(), at("first"), body); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for p := range 4 {
		all.Go(func() {
			for i := range 10 {
				c := registry.Raw{Name: "tool", Version: fmt.Sprintf("%d.%d.0", p+2, i), File: "file"}
				err := r.publish(t.Context(), c, body)
				if err == nil && i%2 == 0 {
					err = r.DeleteVersion(t.Context(), r.admin, r.project, c, nil)
				}
				if err == nil && i%4 == 0 {
					_, err = r.ledger.PurgeDeleted(t.Context(), 100, r.Now())
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 30 {
		if err := r.Records.CountAnew(t.Context(), d); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
	k, err := r.Records.KeptBlob(t.Context(), d)
	if err != nil || k.Files != k.Uses || k.Files < 21 {
		t.Errorf("%d files are counted, there are %d, %v", k.Files, k.Uses, err)
	}
}
