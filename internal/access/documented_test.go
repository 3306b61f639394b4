package access_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"granary/internal/access"
	"granary/internal/access/accesstest"
)

// TestEveryActionIsDocumented: an action without a row would be held to
// nothing by TestDocumentedPermission.
func TestEveryActionIsDocumented(t *testing.T) {
	rows := map[access.Action]int{}
	for _, right := range accesstest.Documented() {
		rows[right.Action]++
	}
	for action := range access.ActionCount {
		if rows[action] != 1 {
			t.Errorf("action %d of action.go has %d rows in accesstest.Documented, want 1", action, rows[action])
		}
	}
	if len(rows) != int(access.ActionCount) {
		t.Errorf("%d actions have rows, and there are %d", len(rows), access.ActionCount)
	}
}

// TestDocumentedPermission compares every cell of the table, that is every
// action, actor, resource and switch of the server, with what GitLab documents.
func TestDocumentedPermission(t *testing.T) {
	cells := 0
	for _, right := range accesstest.Documented() {
		wrong := &mistakes{t: t, what: right.What + " (" + right.Source + "; " + right.Reason + ")"}
		for _, a := range actors() {
			wrong.compare(access.CheckToken(a.Actor, right.Action), right.ExpectToken(a.Actor), a, "by the token alone")
			for _, on := range resources(a, right) {
				for _, rules := range switches(right) {
					cells++
					wrong.compare(rules.Check(a.Actor, on, right.Action), right.Expect(rules, a.Actor, on), a, on, rules)
				}
			}
		}
		wrong.sum()
	}
	t.Logf("%d cells", cells)
	if cells < 100_000 {
		t.Errorf("only %d cells were compared", cells)
	}
}

// mistakes reports the first wrong cells of a row: a wrong row has thousands.
type mistakes struct {
	t     *testing.T
	what  string
	count int
}

const mistakesTold = 4

func (m *mistakes) compare(got, want access.Verdict, cell ...any) {
	m.t.Helper()
	if got == want {
		return
	}
	if m.count++; m.count <= mistakesTold {
		m.t.Errorf("%s: %s, want %s, for %+v", m.what, word(got), word(want), cell)
	}
}

func (m *mistakes) sum() {
	m.t.Helper()
	if m.count > mistakesTold {
		m.t.Errorf("%s: %d cells are wrong", m.what, m.count)
	}
}

// TestDocumentedScopes: a refusal lists the scopes that the documentation names.
func TestDocumentedScopes(t *testing.T) {
	for _, right := range accesstest.Documented() {
		var scopes []string
		for _, scope := range access.Scopes(right.Action) {
			scopes = append(scopes, string(scope))
		}
		if got := strings.Join(scopes, " "); got != right.Scopes() {
			t.Errorf("%s: scopes %q, want %q", right.What, got, right.Scopes())
		}
	}
}

// TestDocumentedVisibility compares which actors see a place at all.
func TestDocumentedVisibility(t *testing.T) {
	rights, cells := accesstest.Documented(), 0
	place := slices.IndexFunc(rights, func(r accesstest.Right) bool { return r.Action == access.ReadProject })
	for _, a := range actors() {
		for _, on := range resources(a, rights[place]) {
			cells++
			var rules access.Rules
			if got, want := rules.CanSee(a.Actor, on), accesstest.Sees(a.Actor, on); got != want {
				t.Errorf("%s sees %+v: %v, want %v", a, on, got, want)
			}
		}
	}
	t.Logf("%d cells", cells)
}

// actor is an actor, with its role at the resource.
type actor struct {
	access.Actor
	role            access.Role
	covered, listed bool
}

func (a actor) String() string {
	kind := map[access.Kind]string{access.Anonymous: "anonymous", access.User: "user", access.Job: "job", access.DeployToken: "deploy token"}
	words := []string{kind[a.Kind], fmt.Sprint("role ", int(a.role)), fmt.Sprint("scopes ", a.Scopes)}
	for word, is := range map[string]bool{
		"administrator": a.Admin, "external": a.External, "bot": a.Bot, "of the project": a.covered, "let in": a.listed,
	} {
		if is {
			words = append(words, word)
		}
	}
	slices.Sort(words[3:])
	return strings.Join(words, ", ")
}

