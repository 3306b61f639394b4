package access

// Action is one thing an actor may ask for. Each deed names exactly one.
type Action int

// The actions, by their aim.
const (
	ReadSelf     Action = iota // one's own user record
	ReadUsers                  // other users' public records
	ReadMetadata               // version and metadata of the server
	AdminUsers                 // create, change, block and delete users, and see all their fields
	AdminFeatures
	AdminInstanceVariables
	ReadInstance // data of the whole instance, for administrators

	UseOwnToken // a token reads or revokes itself, a session ends itself: any scope suffices
	ReadTokens  // a personal access token's record
	IssueTokens // a personal access token for a user
	RevokeToken
	RotateToken
	IssueOwnToken  // a token for oneself, with few scopes
	RotateBotToken // a project or group access token replaces itself

	MakeOwnSignInLink  // a link that signs in the owner of the token in use
	MakeSignInLink     // a link that signs in another user
	ReadSessions       // a user's sessions
	EndSessions        // a session, or all of a user
	IssueTokenInPerson // a token for oneself, from a session

	ListNamespaces // groups and projects that the actor can see
	FindNamespaces // those that the actor belongs to
	ReadNamespace  // a group, or a user's own
	CreateTopGroup
	ReadGroup
	CreateSubgroup
	EditGroup
	CreateProject // in a group, or in one's own namespace

	ReadProject
	EditProject
	OwnProject // visibility, archiving, deletion

	ReadMembers
	AdminProjectMembers
	AdminGroupMembers
	LeaveMembers // end one's own membership

	ReadDeployTokens
	AdminProjectDeployTokens
	AdminGroupDeployTokens

	ReadProjectTokens // project access tokens
	IssueProjectToken
	EndProjectToken // revoke or rotate
	ReadGroupTokens
	IssueGroupToken
	EndGroupToken

	ReadJobTokenScope
	AdminJobTokenScope

	ReadProjectVariables
	AdminProjectVariables
	ReadGroupVariables
	AdminGroupVariables

	ReadHooks
	AdminHooks

	ReadJobs
	CreateJob
	EndJob

	ReadPackages
	PublishPackage
	FinalisePackage // make a draft or an open version final; Resource.Finalisers asks for more
	DestroyPackage
	ListPackages // find packages and their files; not allowed by opening the packages to anyone
	ReadProtections
	AdminProtections

	ReadReleases
	PublishRelease // make and edit releases and their links
	DestroyRelease
	ReadUploads // open an upload by its address on the web
	FetchUpload // open an upload by the API
	ListUploads // find uploads without their addresses
	UploadFile  // a file that belongs to no package, for release notes to refer to
	DestroyUpload

	ReadProjectAudit
	ReadGroupAudit

	ReadUsage // how much a project or group keeps

	actionCount // the number of actions
)

// aim is the kind of resource that an action is about.
type aim int

const (
	instance aim = iota
	place        // a group or project
	packages     // the package registry of a project
)

// rule is one row of the permission table.
type rule struct {
	on     aim
	least  Role    // the lowest role that may
	login  bool    // an anonymous actor is asked to log in, whatever the target
	person bool    // the bot of a project or group access token may not
	inside bool    // an external user may not, unless an administrator
	scopes []Scope // of a personal access token, any one suffices; empty: any token
}

