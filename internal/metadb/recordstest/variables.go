package recordstest

import (
	"testing"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/projects"
)

func variables() []promise {
	return []promise{
		{"ListVariables", "returns those of the place, as they were made", testListVariables},
		{"FindVariable", "is NotFound if the ref chooses none, Conflict for more than one", testFindVariable},
		{"InsertVariable", "keeps the variable in any place, and tells", testInsertVariable},
		{"InsertVariable", "is Full if the place has as many as the limit", testInsertVariableFull},
		{"InsertVariable", "is a Conflict if the key has one of this scope", testInsertTakenVariable},
		{"UpdateVariable", "keeps what change makes, and records what it returns", testUpdateVariable},
		{"UpdateVariable", "changes nothing if change refuses", testUpdateVariableRefused},
		{"UpdateVariable", "is a Conflict about the scope that is taken", testUpdateTakenVariable},
		{"UpdateVariable", "is NotFound if the ref chooses none, Conflict for more than one", testChangeNoVariable},
		{"RevealVariable", "returns the variable, and records what check returns", testRevealVariable},
		{"RevealVariable", "returns nothing if check refuses", testRevealVariable},
		{"RevealVariable", "is NotFound if the ref chooses none, Conflict for more than one", testChangeNoVariable},
		{"DeleteVariable", "calls check before, and records what it returns", testDeleteVariable},
		{"DeleteVariable", "changes nothing if check refuses", testDeleteVariableRefused},
		{"DeleteVariable", "is NotFound if the ref chooses none, Conflict for more than one", testChangeNoVariable},
	}
}

func newVariable(key, scope string) projects.Variable {
	return projects.Variable{Key: key, Value: "value of " + key, Type: projects.EnvVar, Scope: scope}
}

func (s *suite) variable(t *testing.T, at projects.Place, key, scope string) projects.Variable {
	t.Helper()
	v, err := s.InsertVariable(t.Context(), at, newVariable(key, scope), roomy(), quiet())
	return must(t, v, err)
}

func (s *suite) variablesAt(t *testing.T, at projects.Place) []projects.Variable {
	t.Helper()
	found, err := s.ListVariables(t.Context(), at, all())
	return rows(t, found, err)
}

// keyed chooses a variable by its key alone, scoped by its scope too.
func keyed(key string) projects.VariableRef { return projects.VariableRef{Key: key} }
func scoped(key, scope string) projects.VariableRef {
	return projects.VariableRef{Key: key, Scope: &scope}
}

func testListVariables(t *testing.T, s *suite) {
	_, g, p := s.home(t)
	before := s.variablesAt(t, projects.Place{})
	one := s.variable(t, inProject(p.ID), "B", "*")
	two := s.variable(t, inProject(p.ID), "A", "*")
	group, instance := s.variable(t, inGroup(g.ID), "A", "*"), s.variable(t, projects.Place{}, "A", "*")
	wantSame(t, "of the project", s.variablesAt(t, inProject(p.ID)), []projects.Variable{one, two})
	wantSame(t, "of the group", s.variablesAt(t, inGroup(g.ID)), []projects.Variable{group})
	wantSame(t, "of the instance", s.variablesAt(t, projects.Place{}), append(before, instance))
}

func testFindVariable(t *testing.T, s *suite) {
	_, g, p := s.home(t)
	at := inProject(p.ID)
	one, two := s.variable(t, at, "KEY", "*"), s.variable(t, at, "KEY", "prod/*")
	only := s.variable(t, at, "ONLY", "dev")
	for ref, want := range map[*projects.VariableRef]projects.Variable{
		new(scoped("KEY", "*")): one, new(scoped("KEY", "prod/*")): two, new(keyed("ONLY")): only,
	} {
		found, err := s.FindVariable(t.Context(), at, *ref)
		wantSame(t, "the variable", must(t, found, err), want)
	}
	_, err := s.FindVariable(t.Context(), at, keyed("KEY"))
	wantKind(t, err, fault.Conflict)
	for _, ref := range []projects.VariableRef{keyed("key"), scoped("ONLY", "*"), keyed("")} {
		_, err := s.FindVariable(t.Context(), at, ref)
		wantKind(t, err, fault.NotFound)
	}
	_, err = s.FindVariable(t.Context(), inGroup(g.ID), keyed("ONLY"))
	wantKind(t, err, fault.NotFound)
}

func testInsertVariable(t *testing.T, s *suite) {
	_, g, p := s.home(t)
	for _, at := range []projects.Place{inProject(p.ID), inGroup(g.ID), {}} {
		want, e := newVariable(s.name("KEY"), "*"), s.event()
		want.Type, want.Description = projects.FileType, new("words")
		want.Protected, want.Masked, want.Hidden, want.Raw = true, true, true, true
		made, err := s.InsertVariable(t.Context(), at, want, roomy(), e)
		must(t, 0, err)
		want.ID, want.Revision = made.ID, made.Revision
		wantSame(t, "what is returned", made, want)
		found, err := s.FindVariable(t.Context(), at, keyed(want.Key))
		wantSame(t, "what is kept", must(t, found, err), want)
		wantSame(t, "the target's id", s.wantTold(t, e, 1).Target.ID, made.ID)
	}
}

func testInsertVariableFull(t *testing.T, s *suite) {
	_, g, p := s.home(t)
	for _, at := range []projects.Place{inProject(p.ID), inGroup(g.ID), {}} {
		e := s.event()
		s.variable(t, at, s.name("KEY"), "*")
		have := len(s.variablesAt(t, at))
		_, err := s.InsertVariable(t.Context(), at, newVariable(s.name("KEY"), "*"), most(have), e)
		wantFull(t, err, have)
		wantSame(t, "variables", len(s.variablesAt(t, at)), have)
		s.wantTold(t, e, 0)
	}
}