// actors is everybody: each role and credential, as a member, an external user,
// a bot and an administrator.
func actors() []actor {
	all := []actor{{}}
	for _, role := range []access.Role{access.NoRole, access.Minimal, access.Guest, access.Planner, access.Reporter,
		access.Developer, access.Maintainer, access.Owner} {
		for bits := range 8 {
			a := access.Actor{UserID: 7, External: bits&1 != 0, Bot: bits&2 != 0, Admin: bits&4 != 0}
			if a.Bot && a.Admin {
				continue // no bot is an administrator
			}
			a.Kind = access.Job
			all = append(all, actor{Actor: a, role: role}, actor{Actor: a, role: role, listed: true})
			a.Kind = access.User
			for _, scopes := range personalScopes() {
				a.Scopes = scopes
				all = append(all, actor{Actor: a, role: role})
			}
		}
	}
	for _, scopes := range deployScopes() {
		a := access.Actor{Kind: access.DeployToken, TokenID: 7, Scopes: scopes}
		all = append(all, actor{Actor: a}, actor{Actor: a, covered: true})
	}
	return all
}

// personalScopes is each scope of a personal access token alone, and the pairs
// that might add up to more than their parts.
func personalScopes() [][]access.Scope {
	return [][]access.Scope{
		nil, {access.ScopeAPI}, {access.ScopeReadAPI}, {access.ScopeReadUser}, {access.ScopeSelfRotate}, {access.ScopeSudo}, {"admin_mode"},
		{access.ScopeReadPackage}, {access.ScopeWritePackage}, {"read_repository"},
		{access.ScopeAPI, access.ScopeSudo}, {access.ScopeReadAPI, access.ScopeSudo}, {access.ScopeReadAPI, access.ScopeSelfRotate},
		{access.ScopeReadUser, access.ScopeSelfRotate}, {access.ScopeReadAPI, access.ScopeWritePackage},
		{access.ScopeReadPackage, access.ScopeWritePackage},
	}
}

func deployScopes() [][]access.Scope {
	return [][]access.Scope{
		{access.ScopeReadPackage}, {access.ScopeWritePackage}, {access.ScopeReadPackage, access.ScopeWritePackage},
		{"read_repository"}, {"read_repository", access.ScopeReadPackage}, {access.ScopeAPI},
	}
}

// resources is everything that the actor might ask the right for.
func resources(a actor, right accesstest.Right) []access.Resource {
	owns := []bool{false}
	if right.Own() && (a.Kind == access.User || a.listed) {
		owns = append(owns, true)
	}
	levels := []access.PackageAccess{access.PackagesDisabled, access.PackagesPublic} // elsewhere neither may matter
	if right.OfRegistry() {
		levels = append(levels, access.PackagesPrivate, access.PackagesEnabled)
	}
	finalisers := []access.Finalisers{""}
	if right.Finalises() {
		finalisers = append(finalisers, access.Publishers, access.Maintainers, access.People)
	}
	var all []access.Resource
	for _, own := range owns {
		if right.OfInstance() {
			all = append(all, access.Resource{Own: own})
			continue
		}
		for _, visibility := range []access.Visibility{access.Private, access.Internal, access.Public} {
			for _, level := range levels {
				for _, archived := range []bool{false, true} {
					for _, who := range finalisers {
						all = append(all, access.Resource{Visibility: visibility, Packages: level, Archived: archived,
							Role: a.role, Covered: a.covered, Listed: a.listed, Own: own, Finalisers: who})
					}
				}
			}
		}
	}
	return all
}

// switches is the settings of the server, of which only packages depend on each
// alone.
func switches(right accesstest.Right) []access.Rules {
	all := []access.Rules{{}, {GuestsReadPackages: true, AnyonePulls: true}}
	if right.OfRegistry() {
		all = append(all, access.Rules{GuestsReadPackages: true}, access.Rules{AnyonePulls: true})
	}
	return all
}

func word(v access.Verdict) string {
	return map[access.Verdict]string{access.Allowed: "let in", access.Unauthenticated: "401", access.OutOfScope: "403 insufficient_scope",
		access.Hidden: "404", access.Denied: "403"}[v]
}
