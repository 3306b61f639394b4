package recordstest

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/registry"
)

func scrubbing() []promise {
	return []promise{
		{"FindScrub", "returns what was kept last", testKeepScrub},
		{"KeepScrub", "replaces what was kept", testKeepScrub},
		{"BlobsAfter", "returns what files and uploads have, by digest, from a digest on", testBlobsAfter},
		{"MarkDamaged", "marks a blob once, and tells once", testMarkDamaged},
		{"MarkDamaged", "does nothing without a file", testMarkNothing},
		{"MarkDamaged", "takes back that a blob is set aside", testMarkAgain},
		{"SetAside", "is told by the mark, and moves once", testSetAside},
		{"SetAside", "changes nothing if the move fails", testSetAsideFails},
		{"SetAside", "moves nothing without a mark", testSetAsideNothing},
		{"RemoveMark", "removes a mark once, and tells once", testRemoveMark},
		{"RemoveMark", "leaves a mark that has changed", testRemoveChangedMark},
		{"FindMark", "returns the mark, and whether the database keeps the bytes", testMarkDamaged},
		{"FindMark", "is NotFound if there is none", testFindNoMark},
		{"MarksAfter", "returns marks by digest, from a digest on", testMarksAfter},
		{"NotAside", "returns the digests of marks that are not Aside, in their order", testNotAside},
		{"NotAside", "returns no more than the limit", testNotAside},
		{"CountMarks", "counts them", testMarksAfter},
		{"FilesWith", "returns the newest files with the bytes", testFilesWith},
	}
}

func testKeepScrub(t *testing.T, s *suite) {
	for _, after := range [][]byte{nil, bytes.Repeat([]byte{7}, 32)} {
		want := registry.ScrubState{After: append([]byte{}, after...), Began: now(), Since: now().Add(-time.Hour)}
		must(t, 0, s.KeepScrub(t.Context(), want))
		got, err := s.FindScrub(t.Context())
		must(t, got, err)
		got.After = append([]byte{}, got.After...) // empty may be nil
		wantSame(t, "the state", got, want)
	}
}

func testBlobsAfter(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	crc := uint32(7)
	small, large := publication(p.ID, "tool", "1", s.name("small")), s.stored(t, publication(p.ID, "tool", "1", s.name("large")))
	small.CRC32 = &crc
	s.publish(t, small)
	s.publish(t, large)
	up := s.upload(t, newUpload(p.ID, u.ID, s.name("upload")))
	lone := digest([]byte(s.name("lone")))
	must(t, 0, s.PinBlob(t.Context(), lone, 4, now()))
	want := map[blob.Digest]registry.StoredBlob{
		small.Digest: {Digest: small.Digest, Size: small.Size, Small: true, Summed: true},
		large.Digest: {Digest: large.Digest, Size: large.Size},
		up.Digest:    {Digest: up.Digest, Size: up.Size, Small: true},
	}
	found := map[blob.Digest]registry.StoredBlob{}
	var after []byte
	for {
		step, err := s.BlobsAfter(t.Context(), after, 2)
		if must(t, step, err); len(step) == 0 {
			break
		}
		for _, b := range step {
			if bytes.Compare(b.Digest[:], after) <= 0 {
				t.Errorf("%s comes after %x", b.Digest, after)
			}
			if _, ours := want[b.Digest]; ours || b.Digest == lone {
				found[b.Digest] = b
			}
			after = b.Digest[:]
		}
		if len(step) > 2 {
			t.Errorf("%d blobs, the limit is 2", len(step))
		}
	}
	wantSame(t, "the blobs", found, want)
}

// marked publishes a file and marks its bytes.
func (s *suite) marked(t *testing.T, pub registry.Publication, m registry.DamageMark) registry.DamageMark {
	t.Helper()
	s.publish(t, pub)
	m.Digest = pub.Digest
	if m.Kind == "" {
		m.Kind = blob.OtherBytes
	}
	marked, err := s.MarkDamaged(t.Context(), m, now(), quiet())
	if must(t, marked, err); !marked {
		t.Fatal("it was not marked")
	}
	return m
}

func (s *suite) wantMark(t *testing.T, want registry.DamageMark) {
	t.Helper()
	got, err := s.FindMark(t.Context(), want.Digest)
	wantSame(t, "the mark", must(t, got, err), want)
}

func testMarkDamaged(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	small, large := publication(p.ID, "tool", "1", s.name("small")), s.stored(t, publication(p.ID, "tool", "1", s.name("large")))
	s.publish(t, small)
	s.publish(t, large)
	for _, want := range []registry.DamageMark{
		{Digest: small.Digest, Kind: blob.OtherBytes, Small: true, Aside: true}, {Digest: large.Digest, Kind: blob.OtherSize},
	} {
		e := s.event()
		for _, first := range []bool{true, false} {
			marked, err := s.MarkDamaged(t.Context(), want, now(), e)
			wantSame(t, "marked", must(t, marked, err), first)
		}
		s.wantMark(t, want)
		told := s.wantTold(t, e, 1)
		wantSame(t, "the target", told.Target.Details, want.Digest.String())
	}
}