func testInsertTakenVariable(t *testing.T, s *suite) {
	_, g, p := s.home(t)
	for _, at := range []projects.Place{inProject(p.ID), inGroup(g.ID), {}} {
		e := s.event()
		there := s.variable(t, at, s.name("KEY"), "*")
		_, err := s.InsertVariable(t.Context(), at, newVariable(there.Key, "*"), roomy(), e)
		wantKind(t, err, fault.Conflict)
		found, err := s.FindVariable(t.Context(), at, keyed(there.Key))
		wantSame(t, "what is kept", must(t, found, err), there)
		s.wantTold(t, e, 0)
	}
}

func testUpdateVariable(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	at, e := inProject(p.ID), s.event()
	before := s.variable(t, at, s.name("KEY"), "*")
	want := before
	want.Value, want.Type, want.Scope, want.Description = "another", projects.FileType, "prod", new("words")
	want.Protected, want.Masked, want.Hidden, want.Raw = true, true, true, true
	changed, err := s.UpdateVariable(t.Context(), at, keyed(before.Key), func(v *projects.Variable) (audit.Event, error) {
		wantSame(t, "what change gets", *v, before)
		*v = want
		return e, nil
	})
	must(t, 0, err)
	if changed.Tag() == before.Tag() {
		t.Errorf("the tag %s stays", changed.Tag())
	}
	want.Revision = changed.Revision
	wantSame(t, "what is returned", changed, want)
	found, err := s.FindVariable(t.Context(), at, keyed(before.Key))
	wantSame(t, "what is kept", must(t, found, err), want)
	s.wantTold(t, e, 1)
}

func testUpdateVariableRefused(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	before := s.variable(t, inProject(p.ID), s.name("KEY"), "*")
	_, err := s.UpdateVariable(t.Context(), inProject(p.ID), keyed(before.Key), func(v *projects.Variable) (audit.Event, error) {
		v.Value = "another"
		return audit.Event{}, errRefused
	})
	wantRefused(t, err)
	found, err := s.FindVariable(t.Context(), inProject(p.ID), keyed(before.Key))
	wantSame(t, "what is kept", must(t, found, err), before)
}

func testUpdateTakenVariable(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	at, e := inProject(p.ID), s.event()
	before := s.variable(t, at, "TWICE", "dev")
	s.variable(t, at, "TWICE", "prod")
	_, err := s.UpdateVariable(t.Context(), at, scoped("TWICE", "dev"), func(v *projects.Variable) (audit.Event, error) {
		v.Scope = "prod"
		return e, nil
	})
	wantSame(t, "what is taken", faultOf(t, err, fault.Conflict).Field, "scope")
	found, err := s.FindVariable(t.Context(), at, scoped("TWICE", "dev"))
	wantSame(t, "what is kept", must(t, found, err), before)
	s.wantTold(t, e, 0)
}

// testChangeNoVariable changes and deletes by refs that choose none, or two.
func testChangeNoVariable(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	at, e := inProject(p.ID), s.event()
	s.variable(t, at, "TWICE", "dev")
	s.variable(t, at, "TWICE", "prod")
	for ref, kind := range map[projects.VariableRef]fault.Kind{keyed("NONE"): fault.NotFound, keyed("TWICE"): fault.Conflict} {
		_, err := s.UpdateVariable(t.Context(), at, ref, func(*projects.Variable) (audit.Event, error) { return e, nil })
		wantSame(t, "what is taken", faultOf(t, err, kind).Field, "")
		_, err = s.RevealVariable(t.Context(), at, ref, func(projects.Variable) (audit.Event, error) { return e, nil })
		wantKind(t, err, kind)
		err = s.DeleteVariable(t.Context(), at, ref, func(projects.Variable) (audit.Event, error) { return e, nil })
		wantKind(t, err, kind)
	}
	wantSame(t, "variables", len(s.variablesAt(t, at)), 2)
	s.wantTold(t, e, 0)
}

func testDeleteVariable(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	at, e := inProject(p.ID), s.event()
	there, left := s.variable(t, at, "KEY", "dev"), s.variable(t, at, "KEY", "prod")
	must(t, 0, s.DeleteVariable(t.Context(), at, scoped("KEY", "dev"), func(v projects.Variable) (audit.Event, error) {
		wantSame(t, "what check gets", v, there)
		return e, nil
	}))
	wantSame(t, "what is left", s.variablesAt(t, at), []projects.Variable{left})
	s.wantTold(t, e, 1)
}

func testDeleteVariableRefused(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	at := inProject(p.ID)
	there := s.variable(t, at, "KEY", "*")
	wantRefused(t, s.DeleteVariable(t.Context(), at, keyed("KEY"), func(projects.Variable) (audit.Event, error) { return audit.Event{}, errRefused }))
	wantSame(t, "what is left", s.variablesAt(t, at), []projects.Variable{there})
}

func testRevealVariable(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	at, e := inProject(p.ID), s.event()
	there := s.variable(t, at, "KEY", "dev")
	reveal := func(err error) (projects.Variable, error) {
		return s.RevealVariable(t.Context(), at, keyed("KEY"), func(v projects.Variable) (audit.Event, error) {
			wantSame(t, "what check gets", v, there)
			return e, err
		})
	}
	found, err := reveal(errRefused)
	wantRefused(t, err)
	wantSame(t, "after a refusal", found, projects.Variable{})
	s.wantTold(t, e, 0)
	found, err = reveal(nil)
	wantSame(t, "what is returned", must(t, found, err), there)
	s.wantTold(t, e, 1)
}
