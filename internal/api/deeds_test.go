package api_test

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/api"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/releases"
	"granary/internal/trail"
	"granary/internal/webhooks"
)

// deed is what an exported method asks the permission table for, and arguments
// that make sense where zero values do not, by position after the actor.
type deed struct {
	action access.Action
	or     access.Action // suffices, too, for some records; 0 for none
	args   map[int]any
	free   string // why it asks for nothing; else empty
}

// deeds is every deed there is. A new one is a new row here: what does it take?
func deeds() map[string]deed {
	user := auth.User{Username: "u", Name: "u", Email: "u@example.com"}
	member := projects.Member{UserID: 9, Role: access.Guest}
	deploy := auth.DeployToken{Name: "t", Scopes: []access.Scope{access.ScopeReadPackage}}
	raw := registry.Raw{Name: "n", Version: "1.0.0", File: "f"}
	version, channel := registry.Raw{Name: "n", Version: "1.0.0"}, registry.Raw{Name: "n", Version: "@stable"}
	variable := projects.Variable{Key: "K", Scope: projects.AnyScope}
	bot := auth.PersonalToken{Name: "t", Scopes: []access.Scope{access.ScopeAPI}, Role: access.Guest}
	return map[string]deed{
		"Registry.AskSweep":             {action: access.AdminFeatures},
		"Registry.Publish":              {action: access.PublishPackage, args: map[int]any{1: raw}},
		"Registry.Open":                 {action: access.ReadPackages, args: map[int]any{1: raw}},
		"Registry.FindVersion":          {action: access.ReadPackages, args: map[int]any{1: version}},
		"Registry.ListNameVersions":     {action: access.ReadPackages, args: map[int]any{1: "n"}},
		"Registry.Names":                {action: access.ListPackages},
		"Registry.Versions":             {action: access.ListPackages, args: map[int]any{1: "n"}},
		"Registry.Version":              {action: access.ListPackages, args: map[int]any{1: "n", 2: "1.0.0"}},
		"Registry.Latest":               {action: access.ReadPackages, args: map[int]any{1: "n"}},
		"Registry.MayPublishTo":         {action: access.PublishPackage, args: map[int]any{1: "n"}},
		"Registry.NewestFile":           {action: access.ListPackages, args: map[int]any{1: raw}},
		"Registry.Locate":               {action: access.ListPackages},
		"Registry.Lately":               {free: "it asks for each project"},
		"Registry.Search":               {free: "it asks for each project of what it found"},
		"Registry.Consequences":         {action: access.DestroyPackage, or: access.PublishPackage, args: map[int]any{1: registry.Doomed{Name: "n"}}},
		"Registry.EditVersion":          {action: access.DestroyPackage, args: map[int]any{1: version, 2: registry.VersionEdit{Yanked: new(true)}}},
		"Registry.DeleteVersion":        {action: access.DestroyPackage, args: map[int]any{1: version}},
		"Registry.MoveChannel":          {action: access.PublishPackage, args: map[int]any{1: channel, 2: registry.ChannelMove{Version: "1.0.0"}}},
		"Registry.RemoveChannel":        {action: access.PublishPackage, args: map[int]any{1: channel}},
		"Registry.Upload":               {action: access.UploadFile},
		"Registry.OpenUpload":           {action: access.ReadUploads},
		"Registry.ListUploads":          {action: access.ListUploads},
		"Registry.OpenUploadByID":       {action: access.ListUploads},
		"Registry.FetchUpload":          {action: access.FetchUpload},
		"Registry.DeleteUpload":         {action: access.DestroyUpload},
		"Registry.ListPackages":         {action: access.ListPackages},
		"Registry.GroupPackages":        {action: access.ReadGroup},
		"Registry.Package":              {action: access.ListPackages},
		"Registry.PackagePipelines":     {action: access.ListPackages},
		"Registry.PackageFiles":         {action: access.ListPackages},
		"Registry.OpenByID":             {action: access.ListPackages},
		"Registry.ProjectStorage":       {action: access.ReadUsage},
		"Registry.DownloadsByDay":       {action: access.ListPackages},
		"Registry.GroupStorage":         {action: access.ReadUsage},
		"Registry.InstanceStorage":      {action: access.ReadInstance},
		"Registry.ProjectUsages":        {free: "it leaves out projects whose usage one may not read: TestStatistics"},
		"Registry.GroupUsages":          {free: "it returns nothing to others than administrators: TestStatistics"},
		"Registry.DeletePackage":        {action: access.DestroyPackage, or: access.PublishPackage}, // a draft
		"Registry.OpenDraft":            {action: access.PublishPackage, args: map[int]any{1: raw}},
		"Registry.FindDraft":            {action: access.PublishPackage, args: map[int]any{1: version}},
		"Registry.ReleaseFinals":        {action: access.PublishRelease},
		"Registry.EndJobDrafts":         {free: "it asks for each draft's own project"},
		"Registry.DiscardDraft":         {action: access.PublishPackage, args: map[int]any{1: version}},
		"Registry.FinaliseVersion":      {action: access.FinalisePackage, args: map[int]any{1: version}},
		"Registry.DeletePackageFile":    {action: access.DestroyPackage},
		"Registry.ListProtectionRules":  {action: access.ReadProtections},
		"Registry.ProtectionRule":       {action: access.ReadProtections},
		"Registry.ProtectionMatches":    {action: access.ReadProtections, args: map[int]any{1: []string{"*"}}},
		"Registry.CreateProtectionRule": {action: access.AdminProtections, args: map[int]any{1: registry.ProtectionRule{Pattern: "a", Push: access.Owner}}},
		"Registry.EditProtectionRule":   {action: access.AdminProtections},
		"Registry.DeleteProtectionRule": {action: access.AdminProtections},

		"Projects.Project":          {action: access.ReadProject},
		"Projects.ListProjects":     {action: access.ListNamespaces},
		"Projects.GroupProjects":    {action: access.ReadGroup},
		"Projects.CreateProject":    {action: access.CreateProject, args: map[int]any{1: projects.Project{Name: "p"}}},
		"Projects.EditProject":      {action: access.EditProject},
		"Projects.ArchiveProject":   {action: access.OwnProject},
		"Projects.DeleteProject":    {action: access.OwnProject},
		"Projects.Group":            {action: access.ReadGroup},
		"Projects.FormerGroup":      {action: access.ReadGroup, args: map[int]any{0: "before"}},
		"Projects.ListGroups":       {action: access.ListNamespaces},
		"Projects.Subgroups":        {action: access.ReadGroup},
		"Projects.CreateGroup":      {action: access.CreateTopGroup, args: map[int]any{0: projects.Group{Name: "g"}}},
		"Projects.EditGroup":        {action: access.EditGroup},
		"Projects.DeleteGroup":      {action: access.EditGroup},
		"Projects.TransferProject":  {action: access.OwnProject},
		"Projects.TransferGroup":    {action: access.EditGroup},
		"Projects.ListNamespaces":   {action: access.FindNamespaces},
		"Projects.Namespace":        {action: access.ReadNamespace},
		"Projects.NamespaceMembers": {free: "it tells more of a namespace that was found, or nothing"},
		"Projects.ProjectGroups":    {action: access.ReadProject},
		"Projects.ListFeatures":     {action: access.ReadInstance},
		"Projects.SetFeature":       {action: access.AdminFeatures, args: map[int]any{0: "flag"}},
		"Projects.DeleteFeature":    {action: access.AdminFeatures},
		"Projects.FeatureHere":      {action: access.ReadProject},
		"Projects.LastOwner":        {action: access.ReadMembers},
		"Projects.Associations":     {action: access.UseOwnToken},
		"Projects.JobTokenScope":    {action: access.ReadJobTokenScope},
		"Projects.SetJobTokenScope": {action: access.AdminJobTokenScope},
		"Projects.AllowedProjects":  {action: access.ReadJobTokenScope},
		"Projects.AllowedGroups":    {action: access.ReadJobTokenScope},
		"Projects.AllowJobsOf":      {action: access.AdminJobTokenScope},
		"Projects.DisallowJobsOf":   {action: access.AdminJobTokenScope},
		"Projects.ProjectStanding":  {free: "the action comes with the call"},
		"Projects.GroupStanding":    {free: "the action comes with the call"},

		"ProjectMembers.List":   {action: access.ReadMembers},
		"ProjectMembers.Member": {action: access.ReadMembers},
		"ProjectMembers.Add":    {action: access.AdminProjectMembers, args: map[int]any{1: member}},
		"ProjectMembers.Change": {action: access.AdminProjectMembers, args: map[int]any{2: access.Guest}},
		"ProjectMembers.Remove": {action: access.AdminProjectMembers},
		"GroupMembers.List":     {action: access.ReadMembers},
		"GroupMembers.Member":   {action: access.ReadMembers},
		"GroupMembers.Add":      {action: access.AdminGroupMembers, args: map[int]any{1: member}},
		"GroupMembers.Change":   {action: access.AdminGroupMembers, args: map[int]any{2: access.Guest}},
		"GroupMembers.Remove":   {action: access.AdminGroupMembers},

		"Hooks.List":       {action: access.ReadHooks},
		"Hooks.Failing":    {free: "it asks for each hook's project"},
		"Hooks.Get":        {action: access.ReadHooks},
		"Hooks.Create":     {action: access.AdminHooks, args: map[int]any{1: webhooks.Edit{URL: new("https://example.com")}}},
		"Hooks.Edit":       {action: access.AdminHooks},
		"Hooks.Delete":     {action: access.AdminHooks},
		"Hooks.SetHeader":  {action: access.AdminHooks},
		"Hooks.DropHeader": {action: access.AdminHooks},
		"Hooks.Test":       {action: access.AdminHooks},
		"Hooks.Attempts":   {action: access.ReadHooks},
		"Hooks.Attempt":    {action: access.ReadHooks},
		"Hooks.Resend":     {action: access.AdminHooks},

		"Hooks.LastAttempts": {action: access.ReadHooks},

		"Auth.Sudo":                {free: "it asks who the caller is, and takes the scope sudo"},
		"Auth.CurrentUser":         {action: access.ReadSelf},
		"Auth.User":                {action: access.ReadUsers},
		"Auth.ListUsers":           {action: access.ReadUsers},
		"Auth.CreateUser":          {action: access.AdminUsers, args: map[int]any{0: user}},
		"Auth.BlockUser":           {action: access.AdminUsers},
		"Auth.EditUser":            {action: access.AdminUsers},
		"Auth.DeleteUser":          {action: access.AdminUsers},
		"Auth.MakeAdministrator":   {action: access.AdminUsers},
		"Auth.CreatePersonalToken": {action: access.IssueTokens},
		"Auth.PersonalToken":       {action: access.ReadTokens, args: map[int]any{0: int64(5)}},
		"Auth.ListPersonalTokens":  {action: access.ReadTokens, args: map[int]any{0: auth.TokenFilter{UserID: 99}}},
		"Auth.RevokePersonalToken": {action: access.RevokeToken, args: map[int]any{0: int64(5)}},
		"Auth.RotatePersonalToken": {action: access.RotateToken, args: map[int]any{0: int64(5)}},
		"Auth.CreateOwnToken":      {action: access.IssueOwnToken, args: map[int]any{0: auth.PersonalToken{Name: "t", Scopes: []access.Scope{access.ScopeSelfRotate}}}},
		"Auth.CreateTokenInPerson": {free: "it takes a session, which only people have: TestCreateTokenInPerson and TestInPersonOnly of auth"},
		"Auth.MakeSignInLink":      {action: access.MakeSignInLink, args: map[int]any{0: int64(99)}},
		"Auth.LatestEnd":           {action: access.IssueTokenInPerson},
		"Auth.ListSessions":        {action: access.ReadSessions, args: map[int]any{0: int64(99)}},
		"Auth.EndSession":          {action: access.EndSessions, args: map[int]any{0: int64(5)}},
		"Auth.EndSessions":         {action: access.EndSessions, args: map[int]any{0: int64(99)}},
		"Auth.ListDeployTokens":    {action: access.ReadInstance},
		"Auth.CreateJob":           {action: access.CreateJob},
		"Auth.Job":                 {action: access.ReadJobs},
		"Auth.ListJobs":            {action: access.ReadJobs},
		"Auth.OwnJob":              {free: "a job token is about its own job"},
		"Auth.FinishJob":           {action: access.EndJob, args: map[int]any{1: int64(5), 2: auth.JobSuccess}},

		"Releases.List":       {action: access.ReadReleases},
		"Releases.Find":       {action: access.ReadReleases},
		"Releases.Latest":     {action: access.ReadReleases},
		"Releases.Tags":       {action: access.ReadReleases},
		"Releases.Create":     {action: access.PublishRelease, args: map[int]any{1: releases.Release{Tag: "v1"}}},
		"Releases.Change":     {action: access.PublishRelease},
		"Releases.Delete":     {action: access.DestroyRelease},
		"Releases.Links":      {action: access.ReadReleases},
		"Releases.Show":       {action: access.ReadReleases},
		"Releases.Link":       {action: access.ReadReleases},
		"Releases.Asset":      {action: access.ReadReleases},
		"Releases.AddLink":    {action: access.PublishRelease},
		"Releases.ChangeLink": {action: access.PublishRelease},
		"Releases.DeleteLink": {action: access.PublishRelease},

		"ProjectVariables.List":    {action: access.ReadProjectVariables},
		"ProjectVariables.Get":     {action: access.ReadProjectVariables},
		"ProjectVariables.Reveal":  {action: access.ReadProjectVariables},
		"ProjectVariables.Create":  {action: access.AdminProjectVariables, args: map[int]any{1: variable}},
		"ProjectVariables.Edit":    {action: access.AdminProjectVariables},
		"ProjectVariables.Delete":  {action: access.AdminProjectVariables},
		"GroupVariables.List":      {action: access.ReadGroupVariables},
		"GroupVariables.Get":       {action: access.ReadGroupVariables},
		"GroupVariables.Reveal":    {action: access.ReadGroupVariables},
		"GroupVariables.Create":    {action: access.AdminGroupVariables, args: map[int]any{1: variable}},
		"GroupVariables.Edit":      {action: access.AdminGroupVariables},
		"GroupVariables.Delete":    {action: access.AdminGroupVariables},
		"InstanceVariables.List":   {action: access.ReadInstance},
		"InstanceVariables.Get":    {action: access.ReadInstance},
		"InstanceVariables.Reveal": {action: access.ReadInstance},
		"InstanceVariables.Create": {action: access.AdminInstanceVariables, args: map[int]any{1: variable}},
		"InstanceVariables.Edit":   {action: access.AdminInstanceVariables},
		"InstanceVariables.Delete": {action: access.AdminInstanceVariables},

		"ProjectTokens.List":   {action: access.ReadProjectTokens},
		"ProjectTokens.Get":    {action: access.ReadProjectTokens},
		"ProjectTokens.Create": {action: access.IssueProjectToken, args: map[int]any{1: bot}},
		"ProjectTokens.Revoke": {action: access.EndProjectToken},
		"ProjectTokens.Rotate": {action: access.EndProjectToken, args: map[int]any{1: int64(5)}},
		"GroupTokens.List":     {action: access.ReadGroupTokens},
		"GroupTokens.Get":      {action: access.ReadGroupTokens},
		"GroupTokens.Create":   {action: access.IssueGroupToken, args: map[int]any{1: bot}},
		"GroupTokens.Revoke":   {action: access.EndGroupToken},
		"GroupTokens.Rotate":   {action: access.EndGroupToken, args: map[int]any{1: int64(5)}},

		"Audit.WalkInstance":   {action: access.ReadInstance},
		"Audit.WalkProject":    {action: access.ReadProjectAudit},
		"Audit.WalkGroup":      {action: access.ReadGroupAudit},
		"Audit.WalkOwn":        {action: access.ReadSelf},
		"Audit.InstanceEvents": {action: access.ReadInstance},
		"Audit.InstanceEvent":  {action: access.ReadInstance},
		"Audit.ProjectEvents":  {action: access.ReadProjectAudit},
		"Audit.ProjectEvent":   {action: access.ReadProjectAudit},
		"Audit.GroupEvents":    {action: access.ReadGroupAudit},
		"Audit.GroupEvent":     {action: access.ReadGroupAudit},

		"ProjectDeployTokens.List":   {action: access.ReadDeployTokens},
		"ProjectDeployTokens.Get":    {action: access.ReadDeployTokens},
		"ProjectDeployTokens.Create": {action: access.AdminProjectDeployTokens, args: map[int]any{1: deploy}},
		"ProjectDeployTokens.Delete": {action: access.AdminProjectDeployTokens},
		"GroupDeployTokens.List":     {action: access.ReadDeployTokens},
		"GroupDeployTokens.Get":      {action: access.ReadDeployTokens},
		"GroupDeployTokens.Create":   {action: access.AdminGroupDeployTokens, args: map[int]any{1: deploy}},
		"GroupDeployTokens.Delete":   {action: access.AdminGroupDeployTokens},
	}
}

