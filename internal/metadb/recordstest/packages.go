package recordstest

import (
	"testing"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/registry"
)

func packages() []promise {
	return []promise{
		{"ListPackages", "returns those that the filter chooses, in any order", testListPackages},
		{"ListPackages", "orders several projects by path", testListPackagesOfProjects},
		{"ListPackages", "orders packages of a name by the precedence of their versions", testListPackagesBySemver},
		{"LatestPackages", "returns those of the projects that lists show, the newest first, with the ids of their pipelines", testLatestPackages},
		{"FindPackage", "finds a package of the project, and is NotFound without", testFindPackage},
		{"ListVersions", "returns the others of the name by version, from one on", testListVersions},
		{"ListPipelines", "returns those of a package, newest first", testListPipelines},
		{"RemovePackage", "removes the package with its files, and frees its name", testRemovePackage},
		{"RemovePackage", "does nothing if check refuses", testRemovePackageRefused},
		{"RemovePackage", "is NotFound if there is none", testRemoveNoPackage},
	}
}

// version publishes a version and returns its package.
func (s *suite) version(t *testing.T, projectID int64, name, version string, status registry.Status) registry.Package {
	t.Helper()
	p := publication(projectID, name, version, "file")
	p.Status = &status
	f := s.publish(t, p)
	found, err := s.FindPackage(t.Context(), projectID, f.PackageID)
	return must(t, found, err)
}

func idOf(p registry.Package) int64 { return p.ID }

func testListPackages(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	b2 := s.version(t, p.ID, "b", "2.0", registry.StatusDefault)
	a3 := s.version(t, p.ID, "a", "3.0", registry.StatusDeprecated)
	b1 := s.version(t, p.ID, "b", "1.0", registry.StatusError)
	hidden := s.version(t, p.ID, "b", "0.1", registry.StatusHidden)
	for _, tt := range []struct {
		order string
		f     registry.PackageFilter
		want  []int64
	}{
		{"created_at", registry.PackageFilter{}, []int64{b2.ID, a3.ID, b1.ID}},
		{"type", registry.PackageFilter{}, []int64{b2.ID, a3.ID, b1.ID}},
		{"name", registry.PackageFilter{}, []int64{a3.ID, b1.ID, b2.ID}},
		{"version", registry.PackageFilter{}, []int64{b1.ID, b2.ID, a3.ID}},
		{"name", registry.PackageFilter{Name: registry.NameFilter{Terms: []string{"B"}}}, []int64{b1.ID, b2.ID}},
		{"name", registry.PackageFilter{Version: "3.0"}, []int64{a3.ID}},
		{"name", registry.PackageFilter{Status: registry.StatusHidden}, []int64{hidden.ID}},
		{"name", registry.PackageFilter{Status: registry.StatusError}, []int64{b1.ID}},
	} {
		for _, desc := range []bool{false, true} {
			tt.f.Projects = []int64{p.ID}
			ask := all()
			ask.OrderBy, ask.Desc = tt.order, desc
			found, err := s.ListPackages(t.Context(), tt.f, ask)
			got := idsOf(rows(t, found, err), idOf)
			if desc {
				got = reversed(got)
			}
			wantSame(t, tt.order, got, tt.want)
		}
	}
	ask := all()
	ask.Number, ask.Size, ask.OrderBy = 2, 2, "name"
	found, err := s.ListPackages(t.Context(), registry.PackageFilter{Projects: []int64{p.ID}}, ask)
	if must(t, found, err); found.Total != 3 {
		t.Errorf("%d in all, want 3", found.Total)
	}
	wantSame(t, "the second page", found.Rows, []registry.Package{b2})
}

func reversed(ids []int64) []int64 {
	out := []int64{}
	for i := range ids {
		out = append(out, ids[len(ids)-1-i])
	}
	return out
}

func testListPackagesOfProjects(t *testing.T, s *suite) {
	u, g, z := s.home(t)
	path := "a" + z.Path
	first, err := s.InsertProject(t.Context(), newProject(path, g.ID, u.ID), access.NoRole, roomy(), quiet())
	must(t, 0, err)
	later := s.version(t, z.ID, "tool", "1", registry.StatusDefault)
	early := s.version(t, first.ID, "tool", "1", registry.StatusDefault)
	ask := all()
	ask.OrderBy = "project_path"
	found, err := s.ListPackages(t.Context(), registry.PackageFilter{Projects: []int64{z.ID, first.ID}}, ask)
	wantSame(t, "packages", idsOf(rows(t, found, err), idOf), []int64{early.ID, later.ID})
}

