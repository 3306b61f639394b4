package recordstest

import (
	"slices"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/registry"
)

func publishing() []promise {
	return []promise{
		{"PinBlob", "keeps the bytes from the sweep, also those that it touches again", testPinBlob},
		{"AddFile", "makes the package if it is new, and records the file", testAddFile},
		{"AddFile", "gives the package a status, and tells of a new one", testAddFileStatus},
		{"AddFile", "is Refused with NoDuplicate, if there is a file of the name", testAddFileDuplicate},
		{"AddFile", "is Precondition if the condition does not hold", testAddFileCondition},
		{"AddFile", "is Hidden if the project is gone", testAddFileGone},
		{"AddFile", "goes with Unreleased Into an open version, if there is the release", testAddFileUnreleased},
		{"AddFile", "is Conflict if the version does not take the file", testAddFileNotTaken},
		{"AddFile", "is Unavailable if bytes without Small are not pinned, or were swept", testAddFileSwept},
		{"AddFile", "is Unavailable if bytes without Small are marked as damaged", testAddFileMarked},
		{"AddFile", "is Unavailable with Restored, if bytes without Small are marked as damaged", testAddFileRestoredMarked},
		{"AddFile", "records with Restored that a file has its bytes again", testAddFileRestored},
		{"AddFile", "is Unavailable with Restored, if the file was removed", testAddFileRestoredGone},
		{"TouchDownloads", "counts downloads, and records the last", testTouchDownloads},
	}
}

// swept are the digests that a sweep of what nobody touched since before takes.
func (s *suite) swept(t *testing.T, before time.Time) (digests []blob.Digest) {
	t.Helper()
	for {
		_, found, err := s.SweepBlob(t.Context(), before, func(d blob.Digest) error {
			digests = append(digests, d)
			return nil
		})
		if must(t, found, err); !found {
			return digests
		}
	}
}

func testPinBlob(t *testing.T, s *suite) {
	s.clean(t)
	d, at := digest([]byte(s.name("bytes"))), now()
	must(t, 0, s.PinBlob(t.Context(), d, 5, at.Add(-time.Hour)))
	must(t, 0, s.PinBlob(t.Context(), d, 5, at))
	wantSame(t, "what is swept", len(s.swept(t, at)), 0)
	wantSame(t, "what is swept later", s.swept(t, at.Add(time.Second)), []blob.Digest{d})
}

func testAddFile(t *testing.T, s *suite) {
	s.clean(t)
	u, _, p := s.home(t)
	first, second := publication(p.ID, "tool", "1", "one"), s.stored(t, publication(p.ID, "tool", "1", "two"))
	first.CreatorID, first.Event, second.Event = u.ID, s.event(), s.event()
	var packageID int64
	for _, pub := range []registry.Publication{first, second} {
		f := s.publish(t, pub)
		if packageID == 0 {
			packageID = f.PackageID
		}
		wantSame(t, "what is returned", f, registry.File{
			ID: f.ID, PackageID: packageID, ProjectID: p.ID, Name: pub.Coordinates.File, Size: pub.Size, Digest: pub.Digest, Status: registry.StatusDefault, CreatedAt: pub.Now,
		})
		wantSame(t, "the target", s.wantTold(t, pub.Event, 1).Target, audit.Target{Type: "PackageFile", ID: f.ID, Details: "tool/1/" + string(f.Name)})
	}
	k, err := s.FindPackage(t.Context(), p.ID, packageID)
	if must(t, k, err); k.CreatorID != u.ID || !k.CreatedAt.Equal(first.Now) || !k.UpdatedAt.Equal(second.Now) || k.Status != registry.StatusDefault {
		t.Errorf("%+v, want one made by %d at %v, changed at %v", k, u.ID, first.Now, second.Now)
	}
	wantSame(t, "swept", len(s.swept(t, now().Add(time.Hour))), 0) // both have files
}

func testAddFileNotTaken(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.0.0")
	s.drafted(t, p.ID, "2.0.0", "a")
	for version, takes := range map[string][]registry.Into{
		"1.0.0": {registry.IntoOpen, registry.IntoEither}, "2.0.0": {registry.IntoDraft, registry.IntoEither},
	} {
		for _, into := range []registry.Into{registry.IntoOpen, registry.IntoDraft, registry.IntoEither} {
			put := publication(p.ID, "tool", version, "b")
			put.Into, put.Event = into, s.event()
			_, err := s.AddFile(t.Context(), put)
			if slices.Contains(takes, into) {
				must(t, 0, err)
				s.wantTold(t, put.Event, 1)
				continue
			}
			wantKind(t, err, fault.Conflict)
			s.wantTold(t, put.Event, 0)
		}
	}
}

func testAddFileStatus(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	var changed audit.Event
	for _, step := range []struct {
		status *registry.Status
		want   registry.Status
		told   int
	}{{new(registry.StatusHidden), registry.StatusHidden, 0}, {nil, registry.StatusHidden, 0}, {new(registry.StatusDefault), registry.StatusDefault, 1}} {
		pub := publication(p.ID, "tool", "1", "file")
		pub.Status, pub.Event = step.status, s.event()
		f := s.publish(t, pub)
		k, err := s.FindPackage(t.Context(), p.ID, f.PackageID)
		wantSame(t, "the status", must(t, k, err).Status, step.want)
		s.wantTold(t, pub.Event, 1)
		changed = audit.Event{Name: audit.PackageStatusUpdated, At: pub.Event.At}
		s.wantTold(t, changed, step.told)
	}
	told := s.wantTold(t, changed, 1)
	wantSame(t, "the change", told.Change, audit.Change{What: "status", From: "hidden", To: "default"})
}

