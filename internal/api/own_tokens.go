package api

import (
	"net/http"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/wire"
)

func createOwnToken(c *call) error {
	t := auth.PersonalToken{
		Name: c.params.record().required("name"), Description: c.params.record().str("description"),
		Scopes: c.params.scopes(), ExpiresAt: c.params.day("expires_at"),
	}
	if err := c.params.err(); err != nil {
		return err
	}
	t, secret, err := c.s.Auth.CreateOwnToken(c.r.Context(), c.actor, t)
	if err != nil {
		return err
	}
	return c.created(c.personalToken(t, secret))
}

// SignInPath is the page to which sign-in links lead; the code follows. It is in the fragment,
// which browsers do not send: it is in no log and no Referer.
const SignInPath = "/-/sign_in/link#"

func createSignInLink(c *call) error {
	if c.s.Pages == nil {
		return fault.New(fault.Absent, "404 Not Found - the pages of this server are off (pages=false): a link would lead nowhere")
	}
	code, expires, err := c.s.Auth.MakeSignInLink(c.r.Context(), c.actor, c.actor.UserID)
	if err != nil {
		return err
	}
	return c.created(wire.SignInLink{URL: c.base() + SignInPath + code, ExpiresAt: wire.Time(expires)})
}

func getAssociations(c *call) error {
	least, ask := c.params.minRole(), c.page(false)
	if err := c.params.err(); err != nil {
		return err
	}
	ask.OrderBy, ask.Desc = "", false
	groups, found, err := c.s.Projects.Associations(c.r.Context(), c.actor, least, ask)
	if err != nil {
		return err
	}
	a, err := c.begin(http.StatusOK, groups.Size()+found.Size())
	if err != nil {
		return err
	}
	return a.run(func() error {
		a.raw(`{"groups":`)
		if err := array(a, groups, func(a *answerWriter, g projects.Group) error { return a.value(c.associatedGroup(g)) }); err != nil {
			return err
		}
		a.raw(`,"projects":`)
		err := array(a, found, func(a *answerWriter, p projects.Project) error { return a.value(c.associatedProject(p)) })
		a.raw(`}`)
		return err
	})
}

func (c *call) associatedGroup(g projects.Group) wire.AssociatedGroup {
	return wire.AssociatedGroup{
		GroupBrief: wire.GroupBrief{ID: g.ID, WebURL: c.base() + "/groups/" + g.FullPath, Name: g.Name},
		ParentID:   parentID(g.ParentID), AccessLevels: int(g.Standing.Role), Visibility: projects.VisibilityName(g.Visibility),
	}
}

func (c *call) associatedProject(p projects.Project) wire.AssociatedProject {
	return wire.AssociatedProject{
		ID: p.ID, Description: p.Description, Name: p.Name, NameWithNamespace: p.FullName, Path: p.Path,
		PathWithNamespace: p.FullPath, CreatedAt: wire.Time(p.CreatedAt),
		AccessLevels: wire.AssociatedLevels{Project: level(p.OwnRole), Group: level(p.GroupRole)},
		Visibility:   projects.VisibilityName(p.Visibility), WebURL: c.base() + "/" + p.FullPath, Namespace: c.namespace(p.Namespace),
	}
}

func level(role access.Role) *int {
	if role == access.NoRole {
		return nil
	}
	return new(int(role))
}
