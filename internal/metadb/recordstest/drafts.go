package recordstest

import (
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/registry"
)

func drafts() []promise {
	return []promise{
		{"FindNumber", "returns the package, its newest file of the name, and what is reserved", testFindNumber},
		{"FindNumber", "is Hidden if the project is deleted", testFindNumberGone},
		{"FindDraft", "returns a draft", testFindDraft},
		{"FindDraft", "is NotFound if there is none", testFindNoDraft},
		{"FinaliseVersion", "makes a draft final, with the newest file of each path", testFinaliseDraft},
		{"FinaliseVersion", "makes an open version final, and removes its older files", testFinaliseOpen},
		{"FinaliseVersion", "does nothing if judge refuses, or if it is final already", testFinaliseNot},
		{"FinaliseVersion", "is NotFound if there is no such version", testFinaliseNothing},
		{"FinaliseVersion", "is Conflict if the number is reserved for another manifest", testFinaliseReserved},
		{"DiscardDraft", "removes a draft, and tells", testDiscardDraft},
		{"DiscardDraft", "does nothing if check refuses", testDiscardRefused},
		{"DiscardDraft", "is NotFound if there is no draft", testDiscardNothing},
		{"ExpireDrafts", "removes drafts that nobody put a file into, up to the limit, and tells", testExpireDrafts},
	}
}

// drafted puts a file into a draft of the package tool.
func (s *suite) drafted(t *testing.T, projectID int64, version, file string) registry.File {
	t.Helper()
	p := publication(projectID, "tool", version, file)
	p.Into = registry.IntoDraft
	return s.publish(t, p)
}

// allowFinal decides that a version becomes final with the manifest.
func allowFinal(manifest string, e audit.Event) registry.Judge {
	return func(registry.PackageVersion, []registry.VersionFile) (registry.Final, error) {
		return registry.Final{Manifest: digest([]byte(manifest)), Status: registry.StatusDefault, Event: e}, nil
	}
}

func (s *suite) final(t *testing.T, projectID int64, version, manifest string) registry.PackageVersion {
	t.Helper()
	v, isNew, err := s.FinaliseVersion(t.Context(), projectID, "tool", registry.Version(version), allowFinal(manifest, quiet()))
	if must(t, v, err); !isNew {
		t.Errorf("tool %s was final before", version)
	}
	return v
}

func coordinates(version, file string) registry.Coordinates {
	return registry.Coordinates{Name: "tool", Version: registry.Version(version), File: registry.FileName(file)}
}

func testFindNumber(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	n, err := s.FindNumber(t.Context(), p.ID, coordinates("1.0.0", "a"))
	wantSame(t, "a free number", must(t, n, err), registry.Number{})
	s.drafted(t, p.ID, "1.0.0", "a")
	newest := s.drafted(t, p.ID, "1.0.0", "a")
	n, err = s.FindNumber(t.Context(), p.ID, coordinates("1.0.0", "a"))
	if must(t, n, err); n.Package == nil || n.Package.Status != registry.StatusDraft || n.Reserved != nil {
		t.Fatalf("a draft: %+v", n)
	}
	wantSame(t, "the newest file", *n.File, newest)
	s.final(t, p.ID, "1.0.0", "m")
	n, err = s.FindNumber(t.Context(), p.ID, coordinates("1.0.0", "b"))
	if must(t, n, err); n.Package.FinalAt == nil || n.File != nil || n.Reserved == nil || *n.Reserved.Manifest != digest([]byte("m")) {
		t.Errorf("a final version: %+v", n)
	}
	s.drop(t, *n.Package)
	n, err = s.FindNumber(t.Context(), p.ID, coordinates("1.0.0", "a"))
	if must(t, n, err); n.Package != nil || n.File != nil || n.Reserved == nil {
		t.Errorf("a deleted final version: %+v", n)
	}
}

func testFindNumberGone(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	must(t, 0, s.DeleteProject(t.Context(), p.ID, now(), quiet()))
	_, err := s.FindNumber(t.Context(), p.ID, coordinates("1.0.0", "a"))
	wantKind(t, err, fault.Hidden)
}

