// Package accesstest is the permission table a second time, written from
// GitLab's documentation: tests compare what access and the API decide with
// what it expects. It uses the types and constants of access and nothing that
// access computes, so that a mistake has to be made twice to pass.
package accesstest

import (
	"slices"

	"granary/internal/access"
)

// Right is one row: what GitLab's documentation says about one action.
type Right struct {
	Action access.Action
	What   string // for messages
	of     object
	least  access.Role // lowest role of a member that may
	marks  mark
	scopes string // of a personal access token, any one of them
	Source string // the page of GitLab's documentation
	Reason string // why granary differs from the page, if it does
}

// object is what an action is done to.
type object int

const (
	instance object = iota
	place           // a group or a project
	registry        // the package registry of a project
)

// anybody is the lowest role of actions that need none: all who can see the place may.
const anybody = access.NoRole

// mark is a condition of a row besides role and scopes.
type mark int

const (
	login     mark = 1 << iota // without a login the answer is 401, whatever the object
	person                     // bots of project and group access tokens may not
	insider                    // external users may not, unless they are administrators
	frozen                     // refused in an archived project
	own                        // needs no role if the object is the actor's own
	reads                      // reads a registry: the registry's access level decides who may
	finalises                  // the project's finalisers may say more
)

// The scopes, as the page "Personal access token scopes" describes them: api allows
// everything, read_api every GET, read_user GET of users.
const (
	reading  = "api read_api"
	writing  = "api"
	users    = "api read_api read_user"
	rotating = "api self_rotate"
	anyToken = "" // "any token may read and revoke itself"
)

// The pages. "Permissions" is "Permissions and roles".
const (
	userPage    = "Users API"
	tokens      = "Personal access tokens API"
	groupRoles  = "Permissions: group members"
	roles       = "Permissions: project members"
	visibility  = "Project and group visibility"
	deployPage  = "Deploy tokens API"
	projectBots = "Project access tokens API"
	groupBots   = "Group access tokens API"
	jobScope    = "CI/CD job token scope API"
	packagePage = "Package registry: permissions"
	draftPage   = "docs/design/021-drafts.md"
	sessionPage = "docs/compatibility.md"
)

// Documented is the table, with one row for each action.
func Documented() []Right {
	return slices.Concat(aboutPeople(), aboutPlaces(), aboutContents())
}

// aboutPeople is about users and the instance.
func aboutPeople() []Right {
	return []Right{
		{access.ReadSelf, "read one's own user", instance, anybody, login, users, userPage, ""},
		{access.ReadUsers, "read users", instance, anybody, login, users, userPage, "GitLab: GET /users without a login with ?username="},
		{access.ReadMetadata, "read the version", instance, anybody, login, users, "Metadata API", ""},
		{access.AdminUsers, "create, change, block and delete users", instance, access.Admin, login, writing, userPage, ""},
		{access.AdminInstanceVariables, "manage variables of the instance", instance, access.Admin, login, writing, "Instance-level CI/CD variables API", ""},
		{access.AdminFeatures, "turn feature flags", instance, access.Admin, login, writing, "Features API", ""},
		{access.ReadInstance, "read flags, deploy tokens and events of the instance", instance, access.Admin, login, reading, "Features API", ""},

		{access.UseOwnToken, "read or revoke the token in use", instance, anybody, login, anyToken, tokens, ""},
		{access.ReadTokens, "read a personal access token", instance, access.Admin, login | own, reading, tokens, ""},
		{access.IssueTokens, "make a user a personal access token", instance, access.Admin, login, writing, tokens, ""},
		{access.RevokeToken, "revoke a personal access token", instance, access.Admin, login | own, writing, tokens, ""},
		{access.RotateToken, "rotate a personal access token", instance, access.Admin, login | own, rotating, tokens, ""},
		{access.IssueOwnToken, "make oneself a personal access token", instance, anybody, login | person, writing, tokens, ""},
		{access.MakeOwnSignInLink, "make a link that signs in the owner of the token in use", instance, anybody, login | person, anyToken, sessionPage, "GitLab has no such links"},
		{access.MakeSignInLink, "make a link that signs in another user", instance, access.Admin, login, writing, sessionPage, "GitLab has no such links"},
		{access.ReadSessions, "view a user's sessions", instance, access.Admin, login | own, reading, sessionPage, "GitLab: only one's own"},
		{access.EndSessions, "end a user's sessions", instance, access.Admin, login | own, writing, sessionPage, "GitLab: only one's own"},
		{access.IssueTokenInPerson, "make oneself a token from a session", instance, anybody, login | person, writing, sessionPage, "GitLab's page of tokens, without an API"},
		{access.RotateBotToken, "rotate the project or group access token in use", place, anybody, login, rotating, projectBots, ""},
	}
}