type (
	registryRecords = registry.Records
	projectRecords  = projects.Records
	authRecords     = auth.Records
)

// records knows what an actor is to a place, and somebody else's token and job.
// Whatever a deed wants beyond that is a nil dereference: it has got through.
type records struct {
	registryRecords
	projectRecords
	authRecords
	standing access.Resource
}

func (r records) FindPackageProject(context.Context, string, access.Actor) (registry.Project, error) {
	return registry.Project{ProjectID: 1, Standing: r.standing, FlagOn: true}, nil
}

func (r records) FindProject(context.Context, string, access.Actor) (projects.Project, error) {
	return projects.Project{ID: 1, Standing: r.standing}, nil
}

func (r records) FindFormerGroup(context.Context, string, access.Actor) (projects.Group, error) {
	return projects.Group{ID: 1, Standing: r.standing}, nil
}

func (r records) FindGroup(context.Context, string, access.Actor) (projects.Group, error) {
	return projects.Group{ID: 1, Standing: r.standing}, nil
}

func (r records) FindPersonalToken(context.Context, int64) (auth.PersonalToken, error) {
	return auth.PersonalToken{ID: 5, UserID: 99}, nil
}

func (r records) SessionByID(context.Context, int64) (auth.Token, error) {
	return auth.Token{Session: &auth.Session{ID: 5, UserID: 99}}, nil
}

