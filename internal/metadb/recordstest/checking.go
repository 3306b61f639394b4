package recordstest

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/registry"
)

func checking() []promise {
	return []promise{
		{"CountRecords", "counts files, versions and blobs", testCountRecords},
		{"BlobRows", "returns a range by digest", testKeptBlobs},
		{"Miscounted", "goes through all blobs, and finds those with other files", testMiscounted},
		{"KeptBlob", "returns one", testKeptBlobs},
		{"KeptBlob", "is NotFound if none is on record", testNoKeptBlob},
		{"BlobUses", "returns files and then uploads, the newest first", testBlobUses},
		{"BlobUses", "leaves out what was removed", testBlobUsesRemoved},
		{"MendContent", "replaces the bytes", testMendContent},
		{"MendContent", "is NotFound if the database keeps none", testMendNoContent},
		{"CountAnew", "leaves a right number, and what is not on record", testCountAnew},
	}
}

func testCountRecords(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	before, err := s.CountRecords(t.Context())
	must(t, 0, err)
	s.publish(t, publication(p.ID, "tool", "1", s.name("counted")))
	s.publish(t, publication(p.ID, "tool", "1", s.name("counted")))
	after, err := s.CountRecords(t.Context())
	must(t, 0, err)
	wantSame(t, "more", after, registry.RecordCounts{Files: before.Files + 2, Versions: before.Versions + 1, Blobs: before.Blobs + 2})
}

func testKeptBlobs(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	twice := publication(p.ID, "tool", "1", s.name("kept"))
	s.publish(t, twice)
	twice.Coordinates.Version = "2"
	s.publish(t, twice)
	f := s.publish(t, s.stored(t, publication(p.ID, "tool", "1", s.name("in the store"))))
	empty := publication(p.ID, "tool", "3", s.name("empty"))
	empty.Small, empty.Size, empty.Digest = []byte{}, 0, digest([]byte(s.name("an empty one")))
	s.publish(t, empty)
	up := s.upload(t, newUpload(p.ID, u.ID, s.name("kept upload")))
	pinned := digest([]byte(s.name("pinned")))
	must(t, 0, s.PinBlob(t.Context(), pinned, 77, now()))
	want := []registry.BlobRow{
		{Digest: twice.Digest, Size: twice.Size, Inline: twice.Size, Used: true}, {Digest: f.Digest, Size: f.Size, Inline: -1, Used: true},
		{Digest: empty.Digest, Used: true}, {Digest: up.Digest, Size: up.Size, Inline: up.Size, Used: true}, {Digest: pinned, Size: 77, Inline: -1},
	}
	inOrder := func(a, b registry.BlobRow) int { return bytes.Compare(a.Digest[:], b.Digest[:]) }
	slices.SortFunc(want, inOrder)
	all, err := s.BlobRows(t.Context(), blob.Digest{}, want[4].Digest, 10_000)
	must(t, 0, err)
	for _, row := range want {
		uses := map[blob.Digest]int64{twice.Digest: 2, pinned: 0}
		if _, known := uses[row.Digest]; !known {
			uses[row.Digest] = 1
		}
		one, err := s.KeptBlob(t.Context(), row.Digest)
		if must(t, one, err).ID == 0 {
			t.Error("a row has no id")
		}
		wantSame(t, "one", one, registry.KeptBlob{BlobRow: row, ID: one.ID, Files: uses[row.Digest], Uses: uses[row.Digest]})
		if !slices.Contains(all, row) {
			t.Errorf("there is no %+v among all", row)
		}
	}
	wantSame(t, "the last", all[len(all)-1], want[4])
	if !slices.IsSortedFunc(all, inOrder) {
		t.Error("all are not in order")
	}
	between, err := s.BlobRows(t.Context(), want[1].Digest, want[3].Digest, 10_000)
	wantSame(t, "the first of a range", must(t, between, err)[0], want[1])
	wantSame(t, "the last of a range", between[len(between)-1], want[3])
	few, err := s.BlobRows(t.Context(), blob.Digest{}, want[4].Digest, 2)
	wantSame(t, "two", must(t, few, err), all[:2])
}

