package daemon

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"granary/internal/blob/blobtest"
	"granary/internal/blob/disk"
	"granary/internal/blob/s3/s3test"
	"granary/internal/config"
)

// TestMigrateStorage moves blobs from a disk into a bucket and back.
func TestMigrateStorage(t *testing.T) {
	bucket := s3test.Start(t)
	dir := t.TempDir()
	at := func(place string) config.Config {
		cfg, err := config.Config{S3AccessKeyID: s3test.AccessKeyID, S3SecretAccessKey: s3test.SecretAccessKey}.WithBlobs(place)
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	first := at("file:" + filepath.Join(dir, "first"))
	remote := at("s3://" + s3test.Bucket + "/moved?region=" + s3test.Region + "&endpoint=" + bucket.URL)
	last := at("file:" + filepath.Join(dir, "last"))

	store, err := disk.Open(first.Blobs.Path)
	if err != nil {
		t.Fatal(err)
	}
	bodies := [][]byte{blobtest.Bytes(1, 1), blobtest.Bytes(2, 100_000), blobtest.Bytes(3, 12<<20)}
	for _, body := range bodies {
		blobtest.Put(t, store, body)
	}
	if err := store.SetIdentity(t.Context(), "the store of these records"); err != nil {
		t.Fatal(err)
	}
	const size = 1 + 100_000 + 12<<20
	for _, step := range []struct {
		from, to config.Config
		want     Copied
	}{
		{first, remote, Copied{Blobs: 3, Bytes: size}},
		{remote, last, Copied{Blobs: 3, Bytes: size}},
		{first, last, Copied{Present: 3}},
	} {
		var told Copied
		got, err := MigrateStorage(t.Context(), step.from, step.to, true, func(c Copied) { told = c })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]Copied{step.want, step.want}, []Copied{got, told}); diff != "" {
			t.Errorf("from %s to %s: %s", step.from.Blobs, step.to.Blobs, diff)
		}
	}
	// The records have no part in it, wherever they are: nobody asks their database.
	away := first
	away.Database = config.Location{Scheme: "postgres", URL: "postgres://granary@127.0.0.1:1/granary?sslmode=disable"}
	if got, err := MigrateStorage(t.Context(), away, last, false, func(Copied) {}); err != nil || got.Present != 3 {
		t.Errorf("where the database is away: %+v, %v", got, err)
	}
	if store, err = disk.Open(last.Blobs.Path); err != nil {
		t.Fatal(err)
	}
	if mark, err := store.Identity(t.Context()); err != nil || mark != "the store of these records" {
		t.Errorf("the copy has the identity %q, %v", mark, err)
	}
	other := filepath.Join(dir, "other")
	if taken, err := disk.Open(other); err != nil || taken.SetIdentity(t.Context(), "the store of others") != nil {
		t.Fatal(err)
	}
	if _, err := MigrateStorage(t.Context(), last, at("file:"+other), false, func(Copied) {}); err == nil || !strings.Contains(err.Error(), "it is the store of other records") {
		t.Errorf("into the store of others: %v", err)
	}
	for _, body := range bodies {
		got, err := blobtest.Read(t.Context(), store, blobtest.Digest(body))
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("read %d bytes, %v, want all %d", len(got), err, len(body))
		}
	}
}