func testMarkNothing(t *testing.T, s *suite) {
	d := digest([]byte(s.name("nobody's")))
	must(t, 0, s.PinBlob(t.Context(), d, 4, now()))
	for _, d := range []blob.Digest{d, digest([]byte(s.name("unknown")))} {
		e := s.event()
		marked, err := s.MarkDamaged(t.Context(), registry.DamageMark{Digest: d, Kind: blob.Missing}, now(), e)
		wantSame(t, "marked", must(t, marked, err), false)
		s.wantTold(t, e, 0)
	}
}

func testFindNoMark(t *testing.T, s *suite) {
	_, err := s.FindMark(t.Context(), digest([]byte(s.name("unmarked"))))
	wantKind(t, err, fault.NotFound)
}

func testSetAside(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	pub := s.stored(t, publication(p.ID, "tool", "1", s.name("large")))
	m := s.marked(t, pub, registry.DamageMark{})
	s.wantMark(t, m)
	moved := 0
	for range 2 {
		must(t, 0, s.SetAside(t.Context(), m.Digest, func() error { moved++; return nil }))
		m.Aside = true
		s.wantMark(t, m)
	}
	wantSame(t, "moves", moved, 1)
}

func testSetAsideFails(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	m := s.marked(t, s.stored(t, publication(p.ID, "tool", "1", s.name("large"))), registry.DamageMark{})
	failed := errors.New("the store is away")
	if err := s.SetAside(t.Context(), m.Digest, func() error { return failed }); !errors.Is(err, failed) {
		t.Errorf("%v, want %v", err, failed)
	}
	s.wantMark(t, m)
}

func testSetAsideNothing(t *testing.T, s *suite) {
	must(t, 0, s.SetAside(t.Context(), digest([]byte(s.name("unmarked"))), func() error {
		t.Error("it moves what has no mark")
		return nil
	}))
}

func testMarkAgain(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	m := s.marked(t, s.stored(t, publication(p.ID, "tool", "1", s.name("large"))), registry.DamageMark{Aside: true})
	e := s.event()
	for _, aside := range []bool{true, false, true} {
		again := m
		again.Aside = aside
		marked, err := s.MarkDamaged(t.Context(), again, now(), e)
		wantSame(t, "marked", must(t, marked, err), false)
		m.Aside = m.Aside && aside // only SetAside sets aside
		s.wantMark(t, m)
	}
	s.wantTold(t, e, 0)
}

func testRemoveChangedMark(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	m := s.marked(t, s.stored(t, publication(p.ID, "tool", "1", s.name("large"))), registry.DamageMark{})
	other, e := m, s.event()
	other.Aside = true
	removed, err := s.RemoveMark(t.Context(), other, e)
	wantSame(t, "removed", must(t, removed, err), false)
	s.wantMark(t, m)
	s.wantTold(t, e, 0)
}

func testRemoveMark(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	m := s.marked(t, s.stored(t, publication(p.ID, "tool", "1", s.name("large"))), registry.DamageMark{})
	e := s.event()
	for _, first := range []bool{true, false} {
		removed, err := s.RemoveMark(t.Context(), m, e)
		wantSame(t, "removed", must(t, removed, err), first)
	}
	s.wantTold(t, e, 1)
	_, err := s.FindMark(t.Context(), m.Digest)
	wantKind(t, err, fault.NotFound)
}

func testMarksAfter(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	before, err := s.CountMarks(t.Context())
	must(t, before, err)
	want := map[blob.Digest]registry.DamageMark{}
	for range 3 {
		m := s.marked(t, s.stored(t, publication(p.ID, "tool", "1", s.name("large"))), registry.DamageMark{})
		want[m.Digest] = m
	}
	n, err := s.CountMarks(t.Context())
	wantSame(t, "marks", must(t, n, err), before+3)
	found := map[blob.Digest]registry.DamageMark{}
	var order [][]byte
	for after := []byte(nil); ; after = order[len(order)-1] {
		step, err := s.MarksAfter(t.Context(), after, 2)
		if must(t, step, err); len(step) == 0 {
			break
		}
		for _, m := range step {
			order = append(order, m.Digest[:])
			if _, ours := want[m.Digest]; ours {
				found[m.Digest] = m
			}
		}
	}
	wantSame(t, "the marks", found, want)
	if !slices.IsSortedFunc(order, bytes.Compare) {
		t.Error("they are not in order")
	}
}