// testMiscounted finds nothing: nothing that records do makes a count wrong. What is bent
// by hand, the tests of metadb and registry find.
func testMiscounted(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	for range 5 {
		s.publish(t, publication(p.ID, "tool", "1", s.name("counted")))
	}
	steps := 0
	for after := int64(0); ; steps++ {
		wrong, last, err := s.Miscounted(t.Context(), after, 2)
		wantSame(t, "wrong", len(must(t, wrong, err)), 0)
		if last == 0 {
			break
		}
		if last <= after {
			t.Fatalf("after %d comes %d", after, last)
		}
		after = last
	}
	if steps < 2 {
		t.Errorf("%d steps of two, of at least five blobs", steps)
	}
}

func testNoKeptBlob(t *testing.T, s *suite) {
	_, err := s.KeptBlob(t.Context(), digest([]byte(s.name("unknown"))))
	wantKind(t, err, fault.NotFound)
}

func testBlobUses(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	name := s.name("used")
	up := s.upload(t, newUpload(p.ID, u.ID, name))
	first := publication(p.ID, "tool", "1", name)
	s.publish(t, first)
	first.Coordinates.Version = "2"
	s.publish(t, first)
	k, err := s.KeptBlob(t.Context(), up.Digest)
	must(t, 0, err)
	path := g.Path + "/" + p.Path
	want := []registry.Use{
		{Project: path, Package: "tool", Version: "2", File: name}, {Project: path, Package: "tool", Version: "1", File: name}, {Project: path, File: name},
	}
	for limit := range 5 {
		uses, err := s.BlobUses(t.Context(), k.ID, limit)
		wantSame(t, "uses", append([]registry.Use{}, must(t, uses, err)...), want[:min(limit, 3)])
	}
}

func testBlobUsesRemoved(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	doomed := s.project(t, g.ID, u)
	name := s.name("used")
	s.publish(t, publication(doomed.ID, "tool", "1", name))
	s.upload(t, newUpload(doomed.ID, u.ID, name))
	must(t, 0, s.DeleteProject(t.Context(), doomed.ID, now(), quiet()))
	f := s.publish(t, publication(p.ID, "tool", "1", name))
	v, err := s.FindPackage(t.Context(), p.ID, f.PackageID)
	must(t, 0, err)
	must(t, 0, s.RemovePackage(t.Context(), removed(v), func(registry.Package) (audit.Event, error) { return quiet(), nil }))
	f = s.publish(t, publication(p.ID, "tool", "2", name))
	must(t, 0, s.RemoveFile(t.Context(), registry.Removed{ProjectID: p.ID, PackageID: f.PackageID, Now: now()}, f.ID,
		func(registry.Package, registry.File) (audit.Event, error) { return quiet(), nil }))
	k, err := s.KeptBlob(t.Context(), f.Digest)
	wantSame(t, "all uses", must(t, k, err).Uses, 4)
	uses, err := s.BlobUses(t.Context(), k.ID, 10)
	wantSame(t, "uses", len(must(t, uses, err)), 0)
}

func testMendContent(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	right := publication(p.ID, "tool", "1", s.name("mended"))
	wrong := right
	wrong.Small = []byte("not these")
	s.publish(t, wrong)
	must(t, 0, s.MendContent(t.Context(), right.Digest, right.Small))
	content, err := s.FindContent(t.Context(), right.Digest)
	wantSame(t, "the bytes", must(t, content, err), right.Small)
	_, small, err := s.FindFile(t.Context(), p.ID, right.Coordinates)
	wantSame(t, "the bytes of the file", must(t, small, err), right.Small)
}

func testMendNoContent(t *testing.T, s *suite) {
	pinned := digest([]byte(s.name("pinned")))
	must(t, 0, s.PinBlob(t.Context(), pinned, 1, time.Now()))
	for _, d := range []blob.Digest{pinned, digest([]byte(s.name("unknown")))} {
		wantKind(t, s.MendContent(t.Context(), d, []byte("x")), fault.NotFound)
	}
}

func testCountAnew(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	up := newUpload(p.ID, u.ID, s.name("counted"))
	s.upload(t, up)
	again := newUpload(p.ID, u.ID, s.name("counted again"))
	again.Digest, again.Size, again.Small = up.Digest, up.Size, up.Small
	s.upload(t, again)
	before, err := s.KeptBlob(t.Context(), up.Digest)
	must(t, 0, err)
	for _, d := range []blob.Digest{up.Digest, digest([]byte(s.name("unknown")))} {
		must(t, 0, s.CountAnew(t.Context(), d))
	}
	after, err := s.KeptBlob(t.Context(), up.Digest)
	wantSame(t, "the blob", must(t, after, err), before)
	wantSame(t, "its files", after.Files, 2)
}
