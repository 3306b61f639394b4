package access

// Resource is the group, project or thing that an action is about, with the actor's
// standing there. The zero value is the instance itself.
type Resource struct {
	Visibility Visibility
	Packages   PackageAccess // of a project
	Archived   bool          // the project or a group above it
	Role       Role          // the actor's highest role here, direct or inherited
	Covered    bool          // the actor is a deploy token of this project or of a group above it
	Listed     bool          // the actor is a job of this project, or of one that this project's job token scope lets in
	Own        bool          // the thing belongs to the actor itself: its token, its job
	Finalisers Finalisers    // of a project
}

// Verdict is the outcome of a check.
type Verdict int

// The verdicts. Hidden must look as if the resource did not exist, Denied need not. A door
// may ask an anonymous actor to log in instead of Hidden.
const (
	Allowed Verdict = iota
	Unauthenticated
	OutOfScope
	Hidden
	Denied
)

// Rules are the settings of the server that permission depends on.
type Rules struct {
	GuestsReadPackages bool // guests and planners may read packages of private projects
	AnyonePulls        bool // projects may open their packages to everyone
}

// Check decides whether the actor may do the action to the resource.
func (p Rules) Check(a Actor, r Resource, action Action) Verdict {
	rule := rules[action]
	if v := CheckToken(a, action); v != Allowed {
		return v
	}
	if a.Kind == DeployToken {
		return p.checkDeployToken(a, r, action)
	}
	if rule.on == instance {
		return checkInstance(a, r, rule)
	}
	if action == ReadPackages && p.opened(r) {
		return Allowed
	}
	if !visible(a, r) {
		return Hidden
	}
	if rule.on == packages {
		return p.checkPackages(a, r, action)
	}
	if a.Kind == Job && !r.Listed {
		r.Role, a.Admin = NoRole, false
	}
	if rule.person && a.Bot || r.Archived && frozen(action) {
		return Denied
	}
	if r.Own || a.role(r.Role) >= rule.least {
		return Allowed
	}
	return Denied
}

// frozen reports whether an archived project refuses the action.
func frozen(action Action) bool {
	switch action {
	case CreateJob, AdminProtections, PublishRelease, DestroyRelease, UploadFile, DestroyUpload:
		return true
	}
	return false
}

// CheckToken checks the actor before the resource is known: the actor must be logged in
// if the action requires it, and the token's scopes must allow the action.
func CheckToken(a Actor, action Action) Verdict {
	rule := rules[action]
	switch {
	case a.Kind == Anonymous && rule.login:
		return Unauthenticated
	case a.Kind == User && len(rule.scopes) > 0 && !a.Has(rule.scopes...):
		return OutOfScope
	}
	return Allowed
}

// Scopes are the scopes of a personal access token that allow the action; any one of them
// suffices.
func Scopes(action Action) []Scope { return rules[action].scopes }

// CanSee reports whether the actor can see that the resource exists.
func (p Rules) CanSee(a Actor, r Resource) bool {
	return a.Kind == DeployToken && r.Covered || visible(a, r)
}

// visible: all see public resources, users who are not external internal ones, members and
// administrators all. A job of a project that is not let in sees what an anonymous actor
// sees (contract generic-packages 4.5).
func visible(a Actor, r Resource) bool {
	switch {
	case a.Kind == DeployToken:
		return r.Covered || r.Visibility == Public
	case r.Visibility == Public:
		return true
	case !a.LoggedIn():
		return false
	case r.Visibility == Internal && !a.External:
		return true
	case a.Kind == Job && !r.Listed:
		return r.Visibility == Internal && (a.Admin || r.Role > NoRole)
	}
	return a.Admin || r.Role > NoRole || r.Own
}

func checkInstance(a Actor, r Resource, rule rule) Verdict {
	if rule.person && a.Bot || rule.inside && a.External && !a.Admin {
		return Denied
	}
	if r.Own || a.role(NoRole) >= rule.least {
		return Allowed
	}
	return Denied
}

// opened reports whether everyone may pull from the registry.
func (p Rules) opened(r Resource) bool { return p.AnyonePulls && r.Packages == PackagesPublic }

// checkPackages is the matrix of contract generic-packages, section 5.
func (p Rules) checkPackages(a Actor, r Resource, action Action) Verdict {
	if r.Packages == PackagesDisabled || r.Archived && action != ReadPackages && action != ListPackages {
		return Denied
	}
	foreign := a.Kind == Job && !r.Listed
	role := a.role(r.Role)
	if foreign {
		role = NoRole
	}
	switch action {
	case ReadPackages, ListPackages:
		if p.mayRead(a, r, role) {
			return Allowed
		}
	case FinalisePackage:
		if role >= max(rules[action].least, r.Finalisers.least()) && r.Finalisers.include(a) {
			return Allowed
		}
	default:
		if role >= rules[action].least {
			return Allowed
		}
	}
	return Denied
}

// mayRead requires that the actor can see the project.
func (p Rules) mayRead(a Actor, r Resource, role Role) bool {
	switch {
	case r.Packages == PackagesPrivate:
		return role >= Reporter
	case r.Visibility != Private || p.opened(r):
		return true
	case p.GuestsReadPackages:
		return role >= Guest
	}
	return role >= Reporter
}

// checkDeployToken: a token of the project or of a group above it may do what its scopes
// allow; others see public projects and may do there what everybody may (contract
// generic-packages 2.6, 5).
func (p Rules) checkDeployToken(a Actor, r Resource, action Action) Verdict {
	if action == ReadPackages && p.opened(r) {
		return Allowed
	}
	if !visible(a, r) {
		return Hidden
	}
	if rules[action].on != packages || r.Packages == PackagesDisabled {
		return Denied
	}
	switch action {
	case ReadPackages, ListPackages:
		everyone := r.Visibility == Public && r.Packages != PackagesPrivate || p.opened(r)
		if everyone || r.Covered && a.Has(ScopeReadPackage, ScopeWritePackage) {
			return Allowed
		}
	case FinalisePackage:
		if r.Covered && !r.Archived && a.Has(ScopeWritePackage) && r.Finalisers.least() == NoRole {
			return Allowed
		}
	default:
		if r.Covered && !r.Archived && a.Has(ScopeWritePackage) {
			return Allowed
		}
	}
	return Denied
}

// AtLeast reports whether the actor's role at the resource is the given one or above. No
// actor may grant a higher role than its own.
func (a Actor) AtLeast(r Resource, role Role) bool { return a.role(r.Role) >= role }
