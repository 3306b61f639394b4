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

func testVersionFiles(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	var packageID int64
	for _, name := range []string{"b", "a%2Fb", "a-", "a", "B", "a%2Bb"} { // "a/b" stands after "a-"
		packageID = s.publish(t, publication(p.ID, "tool", "1.0.0", name)).PackageID
	}
	again := publication(p.ID, "tool", "1.0.0", "a")
	again.Digest, again.Small, again.Size = digest([]byte("newer")), []byte("newer"), 5
	newest := s.publish(t, again)
	large := publication(p.ID, "tool", "1.0.0", "large")
	must(t, 0, s.PinBlob(t.Context(), large.Digest, large.Size, now()))
	large.Small = nil
	s.publish(t, large)
	s.publish(t, publication(p.ID, "tool", "2.0.0", "elsewhere"))

	files, err := s.VersionFiles(t.Context(), packageID, 100)
	must(t, 0, err)
	paths := []string{}
	for _, f := range files {
		paths = append(paths, f.Name.Path())
		if f.Small == (f.Name == "large") {
			t.Errorf("%s is kept in the database: %v", f.Name, f.Small)
		}
	}
	want := []string{"B", "a", "b", "large"}
	for _, name := range []string{"a%2Fb", "a-", "a%2Bb"} {
		want = append(want, registry.FileName(name).Path())
	}
	slices.Sort(want)
	wantSame(t, "paths", paths, want)
	wantSame(t, "the newest", files[slices.Index(paths, "a")], registry.VersionFile{
		ID: newest.ID, Name: "a", Size: 5, Digest: again.Digest, Small: true, CreatedAt: again.Now,
	})
	files, err = s.VersionFiles(t.Context(), packageID, 3)
	wantSame(t, "files", len(must(t, files, err)), 3)
	files, err = s.VersionFiles(t.Context(), 999999, 3)
	wantSame(t, "files of none", len(must(t, files, err)), 0)
}

func testFindContent(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.publish(t, publication(p.ID, "tool", "1.0.0", "content"))
	empty := publication(p.ID, "tool", "1.0.0", "empty")
	empty.Small, empty.Size, empty.Digest = []byte{}, 0, digest(nil)
	s.publish(t, empty)
	for text, d := range map[string]blob.Digest{"content": digest([]byte("content")), "": digest(nil)} {
		content, err := s.FindContent(t.Context(), d)
		if must(t, content, err) == nil || string(content) != text {
			t.Errorf("%q, want %q", content, text)
		}
	}
}

func testFindNoContent(t *testing.T, s *suite) {
	pinned := digest([]byte(s.name("pinned")))
	must(t, 0, s.PinBlob(t.Context(), pinned, 1, now()))
	for _, d := range []blob.Digest{pinned, digest([]byte(s.name("unknown")))} {
		_, err := s.FindContent(t.Context(), d)
		wantKind(t, err, fault.NotFound)
	}
}

func testFindDamagedContent(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	wrong := publication(p.ID, "tool", "1.0.0", s.name("wrong"))
	wrong.Small = []byte("not these")
	s.publish(t, wrong)
	_, err := s.FindContent(t.Context(), wrong.Digest)
	wantDamage(t, err)
}

func testEditVersion(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	h := s.hook(t, p.ID)
	before := s.version(t, p.ID, "tool", "1.0.0", registry.StatusHidden)
	at := before.UpdatedAt.Add(time.Hour)
	first, second := s.event(), s.event()
	v, err := s.EditVersion(t.Context(), p.ID, "tool", "1.0.0", at, func(v *registry.PackageVersion) ([]audit.Event, error) {
		wantSame(t, "the version before", v.Package, before)
		v.Status, v.YankedAt, v.YankReason, v.Deprecation = registry.StatusDeprecated, new(at), "leaks", "use 2"
		return []audit.Event{first, second}, nil
	})
	must(t, 0, err)
	want := registry.PackageVersion{Package: before, YankedAt: &at, YankReason: "leaks", Deprecation: "use 2"}
	want.Status, want.UpdatedAt = registry.StatusDeprecated, at
	wantSame(t, "what is returned", v, want)
	kept, err := s.SelectVersion(t.Context(), p.ID, "tool", "1.0.0", nil)
	wantSame(t, "what is kept", must(t, kept, err), want)
	s.wantTold(t, first, 1)
	s.wantTold(t, second, 1)
	must(t, 0, s.DeleteHook(t.Context(), p.ID, h.ID, s.event()))
	undone := s.edited(t, p.ID, "1.0.0", func(v *registry.PackageVersion) {
		v.Status, v.YankedAt, v.YankReason, v.Deprecation = registry.StatusDefault, nil, "", ""
	})
	want.Status, want.YankedAt, want.YankReason, want.Deprecation, want.UpdatedAt = registry.StatusDefault, nil, "", "", undone.UpdatedAt
	wantSame(t, "undone", undone, want)
}

func testEditVersionNot(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.0.0")
	before, err := s.SelectVersion(t.Context(), p.ID, "tool", "1.0.0", nil)
	must(t, 0, err)
	e := s.event()
	_, err = s.EditVersion(t.Context(), p.ID, "tool", "1.0.0", now(), func(v *registry.PackageVersion) ([]audit.Event, error) {
		yank(v)
		return []audit.Event{e}, errRefused
	})
	wantRefused(t, err)
	_, err = s.EditVersion(t.Context(), p.ID, "tool", "1.0.0", now(), func(*registry.PackageVersion) ([]audit.Event, error) { return nil, nil })
	must(t, 0, err)
	s.wantTold(t, e, 0)
	after, err := s.SelectVersion(t.Context(), p.ID, "tool", "1.0.0", nil)
	wantSame(t, "the version", must(t, after, err), before)
}

func testEditNoVersion(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	gone := s.version(t, p.ID, "tool", "1.0.0", registry.StatusDefault)
	s.drop(t, gone)
	s.version(t, p.ID, "tool", "2.0.0", registry.StatusError)
	for _, v := range []registry.Version{"1.0.0", "2.0.0", "3.0.0"} {
		_, err := s.EditVersion(t.Context(), p.ID, "tool", v, now(), func(*registry.PackageVersion) ([]audit.Event, error) {
			t.Error("change was called")
			return nil, nil
		})
		wantKind(t, err, fault.NotFound)
	}
}

func testKeepCRC32(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	f := s.publish(t, publication(p.ID, "tool", "1.0.0", s.name("summed")))
	crc := func() (uint32, bool) {
		t.Helper()
		files, err := s.VersionFiles(t.Context(), f.PackageID, 1)
		must(t, 0, err)
		return files[0].CRC32, files[0].Summed
	}
	if _, summed := crc(); summed {
		t.Error("there is a CRC-32 before it was kept")
	}
	for _, offered := range []uint32{0xfedcba98, 1} {
		must(t, 0, s.KeepCRC32(t.Context(), f.Digest, offered))
		if got, summed := crc(); got != 0xfedcba98 || !summed {
			t.Errorf("%x, %v", got, summed)
		}
	}
	must(t, 0, s.KeepCRC32(t.Context(), digest([]byte(s.name("unknown"))), 1))
}

func testKeyVersions(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.0.0", "1.0.0-a", "nightly")
	n, err := s.KeyVersions(t.Context(), 10)
	wantSame(t, "versions without a key", must(t, n, err), 0)
}