func testFindDraft(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	put := publication(p.ID, "tool", "1.0.0", "a")
	put.Into, put.Status = registry.IntoEither, new(registry.StatusHidden)
	f := s.publish(t, put)
	v, err := s.FindDraft(t.Context(), p.ID, "tool", "1.0.0")
	if must(t, v, err); v.ID != f.PackageID || v.Status != registry.StatusDraft || v.DraftStatus != registry.StatusHidden || v.FinalAt != nil {
		t.Errorf("%+v", v)
	}
}

func testFindNoDraft(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.0.0")
	for _, v := range []registry.Version{"1.0.0", "2.0.0"} {
		_, err := s.FindDraft(t.Context(), p.ID, "tool", v)
		wantKind(t, err, fault.NotFound)
	}
}

func testFinaliseDraft(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	h := s.hook(t, p.ID)
	s.drafted(t, p.ID, "1.0.0", "b")
	s.drafted(t, p.ID, "1.0.0", "a")
	newest := s.drafted(t, p.ID, "1.0.0", "b")
	e := s.event()
	v, isNew, err := s.FinaliseVersion(t.Context(), p.ID, "tool", "1.0.0", func(v registry.PackageVersion, files []registry.VersionFile) (registry.Final, error) {
		wantSame(t, "its status", v.Status, registry.StatusDraft)
		if len(files) != 2 || files[0].Name != "a" || files[1].ID != newest.ID {
			t.Errorf("files: %+v", files)
		}
		return registry.Final{Manifest: digest([]byte("m")), Status: registry.StatusHidden, Event: e}, nil
	})
	if must(t, v, err); !isNew {
		t.Error("it was final before")
	}
	kept, err := s.SelectVersion(t.Context(), p.ID, "tool", "1.0.0", nil)
	wantSame(t, "what is kept", must(t, kept, err), v)
	if v.Status != registry.StatusHidden || !v.FinalAt.Equal(e.At) || *v.Manifest != digest([]byte("m")) || !v.UpdatedAt.Equal(e.At) {
		t.Errorf("%+v", v)
	}
	files, err := s.VersionFiles(t.Context(), v.ID, 9)
	wantSame(t, "files", len(must(t, files, err)), 2)
	s.wantTold(t, e, 1)
	must(t, 0, s.DeleteHook(t.Context(), p.ID, h.ID, s.event()))
	_, err = s.AddFile(t.Context(), publication(p.ID, "tool", "1.0.0", "c"))
	wantKind(t, err, fault.Conflict)
	again := publication(p.ID, "tool", "1.0.0", "a")
	again.Event = s.event()
	same := s.publish(t, again)
	wantSame(t, "the same bytes again", same.ID, files[0].ID)
	s.wantTold(t, again.Event, 0)
}

func testFinaliseOpen(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	older := s.publish(t, publication(p.ID, "tool", "1.0.0", "a"))
	newer := publication(p.ID, "tool", "1.0.0", "a")
	newer.Small, newer.Size, newer.Digest = []byte("newer"), 5, digest([]byte("newer"))
	f := s.publish(t, newer)
	found, _, err := s.FindFile(t.Context(), p.ID, newer.Coordinates) // fills a cache
	must(t, found, err)
	s.final(t, p.ID, "1.0.0", "m")
	listed, err := s.ListFiles(t.Context(), older.PackageID, all())
	if must(t, listed, err); len(listed.Rows) != 1 || listed.Rows[0].ID != f.ID {
		t.Errorf("files: %+v", listed.Rows)
	}
	found, _, err = s.FindFile(t.Context(), p.ID, newer.Coordinates)
	if must(t, found, err); !found.Final {
		t.Error("the file is not final")
	}
}

