package access

import (
	"fmt"
	"testing"
)

// TestPackageMatrix is the table of contract generic-packages 5 and 3.4, cell
// by cell: what each actor may read, create and destroy in a public, internal
// and private project. "y" is allowed, "401" asks for a login, "403" is denied,
// "404" hidden.
func TestPackageMatrix(t *testing.T) {
	rules := Rules{GuestsReadPackages: true, AnyonePulls: true}
	user := Actor{Kind: User, UserID: 7, Scopes: []Scope{ScopeAPI}}
	external := user
	external.External = true
	admin := user
	admin.Admin = true
	deploy := func(scope Scope) Actor { return Actor{Kind: DeployToken, Scopes: []Scope{scope}} }
	for _, row := range []struct {
		name    string
		actor   Actor
		role    Role
		covered bool
		public  string // read create destroy
		within  string // internal
		private string
	}{
		{"anonymous", Actor{}, NoRole, false, "y 401 403", "404 401 404", "404 401 404"},
		{"stranger", user, NoRole, false, "y 403 403", "y 403 403", "404 404 404"},
		{"external stranger", external, NoRole, false, "y 403 403", "404 404 404", "404 404 404"},
		{"guest", user, Guest, false, "y 403 403", "y 403 403", "y 403 403"},
		{"external guest", external, Guest, false, "y 403 403", "y 403 403", "y 403 403"},
		{"planner", user, Planner, false, "y 403 403", "y 403 403", "y 403 403"},
		{"reporter", user, Reporter, false, "y 403 403", "y 403 403", "y 403 403"},
		{"developer", user, Developer, false, "y y 403", "y y 403", "y y 403"},
		{"maintainer", user, Maintainer, false, "y y y", "y y y", "y y y"},
		{"owner", user, Owner, false, "y y y", "y y y", "y y y"},
		{"administrator", admin, NoRole, false, "y y y", "y y y", "y y y"},
		{"deploy token, read", deploy(ScopeReadPackage), NoRole, true, "y 403 403", "y 403 403", "y 403 403"},
		{"deploy token, write", deploy(ScopeWritePackage), NoRole, true, "y y y", "y y y", "y y y"},
		{"deploy token, other scope", deploy("read_repository"), NoRole, true, "y 403 403", "403 403 403", "403 403 403"},
		{"deploy token of elsewhere", deploy(ScopeWritePackage), NoRole, false, "y 403 403", "404 404 404", "404 404 404"},
	} {
		for visibility, want := range map[Visibility]string{Public: row.public, Internal: row.within, Private: row.private} {
			r := Resource{Visibility: visibility, Packages: PackagesEnabled, Role: row.role, Covered: row.covered}
			if got := cells(rules, row.actor, r); got != want {
				t.Errorf("%s, visibility %d: %s, want %s", row.name, visibility, got, want)
			}
		}
	}
}

// cells is the outcome of reading, creating and destroying.
func cells(rules Rules, a Actor, r Resource) string {
	return fmt.Sprint(word(rules.Check(a, r, ReadPackages)), " ", word(rules.Check(a, r, PublishPackage)), " ", word(rules.Check(a, r, DestroyPackage)))
}

func word(v Verdict) string {
	return map[Verdict]string{Allowed: "y", Unauthenticated: "401", OutOfScope: "scope", Hidden: "404", Denied: "403"}[v]
}