func testListPackagesBySemver(t *testing.T, s *suite) {
	_, g, p := s.home(t)
	u, _, _ := s.home(t)
	other := s.project(t, g.ID, u)
	ten := s.version(t, p.ID, "tool", "1.10.0", registry.StatusDefault)
	two := s.version(t, p.ID, "tool", "1.2.0", registry.StatusDeprecated)
	early := s.version(t, p.ID, "toolbox", "1.10.0-rc.2", registry.StatusDefault)
	same := s.version(t, other.ID, "tool", "1.10.0", registry.StatusDefault)
	hidden := s.version(t, p.ID, "tool", "2.0.0", registry.StatusHidden)
	s.version(t, p.ID, "else", "1.3.0", registry.StatusDefault)
	ask := all()
	ask.OrderBy = registry.BySemver
	for _, tt := range []struct {
		f    registry.PackageFilter
		want []int64
	}{
		{registry.PackageFilter{Projects: []int64{p.ID}}, []int64{two.ID, early.ID, ten.ID}},
		{registry.PackageFilter{Projects: []int64{p.ID, other.ID}}, []int64{two.ID, early.ID, ten.ID, same.ID}},
		{registry.PackageFilter{Projects: []int64{p.ID}, Status: registry.StatusHidden}, []int64{hidden.ID}},
		{registry.PackageFilter{Projects: []int64{p.ID, other.ID}, Version: "1.10.0"}, []int64{ten.ID, same.ID}},
	} {
		tt.f.Name.Terms = []string{"tool"}
		for _, desc := range []bool{false, true} {
			ask.Desc = desc
			found, err := s.ListPackages(t.Context(), tt.f, ask)
			got := idsOf(rows(t, found, err), idOf)
			if desc {
				got = reversed(got)
			}
			wantSame(t, "packages", got, tt.want)
		}
	}
}

func testLatestPackages(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	other, third := s.project(t, g.ID, u), s.project(t, g.ID, u)
	oldest := s.version(t, p.ID, "tool", "1", registry.StatusDefault)
	s.version(t, p.ID, "tool", "2", registry.StatusHidden)
	s.version(t, third.ID, "tool", "1", registry.StatusDefault)
	later := s.version(t, other.ID, "lib", "1", registry.StatusDeprecated)
	for range 2 { // the second pipeline is the last
		j, _ := s.job(t, p.ID, u)
		pub := publication(p.ID, "tool", "3", "file")
		pub.PipelineID = j.PipelineID
		s.publish(t, pub)
	}
	ask := all()
	ask.OrderBy, ask.Desc = "created_at", true
	for _, tt := range []struct {
		of    []int64
		limit int
		want  int
	}{{[]int64{p.ID, other.ID}, 10, 3}, {[]int64{p.ID, other.ID}, 2, 2}, {[]int64{p.ID}, 10, 2}, {[]int64{other.ID}, 10, 1}} {
		listed, err := s.ListPackages(t.Context(), registry.PackageFilter{Projects: tt.of}, ask)
		want := rows(t, listed, err)[:tt.want]
		for i, k := range want {
			if k.Pipeline != nil {
				want[i].Pipeline = &registry.Pipeline{ID: k.Pipeline.ID}
			}
		}
		found, err := s.LatestPackages(t.Context(), tt.of, tt.limit)
		wantSame(t, "packages", must(t, found, err), want)
		if last := found[len(found)-1]; last.ID != oldest.ID && last.ID != later.ID || (found[0].Pipeline != nil) != (tt.of[0] == p.ID) {
			t.Errorf("%+v", found)
		}
	}
}

func testFindPackage(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	pub := publication(p.ID, "tool", "1.0", "file")
	pub.CreatorID = u.ID
	f := s.publish(t, pub)
	found, err := s.FindPackage(t.Context(), p.ID, f.PackageID)
	wantSame(t, "the package", must(t, found, err), registry.Package{
		ID: f.PackageID, ProjectID: p.ID, Name: "tool", Version: "1.0", Status: registry.StatusDefault, CreatorID: u.ID, CreatedAt: pub.Now, UpdatedAt: pub.Now,
	})
	_, err = s.FindPackage(t.Context(), p.ID, 999999)
	wantKind(t, err, fault.NotFound)
	_, err = s.FindPackage(t.Context(), s.project(t, g.ID, u).ID, f.PackageID)
	wantKind(t, err, fault.NotFound)
}

