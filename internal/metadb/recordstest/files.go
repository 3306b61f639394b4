package recordstest

import (
	"errors"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/registry"
)

func files() []promise {
	return []promise{
		{"FindFile", "returns the newest file, and its bytes", testFindFile},
		{"FindFile", "is NotFound if there is none that can be installed", testFindNoFile},
		{"FindFile", "returns a DamageError with the file", testFindDamagedFile},
		{"FindFileByID", "returns the file, and its bytes", testFindFile},
		{"FindFileByID", "returns a DamageError with the file", testFindDamagedFile},
		{"ListFiles", "returns the files of a package in any order", testListFiles},
		{"PageOfFiles", "returns the rows of ListFiles", testListFiles},
		{"RemoveFile", "removes the file, and frees its place", testRemoveFile},
		{"RemoveFile", "does nothing if check refuses", testRemoveFileRefused},
		{"RemoveFile", "is NotFound if there is none", testRemoveNoFile},
	}
}

// stored is a publication of bytes that are in the store, and pins them.
func (s *suite) stored(t *testing.T, p registry.Publication) registry.Publication {
	t.Helper()
	must(t, 0, s.PinBlob(t.Context(), p.Digest, p.Size, p.Now))
	p.Small = nil
	return p
}

func testFindFile(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	old := publication(p.ID, "tool", "1", "file")
	empty := publication(p.ID, "tool", "1", "empty")
	empty.Size, empty.Small, empty.Digest = 0, []byte{}, digest(nil)
	s.publish(t, old)
	newer := old
	newer.Small = []byte("newer bytes")
	newer.Size, newer.Digest, newer.Now = int64(len(newer.Small)), digest(newer.Small), now().Add(time.Second)
	for _, pub := range []registry.Publication{newer, empty, s.stored(t, publication(p.ID, "tool", "2", "large"))} {
		f := s.publish(t, pub)
		want := registry.File{
			ID: f.ID, PackageID: f.PackageID, Name: pub.Coordinates.File, Size: pub.Size, Digest: pub.Digest, Status: registry.StatusDefault, CreatedAt: pub.Now,
		}
		byID, small, err := s.FindFileByID(t.Context(), f.ID)
		wantSame(t, "the file by id", must(t, byID, err), want)
		wantSame(t, "its bytes", small, pub.Small)
		want.ProjectID = p.ID
		for range 2 { // the second time it may be remembered
			found, small, err := s.FindFile(t.Context(), p.ID, pub.Coordinates)
			must(t, 0, err)
			found.Twin = false
			wantSame(t, "the file", found, want)
			wantSame(t, "its bytes", small, pub.Small)
		}
	}
}

func testFindNoFile(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	for status, there := range map[registry.Status]bool{
		registry.StatusDefault: true, registry.StatusHidden: true, registry.StatusDeprecated: true,
		registry.StatusProcessing: false, registry.StatusError: false,
	} {
		k := s.version(t, p.ID, "tool", "1", status)
		_, _, err := s.FindFile(t.Context(), p.ID, registry.Coordinates{Name: k.Name, Version: k.Version, File: "file"})
		if there != (err == nil) || !there && !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v, installable: %v", status, err, there)
		}
	}
	s.version(t, p.ID, "tool", "1", registry.StatusDefault)
	for _, c := range []registry.Coordinates{{Name: "tool", Version: "1", File: "File"}, {Name: "tool", Version: "2", File: "file"}, {Name: "Tool", Version: "1", File: "file"}} {
		_, _, err := s.FindFile(t.Context(), p.ID, c)
		wantKind(t, err, fault.NotFound)
	}
	_, _, err := s.FindFile(t.Context(), s.project(t, g.ID, u).ID, registry.Coordinates{Name: "tool", Version: "1", File: "file"})
	wantKind(t, err, fault.NotFound)
	_, _, err = s.FindFileByID(t.Context(), 999999)
	wantKind(t, err, fault.NotFound)
}

func wantDamage(t *testing.T, err error) {
	t.Helper()
	if e, ok := errors.AsType[*blob.DamageError](err); !ok || e.Damage != blob.OtherBytes {
		t.Errorf("%v, want a blob.DamageError about the bytes", err)
	}
}

