package recordstest

import (
	"testing"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/registry"
)

func protections() []promise {
	return []promise{
		{"ListProtections", "returns a page in the order in which they were made", testListProtections},
		{"FindProtection", "finds a rule of the project, and is NotFound without", testFindProtection},
		{"FirstNames", "returns the first names of listed packages", testFirstNames},
		{"InsertProtection", "keeps the rule, and tells", testInsertProtection},
		{"InsertProtection", "is a Conflict if the type has the pattern", testInsertTakenProtection},
		{"InsertProtection", "is Full if the project has as many as the limit", testInsertProtectionFull},
		{"UpdateProtection", "keeps what change makes, and records what it returns", testUpdateProtection},
		{"UpdateProtection", "changes nothing if change refuses", testUpdateProtectionRefused},
		{"UpdateProtection", "is a Conflict if the type has the pattern", testUpdateTakenProtection},
		{"DeleteProtection", "removes the rule, and is NotFound without", testDeleteProtection},
	}
}

func newRule(projectID int64, pattern string) registry.ProtectionRule {
	return registry.ProtectionRule{ProjectID: projectID, Pattern: pattern, PackageType: "generic", Push: access.Maintainer, Delete: access.Owner}
}

func (s *suite) rule(t *testing.T, rule registry.ProtectionRule) registry.ProtectionRule {
	t.Helper()
	made, err := s.InsertProtection(t.Context(), rule, roomy(), quiet())
	return must(t, made, err)
}

func (s *suite) wantRules(t *testing.T, projectID int64, want ...registry.ProtectionRule) {
	t.Helper()
	found, err := s.ListProtections(t.Context(), projectID, all())
	wantSame(t, "rules", rows(t, found, err), want)
}

func testListProtections(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	b, a := s.rule(t, newRule(p.ID, "b")), s.rule(t, newRule(p.ID, "a"))
	s.rule(t, newRule(s.project(t, g.ID, u).ID, "c"))
	s.wantRules(t, p.ID, b, a)
	ask := all()
	ask.Number, ask.Size = 2, 1
	found, err := s.ListProtections(t.Context(), p.ID, ask)
	if must(t, found, err); found.Total != 2 || len(found.Rows) != 1 || found.Rows[0] != a {
		t.Errorf("%+v, want the second of 2", found)
	}
}

func testInsertProtection(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	want, e := newRule(p.ID, "tool*"), s.event()
	made, err := s.InsertProtection(t.Context(), want, roomy(), e)
	must(t, 0, err)
	want.ID = made.ID
	wantSame(t, "what is returned", made, want)
	s.wantRules(t, p.ID, want)
	wantSame(t, "the target", s.wantTold(t, e, 1).Target, audit.Target{Type: "PackageProtectionRule", ID: made.ID, Details: want.Pattern})
}

func testInsertTakenProtection(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	there, e := s.rule(t, newRule(p.ID, "tool*")), s.event()
	_, err := s.InsertProtection(t.Context(), newRule(p.ID, "tool*"), roomy(), e)
	wantKind(t, err, fault.Conflict)
	s.wantTold(t, e, 0)
	s.wantRules(t, p.ID, there)
	another := newRule(p.ID, "tool*")
	another.PackageType = "npm"
	s.rule(t, another)
}

func testInsertProtectionFull(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	there, e := s.rule(t, newRule(p.ID, "a")), s.event()
	_, err := s.InsertProtection(t.Context(), newRule(p.ID, "b"), most(1), e)
	wantFull(t, err, 1)
	s.wantTold(t, e, 0)
	s.wantRules(t, p.ID, there)
}

func testUpdateProtection(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	before, e := s.rule(t, newRule(p.ID, "a")), s.event()
	want := before
	want.Pattern, want.Push, want.Delete = "b", access.Owner, access.NoRole
	change := func(rule *registry.ProtectionRule) (audit.Event, error) {
		wantSame(t, "what change gets", *rule, before)
		*rule = want
		return e, nil
	}
	changed, err := s.UpdateProtection(t.Context(), p.ID, before.ID, change)
	wantSame(t, "what is returned", must(t, changed, err), want)
	s.wantRules(t, p.ID, want)
	s.wantTold(t, e, 1)
	for _, at := range [][2]int64{{p.ID, 999999}, {s.project(t, g.ID, u).ID, before.ID}} {
		_, err = s.UpdateProtection(t.Context(), at[0], at[1], change)
		wantKind(t, err, fault.NotFound)
	}
}

func testUpdateProtectionRefused(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	before := s.rule(t, newRule(p.ID, "a"))
	_, err := s.UpdateProtection(t.Context(), p.ID, before.ID, func(rule *registry.ProtectionRule) (audit.Event, error) {
		rule.Pattern = "b"
		return audit.Event{}, errRefused
	})
	wantRefused(t, err)
	s.wantRules(t, p.ID, before)
}

func testUpdateTakenProtection(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	a, b, e := s.rule(t, newRule(p.ID, "a")), s.rule(t, newRule(p.ID, "b")), s.event()
	_, err := s.UpdateProtection(t.Context(), p.ID, b.ID, func(rule *registry.ProtectionRule) (audit.Event, error) {
		rule.Pattern = "a"
		return e, nil
	})
	wantKind(t, err, fault.Conflict)
	s.wantRules(t, p.ID, a, b)
	s.wantTold(t, e, 0)
}

func testDeleteProtection(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	rule, e := s.rule(t, newRule(p.ID, "a")), s.event()
	wantKind(t, s.DeleteProtection(t.Context(), s.project(t, g.ID, u).ID, rule.ID, e), fault.NotFound)
	s.wantRules(t, p.ID, rule)
	must(t, 0, s.DeleteProtection(t.Context(), p.ID, rule.ID, e))
	wantKind(t, s.DeleteProtection(t.Context(), p.ID, rule.ID, e), fault.NotFound)
	s.wantTold(t, e, 1)
	left, err := s.ListProtections(t.Context(), p.ID, all())
	wantSame(t, "rules", len(rows(t, left, err)), 0)
}

func testFindProtection(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	rule := s.rule(t, newRule(p.ID, "a"))
	found, err := s.FindProtection(t.Context(), p.ID, rule.ID)
	wantSame(t, "the rule", must(t, found, err), rule)
	_, err = s.FindProtection(t.Context(), s.project(t, g.ID, u).ID, rule.ID)
	wantKind(t, err, fault.NotFound)
}

func testFirstNames(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	s.publish(t, publication(p.ID, "b", "1.0.0", "f"))
	s.publish(t, publication(p.ID, "a", "1.0.0", "f"))
	s.publish(t, publication(p.ID, "a", "2.0.0", "f"))
	s.publish(t, publication(s.project(t, g.ID, u).ID, "c", "1.0.0", "f"))
	for limit, want := range map[int][]registry.Name{1: {"a"}, 9: {"a", "b"}} {
		found, err := s.FirstNames(t.Context(), p.ID, limit)
		wantSame(t, "names", must(t, found, err), want)
	}
}
