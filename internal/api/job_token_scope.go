package api

import (
	"granary/internal/projects"
	"granary/internal/wire"
)

func getJobTokenScope(c *call) error {
	enabled, err := c.s.Projects.JobTokenScope(c.r.Context(), c.actor, c.path("id"))
	if err != nil {
		return err
	}
	return c.ok(wire.JobTokenScope{InboundEnabled: enabled})
}

func setJobTokenScope(c *call) error {
	p := c.params
	if !p.has("enabled") {
		p.fail("enabled is missing")
	} else if p.str("enabled") == "" {
		p.fail("enabled is empty")
	}
	enabled := p.boolean("enabled")
	if err := p.err(); err != nil {
		return err
	}
	if err := c.s.Projects.SetJobTokenScope(c.r.Context(), c.actor, c.path("id"), enabled); err != nil {
		return err
	}
	return c.noContent()
}

func listAllowedProjects(c *call) error {
	ask := c.page(false)
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Projects.AllowedProjects(c.r.Context(), c.actor, c.path("id"), ask)
	return listed(c, ask, found, err, c.projectSimple)
}

func listAllowedGroups(c *call) error {
	ask := c.page(false)
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Projects.AllowedGroups(c.r.Context(), c.actor, c.path("id"), ask)
	return listed(c, ask, found, err, func(g projects.Group) wire.GroupBrief {
		return wire.GroupBrief{ID: g.ID, WebURL: c.base() + "/groups/" + g.FullPath, Name: g.Name}
	})
}

func allowProject(c *call) error {
	id, err := c.target("target_project_id")
	if err != nil {
		return err
	}
	source, err := c.s.Projects.AllowJobsOf(c.r.Context(), c.actor, c.path("id"), projects.Place{ProjectID: id})
	if err != nil {
		return err
	}
	return c.created(wire.ProjectScopeLink{SourceProjectID: source, TargetProjectID: id})
}

func allowGroup(c *call) error {
	id, err := c.target("target_group_id")
	if err != nil {
		return err
	}
	source, err := c.s.Projects.AllowJobsOf(c.r.Context(), c.actor, c.path("id"), projects.Place{GroupID: id})
	if err != nil {
		return err
	}
	return c.created(wire.GroupScopeLink{SourceProjectID: source, TargetGroupID: id})
}

// target reads the id of a target, which is required.
func (c *call) target(name string) (int64, error) {
	c.params.required(name)
	id := c.params.integer(name)
	if id <= 0 && c.params.has(name) {
		c.params.fail(name + " is invalid")
	}
	return id, c.params.err()
}

func disallowProject(c *call) error {
	id, err := c.id("target_project_id")
	if err != nil {
		return err
	}
	return c.disallow(projects.Place{ProjectID: id})
}

func disallowGroup(c *call) error {
	id, err := c.id("target_group_id")
	if err != nil {
		return err
	}
	return c.disallow(projects.Place{GroupID: id})
}

func (c *call) disallow(source projects.Place) error {
	if err := c.s.Projects.DisallowJobsOf(c.r.Context(), c.actor, c.path("id"), source); err != nil {
		return err
	}
	return c.noContent()
}
