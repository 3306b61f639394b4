package access

import (
	"fmt"
	"testing"
)

// everyRole is every level a member may have, none included, in order.
func everyRole() []Role {
	return []Role{NoRole, Minimal, Guest, Planner, Reporter, Developer, Maintainer, Owner}
}

// everyActor is one actor of each kind that the package table distinguishes.
func everyActor() map[string]Actor {
	all := map[string]Actor{"anonymous": {}}
	for _, scope := range []Scope{ScopeAPI, ScopeReadAPI, ScopeReadUser} {
		a := Actor{Kind: User, UserID: 7, Scopes: []Scope{scope}}
		all["user "+string(scope)] = a
		a.External = true
		all["external "+string(scope)] = a
		a.External, a.Admin = false, true
		all["administrator "+string(scope)] = a
	}
	for _, scope := range []Scope{ScopeReadPackage, ScopeWritePackage, "read_repository"} {
		all["deploy token "+string(scope)] = Actor{Kind: DeployToken, TokenID: 7, Scopes: []Scope{scope}}
	}
	all["job"] = Actor{Kind: Job, UserID: 7}
	all["job of an external"] = Actor{Kind: Job, UserID: 7, External: true}
	all["job of an administrator"] = Actor{Kind: Job, UserID: 7, Admin: true}
	return all
}

// everyResource calls f with every kind of project that the package table distinguishes.
func everyResource(f func(Resource)) {
	for _, visibility := range []Visibility{Private, Internal, Public} {
		for _, level := range []PackageAccess{PackagesDisabled, PackagesPrivate, PackagesEnabled, PackagesPublic} {
			for _, role := range everyRole() {
				for bits := range 8 {
					f(Resource{Visibility: visibility, Packages: level, Role: role, Archived: bits&1 != 0, Covered: bits&2 != 0, Listed: bits&4 != 0})
				}
			}
		}
	}
}

// TestLawsOfThePackageTable checks, on every actor, project, switch and action
// there is, what must hold whatever the cells say.
func TestLawsOfThePackageTable(t *testing.T) {
	cells := 0
	for who, a := range everyActor() {
		everyResource(func(r Resource) {
			for switches := range 4 {
				rules := Rules{GuestsReadPackages: switches&1 != 0, AnyonePulls: switches&2 != 0}
				for _, action := range []Action{ReadPackages, PublishPackage, DestroyPackage} {
					cells++
					if broken := brokenLaw(rules, a, r, action); broken != "" {
						t.Errorf("%s, %+v, %+v, action %d: %s", who, r, rules, action, broken)
					}
				}
			}
		})
	}
	t.Logf("%d cells", cells)
}

// brokenLaw names the law that a cell breaks.
func brokenLaw(rules Rules, a Actor, r Resource, action Action) string {
	got := rules.Check(a, r, action)
	pulls := action == ReadPackages && rules.AnyonePulls && r.Packages == PackagesPublic
	seen := r.Visibility == Public || rules.CanSee(a, r)
	better := r
	better.Role = nextRole(r.Role)
	open, closed := r, r
	open.Archived, closed.Archived = false, true
	switch {
	case action != ReadPackages && got == Allowed && a.Kind == Anonymous:
		return "nobody writes without a name"
	case action != ReadPackages && got == Allowed && (r.Archived || r.Packages == PackagesDisabled):
		return "an archived project and a registry that is off take no writes"
	case got == Allowed && r.Packages == PackagesDisabled:
		return "a registry that is off gives nothing"
	case got == Allowed && !seen && !pulls:
		return "what one cannot see one cannot use"
	case got == Hidden && seen:
		return "what one can see is not hidden"
	case got == Denied && !seen:
		return "a refusal tells that there is something"
	case pulls && got != Allowed && CheckToken(a, action) == Allowed:
		return "anyone at all may pull"
	case got == Allowed && rules.Check(a, better, action) != Allowed:
		return "a higher role may no less"
	case action == ReadPackages && rules.Check(a, open, action) != rules.Check(a, closed, action):
		return "archiving leaves reading as it is"
	case action != DestroyPackage && rules.Check(a, r, DestroyPackage) == Allowed && got != Allowed:
		return "who destroys may publish and read"
	case action == ReadPackages && rules.Check(a, r, PublishPackage) == Allowed && got != Allowed:
		return "who publishes may read"
	case got == Allowed && a.Kind == User && !a.Has(Scopes(action)...):
		return "a token does only what its scopes say"
	case got == Allowed && a.Kind == DeployToken && action != ReadPackages && !(r.Covered && a.Has(ScopeWritePackage)):
		return "a deploy token writes where it belongs, with the scope to"
	case got == Allowed && a.Kind == Job && action != ReadPackages && !r.Listed:
		return "a job writes where it is let in"
	case action == ReadPackages && !rules.GuestsReadPackages && got == Allowed && !pulls && a.Kind == User && !a.Admin &&
		r.Visibility == Private && r.Role < Reporter:
		return "guests of a private project do not read where they may not"
	}
	return ""
}

func nextRole(role Role) Role {
	for _, r := range everyRole() {
		if r > role {
			return r
		}
	}
	return role
}

// TestPackageLevels is the rest of contract generic-packages 3.4 and 5: the
// levels of the registry beside "enabled", by role, in a project that the actor
// can see; and what the switch for guests leaves.
func TestPackageLevels(t *testing.T) {
	user := Actor{Kind: User, UserID: 7, Scopes: []Scope{ScopeAPI}}
	type row struct {
		visibility Visibility
		level      PackageAccess
		guests     bool
		//       none     minimal  guest    planner  reporter dev      maint    owner
		want [8]string // read create destroy
	}
	const no, hid, rd, pub, all = "403 403 403", "404 404 404", "y 403 403", "y y 403", "y y y"
	for _, tc := range []row{
		{Public, PackagesDisabled, true, [8]string{no, no, no, no, no, no, no, no}},
		{Private, PackagesDisabled, true, [8]string{hid, no, no, no, no, no, no, no}},
		{Public, PackagesPrivate, true, [8]string{no, no, no, no, rd, pub, all, all}},
		{Internal, PackagesPrivate, true, [8]string{no, no, no, no, rd, pub, all, all}},
		{Private, PackagesPrivate, true, [8]string{hid, no, no, no, rd, pub, all, all}},
		{Public, PackagesEnabled, false, [8]string{rd, rd, rd, rd, rd, pub, all, all}},
		{Internal, PackagesEnabled, false, [8]string{rd, rd, rd, rd, rd, pub, all, all}},
		{Private, PackagesEnabled, false, [8]string{hid, no, no, no, rd, pub, all, all}},
		{Private, PackagesEnabled, true, [8]string{hid, no, rd, rd, rd, pub, all, all}},
		{Public, PackagesPublic, true, [8]string{rd, rd, rd, rd, rd, pub, all, all}},
		{Private, PackagesPublic, true, [8]string{"y 404 404", rd, rd, rd, rd, pub, all, all}},
	} {
		rules := Rules{GuestsReadPackages: tc.guests, AnyonePulls: true}
		for i, role := range everyRole() {
			t.Run(fmt.Sprintf("visibility %d, level %d, guests %v, role %d", tc.visibility, tc.level, tc.guests, role), func(t *testing.T) {
				r := Resource{Visibility: tc.visibility, Packages: tc.level, Role: role}
				if got := cells(rules, user, r); got != tc.want[i] {
					t.Errorf("%s, want %s", got, tc.want[i])
				}
			})
		}
	}
}