// TestJobTokens is contract generic-packages 4.5: a job acts as its user in its project and
// in projects that let it in, and like an anonymous actor elsewhere.
func TestJobTokens(t *testing.T) {
	rules := Rules{GuestsReadPackages: true, AnyonePulls: true}
	for _, row := range []struct {
		name       string
		listed     bool
		role       Role
		visibility Visibility
		packages   PackageAccess
		want       string
	}{
		{"at home, developer", true, Developer, Private, PackagesEnabled, "y y 403"},
		{"at home, reporter", true, Reporter, Private, PackagesEnabled, "y 403 403"},
		{"let in, no member", true, NoRole, Private, PackagesEnabled, "404 404 404"},
		{"elsewhere, private, owner", false, Owner, Private, PackagesEnabled, "404 404 404"},
		{"elsewhere, internal, owner", false, Owner, Internal, PackagesEnabled, "y 403 403"},
		{"elsewhere, public, owner", false, Owner, Public, PackagesEnabled, "y 403 403"},
		{"elsewhere, public, members only", false, Owner, Public, PackagesPrivate, "403 403 403"},
		{"elsewhere, private, open to anyone", false, Owner, Private, PackagesPublic, "y 404 404"},
	} {
		r := Resource{Visibility: row.visibility, Packages: row.packages, Role: row.role, Listed: row.listed}
		if got := cells(rules, Actor{Kind: Job, UserID: 7}, r); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

// TestSwitches: what server and project settings change.
func TestSwitches(t *testing.T) {
	all := Rules{GuestsReadPackages: true, AnyonePulls: true}
	user := Actor{Kind: User, UserID: 7, Scopes: []Scope{ScopeAPI}}
	admin := user
	admin.Admin = true
	for _, row := range []struct {
		name  string
		rules Rules
		actor Actor
		r     Resource
		want  string
	}{
		{"guests may not read", Rules{}, user, Resource{Packages: PackagesEnabled, Role: Guest}, "403 403 403"},
		{"guests may not read, reporter", Rules{}, user, Resource{Packages: PackagesEnabled, Role: Reporter}, "y 403 403"},
		{"registry off, owner", all, user, Resource{Packages: PackagesDisabled, Role: Owner}, "403 403 403"},
		{"registry off, administrator", all, admin, Resource{Packages: PackagesDisabled}, "403 403 403"},
		{"members only, guest", all, user, Resource{Visibility: Public, Packages: PackagesPrivate, Role: Guest}, "403 403 403"},
		{"members only, reporter", all, user, Resource{Visibility: Public, Packages: PackagesPrivate, Role: Reporter}, "y 403 403"},
		{"open to anyone", all, Actor{}, Resource{Packages: PackagesPublic}, "y 401 404"},
		{"open to anyone, but not on this server", Rules{GuestsReadPackages: true}, Actor{}, Resource{Packages: PackagesPublic}, "404 401 404"},
		{"archived, owner", all, user, Resource{Packages: PackagesEnabled, Role: Owner, Archived: true}, "y 403 403"},
		{"archived, administrator", all, admin, Resource{Packages: PackagesEnabled, Archived: true}, "y 403 403"},
		{"archived, deploy token", all, Actor{Kind: DeployToken, Scopes: []Scope{ScopeWritePackage}},
			Resource{Packages: PackagesEnabled, Archived: true, Covered: true}, "y 403 403"},
		{"registry off, deploy token", all, Actor{Kind: DeployToken, Scopes: []Scope{ScopeWritePackage}},
			Resource{Covered: true}, "403 403 403"},
		{"read_api", all, Actor{Kind: User, Scopes: []Scope{ScopeReadAPI}}, Resource{Packages: PackagesEnabled, Role: Owner}, "y scope scope"},
		{"no scope of use", all, Actor{Kind: User, Scopes: []Scope{"read_registry"}}, Resource{Visibility: Public, Packages: PackagesEnabled}, "scope scope scope"},
	} {
		if got := cells(row.rules, row.actor, row.r); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

// TestPlaces: each action on groups and projects is allowed from its role up, and never
// to an actor who cannot see the place.
func TestPlaces(t *testing.T) {
	var rules Rules
	roles := []Role{NoRole, Minimal, Guest, Planner, Reporter, Developer, Maintainer, Owner}
	user := Actor{Kind: User, UserID: 7, Scopes: []Scope{ScopeAPI}}
	for action, rule := range allRules() {
		if rule.on != place {
			continue
		}
		for _, role := range roles {
			want := Denied
			switch {
			case role >= rule.least && role > NoRole:
				want = Allowed
			case role == NoRole:
				want = Hidden
			}
			if got := rules.Check(user, Resource{Role: role}, action); got != want {
				t.Errorf("action %d, role %d, private: %s, want %s", action, role, word(got), word(want))
			}
		}
		if got := rules.Check(user, Resource{Role: Owner, Archived: true}, CreateJob); got != Denied {
			t.Errorf("a job in an archived project: %s", word(got))
		}
		if rule.login && rules.Check(Actor{}, Resource{Visibility: Public}, action) != Unauthenticated {
			t.Errorf("action %d: an anonymous actor is not asked to log in", action)
		}
		if rules.Check(Actor{Kind: DeployToken, Scopes: []Scope{ScopeWritePackage}}, Resource{Covered: true}, action) != Denied {
			t.Errorf("action %d: a deploy token may do more than packages", action)
		}
	}
}

// TestEveryActionHasARule: a forgotten row would be an action on the instance
// open to everybody.
func TestEveryActionHasARule(t *testing.T) {
	open := map[Action]bool{ListNamespaces: true}
	for action, rule := range allRules() {
		if rule.on == instance && rule.least == NoRole && !rule.login && !open[action] {
			t.Errorf("action %d has no rule", action)
		}
	}
}

func allRules() map[Action]rule {
	all := map[Action]rule{}
	for action := range actionCount {
		all[action] = rules[action]
	}
	return all
}

// TestTopGroups: whoever may make groups at the top is a person, and no external
// one; administrators are above that.
func TestTopGroups(t *testing.T) {
	for _, row := range []struct {
		name string
		a    Actor
		want string
	}{
		{"may", Actor{}, "y"},
		{"external", Actor{External: true}, "403"},
		{"bot", Actor{Bot: true}, "403"},
		{"external administrator", Actor{External: true, Admin: true}, "y"},
	} {
		row.a.Kind, row.a.Scopes = User, []Scope{ScopeAPI}
		if got := word(Rules{}.Check(row.a, Resource{Own: true}, CreateTopGroup)); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}
