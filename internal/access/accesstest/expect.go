package accesstest

import (
	"slices"
	"strings"

	"granary/internal/access"
)

// nobody is above every role.
const nobody = access.Admin + 1

// Expect is the answer that the documentation requires for the actor.
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
	case r.has(finalises) && !finaliser(a, on):
		return access.Denied
	}
	return verdict(roleOf(a, on) >= r.leastAt(rules, a, on))
}

// ExpectToken is the part of Expect that depends on the actor only, not on the object.
func (r Right) ExpectToken(a access.Actor) access.Verdict {
	switch {
	case a.Kind == access.Anonymous && r.has(login):
		return access.Unauthenticated
	case a.Kind == access.User && r.scopes != anyToken && !slices.ContainsFunc(a.Scopes, r.opensTo):
		return access.OutOfScope
	}
	return access.Allowed
}

// Scopes are the scopes of a personal access token that suffice, separated by spaces.
func (r Right) Scopes() string { return r.scopes }

// Own reports whether it matters that the object is the actor's own.
func (r Right) Own() bool { return r.has(own) }

// OfInstance reports whether the right is about neither a group nor a project.
func (r Right) OfInstance() bool { return r.of == instance }

// OfRegistry reports whether the right depends on the settings of a registry.
func (r Right) OfRegistry() bool { return r.of == registry }

// Finalises reports whether the right depends on a project's finalisers.
func (r Right) Finalises() bool { return r.has(finalises) }

// finaliser reports whether the actor is one by the project's setting alone.
func finaliser(a access.Actor, on access.Resource) bool {
	maintainer := a.LoggedIn() && (a.Admin || on.Role == access.Maintainer || on.Role == access.Owner)
	switch on.Finalisers {
	case access.Maintainers:
		return maintainer
	case access.People:
		return maintainer && a.Kind == access.User && !a.Bot
	}
	return true
}

func (r Right) has(m mark) bool { return r.marks&m != 0 }

func (r Right) opensTo(s access.Scope) bool {
	return slices.Contains(strings.Fields(r.scopes), string(s))
}

// forbids reports whether a mark refuses the actor, whatever the role.
func (r Right) forbids(a access.Actor) bool {
	return r.has(person) && a.Bot || r.has(insider) && a.External && !a.Admin
}

func verdict(may bool) access.Verdict {
	if may {
		return access.Allowed
	}
	return access.Denied
}

// onInstance allows administrators everything, and others what is their own.
func (r Right) onInstance(a access.Actor, on access.Resource) access.Verdict {
	switch {
	case a.Kind == access.DeployToken:
		return access.Hidden // it is nobody, and sees nothing of the instance
	case r.forbids(a):
		return access.Denied
	}
	return verdict(r.least == anybody || r.has(own) && on.Own || a.Admin)
}

// Sees is the page "Project and group visibility", and the rules of the pages on job
// tokens and deploy tokens.
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
		return on.Listed && member // a private project must list the job's project
	}
	return member
}

// pulledByAnyone reports the setting "Allow anyone to pull from package registry".
func pulledByAnyone(rules access.Rules, on access.Resource) bool {
	return rules.AnyonePulls && on.Packages == access.PackagesPublic
}

// roleOf is the actor's effective role.
func roleOf(a access.Actor, on access.Resource) access.Role {
	switch {
	case a.Kind == access.Anonymous:
		return anybody
	case a.Kind == access.DeployToken:
		return roleOfDeployToken(a, on)
	case a.Kind == access.Job && !on.Listed:
		return anybody // like an anonymous caller
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

// leastAt is the lowest role that may: the row's, unless the object is a registry.
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
		return anybody // every user; a deploy token is not one
	case rules.GuestsReadPackages:
		return r.least
	}
	return access.Reporter
}