func testAddFileDuplicate(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	there := s.publish(t, publication(p.ID, "tool", "1", "file"))
	pub := publication(p.ID, "tool", "1", "file")
	pub.NoDuplicate, pub.Event = true, s.event()
	_, err := s.AddFile(t.Context(), pub)
	wantKind(t, err, fault.Refused)
	s.wantTold(t, pub.Event, 0)
	found, _, err := s.FindFile(t.Context(), p.ID, pub.Coordinates)
	wantSame(t, "the file", must(t, found, err).ID, there.ID)
	for _, c := range []registry.Coordinates{{Name: "tool", Version: "1", File: "other"}, {Name: "tool", Version: "2", File: "file"}} {
		pub.Coordinates = c
		s.publish(t, pub)
	}
}

func testAddFileCondition(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	none, some := &registry.Condition{NoneMatch: &registry.Tags{Any: true}}, &registry.Condition{Match: &registry.Tags{Any: true}}
	there := &registry.Condition{Match: &registry.Tags{Digests: []registry.Digest{digest([]byte("file"))}}}
	for _, step := range []struct {
		name string
		c    *registry.Condition
		ok   bool
	}{{"some", some, false}, {"this", there, false}, {"none", none, true}, {"none", none, false}, {"some", some, true}, {"this", there, true}} {
		pub := publication(p.ID, "tool", "1", "file")
		pub.If, pub.Event = step.c, s.event()
		_, err := s.AddFile(t.Context(), pub)
		if step.ok {
			must(t, 0, err)
		} else {
			wantKind(t, err, fault.Precondition)
			s.wantTold(t, pub.Event, 0)
		}
	}
	found, err := s.ListPackages(t.Context(), registry.PackageFilter{Projects: []int64{p.ID}}, all())
	files, err := s.ListFiles(t.Context(), rows(t, found, err)[0].ID, all())
	wantSame(t, "files", len(rows(t, files, err)), 3)
}

func testAddFileGone(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	must(t, 0, s.DeleteProject(t.Context(), p.ID, now(), quiet()))
	for _, pub := range []registry.Publication{publication(p.ID, "tool", "1", "a"), s.stored(t, publication(p.ID, "tool", "1", "b")), publication(999999, "tool", "1", "c")} {
		pub.Event = s.event()
		_, err := s.AddFile(t.Context(), pub)
		wantKind(t, err, fault.Hidden)
		s.wantTold(t, pub.Event, 0)
	}
}

func testAddFileSwept(t *testing.T, s *suite) {
	s.clean(t)
	_, _, p := s.home(t)
	pub := publication(p.ID, "tool", "1", s.name("file"))
	pub.Small, pub.Event = nil, s.event()
	for _, pinned := range []bool{false, true} {
		if pinned {
			s.stored(t, pub)
			wantSame(t, "swept", s.swept(t, pub.Now.Add(time.Second)), []blob.Digest{pub.Digest})
		}
		_, err := s.AddFile(t.Context(), pub)
		wantKind(t, err, fault.Unavailable)
	}
	s.wantTold(t, pub.Event, 0)
	found, err := s.ListPackages(t.Context(), registry.PackageFilter{Projects: []int64{p.ID}}, all())
	wantSame(t, "packages", len(rows(t, found, err)), 0)
	s.publish(t, s.stored(t, pub))
}

// restored is a publication that says of a file that it has its bytes again.
func (s *suite) restored(p registry.Publication, f registry.File) registry.Publication {
	p.Restored, p.Event, p.Now = &f, s.event(), now()
	return p
}

func testAddFileRestored(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	lost := publication(p.ID, "tool", "1", s.name("lost"))
	right := lost
	lost.Small = []byte("other bytes")
	f := s.publish(t, lost)
	again := s.restored(right, f)
	again.Status = new(registry.StatusDeprecated)
	wantSame(t, "what is returned", s.publish(t, again).ID, f.ID)
	found, small, err := s.FindFile(t.Context(), p.ID, lost.Coordinates)
	wantSame(t, "the file", must(t, found, err).ID, f.ID)
	wantSame(t, "its bytes", small, right.Small)
	k, err := s.FindPackage(t.Context(), p.ID, f.PackageID)
	wantSame(t, "the status", must(t, k, err).Status, registry.StatusDeprecated)
	wantSame(t, "the target", s.wantTold(t, again.Event, 1).Target.ID, f.ID)
}

func testAddFileRestoredGone(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	check := func(registry.Package, registry.File) (audit.Event, error) { return quiet(), nil }
	pub := publication(p.ID, "tool", "1", "file")
	f := s.publish(t, pub)
	must(t, 0, s.RemoveFile(t.Context(), registry.Removed{ProjectID: p.ID, PackageID: f.PackageID, Now: now()}, f.ID, check))
	again := s.restored(pub, f)
	_, err := s.AddFile(t.Context(), again)
	wantKind(t, err, fault.Unavailable)
	s.wantTold(t, again.Event, 0)
	f = s.publish(t, pub)
	k, err := s.FindPackage(t.Context(), p.ID, f.PackageID)
	must(t, 0, err)
	must(t, 0, s.RemovePackage(t.Context(), removed(k), func(registry.Package) (audit.Event, error) { return quiet(), nil }))
	_, err = s.AddFile(t.Context(), s.restored(pub, f))
	wantKind(t, err, fault.Unavailable)
}
