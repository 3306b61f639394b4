package api

import (
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/wire"
)

func listNamespaces(c *call) error {
	p := c.params
	f := projects.NamespaceFilter{Search: p.str("search"), Owned: p.boolean("owned_only"), TopLevelOnly: p.boolean("top_level_only")}
	ask := c.page(false)
	if err := p.err(); err != nil {
		return err
	}
	found, err := c.s.Projects.ListNamespaces(c.r.Context(), c.actor, f, ask)
	return listed(c, ask, found, err, c.namespace)
}

func getNamespace(c *call) error {
	g, err := c.s.Projects.Namespace(c.r.Context(), c.actor, c.path("id"))
	if err != nil {
		return err
	}
	members, err := c.s.Projects.NamespaceMembers(c.r.Context(), c.actor, g)
	if err != nil {
		return err
	}
	return c.ok(wire.NamespaceDetail{Namespace: c.namespace(g), MembersCountWithDescendants: members})
}

// listProjectGroups lists the groups above a project. There is no sharing with groups,
// so parameters about shared groups change nothing.
func listProjectGroups(c *call) error {
	f := projects.GroupFilter{Search: c.params.str("search"), SkipIDs: c.params.integers("skip_groups")}
	ask := c.page(false)
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Projects.ProjectGroups(c.r.Context(), c.actor, c.path("id"), f, ask)
	return listed(c, ask, found, err, func(g projects.Group) wire.PublicGroup {
		return wire.PublicGroup{
			GroupBrief: wire.GroupBrief{ID: g.ID, WebURL: c.base() + "/groups/" + g.FullPath, Name: g.Name},
			FullName:   g.FullName, FullPath: g.FullPath,
		}
	})
}

func transferProject(c *call) error {
	namespace := c.params.upTo(maxReference).required("namespace")
	if err := c.params.err(); err != nil {
		return err
	}
	p, err := c.s.Projects.TransferProject(c.r.Context(), c.actor, c.path("id"), namespace)
	if err != nil {
		return err
	}
	return c.ok(c.project(p))
}

// transferGroup moves a group into another group, or to the top if there is no group_id.
func transferGroup(c *call) error {
	parent := c.params.optionalInteger("group_id")
	if err := c.params.err(); err != nil {
		return err
	}
	var parentID int64
	if parent != nil {
		if parentID = *parent; parentID <= 0 {
			return fault.New(fault.Hidden, "Group")
		}
	}
	g, err := c.s.Projects.TransferGroup(c.r.Context(), c.actor, c.path("id"), parentID)
	if err != nil {
		return err
	}
	return c.created(c.groupDetail(g))
}