func (r records) FindJob(context.Context, int64, int64) (auth.Job, error) {
	return auth.Job{ID: 5, User: auth.User{ID: 99}, Status: auth.JobRunning, ExpiresAt: time.Unix(2, 0)}, nil
}

// rooms is everything that has deeds, over the records.
func rooms(standing access.Resource) map[string]any {
	r := records{standing: standing}
	rules := access.Rules{GuestsReadPackages: true, AnyonePulls: true}
	now := func() time.Time { return time.Unix(1, 0) }
	places := &projects.Service{Records: r, Rules: rules, Now: now}
	users := &auth.Service{Records: r, Places: places, Rules: rules, Now: now}
	return map[string]any{
		"Releases": &releases.Service{Places: places, Now: now},
		"Registry": &registry.Registry{Records: r, Groups: places, Rules: rules, Now: now},
		"Hooks":    &webhooks.Service{Places: places, Now: now},
		"Projects": places, "ProjectMembers": places.ProjectMembers(), "GroupMembers": places.GroupMembers(),
		"ProjectVariables": places.ProjectVariables(), "GroupVariables": places.GroupVariables(), "InstanceVariables": places.InstanceVariables(),
		"Auth": users, "ProjectDeployTokens": users.ProjectDeployTokens(), "GroupDeployTokens": users.GroupDeployTokens(),
		"ProjectTokens": users.ProjectTokens(), "GroupTokens": users.GroupTokens(),
		"Audit": &trail.Service{Places: places, Rules: rules, Now: now},
	}
}