func testNotAside(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	want := map[blob.Digest]bool{}
	for _, aside := range []bool{false, true, false, true, false} {
		m := s.marked(t, s.stored(t, publication(p.ID, "tool", "1", s.name("large"))), registry.DamageMark{Aside: aside})
		want[m.Digest] = !aside
	}
	const most = 1000 // more than other tests leave
	all, err := s.NotAside(t.Context(), most)
	must(t, all, err)
	for _, d := range all {
		if ours, known := want[d]; known && !ours {
			t.Errorf("%s is aside", d)
		}
		delete(want, d)
	}
	for d, there := range want {
		if there {
			t.Errorf("%s is not there", d)
		}
	}
	if !slices.IsSortedFunc(all, func(a, b blob.Digest) int { return bytes.Compare(a[:], b[:]) }) {
		t.Error("they are not in order")
	}
	first, err := s.NotAside(t.Context(), 2)
	wantSame(t, "the first two", must(t, first, err), all[:2])
	must(t, 0, s.SetAside(t.Context(), all[0], func() error { return nil }))
	first, err = s.NotAside(t.Context(), 1)
	wantSame(t, "after one was set aside", must(t, first, err), all[1:2])
}

func testFilesWith(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	pub := publication(p.ID, "tool", "1", s.name("file"))
	var want []registry.FileAt
	for _, version := range []string{"3", "2", "1"} {
		want = append(want, registry.FileAt{Project: p.FullPath, Package: "tool", Version: version, File: pub.Coordinates.File})
	}
	for _, version := range []registry.Version{"1", "2", "3"} {
		pub.Coordinates.Version = version
		s.publish(t, pub)
	}
	for _, limit := range []int{2, 10} {
		got, err := s.FilesWith(t.Context(), pub.Digest, limit)
		wantSame(t, "the files", must(t, got, err), want[:min(limit, 3)])
	}
	none, err := s.FilesWith(t.Context(), digest([]byte(s.name("nobody's"))), 10)
	wantSame(t, "files of nobody", len(must(t, none, err)), 0)
}

// testAddFileMarked: bytes that are kept with their record replace the damaged ones, so
// that their mark refuses no file.
func testAddFileMarked(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	pub := s.stored(t, publication(p.ID, "tool", "1", s.name("large")))
	m := s.marked(t, pub, registry.DamageMark{})
	_, err := s.AddFile(t.Context(), pub)
	wantKind(t, err, fault.Unavailable)
	removed, err := s.RemoveMark(t.Context(), m, quiet())
	must(t, removed, err)
	s.publish(t, pub)

	small := publication(p.ID, "tool", "1", s.name("small"))
	s.marked(t, small, registry.DamageMark{Aside: true})
	s.publish(t, small)
}

// testAddFileRestoredMarked: a mark of either state was made after the bytes were stored, for who
// stores them removes the one that is there.
func testAddFileRestoredMarked(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	for _, aside := range []bool{false, true} {
		pub := s.stored(t, publication(p.ID, "tool", "1", s.name("large")))
		f := s.publish(t, pub)
		m := registry.DamageMark{Digest: pub.Digest, Kind: blob.OtherBytes, Aside: aside}
		marked, err := s.MarkDamaged(t.Context(), m, now(), quiet())
		wantSame(t, "marked", must(t, marked, err), true)
		again := s.restored(pub, f)
		again.Status = new(registry.StatusDeprecated)
		_, err = s.AddFile(t.Context(), again)
		wantKind(t, err, fault.Unavailable)
		s.wantTold(t, again.Event, 0)
		k, err := s.FindPackage(t.Context(), p.ID, f.PackageID)
		wantSame(t, "the status", must(t, k, err).Status, registry.StatusDefault)
		removed, err := s.RemoveMark(t.Context(), m, quiet())
		wantSame(t, "removed", must(t, removed, err), true)
		again.Status = nil
		wantSame(t, "the file", s.publish(t, again).ID, f.ID)
	}
	small := publication(p.ID, "tool", "1", s.name("small"))
	f := s.publish(t, small)
	marked, err := s.MarkDamaged(t.Context(), registry.DamageMark{Digest: small.Digest, Kind: blob.OtherBytes, Small: true, Aside: true}, now(), quiet())
	wantSame(t, "marked", must(t, marked, err), true)
	wantSame(t, "the small file", s.publish(t, s.restored(small, f)).ID, f.ID)
}

func testSweepMarked(t *testing.T, s *suite) {
	s.clean(t)
	_, _, p := s.home(t)
	pub := s.stored(t, publication(p.ID, "tool", "1", s.name("large")))
	s.marked(t, pub, registry.DamageMark{})
	must(t, 0, s.DeleteProject(t.Context(), p.ID, now(), quiet()))
	s.clean(t)
	_, err := s.FindMark(t.Context(), pub.Digest)
	wantKind(t, err, fault.NotFound)
}
