package daemon

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
	notes := map[string][]byte{"records/head": []byte("head"), "records/1.base": blobtest.Bytes(4, 6<<20), "history/none": {}}
	for name, text := range notes {
		blobtest.PutNoteOf(t, store, name, text)
	}
	blobtest.PutNoteOf(t, store, identityNote, []byte("the store of these records"))
	const size = 1 + 100_000 + 12<<20
	for i, step := range []struct {
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
		wantNotes(t, step.to, notes)
		if i == 1 {
			notes["records/head"] = []byte("tail") // replaces the copy, which has its size
			blobtest.PutNoteOf(t, store, "records/head", notes["records/head"])
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
	if mark, err := readIdentity(store.Note(t.Context(), identityNote)); err != nil || mark != "the store of these records" {
		t.Errorf("the copy has the identity %q, %v", mark, err)
	}
	other := filepath.Join(dir, "other")
	taken, err := disk.Open(other)
	if err != nil {
		t.Fatal(err)
	}
	blobtest.PutNoteOf(t, taken, identityNote, []byte("the store of others"))
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

// wantNotes checks that these notes are in a store, and the identity.
func wantNotes(t *testing.T, at config.Config, want map[string][]byte) {
	t.Helper()
	s, err := openSource(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(s)
	got := map[string][]byte{}
	for info, err := range s.Notes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Note(t.Context(), info.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got[info.Name], err = io.ReadAll(r); err != nil {
			t.Error(err)
		}
		_ = r.Close()
	}
	if _, there := got[identityNote]; !there {
		t.Errorf("%s has no identity", at.Blobs)
	}
	delete(got, identityNote)
	// Not by cmp, which takes ten seconds to compare 6 MiB, byte by byte.
	if !maps.EqualFunc(want, got, bytes.Equal) {
		t.Errorf("notes in %s: %v, want %v, or their bytes differ", at.Blobs, slices.Collect(maps.Keys(got)), slices.Collect(maps.Keys(want)))
	}
}

// TestMigrateStorageGoesOn: a copy that ends before its last note is not the store of the
// records yet; the next run makes it that.
func TestMigrateStorageGoesOn(t *testing.T) {
	dir := t.TempDir()
	from := config.Config{Blobs: config.Location{Scheme: "file", Path: filepath.Join(dir, "from")}}
	to := config.Config{Blobs: config.Location{Scheme: "file", Path: filepath.Join(dir, "to")}}
	source, err := disk.Open(from.Blobs.Path)
	if err != nil {
		t.Fatal(err)
	}
	target, err := disk.Open(to.Blobs.Path)
	if err != nil {
		t.Fatal(err)
	}
	body := blobtest.Bytes(1, 100_000)
	blobtest.Put(t, source, body)
	notes := map[string][]byte{"a": []byte("first"), "records/head": []byte("head")}
	for name, text := range notes {
		blobtest.PutNoteOf(t, source, name, text)
	}
	blobtest.PutNoteOf(t, source, identityNote, []byte("ours"))
	blobtest.PutNoteOf(t, target, "records", []byte("in the way of a folder"))

	_, err = MigrateStorage(t.Context(), from, to, false, func(Copied) {})
	if err == nil || !strings.Contains(err.Error(), "copying the note records/head") || !strings.Contains(err.Error(), "run it again to continue") {
		t.Errorf("with a file in the way: %v", err)
	}
	if identity, err := readIdentity(target.Note(t.Context(), identityNote)); err != nil || identity != "" {
		t.Errorf("a part of a copy has the identity %q, %v", identity, err)
	}
	if err := target.DeleteNote(t.Context(), "records"); err != nil {
		t.Fatal(err)
	}
	done, err := MigrateStorage(t.Context(), from, to, false, func(Copied) {})
	if err != nil || done.Present != 1 {
		t.Errorf("again: %+v, %v", done, err)
	}
	wantNotes(t, to, notes)
}

// What is no file in the place of a blob is named, and not copied.
func TestMigrateStorageOfWhatIsNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from := config.Config{Blobs: config.Location{Scheme: "file", Path: filepath.Join(dir, "from")}}
	to := config.Config{Blobs: config.Location{Scheme: "file", Path: filepath.Join(dir, "to")}}
	source, err := disk.Open(from.Blobs.Path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range 3 {
		body := blobtest.Bytes(uint64(i), 1000)
		blobtest.Put(t, source, body)
		names = append(names, blobIn(from.Blobs.Path, string(body)))
	}
	err = errors.Join(os.Rename(names[0], filepath.Join(dir, "moved")), os.Symlink(filepath.Join(dir, "moved"), names[0]),
		os.Remove(names[1]), os.Mkdir(names[1], 0o700))
	if err != nil {
		t.Fatal(err)
	}
	done, err := MigrateStorage(t.Context(), from, to, false, func(Copied) {})
	if err == nil || done.Blobs != 1 || len(done.Damaged) != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	for _, name := range names[:2] {
		if !strings.Contains(err.Error(), filepath.Base(name)) {
			t.Errorf("%v; want also %s", err, filepath.Base(name))
		}
	}
}
