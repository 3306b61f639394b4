package recordstest

import (
	"testing"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/projects"
)

func features() []promise {
	return []promise{
		{"ListFeatures", "returns all flags with their targets", testListFeatures},
		{"SetFeature", "creates the flag if it is new, and sets what is given", testSetFeature},
		{"SetFeature", "is NotFound, with the target as its message, without such a target", testSetFeatureOfNobody},
		{"SetFeature", "is Full with as many flags, or targets, as the limits", testSetFeatureFull},
		{"FindFeatureGates", "returns what counts for the project", testFindFeatureGates},
		{"DeleteFeature", "forgets the flag, and tells once", testDeleteFeature},
	}
}

func (s *suite) feature(t *testing.T, name string, c projects.FeatureChange) projects.Feature {
	t.Helper()
	f, err := s.SetFeature(t.Context(), name, c, roomy(), roomy(), quiet())
	return must(t, f, err)
}

// flags are all that are set, by name.
func (s *suite) flags(t *testing.T) map[string]projects.Feature {
	t.Helper()
	found, err := s.ListFeatures(t.Context())
	must(t, 0, err)
	byName := map[string]projects.Feature{}
	for _, f := range found {
		byName[f.Name] = f
	}
	return byName
}

func testListFeatures(t *testing.T, s *suite) {
	u := s.user(t)
	for name := range s.flags(t) {
		must(t, 0, s.DeleteFeature(t.Context(), name, quiet()))
	}
	off := s.feature(t, "z-off", projects.FeatureChange{Value: new(false)})
	on := s.feature(t, "a-on", projects.FeatureChange{Value: new(true), Targets: projects.FeatureTargets{Users: []string{u.Username}}})
	found, err := s.ListFeatures(t.Context())
	wantSame(t, "flags", must(t, found, err), []projects.Feature{on, off})
}

func testSetFeature(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	name, e := s.name("flag"), s.event()
	for _, step := range []struct {
		c    projects.FeatureChange
		want projects.Feature
	}{
		{projects.FeatureChange{PercentageOfTime: new(30)}, projects.Feature{PercentageOfTime: 30}},
		{projects.FeatureChange{PercentageOfActors: new(40)}, projects.Feature{PercentageOfTime: 30, PercentageOfActors: 40}},
		{projects.FeatureChange{Value: new(true)}, projects.Feature{Value: new(true)}},
	} {
		step.want.Name = name
		f, err := s.SetFeature(t.Context(), name, step.c, roomy(), roomy(), e)
		wantSame(t, "what is returned", must(t, f, err), step.want)
		wantSame(t, "what is kept", s.flags(t)[name], step.want)
	}
	s.wantTold(t, e, 3)
	to := projects.FeatureTargets{Users: []string{u.Username}, Groups: []string{g.FullPath}, Namespaces: []string{u.Username}, Projects: []string{p.FullPath}}
	f := s.feature(t, name, projects.FeatureChange{Value: new(false), Targets: to})
	wantSame(t, "targets", f.Actors, []projects.FeatureActor{
		{Target: "Group:" + id(g.ID)}, {Target: "Namespace:" + id(u.NamespaceID)}, {Target: "Project:" + id(p.ID)}, {Target: "User:" + id(u.ID)},
	})
	wantSame(t, "the instance's value", f.Value, new(true))
	f = s.feature(t, name, projects.FeatureChange{Value: new(true), Targets: projects.FeatureTargets{Projects: to.Projects}})
	wantSame(t, "the project's value", f.Actors[2].On, true)
}

func testSetFeatureOfNobody(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	for target, to := range map[string]projects.FeatureTargets{
		"nobody":        {Users: []string{"nobody"}},
		u.Username:      {Users: []string{u.Username}, Groups: []string{u.Username}}, // no group
		g.FullPath:      {Projects: []string{g.FullPath}},
		"no good path!": {Namespaces: []string{"no good path!"}},
	} {
		name, e := s.name("flag"), s.event()
		_, err := s.SetFeature(t.Context(), name, projects.FeatureChange{Value: new(true), Targets: to}, roomy(), roomy(), e)
		wantSame(t, "the message", faultOf(t, err, fault.NotFound).Msg, target)
		s.wantTold(t, e, 0)
		if f, there := s.flags(t)[name]; there {
			t.Errorf("%+v, want no flag", f)
		}
	}
}

func testSetFeatureFull(t *testing.T, s *suite) {
	_, g, p := s.home(t)
	name, other, e := s.name("flag"), s.name("flag"), s.event()
	at := func(path string) projects.FeatureChange {
		return projects.FeatureChange{Value: new(true), Targets: projects.FeatureTargets{Namespaces: []string{path}}}
	}
	s.feature(t, name, at(g.FullPath))
	have := len(s.flags(t))
	_, err := s.SetFeature(t.Context(), other, projects.FeatureChange{Value: new(true)}, most(have), roomy(), e)
	wantFull(t, err, have)
	_, err = s.SetFeature(t.Context(), name, projects.FeatureChange{Value: new(true)}, most(have), roomy(), quiet()) // it is there
	must(t, 0, err)
	two := projects.FeatureChange{Value: new(true), Targets: projects.FeatureTargets{Projects: []string{p.FullPath}}}
	_, err = s.SetFeature(t.Context(), name, two, roomy(), most(1), e)
	wantFull(t, err, 1)
	s.wantTold(t, e, 0)
	wantSame(t, "flags", len(s.flags(t)), have)
	wantSame(t, "targets", len(s.flags(t)[name].Actors), 1)
}

func testDeleteFeature(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	e := s.event()
	s.feature(t, projects.GenericPackages, projects.FeatureChange{Value: new(false)})
	for _, on := range []bool{false, true} {
		place, err := s.FindPackageProject(t.Context(), p.FullPath, access.Actor{})
		wantSame(t, "the flag's word", must(t, place, err).FlagOn, on)
		must(t, 0, s.DeleteFeature(t.Context(), projects.GenericPackages, e))
		s.wantTold(t, e, 1) // the second time there is none
	}
	if f, there := s.flags(t)[projects.GenericPackages]; there {
		t.Errorf("%+v, want no flag", f)
	}
}

func testFindFeatureGates(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	other := s.project(t, g.ID, u)
	name := s.name("flag")
	gates := func(projectID int64) projects.FeatureGates {
		t.Helper()
		found, err := s.FindFeatureGates(t.Context(), name, projectID)
		return must(t, found, err)
	}
	wantSame(t, "of no flag", gates(p.ID), projects.FeatureGates{})
	s.feature(t, name, projects.FeatureChange{PercentageOfTime: new(30)})
	s.feature(t, name, projects.FeatureChange{PercentageOfActors: new(40)})
	s.feature(t, name, projects.FeatureChange{Value: new(true), Targets: projects.FeatureTargets{Groups: []string{g.FullPath}, Projects: []string{p.FullPath}}})
	wantSame(t, "of the project", gates(p.ID), projects.FeatureGates{Own: new(true), PercentageOfTime: 30, PercentageOfActors: 40})
	s.feature(t, name, projects.FeatureChange{Value: new(false)})
	wantSame(t, "of another", gates(other.ID), projects.FeatureGates{Instance: new(false)})
}
