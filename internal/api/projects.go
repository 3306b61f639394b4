package api

import (
	"cmp"
	"strconv"

	"granary/internal/access"
	"granary/internal/naming"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/wire"
)

// packageLevels maps the words of package_registry_access_level.
func packageLevels() map[string]access.PackageAccess {
	return map[string]access.PackageAccess{
		"disabled": access.PackagesDisabled, "private": access.PackagesPrivate,
		"enabled": access.PackagesEnabled, "public": access.PackagesPublic,
	}
}

// packageAccess reads the level, or the older packages_enabled. It returns nil if
// neither was sent.
func (p params) packageAccess() *access.PackageAccess {
	word := p.choice("package_registry_access_level", "disabled", "private", "enabled", "public")
	if enabled := p.optionalBoolean("packages_enabled"); word == "" && enabled != nil {
		word = "disabled"
		if *enabled {
			word = "enabled"
		}
	}
	if word == "" {
		return nil
	}
	level := packageLevels()[word]
	return &level
}

// topics reads topics, or the older name tag_list. It returns nil if neither was sent.
func (p params) topics() *[]string {
	for _, name := range []string{"topics", "tag_list"} {
		if p.has(name) {
			topics := p.list(name)
			return &topics
		}
	}
	return nil
}

func projectOrders() []string {
	return []string{"created_at", "id", "name", "path", "updated_at", "last_activity_at", "star_count", "similarity"}
}

func (c *call) projectFilter() projects.ProjectFilter {
	p := c.params
	return projects.ProjectFilter{
		Search: p.str("search"), Owned: p.boolean("owned"), Membership: p.boolean("membership"), MinRole: p.minRole(),
		Visibility: p.visibility(), Archived: p.optionalBoolean("archived"), Topic: p.str("topic"),
		IDAfter: p.integer("id_after"), IDBefore: p.integer("id_before"),
		// A project's last activity is its last update here.
		UpdatedAfter:  latest(p.moment("updated_after"), p.moment("last_activity_after")),
		UpdatedBefore: earliest(p.moment("updated_before"), p.moment("last_activity_before")),
	}
}

func listProjects(c *call) error {
	f := c.projectFilter()
	f.InPaths = c.params.boolean("search_namespaces")
	return c.listProjects(f)
}

func listUserProjects(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return err
	}
	f := c.projectFilter()
	f.OwnerID = id
	return c.listProjects(f)
}

func (c *call) listProjects(f projects.ProjectFilter) error {
	keyset := c.params.choice("pagination", "keyset", "legacy") == "keyset"
	ask := c.page(true, projectOrders()...)
	if keyset {
		ask.Number = 1
	}
	if keyset && ask.OrderBy != "id" {
		c.params.fail("order_by does not have a valid value, keyset pagination goes with order_by=id")
	}
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Projects.ListProjects(c.r.Context(), c.actor, f, ask)
	if err != nil {
		return err
	}
	show, err := c.projectsShown(&found)
	if keyset && err == nil {
		if last, more := found.Last(); more {
			if err := c.nextLink(last, ask.Desc); err != nil {
				return err
			}
		}
		return answered(c, nil, found, func(a *answerWriter, p projects.Project) error { return a.value(show(p)) })
	}
	return listed(c, ask, found, err, show)
}

// nextLink is the only header of keyset paging (contract rest-api 2).
func (c *call) nextLink(last int64, desc bool) error {
	q := c.openQuery()
	q.Del("page")
	bound := "id_after"
	if desc {
		bound = "id_before"
	}
	q.Set(bound, strconv.FormatInt(last, 10))
	return c.setNext(q)
}

func createProject(c *call) error {
	p := c.params
	project := projects.Project{
		Name: p.record().str("name"), Path: p.record().str("path"), Description: p.record().str("description"),
		DefaultBranch: cmp.Or(p.record().str("default_branch"), "main"), PackageAccess: access.PackagesEnabled,
	}
	if topics := p.topics(); topics != nil {
		project.Topics = *topics
	}
	if project.Name == "" && project.Path == "" {
		p.fail("name, path are missing, at least one parameter must be provided")
	}
	if v := p.visibility(); v != nil {
		project.Visibility = *v
	}
	if v := p.packageAccess(); v != nil {
		project.PackageAccess = *v
	}
	allowed, exception := duplicateSettings(p)
	project.Duplicates = projects.Duplicates{Allowed: allowed.Value, Exception: exception.Value}
	project.Naming, project.MaxFileSize = namingSetting(p).Value, sizeSetting(p).Value
	project.Drafts, project.Finalisers = draftsSetting(p).Value, finalisersSetting(p).Value
	namespaceID := p.integer("namespace_id")
	if err := p.err(); err != nil {
		return err
	}
	if namespaceID == 0 {
		self, err := c.s.Auth.CurrentUser(c.r.Context(), c.actor)
		if err != nil {
			return err
		}
		namespaceID = self.NamespaceID
	}
	project, err := c.s.Projects.CreateProject(c.r.Context(), c.actor, namespaceID, project)
	if err != nil {
		return err
	}
	return c.created(c.project(project))
}

func namingSetting(p params) projects.Setting[naming.Grammar] {
	return wordSetting(p, "generic_package_naming", naming.Strict, naming.Relaxed)
}

func draftsSetting(p params) projects.Setting[projects.DraftMode] {
	return wordSetting(p, "generic_package_drafts", projects.DraftModes()...)
}

func finalisersSetting(p params) projects.Setting[access.Finalisers] {
	return wordSetting(p, "generic_package_finalisers", projects.Finalisers()...)
}

