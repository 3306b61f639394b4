package api

import (
	"net/http"

	"granary/internal/access"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/wire"
)

// visibilities maps the words of the wire to visibilities.
func visibilities() map[string]access.Visibility {
	return map[string]access.Visibility{
		"private": access.Private, "internal": access.Internal, "public": access.Public,
	}
}

// visibility reads a visibility. It returns nil if none was sent.
func (p params) visibility() *access.Visibility {
	word := p.choice("visibility", "private", "internal", "public")
	if word == "" {
		return nil
	}
	v := visibilities()[word]
	return &v
}

// minRole reads the role to filter by.
func (p params) minRole() access.Role {
	role := access.Role(p.integer("min_access_level"))
	if p.has("min_access_level") && role != access.Minimal && !role.Grantable() {
		p.fail("min_access_level does not have a valid value")
	}
	return role
}

func (c *call) groupFilter() projects.GroupFilter {
	p := c.params
	return projects.GroupFilter{
		Search: p.str("search"), Owned: p.boolean("owned"), MinRole: p.minRole(),
		TopLevelOnly: p.boolean("top_level_only"), Visibility: p.visibility(), SkipIDs: p.integers("skip_groups"),
	}
}

func listGroups(c *call) error {
	f, ask := c.groupFilter(), c.page(false, "name", "path", "id", "similarity")
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Projects.ListGroups(c.r.Context(), c.actor, f, ask)
	if err != nil {
		return err
	}
	show, err := c.groupsShown(&found)
	return listed(c, ask, found, err, show)
}

func listSubgroups(c *call) error {
	f, ask := c.groupFilter(), c.page(false, "name", "path", "id", "similarity")
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Projects.Subgroups(c.r.Context(), c.actor, c.path("id"), f, ask)
	if err != nil {
		return err
	}
	show, err := c.groupsShown(&found)
	return listed(c, ask, found, err, show)
}

func createGroup(c *call) error {
	p := c.params
	g := projects.Group{
		Name: p.record().required("name"), Path: p.record().required("path"), Description: p.record().str("description"), ParentID: p.integer("parent_id"),
	}
	if v := p.visibility(); v != nil {
		g.Visibility = *v
	}
	allowed, exception := duplicateSettings(p)
	g.Duplicates = projects.Duplicates{Allowed: allowed.Value, Exception: exception.Value}
	if err := p.err(); err != nil {
		return err
	}
	g, err := c.s.Projects.CreateGroup(c.r.Context(), c.actor, g)
	if err != nil {
		return err
	}
	return c.created(c.groupDetail(g))
}

// duplicateSettings reads the two settings about duplicates. null inherits the setting.
func duplicateSettings(p params) (projects.Setting[bool], projects.Setting[string]) {
	allowed := setting(p, "generic_duplicates_allowed", func(string) *bool { return p.optionalBoolean("generic_duplicates_allowed") })
	exception := setting(p, "generic_duplicate_exception_regex", func(expr string) *string {
		v := p.record().str(expr)
		return &v
	})
	return allowed, exception
}

func getGroup(c *call) error {
	g, err := c.s.Projects.Group(c.r.Context(), c.actor, c.path("id"))
	if err != nil {
		return err
	}
	detail, with := c.groupDetail(g), c.params.optionalBoolean("with_projects")
	if err := c.params.err(); err != nil {
		return err
	}
	if with != nil && !*with {
		return c.ok(detail)
	}
	found, err := c.s.Projects.GroupProjects(c.r.Context(), c.actor, c.path("id"), projects.ProjectFilter{},
		page.Request{Number: 1, Size: maxPerPage, InSteps: true})
	if err != nil {
		return err
	}
	detail.Projects, detail.SharedProjects = []wire.Project{}, []wire.Project{}
	a, err := c.begin(http.StatusOK, found.Size())
	if err != nil {
		return err
	}
	return a.run(func() error {
		return a.assemble(detail, part{`"projects":[`, func() error {
			return elements(a, found, func(a *answerWriter, p projects.Project) error { return a.value(c.project(p)) })
		}})
	})
}

func editGroup(c *call) error {
	p := c.params
	e := projects.GroupEdit{
		Name: p.record().optional("name"), Path: p.record().optional("path"), Description: p.record().optional("description"),
		Visibility: p.visibility(),
	}
	e.DuplicatesAllowed, e.DuplicateException = duplicateSettings(p)
	if err := p.err(); err != nil {
		return err
	}
	g, err := c.s.Projects.EditGroup(c.r.Context(), c.actor, c.path("id"), e)
	if err != nil {
		return err
	}
	return c.ok(c.groupDetail(g))
}

func deleteGroup(c *call) error {
	if err := c.s.Projects.DeleteGroup(c.r.Context(), c.actor, c.path("id")); err != nil {
		return err
	}
	return c.accepted()
}

func listGroupProjects(c *call) error {
	f := c.projectFilter()
	f.Below = c.params.boolean("include_subgroups")
	ask := c.page(true, projectOrders()...)
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Projects.GroupProjects(c.r.Context(), c.actor, c.path("id"), f, ask)
	if err != nil {
		return err
	}
	show, err := c.projectsShown(&found)
	return listed(c, ask, found, err, show)
}

func (c *call) group(g projects.Group) wire.Group {
	w := wire.Group{
		ID: g.ID, WebURL: c.base() + "/groups/" + g.FullPath, Name: g.Name, Path: g.Path, Description: g.Description,
		Visibility: projects.VisibilityName(g.Visibility), FullName: g.FullName, FullPath: g.FullPath,
		ParentID: parentID(g.ParentID), CreatedAt: wire.Time(g.CreatedAt), ProjectCreationLevel: "developer", SubgroupCreationLevel: "maintainer",
	}
	if g.Effective.Allowed != nil {
		w.GenericDuplicatesAllowed = *g.Effective.Allowed
	}
	if g.Effective.Exception != nil {
		w.GenericDuplicateException = *g.Effective.Exception
	}
	return w
}

func (c *call) groupDetail(g projects.Group) wire.GroupDetail {
	return wire.GroupDetail{Group: c.group(g), SharedWithGroups: []wire.Group{}}
}

func parentID(id int64) *int64 {
	if id == 0 {
		return nil
	}
	return &id
}
