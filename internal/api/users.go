package api

import (
	"granary/internal/auth"
	"granary/internal/wire"
)

func getVersion(c *call) error {
	if _, err := c.s.Auth.CurrentUser(c.r.Context(), c.actor); err != nil {
		return err
	}
	return c.ok(c.s.version())
}

func getMetadata(c *call) error {
	if _, err := c.s.Auth.CurrentUser(c.r.Context(), c.actor); err != nil {
		return err
	}
	return c.ok(wire.Metadata{Version: c.s.version(), Granary: c.s.Version})
}

// gitlabVersion is the version of GitLab whose API this is. Tools choose their requests
// by it.
const gitlabVersion = "18.4.0"

func (s *Server) version() wire.Version {
	return wire.Version{Version: gitlabVersion, Revision: "granary"}
}

func getCurrentUser(c *call) error {
	u, err := c.s.Auth.CurrentUser(c.r.Context(), c.actor)
	if err != nil {
		return err
	}
	return c.ok(c.user(u))
}

func getUser(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return err
	}
	u, err := c.s.Auth.User(c.r.Context(), c.actor, id)
	if err != nil {
		return err
	}
	return c.ok(c.userFor(u))
}

func listUsers(c *call) error {
	f := auth.UserFilter{
		Username: c.params.str("username"), Search: c.params.str("search"),
		Active: c.params.boolean("active"), Blocked: c.params.boolean("blocked"),
	}
	ask := c.page(true, "id", "name", "username", "created_at", "updated_at")
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Auth.ListUsers(c.r.Context(), c.actor, f, ask)
	return listed(c, ask, found, err, c.userFor)
}

const maxNote = 2000 // characters; GitLab documents no limit

func createUser(c *call) error {
	p := c.params
	u := auth.User{
		Email: p.record().required("email"), Name: p.record().required("name"), Username: p.record().required("username"),
		Admin: p.boolean("admin"), External: p.boolean("external"), Note: p.upTo(maxNote).str("note"),
		CanCreateGroup: true, ProjectsLimit: auth.DefaultProjectsLimit,
	}
	if !p.has("password") && !p.boolean("reset_password") && !p.boolean("force_random_password") {
		p.fail("password, reset_password, force_random_password are missing, at least one parameter must be provided")
	}
	if v := p.optionalBoolean("can_create_group"); v != nil {
		u.CanCreateGroup = *v
	}
	if v := p.optionalInteger("projects_limit"); v != nil {
		u.ProjectsLimit = int(min(*v, 1<<31-1))
	}
	if err := p.err(); err != nil {
		return err
	}
	u, err := c.s.Auth.CreateUser(c.r.Context(), c.actor, u)
	if err != nil {
		return err
	}
	return c.created(c.user(u))
}

// editUser changes a user. It ignores fields that only GitLab has, such as a password.
func editUser(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return err
	}
	p := c.params
	e := auth.UserEdit{
		Name: p.record().optional("name"), Username: p.record().optional("username"), Email: p.record().optional("email"),
		Note: p.upTo(maxNote).optional("note"), Admin: p.optionalBoolean("admin"), External: p.optionalBoolean("external"),
		CanCreateGroup: p.optionalBoolean("can_create_group"),
	}
	if v := p.optionalInteger("projects_limit"); v != nil {
		e.ProjectsLimit = new(int(min(*v, 1<<31-1)))
	}
	if err := p.err(); err != nil {
		return err
	}
	u, err := c.s.Auth.EditUser(c.r.Context(), c.actor, id, e)
	if err != nil {
		return err
	}
	return c.ok(c.user(u))
}

func deleteUser(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return err
	}
	withProjects := c.params.boolean("hard_delete")
	if err := c.params.err(); err != nil {
		return err
	}
	if err := c.s.Auth.DeleteUser(c.r.Context(), c.actor, id, withProjects); err != nil {
		return err
	}
	return c.noContent()
}

// blockUser answers 201 with true, and with null if the user was blocked before, as
// GitLab does.
func blockUser(c *call) error {
	changed, err := c.setBlocked(true)
	switch {
	case err != nil:
		return err
	case !changed:
		return c.created(nil)
	}
	return c.created(true)
}

// unblockUser answers 201 with whether the user was blocked, as GitLab does.
func unblockUser(c *call) error {
	changed, err := c.setBlocked(false)
	if err != nil {
		return err
	}
	return c.created(changed)
}

func (c *call) setBlocked(blocked bool) (changed bool, err error) {
	id, err := c.id("id")
	if err != nil {
		return false, err
	}
	return c.s.Auth.BlockUser(c.r.Context(), c.actor, id, blocked)
}

// userFor shows a user in full to administrators, in brief to others.
func (c *call) userFor(u auth.User) any {
	if c.actor.Admin {
		return c.user(u)
	}
	return c.userBasic(u)
}

func (c *call) userBasic(u auth.User) wire.UserBasic {
	return wire.UserBasic{
		ID: u.ID, Username: u.Username, Name: u.Name, State: userState(u.Blocked), WebURL: c.base() + "/" + u.Username,
	}
}

func userState(blocked bool) string {
	if blocked {
		return "blocked"
	}
	return "active"
}

func (c *call) user(u auth.User) wire.User {
	w := wire.User{
		UserBasic: c.userBasic(u), CreatedAt: wire.Time(u.CreatedAt), Email: u.Email, CommitEmail: u.Email,
		ConfirmedAt: wire.Time(u.CreatedAt), ProjectsLimit: u.ProjectsLimit, CanCreateGroup: u.CanCreateGroup,
		CanCreateProject: u.ProjectsLimit > 0, External: u.External, NamespaceID: u.NamespaceID,
	}
	if c.actor.Admin {
		w.IsAdmin, w.Note = &u.Admin, u.Note
	}
	return w
}