func testListVersions(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	two := s.version(t, p.ID, "tool", "2", registry.StatusDefault)
	ten := s.version(t, p.ID, "tool", "10", registry.StatusDeprecated)
	one := s.version(t, p.ID, "tool", "1", registry.StatusError)
	three := s.version(t, p.ID, "tool", "3", registry.StatusDefault)
	s.version(t, p.ID, "tool", "4", registry.StatusHidden)
	s.version(t, p.ID, "tools", "5", registry.StatusDefault)
	for _, tt := range []struct {
		of, after registry.Package
		limit     int
		want      []registry.Package
	}{
		{three, registry.Package{}, 100, []registry.Package{one, ten, two}}, // as text
		{three, registry.Package{}, 2, []registry.Package{one, ten}},
		{three, ten, 2, []registry.Package{two}},
		{one, registry.Package{}, 1, []registry.Package{ten}},
	} {
		found, err := s.ListVersions(t.Context(), tt.of, tt.after, tt.limit)
		wantSame(t, "versions", must(t, found, err), tt.want)
	}
}

func testListPipelines(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	var pipelines []int64
	var packageID int64
	for range 3 {
		j, _ := s.job(t, p.ID, u)
		pub := publication(p.ID, "tool", "1", "file")
		pub.PipelineID = j.PipelineID
		packageID = s.publish(t, pub).PackageID
		pipelines = append(pipelines, j.PipelineID)
	}
	of := func(l registry.Pipeline) int64 { return l.ID }
	for _, tt := range []struct {
		before int64
		limit  int
		want   []int64
	}{{0, 100, reversed(pipelines)}, {0, 1, pipelines[2:]}, {pipelines[2], 100, reversed(pipelines[:2])}, {pipelines[0], 100, []int64{}}} {
		found, err := s.ListPipelines(t.Context(), packageID, tt.before, tt.limit)
		wantSame(t, "pipelines", idsOf(must(t, found, err), of), tt.want)
	}
	found, err := s.FindPackage(t.Context(), p.ID, packageID)
	if must(t, found, err); found.Pipeline == nil || found.Pipeline.ID != pipelines[2] || found.Pipeline.Status != "running" || found.Pipeline.User.ID != u.ID {
		t.Errorf("%+v, want the last pipeline %d, running", found.Pipeline, pipelines[2])
	}
}

func removed(k registry.Package) registry.Removed {
	return registry.Removed{ProjectID: k.ProjectID, PackageID: k.ID, Now: now()}
}

// drop removes a package that a test made.
func (s *suite) drop(t *testing.T, k registry.Package) {
	t.Helper()
	must(t, 0, s.RemovePackage(t.Context(), removed(k), func(registry.Package) (audit.Event, error) { return quiet(), nil }))
}

func testRemovePackage(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	k, e := s.version(t, p.ID, "tool", "1", registry.StatusDefault), s.event()
	at := registry.Coordinates{Name: "tool", Version: "1", File: "file"}
	_, _, err := s.FindFile(t.Context(), p.ID, at) // it may be remembered
	must(t, 0, err)
	must(t, 0, s.RemovePackage(t.Context(), removed(k), func(got registry.Package) (audit.Event, error) {
		wantSame(t, "what check gets", got, k)
		return e, nil
	}))
	_, _, err = s.FindFile(t.Context(), p.ID, at)
	wantKind(t, err, fault.NotFound)
	found, err := s.ListPackages(t.Context(), registry.PackageFilter{Projects: []int64{p.ID}}, all())
	wantSame(t, "packages", len(rows(t, found, err)), 0)
	s.wantTold(t, e, 1)
	if next := s.version(t, p.ID, "tool", "1", registry.StatusDefault); next.ID == k.ID {
		t.Errorf("package %d is there again", k.ID)
	}
}

func testRemovePackageRefused(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	k := s.version(t, p.ID, "tool", "1", registry.StatusDefault)
	wantRefused(t, s.RemovePackage(t.Context(), removed(k), func(registry.Package) (audit.Event, error) { return audit.Event{}, errRefused }))
	found, err := s.FindPackage(t.Context(), p.ID, k.ID)
	wantSame(t, "the package", must(t, found, err), k)
}

func testRemoveNoPackage(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	k, e := s.version(t, p.ID, "tool", "1", registry.StatusDefault), s.event()
	check := func(registry.Package) (audit.Event, error) { return e, nil }
	elsewhere := k
	elsewhere.ProjectID = s.project(t, g.ID, u).ID
	wantKind(t, s.RemovePackage(t.Context(), removed(elsewhere), check), fault.NotFound)
	must(t, 0, s.RemovePackage(t.Context(), removed(k), func(registry.Package) (audit.Event, error) { return quiet(), nil }))
	wantKind(t, s.RemovePackage(t.Context(), removed(k), check), fault.NotFound) // it is gone
	s.wantTold(t, e, 0)
}