// rules is the table. It is a value, never changed.
var rules = [actionCount]rule{
	ReadSelf:               {on: instance, least: NoRole, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI, ScopeReadUser}},
	ReadUsers:              {on: instance, least: NoRole, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI, ScopeReadUser}},
	ReadMetadata:           {on: instance, least: NoRole, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI, ScopeReadUser}},
	AdminUsers:             {on: instance, least: Admin, login: true, scopes: []Scope{ScopeAPI}},
	AdminFeatures:          {on: instance, least: Admin, login: true, scopes: []Scope{ScopeAPI}},
	AdminInstanceVariables: {on: instance, least: Admin, login: true, scopes: []Scope{ScopeAPI}},
	ReadInstance:           {on: instance, least: Admin, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},

	UseOwnToken: {on: instance, least: NoRole, login: true},
	ReadTokens:  {on: instance, least: Admin, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	IssueTokens: {on: instance, least: Admin, login: true, scopes: []Scope{ScopeAPI}},
	RevokeToken: {on: instance, least: Admin, login: true, scopes: []Scope{ScopeAPI}},
	RotateToken: {on: instance, least: Admin, login: true, scopes: []Scope{ScopeAPI, ScopeSelfRotate}},

	IssueOwnToken:  {on: instance, least: NoRole, login: true, person: true, scopes: []Scope{ScopeAPI}},
	RotateBotToken: {on: place, least: NoRole, login: true, scopes: []Scope{ScopeAPI, ScopeSelfRotate}},

	MakeOwnSignInLink:  {on: instance, least: NoRole, login: true, person: true},
	MakeSignInLink:     {on: instance, least: Admin, login: true, scopes: []Scope{ScopeAPI}},
	ReadSessions:       {on: instance, least: Admin, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	EndSessions:        {on: instance, least: Admin, login: true, scopes: []Scope{ScopeAPI}},
	IssueTokenInPerson: {on: instance, least: NoRole, login: true, person: true, scopes: []Scope{ScopeAPI}},

	ListNamespaces: {on: instance, least: NoRole, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	FindNamespaces: {on: instance, least: NoRole, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	ReadNamespace:  {on: place, least: NoRole, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	CreateTopGroup: {on: instance, least: Admin, login: true, person: true, inside: true, scopes: []Scope{ScopeAPI}},
	ReadGroup:      {on: place, least: NoRole, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	CreateSubgroup: {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI}},
	EditGroup:      {on: place, least: Owner, login: true, scopes: []Scope{ScopeAPI}},
	CreateProject:  {on: place, least: Developer, login: true, scopes: []Scope{ScopeAPI}},

	ReadProject: {on: place, least: NoRole, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	EditProject: {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI}},
	OwnProject:  {on: place, least: Owner, login: true, scopes: []Scope{ScopeAPI}},

	ReadMembers:         {on: place, least: NoRole, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	AdminProjectMembers: {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI}},
	AdminGroupMembers:   {on: place, least: Owner, login: true, scopes: []Scope{ScopeAPI}},
	LeaveMembers:        {on: place, least: Guest, login: true, scopes: []Scope{ScopeAPI}},

	ReadDeployTokens:         {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	AdminProjectDeployTokens: {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI}},
	AdminGroupDeployTokens:   {on: place, least: Owner, login: true, scopes: []Scope{ScopeAPI}},

	ReadProjectTokens: {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	IssueProjectToken: {on: place, least: Maintainer, login: true, person: true, scopes: []Scope{ScopeAPI}},
	EndProjectToken:   {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI}},
	ReadGroupTokens:   {on: place, least: Owner, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	IssueGroupToken:   {on: place, least: Owner, login: true, person: true, scopes: []Scope{ScopeAPI}},
	EndGroupToken:     {on: place, least: Owner, login: true, scopes: []Scope{ScopeAPI}},

	ReadJobTokenScope:  {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	AdminJobTokenScope: {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI}},

	ReadProjectVariables:  {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	AdminProjectVariables: {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI}},
	ReadGroupVariables:    {on: place, least: Owner, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	AdminGroupVariables:   {on: place, least: Owner, login: true, scopes: []Scope{ScopeAPI}},

	ReadHooks:  {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	AdminHooks: {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI}},

	ReadJobs:  {on: place, least: Reporter, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	CreateJob: {on: place, least: Developer, login: true, scopes: []Scope{ScopeAPI}},
	EndJob:    {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI}},

	ReadPackages:    {on: packages, least: Guest, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	PublishPackage:  {on: packages, least: Developer, login: true, scopes: []Scope{ScopeAPI}},
	FinalisePackage: {on: packages, least: Developer, login: true, scopes: []Scope{ScopeAPI}},
	DestroyPackage:  {on: packages, least: Maintainer, scopes: []Scope{ScopeAPI}},
	ListPackages:    {on: packages, least: Guest, scopes: []Scope{ScopeAPI, ScopeReadAPI}},

	ReadProtections:  {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	AdminProtections: {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI}},

	ReadReleases:   {on: place, least: NoRole, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	PublishRelease: {on: place, least: Developer, login: true, scopes: []Scope{ScopeAPI}},
	DestroyRelease: {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI}},
	ReadUploads:    {on: place, least: NoRole, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	FetchUpload:    {on: place, least: Guest, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	ListUploads:    {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	UploadFile:     {on: place, least: Guest, login: true, scopes: []Scope{ScopeAPI}},
	DestroyUpload:  {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI}},

	ReadProjectAudit: {on: place, least: Maintainer, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
	ReadGroupAudit:   {on: place, least: Owner, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},

	ReadUsage: {on: place, least: Reporter, login: true, scopes: []Scope{ScopeAPI, ScopeReadAPI}},
}