// wordSetting is a setting of one of the words, or null.
func wordSetting[T ~string](p params, name string, words ...T) projects.Setting[T] {
	return setting(p, name, func(string) *T {
		values := make([]string, len(words))
		for i, word := range words {
			values[i] = string(word)
		}
		v := T(p.choice(name, values...))
		if v == "" {
			return nil
		}
		return &v
	})
}

func sizeSetting(p params) projects.Setting[int64] {
	const name = "generic_packages_max_file_size"
	return setting(p, name, func(string) *int64 { return p.optionalInteger(name) })
}

func getProject(c *call) error {
	p, err := c.s.Projects.Project(c.r.Context(), c.actor, c.path("id"))
	if err != nil {
		return err
	}
	show, err := c.projectsShown(&page.Of[projects.Project]{Rows: []projects.Project{p}})
	if err != nil {
		return err
	}
	return c.ok(show(p))
}

func editProject(c *call) error {
	p := c.params
	e := projects.ProjectEdit{
		Name: p.record().optional("name"), Path: p.record().optional("path"), Description: p.record().optional("description"),
		DefaultBranch: p.record().optional("default_branch"), Visibility: p.visibility(), PackageAccess: p.packageAccess(),
		Naming: namingSetting(p), MaxFileSize: sizeSetting(p), Drafts: draftsSetting(p), Finalisers: finalisersSetting(p),
	}
	e.DuplicatesAllowed, e.DuplicateException = duplicateSettings(p)
	e.Topics = p.topics()
	if e == (projects.ProjectEdit{}) && !c.sendsOtherSettings() {
		p.fail("name, path, description, default_branch, visibility, topics, package_registry_access_level, packages_enabled, " +
			"generic_package_naming, generic_duplicates_allowed, generic_duplicate_exception_regex, generic_packages_max_file_size, " +
			"generic_package_drafts, generic_package_finalisers " +
			"are missing, at least one parameter must be provided")
	}
	if err := p.err(); err != nil {
		return err
	}
	project, err := c.s.Projects.EditProject(c.r.Context(), c.actor, c.path("id"), e)
	if err != nil {
		return err
	}
	return c.ok(c.project(project))
}

func archiveProject(c *call) error   { return c.setArchived(true) }
func unarchiveProject(c *call) error { return c.setArchived(false) }

func (c *call) setArchived(archived bool) error {
	p, err := c.s.Projects.ArchiveProject(c.r.Context(), c.actor, c.path("id"), archived)
	if err != nil {
		return err
	}
	return c.created(c.project(p))
}

func deleteProject(c *call) error {
	if err := c.s.Projects.DeleteProject(c.r.Context(), c.actor, c.path("id")); err != nil {
		return err
	}
	return c.accepted()
}

// projectFor shows a project, in brief to anonymous callers and on request.
func (c *call) projectFor(p projects.Project) any {
	if !c.actor.LoggedIn() || c.params.boolean("simple") {
		return c.projectSimple(p)
	}
	return c.project(p)
}

func (c *call) projectSimple(p projects.Project) wire.ProjectSimple {
	web := c.base() + "/" + p.FullPath
	topics := append([]string{}, p.Topics...)
	return wire.ProjectSimple{
		ID: p.ID, Description: &p.Description, Name: p.Name, NameWithNamespace: p.FullName, Path: p.Path,
		PathWithNamespace: p.FullPath, CreatedAt: wire.Time(p.CreatedAt), DefaultBranch: p.DefaultBranch,
		TagList: topics, Topics: topics, SSHURLToRepo: web + ".git", HTTPURLToRepo: web + ".git", WebURL: web,
		LastActivityAt: wire.Time(p.UpdatedAt), Visibility: projects.VisibilityName(p.Visibility),
		Namespace: c.namespace(p.Namespace),
	}
}

func (c *call) namespace(g projects.Group) wire.Namespace {
	w := wire.Namespace{
		ID: g.ID, Name: g.Name, Path: g.Path, Kind: "group", FullPath: g.FullPath,
		ParentID: parentID(g.ParentID), WebURL: c.base() + "/groups/" + g.FullPath,
	}
	if g.Personal() {
		w.Kind, w.WebURL = "user", c.base()+"/"+g.FullPath
	}
	return w
}

func (c *call) project(p projects.Project) wire.Project {
	self := c.base() + prefix + "/projects/" + strconv.FormatInt(p.ID, 10)
	w := wire.Project{
		ProjectSimple: c.projectSimple(p),
		Links:         map[string]string{"self": self, "members": self + "/members"},
		UpdatedAt:     wire.Time(p.UpdatedAt), CreatorID: p.CreatorID, Archived: p.Archived, EmptyRepo: true,
		OtherFeatures:              wire.OtherFeatures{MergeMethod: "merge"},
		PackagesEnabled:            p.PackageAccess != access.PackagesDisabled,
		PackageRegistryAccessLevel: p.PackageAccess.String(),
		GenericPackageNaming:       (*string)(p.Naming),
		GenericDuplicatesAllowed:   p.Duplicates.Allowed, GenericDuplicateException: p.Duplicates.Exception,
		GenericPackagesMaxFileSize: p.MaxFileSize, GenericPackageDrafts: (*string)(p.Drafts), GenericPackageFinalisers: (*string)(p.Finalisers),
		CIInboundJobTokenScopeEnabled: p.JobTokenScope,
	}
	if c.actor.Kind == access.User {
		w.Permissions = &wire.ProjectPermissions{ProjectAccess: accessLevel(p.OwnRole), GroupAccess: accessLevel(p.GroupRole)}
	}
	return w
}

func accessLevel(role access.Role) *wire.AccessLevel {
	if role == access.NoRole {
		return nil
	}
	return &wire.AccessLevel{AccessLevel: int(role), NotificationLevel: 3}
}