// TestEveryRoomIsHere: what the server can do is asked for at a field of its
// Server, or at what a method of such a field returns. All of it that has deeds
// is among the rooms.
func TestEveryRoomIsHere(t *testing.T) {
	listed := map[string]bool{}
	for name, room := range rooms(access.Resource{}) {
		listed[name+" "+reflect.TypeOf(room).String()] = true
	}
	want := func(name string, room reflect.Type) {
		for method := range room.Methods() {
			if takesActor(method.Type) && !listed[name+" "+room.String()] {
				t.Errorf("%s (%s) has deeds, and is not among the rooms", name, room)
				return
			}
		}
	}
	for field := range reflect.TypeFor[api.Server]().Fields() {
		want(field.Name, field.Type)
		for method := range field.Type.Methods() {
			if method.Type.NumIn() == 1 && method.Type.NumOut() == 1 {
				want(method.Name, method.Type.Out(0))
			}
		}
	}
}

// TestEveryDeedAsks: each exported method that takes an actor is a deed, is
// listed, and lets through exactly those whom the permission table lets do the
// action it is listed with, before it touches a record (design, section 7).
func TestEveryDeedAsks(t *testing.T) {
	listed := deeds()
	for room, value := range rooms(access.Resource{}) {
		for method := range reflect.TypeOf(value).Methods() {
			if !takesActor(method.Type) {
				continue
			}
			name := room + "." + method.Name
			d, ok := listed[name]
			delete(listed, name)
			switch {
			case !ok:
				t.Errorf("%s is not listed in deeds: which action does it take?", name)
			case d.free == "":
				t.Run(name, func(t *testing.T) { asks(t, room, method.Name, d) })
			}
		}
	}
	for name := range listed {
		t.Errorf("%s is listed in deeds and there is none", name)
	}
}

