// Package access decides which actor may do which action. It is pure: no clock, no I/O,
// no SQL, no HTTP. Every deed of every room calls Rules.Check before it acts.
package access

import "slices"

// Role is a member's access level, with GitLab's numbers.
type Role int

// The roles. Admin is the level of an instance administrator; no member has it.
const (
	NoRole     Role = 0
	Minimal    Role = 5
	Guest      Role = 10
	Planner    Role = 15
	Reporter   Role = 20
	Developer  Role = 30
	Maintainer Role = 40
	Owner      Role = 50
	Admin      Role = 60
)

// Grantable reports whether a member may have the role.
func (r Role) Grantable() bool {
	return slices.Contains([]Role{Guest, Planner, Reporter, Developer, Maintainer, Owner}, r)
}

// String is the role's name, as GitLab's pages have it.
func (r Role) String() string {
	switch r {
	case Minimal:
		return "Minimal Access"
	case Guest:
		return "Guest"
	case Planner:
		return "Planner"
	case Reporter:
		return "Reporter"
	case Developer:
		return "Developer"
	case Maintainer:
		return "Maintainer"
	case Owner:
		return "Owner"
	case Admin:
		return "Administrator"
	}
	return "None"
}

// Visibility is the visibility of a project or group, with GitLab's numbers.
type Visibility int

// The visibilities, from the least visible.
const (
	Private  Visibility = 0
	Internal Visibility = 10
	Public   Visibility = 20
)

// PackageAccess is a project's package_registry_access_level, with GitLab's
// numbers (contract generic-packages 3.4, rest-api 1.4).
type PackageAccess int

// The levels: nobody; members from Reporter up; everyone who can see the project;
// everyone.
const (
	PackagesDisabled PackageAccess = 0
	PackagesPrivate  PackageAccess = 10
	PackagesEnabled  PackageAccess = 20
	PackagesPublic   PackageAccess = 30
)

// String is the level in the words of the API.
func (l PackageAccess) String() string {
	switch l {
	case PackagesPrivate:
		return "private"
	case PackagesEnabled:
		return "enabled"
	case PackagesPublic:
		return "public"
	}
	return "disabled"
}

// Kind is the kind of an actor, by its credential.
type Kind int

// The kinds of actor.
const (
	Anonymous   Kind = iota
	User             // a personal, project or group access token, or a session
	Job              // a CI job token; acts as the job's user
	DeployToken      // a deploy token; acts as itself
)

// Scope is what a token may be used for.
type Scope string

// The scopes that have an effect. Others may be stored, and grant nothing.
const (
	ScopeAPI          Scope = "api"
	ScopeReadAPI      Scope = "read_api"
	ScopeReadUser     Scope = "read_user"
	ScopeSelfRotate   Scope = "self_rotate"
	ScopeSudo         Scope = "sudo"
	ScopeReadPackage  Scope = "read_package_registry"
	ScopeWritePackage Scope = "write_package_registry"
)

// Actor is the author of a request. The zero value is the anonymous actor.
type Actor struct {
	Kind     Kind
	UserID   int64 // of User and Job
	Username string
	Name     string // to show: the user's full name, the deploy token's name
	Admin    bool
	External bool  // sees internal projects only as a member
	MayGroup bool  // may create groups at the top, unless External
	Bot      bool  // the user of a project or group access token
	Home     int64 // of a bot: its project's id, or its group's below 0
	Scopes   []Scope

	TokenID       int64 // of the personal access or deploy token
	SessionID     int64 // of a User in a browser, who presents no token; 0 for none
	JobID         int64 // of Job
	JobProjectID  int64
	JobProject    string // the last segment of its path
	JobPipelineID int64

	Address      string // the client's, without a port; "" without a request
	Console      bool   // a User of the command line on the server's machine, without a token
	SudoID       int64  // the administrator who acts as this user; 0 for none
	SudoUsername string
}

// LoggedIn reports whether the actor is a user, directly or by a job token.
func (a Actor) LoggedIn() bool { return a.Kind == User || a.Kind == Job }

// Has reports whether the actor's token has one of the scopes.
func (a Actor) Has(scopes ...Scope) bool {
	return slices.ContainsFunc(scopes, func(s Scope) bool { return slices.Contains(a.Scopes, s) })
}

// role is the effective role: an administrator is above every member, and an actor who
// is no user has none.
func (a Actor) role(member Role) Role {
	switch {
	case !a.LoggedIn():
		return NoRole
	case a.Admin:
		return Admin
	}
	return member
}
