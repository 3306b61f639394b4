package recordstest

import (
	"testing"

	"granary/internal/access"
	"granary/internal/registry"
)

func deletions() []promise {
	return []promise{
		{"DoomedVersions", "returns the versions of a name or of ids, with their files", testDoomed},
		{"StoredBy", "tells own bytes from those of others", testStoredBy},
		{"LatestWithout", "chooses among the versions that stay", testLatestWithout},
		{"ReleaseLinks", "finds no link where no release is", testNoReleaseLinks},
	}
}

func search() []promise {
	return []promise{
		{"SearchNames", "finds parts of names in what the actor may see", testSearchNames},
		{"SearchProjects", "finds parts of paths in what the actor may see", testSearchProjects},
		{"SearchFiles", "finds files by their bytes in what the actor may see", testSearchFiles},
	}
}

func testDoomed(t *testing.T, s *suite) {
	p := s.manyNames(t)
	rows, err := s.DoomedVersions(t.Context(), p, registry.Doomed{Name: "a"}, 10)
	must(t, 0, err)
	if len(rows) != 2 || rows[0].Version != "1.1.0" || rows[0].Files != 1 || rows[0].Size != 4 {
		t.Fatalf("%+v", rows)
	}
	rows, err = s.DoomedVersions(t.Context(), p, registry.Doomed{IDs: []int64{rows[1].ID}}, 10)
	wantSame(t, "by id", string(must(t, rows, err)[0].Version), "1.0.0")
}

func testStoredBy(t *testing.T, s *suite) {
	p := s.manyNames(t) // all files but one of b are the same
	a, err := s.StoredBy(t.Context(), p, registry.Doomed{Name: "a"}, 2)
	must(t, 0, err)
	if a.Bytes != 4 || a.Own != 0 || len(a.Shared) != 2 || !a.More {
		t.Errorf("%+v", a)
	}
	b, err := s.StoredBy(t.Context(), p, registry.Doomed{Name: "b"}, 9)
	must(t, 0, err)
	wantSame(t, "own bytes", b.Own, int64(len("a-much-longer-file")))
}

func testLatestWithout(t *testing.T, s *suite) {
	p := s.manyNames(t)
	rows, err := s.DoomedVersions(t.Context(), p, registry.Doomed{Name: "a"}, 10)
	must(t, 0, err)
	wantLatest := func(name registry.Name, before, after registry.Version, without ...int64) {
		t.Helper()
		b, a, err := s.LatestWithout(t.Context(), p, name, without)
		must(t, 0, err)
		wantSame(t, "latest before and after", []registry.Version{b, a}, []registry.Version{before, after})
	}
	wantLatest("a", "1.1.0", "1.0.0", rows[0].ID)
	wantLatest("a", "1.1.0", "1.1.0", rows[1].ID)
	wantLatest("a", "1.1.0", "", rows[0].ID, rows[1].ID)
	wantLatest("hidden", "", "", rows[0].ID)
	named := s.version(t, p, "a", "latest", registry.StatusHidden)
	wantLatest("a", "latest", "latest", rows[0].ID)
	wantLatest("a", "latest", "1.0.0", named.ID, rows[0].ID)
	final := s.version(t, p, "f", "1.0.0", registry.StatusDefault)
	open := s.version(t, p, "f", "2.0.0", registry.StatusDefault)
	_, _, err = s.FinaliseVersion(t.Context(), p, "f", "1.0.0", allowFinal("m", quiet()))
	must(t, 0, err)
	wantLatest("f", "1.0.0", "2.0.0", final.ID)
	wantLatest("f", "1.0.0", "1.0.0", open.ID)
}

func testNoReleaseLinks(t *testing.T, s *suite) {
	p := s.manyNames(t)
	links, err := s.ReleaseLinks(t.Context(), registry.LinkTarget{ProjectID: p, Name: "a", Versions: []registry.Version{"1.0.0"}}, 5)
	wantSame(t, "links", len(must(t, links, err)), 0)
}

func testSearchNames(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	name := s.name("looked-for")
	s.version(t, p.ID, name, "1.0.0", registry.StatusDefault)
	f := registry.NameFilter{Terms: []string{name}}
	found, err := s.SearchNames(t.Context(), actorOf(u), f, 5)
	must(t, 0, err)
	if len(found) != 1 || found[0].ProjectID != p.ID || string(found[0].Name) != name || found[0].Versions != 1 {
		t.Fatalf("%+v", found)
	}
	for what, a := range map[string]access.Actor{"nobody": {}, "a stranger": actorOf(s.user(t))} {
		found, err := s.SearchNames(t.Context(), a, f, 5)
		wantSame(t, what, len(must(t, found, err)), 0)
	}
}

func testSearchProjects(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	found, err := s.SearchProjects(t.Context(), actorOf(u), p.FullPath, 5)
	if must(t, found, err); len(found) != 1 || found[0].ProjectID != p.ID || found[0].FullPath != p.FullPath {
		t.Errorf("%+v", found)
	}
	found, err = s.SearchProjects(t.Context(), access.Actor{}, p.FullPath, 5)
	wantSame(t, "nobody", len(must(t, found, err)), 0)
}

func testSearchFiles(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	pub := publication(p.ID, "tool", "1.0.0", s.name("bytes"))
	f := s.publish(t, pub)
	found, err := s.SearchFiles(t.Context(), actorOf(u), pub.Digest, 5)
	if must(t, found, err); len(found) != 1 || found[0].FileID != f.ID || found[0].ProjectID != p.ID || found[0].Version != "1.0.0" {
		t.Errorf("%+v", found)
	}
	found, err = s.SearchFiles(t.Context(), access.Actor{}, pub.Digest, 5)
	wantSame(t, "nobody", len(must(t, found, err)), 0)
}
