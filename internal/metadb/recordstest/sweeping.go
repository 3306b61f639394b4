package recordstest

import (
	"slices"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/registry"
)

func sweeping() []promise {
	return []promise{
		{"PurgeDeleted", "removes up to limit records of each kind, and touches their blobs", testPurgeDeleted},
		{"PurgeDeleted", "leaves what is not gone", testPurgeNothing},
		{"SweepBlob", "picks what no file refers to and nobody touched", testSweepBlob},
		{"SweepBlob", "removes the mark of the blob", testSweepMarked},
		{"SweepBlob", "is Unavailable and keeps the row if remove fails", testSweepBlobFails},
		{"AskSweep", "returns an id, and tells", testAskSweep},
	}
}

// fill gives a project two packages, two uploads and two releases, and to another
// project two packages, one of which is removed, and one without its file. It returns
// the digests of what is to go.
func (s *suite) fill(t *testing.T, u auth.User, doomed, other projects.Project) (gone []blob.Digest) {
	t.Helper()
	add := func(p registry.Publication) registry.File {
		gone = append(gone, p.Digest)
		return s.publish(t, p)
	}
	for _, n := range []string{"1", "2"} {
		add(publication(doomed.ID, "tool", n, s.name("file")))
		up := newUpload(doomed.ID, u.ID, s.name("upload"))
		gone = append(gone, up.Digest)
		s.upload(t, up)
		_, err := s.InsertRelease(t.Context(), newRelease(doomed.ID, u.ID, "v"+n), nil, roomy(), quiet())
		must(t, 0, err)
	}
	f := add(publication(other.ID, "tool", "1", s.name("file")))
	k, err := s.FindPackage(t.Context(), other.ID, f.PackageID)
	must(t, 0, err)
	must(t, 0, s.RemovePackage(t.Context(), removed(k), func(registry.Package) (audit.Event, error) { return quiet(), nil }))
	f = add(publication(other.ID, "tool", "2", s.name("file")))
	must(t, 0, s.RemoveFile(t.Context(), registry.Removed{ProjectID: other.ID, PackageID: f.PackageID, Now: now()}, f.ID,
		func(registry.Package, registry.File) (audit.Event, error) { return quiet(), nil }))
	return gone
}

// clean sweeps what tests have left behind.
func (s *suite) clean(t *testing.T) {
	t.Helper()
	for later := now().Add(24 * time.Hour); ; {
		n, err := s.PurgeDeleted(t.Context(), 100, later)
		if must(t, n, err); n == 0 {
			s.swept(t, later.Add(time.Second))
			return
		}
	}
}

func testPurgeDeleted(t *testing.T, s *suite) {
	s.clean(t)
	u, g, p := s.home(t)
	doomed := s.project(t, g.ID, u)
	gone := s.fill(t, u, doomed, p)
	must(t, 0, s.DeleteProject(t.Context(), doomed.ID, now(), quiet()))
	at := now().Add(time.Minute)
	wantSame(t, "swept before", len(s.swept(t, at.Add(time.Hour))), 0) // they have records
	total := 0
	for {
		n, err := s.PurgeDeleted(t.Context(), 1, at)
		if must(t, n, err); n == 0 {
			break
		}
		if total += n; n > 5 { // packages of projects and by themselves, files, uploads, releases
			t.Errorf("%d removed, want 1 of each kind at most", n)
		}
	}
	wantSame(t, "records", total, 2+2+2+1+1)
	n, err := s.PurgeDeleted(t.Context(), 100, at.Add(2*time.Hour))
	wantSame(t, "dates of removed files", must(t, n, err), 2)
	wantSame(t, "swept of what was touched", len(s.swept(t, at)), 0)
	swept := s.swept(t, at.Add(time.Second))
	for _, d := range gone {
		if !slices.Contains(swept, d) {
			t.Errorf("%v is not swept", d)
		}
	}
	wantSame(t, "swept", len(swept), len(gone))
}

func testPurgeNothing(t *testing.T, s *suite) {
	s.clean(t)
	u, _, p := s.home(t)
	k := s.version(t, p.ID, "tool", "1", registry.StatusHidden)
	up := s.upload(t, newUpload(p.ID, u.ID, "upload"))
	_, err := s.InsertRelease(t.Context(), newRelease(p.ID, u.ID, "v1"), nil, roomy(), quiet())
	must(t, 0, err)
	n, err := s.PurgeDeleted(t.Context(), 100, now())
	wantSame(t, "removed", must(t, n, err), 0)
	found, err := s.FindPackage(t.Context(), p.ID, k.ID)
	wantSame(t, "the package", must(t, found, err), k)
	_, err = s.FindUpload(t.Context(), registry.UploadAddress{ProjectID: p.ID, ID: up.ID})
	must(t, 0, err)
	left, err := s.ListReleases(t.Context(), p.ID, filterTag("v1"), all())
	wantSame(t, "releases", len(rows(t, left, err)), 1)
}

func testSweepBlob(t *testing.T, s *suite) {
	s.clean(t)
	u, _, p := s.home(t)
	at := now()
	s.publish(t, s.stored(t, publication(p.ID, "tool", "1", s.name("file"))))
	up := newUpload(p.ID, u.ID, s.name("upload"))
	s.upload(t, up)
	lone, fresh := digest([]byte("lone")), digest([]byte("fresh"))
	must(t, 0, s.PinBlob(t.Context(), fresh, 5, at.Add(time.Hour)))
	must(t, 0, s.PinBlob(t.Context(), lone, 4, at.Add(-time.Hour)))
	var got []blob.Digest
	size, found, err := s.SweepBlob(t.Context(), at, func(d blob.Digest) error {
		got = append(got, d)
		return nil
	})
	if must(t, size, err); !found || size != 4 {
		t.Errorf("found %v, of %d bytes, want 4", found, size)
	}
	wantSame(t, "what remove gets", got, []blob.Digest{lone})
	wantSame(t, "swept after", len(s.swept(t, at.Add(time.Minute))), 0)
	wantSame(t, "swept later", s.swept(t, at.Add(2*time.Hour)), []blob.Digest{fresh})
}

func testSweepBlobFails(t *testing.T, s *suite) {
	s.clean(t)
	d, at := digest([]byte("stays")), now()
	must(t, 0, s.PinBlob(t.Context(), d, 5, at.Add(-time.Hour)))
	_, found, err := s.SweepBlob(t.Context(), at, func(blob.Digest) error { return errRefused })
	wantKind(t, err, fault.Unavailable)
	wantRefused(t, err)
	wantSame(t, "found", found, false)
	wantSame(t, "swept after", s.swept(t, at), []blob.Digest{d})
}

func testAskSweep(t *testing.T, s *suite) {
	e := s.event()
	first, err := s.AskSweep(t.Context(), e)
	wantSame(t, "the target's id", s.wantTold(t, e, 1).Target.ID, must(t, first, err))
	second, err := s.AskSweep(t.Context(), quiet())
	if must(t, second, err); second == first || first == 0 {
		t.Errorf("sweeps %d and %d, want two", first, second)
	}
}
