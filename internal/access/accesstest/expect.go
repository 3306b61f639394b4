package accesstest

import (
	"slices"
	"strings"

	"granary/internal/access"
)

// nobody is above every role.
const nobody = access.Admin + 1

// Expect is what the documentation has the server answer to the actor.
func (r Right) Expect(rules access.Rules, a access.Actor, on access.Resource) access.Verdict {
	switch {
	case r.ExpectToken(a) != access.Allowed:
		return r.ExpectToken(a)
	case r.of == instance:
		return r.onInstance(a, on)
	case r.Action == access.ReadPackages && pulledByAnyone(rules, on):
		return access.Allowed
	case !Sees(a, on):
		return access.Hidden
	case r.forbids(a), r.has(frozen) && on.Archived:
		return access.Denied
	case r.has(own) && on.Own:
		return access.Allowed
	case a.Kind == access.DeployToken && r.of != registry:
		return access.Denied // "deploy tokens can't be used with the GitLab public API"
	}
	return verdict(roleOf(a, on) >= r.leastAt(rules, a, on))
}

// ExpectToken is what can be said before the server knows what it is about.
func (r Right) ExpectToken(a access.Actor) access.Verdict {
	switch {
	case a.Kind == access.Anonymous && r.has(login):
		return access.Unauthenticated
	case a.Kind == access.User && r.scopes != anyToken && !slices.ContainsFunc(a.Scopes, r.opensTo):
		return access.OutOfScope
	}
	return access.Allowed
}

// Scopes are those of a personal access token that do, a space between them.
func (r Right) Scopes() string { return r.scopes }

// Own reports whether it matters that a thing is the actor's own.
func (r Right) Own() bool { return r.has(own) }

// OfInstance reports a right that is about no group and no project.
func (r Right) OfInstance() bool { return r.of == instance }

// OfRegistry reports a right that depends on the settings of a registry.
func (r Right) OfRegistry() bool { return r.of == registry }

func (r Right) has(m mark) bool { return r.marks&m != 0 }

func (r Right) opensTo(s access.Scope) bool {
	return slices.Contains(strings.Fields(r.scopes), string(s))
}

// forbids says no to somebody whatever the role.
func (r Right) forbids(a access.Actor) bool {
	return r.has(person) && a.Bot || r.has(insider) && a.External && !a.Admin
}

func verdict(may bool) access.Verdict {
	if may {
		return access.Allowed
	}
	return access.Denied
}

// onInstance: administrators, and everybody about themselves.
func (r Right) onInstance(a access.Actor, on access.Resource) access.Verdict {
	switch {
	case a.Kind == access.DeployToken:
		return access.Hidden // it is nobody, and sees nothing of the instance
	case r.forbids(a):
		return access.Denied
	}
	return verdict(r.least == anybody || r.has(own) && on.Own || a.Admin)
}

// Sees is "Project and group visibility", with what the pages on job tokens
// and deploy tokens add.
func Sees(a access.Actor, on access.Resource) bool {
	member := a.Admin || on.Role != access.NoRole || on.Own
	switch {
	case on.Visibility == access.Public:
		return true
	case a.Kind == access.Anonymous:
		return false
	case a.Kind == access.DeployToken:
		return on.Covered // of the project, or of a group above
	case on.Visibility == access.Internal:
		return !a.External || member
	case a.Kind == access.Job:
		return on.Listed && member // a private project must let the job in
	}
	return member
}

// pulledByAnyone is the setting "Allow anyone to pull from package registry".
func pulledByAnyone(rules access.Rules, on access.Resource) bool {
	return rules.AnyonePulls && on.Packages == access.PackagesPublic
}

// roleOf is the role that counts.
func roleOf(a access.Actor, on access.Resource) access.Role {
	switch {
	case a.Kind == access.Anonymous:
		return anybody
	case a.Kind == access.DeployToken:
		return roleOfDeployToken(a, on)
	case a.Kind == access.Job && !on.Listed:
		return anybody // a passer-by
	case a.Admin:
		return access.Admin
	}
	return on.Role
}

// roleOfDeployToken: with write_package_registry it publishes, reads and
// deletes, with read_package_registry it reads.
func roleOfDeployToken(a access.Actor, on access.Resource) access.Role {
	switch {
	case on.Covered && slices.Contains(a.Scopes, access.ScopeWritePackage):
		return access.Maintainer
	case on.Covered && slices.Contains(a.Scopes, access.ScopeReadPackage):
		return access.Reporter
	}
	return anybody
}

// leastAt is the least role here: that of the row, but for a registry.
func (r Right) leastAt(rules access.Rules, a access.Actor, on access.Resource) access.Role {
	switch {
	case r.of != registry:
		return r.least
	case on.Packages == access.PackagesDisabled:
		return nobody
	case !r.has(reads):
		return r.least
	case on.Packages == access.PackagesPrivate:
		return access.Reporter // "only project members", and guests do not pull
	case pulledByAnyone(rules, on), on.Visibility == access.Public:
		return anybody
	case on.Visibility == access.Internal && a.Kind != access.DeployToken:
		return anybody // every user, and a deploy token is none
	case rules.GuestsReadPackages:
		return r.least
	}
	return access.Reporter
}