// testFindDamagedFile publishes bytes with the digest of others, as if they had rotted.
func testFindDamagedFile(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	pub := publication(p.ID, "tool", "1", s.name("damaged"))
	pub.Small = []byte("other bytes")
	f := s.publish(t, pub)
	for range 2 { // damage is not remembered as the file
		found, _, err := s.FindFile(t.Context(), p.ID, pub.Coordinates)
		wantDamage(t, err)
		wantSame(t, "the file", found.ID, f.ID)
	}
	found, _, err := s.FindFileByID(t.Context(), f.ID)
	wantDamage(t, err)
	wantSame(t, "the file", found.ID, f.ID)
}

func testListFiles(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	var packageID int64
	made := map[string]int64{}
	for i, name := range []string{"b", "c", "a"} {
		pub := publication(p.ID, "tool", "1", name)
		pub.Now = now().Add(time.Duration(-i) * time.Hour) // the last is the oldest
		f := s.publish(t, pub)
		packageID, made[name] = f.PackageID, f.ID
	}
	s.publish(t, publication(p.ID, "tool", "2", "other"))
	for order, want := range map[string]string{"id": "bca", "": "bca", "created_at": "acb", "file_name": "abc"} {
		for _, desc := range []bool{false, true} {
			ask := all()
			ask.OrderBy, ask.Desc = order, desc
			found, err := s.ListFiles(t.Context(), packageID, ask)
			names := ""
			for _, f := range rows(t, found, err) {
				if f.ID != made[string(f.Name)] || f.Digest != digest([]byte(f.Name)) {
					t.Errorf("%+v, want file %d", f, made[string(f.Name)])
				}
				if names += string(f.Name); desc {
					names = string(f.Name) + names[:len(names)-1]
				}
			}
			wantSame(t, order, names, want)
			ask.Number, ask.Size = 2, 2
			part, err := s.PageOfFiles(t.Context(), packageID, ask)
			if must(t, part, err); len(part) != 1 || part[0].ID != found.Rows[2].ID || part[0].Digest != found.Rows[2].Digest {
				t.Errorf("the second page by %s: %+v", order, part)
			}
		}
	}
}

func testRemoveFile(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	pub, e := publication(p.ID, "tool", "1", "file"), s.event()
	f := s.publish(t, pub)
	s.publish(t, publication(p.ID, "tool", "1", "other"))
	_, _, err := s.FindFile(t.Context(), p.ID, pub.Coordinates) // it may be remembered
	must(t, 0, err)
	gone := registry.Removed{ProjectID: p.ID, PackageID: f.PackageID, Now: now()}
	must(t, 0, s.RemoveFile(t.Context(), gone, f.ID, func(k registry.Package, got registry.File) (audit.Event, error) {
		if k.ID != f.PackageID || k.Name != "tool" || got.ID != f.ID || got.Name != "file" || !got.CreatedAt.Equal(pub.Now) {
			t.Errorf("check gets %+v and %+v, want file %d", k, got, f.ID)
		}
		return e, nil
	}))
	_, _, err = s.FindFile(t.Context(), p.ID, pub.Coordinates)
	wantKind(t, err, fault.NotFound)
	_, _, err = s.FindFileByID(t.Context(), f.ID)
	wantKind(t, err, fault.NotFound)
	left, err := s.ListFiles(t.Context(), f.PackageID, all())
	wantSame(t, "files", len(rows(t, left, err)), 1)
	s.wantTold(t, e, 1)
	pub.NoDuplicate = true // its place is free
	s.publish(t, pub)
}

func testRemoveFileRefused(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	f := s.publish(t, publication(p.ID, "tool", "1", "file"))
	gone := registry.Removed{ProjectID: p.ID, PackageID: f.PackageID, Now: now()}
	wantRefused(t, s.RemoveFile(t.Context(), gone, f.ID, func(registry.Package, registry.File) (audit.Event, error) { return audit.Event{}, errRefused }))
	_, _, err := s.FindFileByID(t.Context(), f.ID)
	must(t, 0, err)
}

func testRemoveNoFile(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	f, e := s.publish(t, publication(p.ID, "tool", "1", "file")), s.event()
	other := s.publish(t, publication(p.ID, "tool", "2", "file"))
	check := func(registry.Package, registry.File) (audit.Event, error) { return e, nil }
	for _, ends := range [][2]int64{{other.PackageID, f.ID}, {f.PackageID, 999999}, {999999, f.ID}} {
		gone := registry.Removed{ProjectID: p.ID, PackageID: ends[0], Now: now()}
		wantKind(t, s.RemoveFile(t.Context(), gone, ends[1], check), fault.NotFound)
	}
	s.wantTold(t, e, 0)
}