// aboutPlaces is about groups and projects, their members and their tokens.
func aboutPlaces() []Right {
	return []Right{
		{access.ListNamespaces, "list groups and projects", instance, anybody, 0, reading, "Projects API", ""},
		{access.FindNamespaces, "list the namespaces that one belongs to", instance, anybody, login, reading, "Namespaces API", ""},
		{access.ReadNamespace, "view a namespace", place, anybody, login, reading, "Namespaces API", ""},
		{access.CreateTopGroup, "create a group at the top", instance, access.Admin, login | own | person | insider, writing, "Groups API: can_create_group", ""},
		{access.ReadGroup, "view a group", place, anybody, 0, reading, visibility, ""},
		{access.CreateSubgroup, "create a subgroup", place, access.Maintainer, login, writing, groupRoles, ""},
		{access.EditGroup, "edit or delete a group", place, access.Owner, login, writing, groupRoles, ""},
		{access.CreateProject, "create a project in a group", place, access.Developer, login, writing, groupRoles, ""},

		{access.ReadProject, "view a project", place, anybody, 0, reading, visibility, ""},
		{access.EditProject, "edit a project", place, access.Maintainer, login, writing, roles, ""},
		{access.OwnProject, "archive, delete or show a project to others", place, access.Owner, login, writing, roles, ""},

		{access.ReadMembers, "view members", place, anybody, login, reading, "Members API", ""},
		{access.AdminProjectMembers, "manage members of a project", place, access.Maintainer, login, writing, roles, ""},
		{access.AdminGroupMembers, "manage members of a group", place, access.Owner, login, writing, groupRoles, ""},
		{access.LeaveMembers, "leave", place, access.Guest, login, writing, "Members API", ""},

		{access.ReadDeployTokens, "view deploy tokens", place, access.Maintainer, login, reading, deployPage, ""},
		{access.AdminProjectDeployTokens, "manage deploy tokens of a project", place, access.Maintainer, login, writing, deployPage, ""},
		{access.AdminGroupDeployTokens, "manage deploy tokens of a group", place, access.Owner, login, writing, deployPage, ""},

		{access.ReadProjectTokens, "view project access tokens", place, access.Maintainer, login, reading, projectBots, ""},
		{access.IssueProjectToken, "make a project access token", place, access.Maintainer, login | person, writing, projectBots, ""},
		{access.EndProjectToken, "revoke or rotate a project access token", place, access.Maintainer, login, writing, projectBots, ""},
		{access.ReadGroupTokens, "view group access tokens", place, access.Owner, login, reading, groupBots, ""},
		{access.IssueGroupToken, "make a group access token", place, access.Owner, login | person, writing, groupBots, ""},
		{access.EndGroupToken, "revoke or rotate a group access token", place, access.Owner, login, writing, groupBots, ""},

		{access.ReadJobTokenScope, "view the job token scope", place, access.Maintainer, login, reading, jobScope, ""},
		{access.AdminJobTokenScope, "change the job token scope", place, access.Maintainer, login, writing, jobScope, ""},
		{access.ReadProjectVariables, "view variables of a project", place, access.Maintainer, login, reading, roles, ""},
		{access.AdminProjectVariables, "manage variables of a project", place, access.Maintainer, login, writing, roles, ""},
		{access.ReadGroupVariables, "view variables of a group", place, access.Owner, login, reading, groupRoles, ""},
		{access.AdminGroupVariables, "manage variables of a group", place, access.Owner, login, writing, groupRoles, ""},
		{access.ReadHooks, "view webhooks", place, access.Maintainer, login, reading, "Project webhooks API", ""},
		{access.AdminHooks, "manage webhooks", place, access.Maintainer, login, writing, "Project webhooks API", ""},
	}
}

// aboutContents is about packages, releases and other contents of projects.
func aboutContents() []Right {
	return []Right{
		{access.ReadJobs, "view CI/CD jobs", place, access.Reporter, login, reading, "Pipeline visibility, switched off",
			"GitLab's default lets guests see jobs too; here jobs hold what scripts do with tokens"},
		{access.CreateJob, "run a CI/CD job", place, access.Developer, login | frozen, writing, roles, ""},
		{access.EndJob, "cancel a CI/CD job", place, access.Maintainer, login | own, writing, roles,
			"GitLab: Developer; here the end of a job decides whether its token lives"},

		{access.ReadPackages, "pull a package", registry, access.Guest, reads, reading, packagePage, ""},
		{access.PublishPackage, "publish a package", registry, access.Developer, login | frozen, writing, packagePage, ""},
		{access.FinalisePackage, "make a version final", registry, access.Developer, login | frozen | finalises, writing, draftPage,
			"GitLab has no drafts"},
		{access.DestroyPackage, "delete a package", registry, access.Maintainer, frozen, writing, packagePage, ""},
		{access.ListPackages, "list packages", registry, access.Guest, reads, reading, packagePage, ""},
		{access.ReadProtections, "view package protection rules", place, access.Maintainer, login, reading, "Package protection rules API",
			"GitLab: not while the project is archived or its registry off; here only publishing stops"},
		{access.AdminProtections, "manage package protection rules", place, access.Maintainer, login | frozen, writing, "Package protection rules API",
			"GitLab: not while the registry is off"},

		{access.ReadReleases, "view releases", place, anybody, 0, reading, "Releases: permissions", ""},
		{access.PublishRelease, "create or edit a release", place, access.Developer, login | frozen, writing, "Releases: permissions", ""},
		{access.DestroyRelease, "delete a release", place, access.Maintainer, login | frozen, writing, "Releases API", ""},
		{access.ReadUploads, "read an upload", place, anybody, 0, reading, visibility, ""},
		{access.UploadFile, "upload a file", place, access.Guest, login | frozen, writing, "Markdown uploads API",
			"GitLab: on a public or internal project any user; here only members take space"},
		{access.FetchUpload, "read an upload by the API", place, access.Guest, login, reading, "Markdown uploads API", ""},
		{access.ListUploads, "list uploads", place, access.Maintainer, login, reading, "Markdown uploads API", ""},
		{access.DestroyUpload, "delete an upload", place, access.Maintainer, login | frozen, writing, "Markdown uploads API", ""},

		{access.ReadProjectAudit, "view audit events of a project", place, access.Maintainer, login, reading, "Audit events",
			"GitLab: Developers see their own"},
		{access.ReadGroupAudit, "view audit events of a group", place, access.Owner, login, reading, "Audit events", "GitLab: Developers see their own"},
		{access.ReadUsage, "view statistics of storage", place, access.Reporter, login, reading, "Projects API: statistics", ""},
	}
}