func takesActor(method reflect.Type) bool {
	return method.NumIn() > 2 && method.In(1) == reflect.TypeFor[context.Context]() && method.In(2) == reflect.TypeFor[access.Actor]()
}

// asks tries the deed as everybody, at every role.
func asks(t *testing.T, room, method string, d deed) {
	rules := access.Rules{GuestsReadPackages: true, AnyonePulls: true}
	user := access.Actor{Kind: access.User, UserID: 7, Scopes: []access.Scope{access.ScopeAPI}}
	admin, narrow, group := user, user, user
	admin.Admin, narrow.Scopes, group.MayGroup = true, nil, true
	for _, a := range []access.Actor{{}, user, admin, narrow, group, {Kind: access.DeployToken, Scopes: []access.Scope{access.ScopeWritePackage}},
		{Kind: access.Job, UserID: 7}} {
		for _, role := range []access.Role{access.NoRole, access.Guest, access.Reporter, access.Developer, access.Maintainer, access.Owner} {
			for _, visibility := range []access.Visibility{access.Private, access.Public} {
				standing := access.Resource{Visibility: visibility, Packages: access.PackagesEnabled, Role: role}
				r := standing
				if method == "CurrentUser" || method == "Associations" || method == "CreateOwnToken" || method == "WalkOwn" || method == "CreateGroup" && a.MayGroup {
					r.Own = true
				}
				want := rules.Check(a, r, d.action)
				if d.or != 0 && rules.Check(a, r, d.or) == access.Allowed {
					want = access.Allowed
				}
				err, through := try(rooms(standing)[room], method, a, d.args)
				switch {
				case want == access.Allowed && !through:
					t.Errorf("kind %d, role %d, visibility %d: refused with %v", a.Kind, role, visibility, err)
				case want != access.Allowed && through:
					t.Errorf("kind %d, role %d, visibility %d: got through, wants verdict %d", a.Kind, role, visibility, want)
				case want == access.Unauthenticated && !fault.Is(err, fault.Unauthenticated):
					t.Errorf("anonymous: %v", err)
				case want == access.OutOfScope && !namesScopes(err, access.Scopes(d.action)):
					t.Errorf("without a scope: %v, want those of action %d", err, d.action)
				}
			}
		}
	}
}

// try calls a deed. It got through when it did without an error, or reached for
// a record that there is not.
func try(room any, method string, a access.Actor, args map[int]any) (err error, through bool) {
	defer func() { through = recover() != nil || err == nil }()
	m := reflect.ValueOf(room).MethodByName(method)
	in := []reflect.Value{reflect.ValueOf(context.Background()), reflect.ValueOf(a)}
	for i := 2; i < m.Type().NumIn(); i++ {
		arg := reflect.Zero(m.Type().In(i))
		if given, ok := args[i-2]; ok {
			arg = reflect.ValueOf(given)
		}
		in = append(in, arg)
	}
	out := m.Call(in)
	err, _ = out[len(out)-1].Interface().(error)
	return err, false
}

// namesScopes: the fault lists the scopes that reach the action.
func namesScopes(err error, want []access.Scope) bool {
	e, ok := fault.As(err, fault.InsufficientScope)
	return ok && slices.EqualFunc(e.Scopes, want, func(got string, scope access.Scope) bool { return got == string(scope) })
}