func testFinaliseNot(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.drafted(t, p.ID, "1.0.0", "a")
	e := s.event()
	_, _, err := s.FinaliseVersion(t.Context(), p.ID, "tool", "1.0.0", func(registry.PackageVersion, []registry.VersionFile) (registry.Final, error) {
		return registry.Final{Event: e}, errRefused
	})
	wantRefused(t, err)
	v, err := s.FindDraft(t.Context(), p.ID, "tool", "1.0.0")
	must(t, v, err)
	n, err := s.FindNumber(t.Context(), p.ID, coordinates("1.0.0", "a"))
	if must(t, n, err); n.Reserved != nil {
		t.Error("the number is reserved")
	}
	before := s.final(t, p.ID, "1.0.0", "m")
	after, isNew, err := s.FinaliseVersion(t.Context(), p.ID, "tool", "1.0.0", allowFinal("other", e))
	wantSame(t, "the second time", must(t, after, err), before)
	wantSame(t, "it is new", isNew, false)
	s.wantTold(t, e, 0)
}

func testFinaliseNothing(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.version(t, p.ID, "tool", "1.0.0", registry.StatusError)
	for _, v := range []registry.Version{"1.0.0", "2.0.0"} {
		_, _, err := s.FinaliseVersion(t.Context(), p.ID, "tool", v, allowFinal("m", quiet()))
		wantKind(t, err, fault.NotFound)
	}
}

func testFinaliseReserved(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.drafted(t, p.ID, "1.0.0", "a")
	s.drop(t, s.final(t, p.ID, "1.0.0", "m").Package)
	_, err := s.AddFile(t.Context(), publication(p.ID, "tool", "1.0.0", "a"))
	wantKind(t, err, fault.Conflict)
	s.drafted(t, p.ID, "1.0.0", "b")
	_, _, err = s.FinaliseVersion(t.Context(), p.ID, "tool", "1.0.0", allowFinal("other", quiet()))
	wantKind(t, err, fault.Conflict)
	s.final(t, p.ID, "1.0.0", "m")
}

// discard allows a draft to be discarded.
func discard(e audit.Event) func(registry.Package) (audit.Event, error) {
	return func(registry.Package) (audit.Event, error) { return e, nil }
}

func testDiscardDraft(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.drafted(t, p.ID, "1.0.0", "a")
	e := s.event()
	must(t, 0, s.DiscardDraft(t.Context(), p.ID, "tool", "1.0.0", now(), discard(e)))
	s.wantTold(t, e, 1)
	n, err := s.FindNumber(t.Context(), p.ID, coordinates("1.0.0", "a"))
	wantSame(t, "its number", must(t, n, err), registry.Number{})
	s.published(t, p.ID, "1.0.0")
}

func testDiscardRefused(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.drafted(t, p.ID, "1.0.0", "a")
	e := s.event()
	err := s.DiscardDraft(t.Context(), p.ID, "tool", "1.0.0", now(), func(registry.Package) (audit.Event, error) { return e, errRefused })
	wantRefused(t, err)
	s.wantTold(t, e, 0)
	v, err := s.FindDraft(t.Context(), p.ID, "tool", "1.0.0")
	must(t, v, err)
}

func testDiscardNothing(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.0.0")
	for _, v := range []registry.Version{"1.0.0", "2.0.0"} {
		wantKind(t, s.DiscardDraft(t.Context(), p.ID, "tool", v, now(), discard(quiet())), fault.NotFound)
	}
}

func testExpireDrafts(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	start := now().Add(-1000 * time.Hour) // older than the drafts of other tests
	for i, version := range []string{"1.0.0", "2.0.0", "3.0.0", "4.0.0"} {
		put := publication(p.ID, "tool", version, "a")
		put.Into, put.Now = registry.IntoDraft, start.Add(time.Duration(i)*time.Hour)
		s.publish(t, put)
	}
	s.published(t, p.ID, "5.0.0")
	e, before := s.event(), start.Add(2*time.Hour)
	expire := func(limit int) int {
		n, err := s.ExpireDrafts(t.Context(), before, limit, now(), func(registry.Package) audit.Event { return e })
		return must(t, n, err)
	}
	wantSame(t, "the first step", expire(1), 1)
	wantSame(t, "the second step", expire(9), 1)
	wantSame(t, "the third step", expire(9), 0)
	s.wantTold(t, e, 2)
	for version, there := range map[registry.Version]bool{"1.0.0": false, "2.0.0": false, "3.0.0": true, "4.0.0": true} {
		_, err := s.FindDraft(t.Context(), p.ID, "tool", version)
		wantSame(t, string(version)+" is there", err == nil, there)
	}
}
