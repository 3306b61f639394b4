package api

import (
	"granary/internal/auth"
	"granary/internal/wire"
)

// deedsOfDeployTokens are the deeds around deploy tokens of groups, or of projects.
type deedsOfDeployTokens struct{ deeds auth.DeployTokensOf }

func listAllDeployTokens(c *call) error {
	active, ask := c.params.boolean("active"), c.page(true)
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Auth.ListDeployTokens(c.r.Context(), c.actor, active, ask)
	return listed(c, ask, found, err, c.deployToken)
}

func (d deedsOfDeployTokens) list(c *call) error {
	active, ask := c.params.boolean("active"), c.page(true)
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := d.deeds.List(c.r.Context(), c.actor, c.path("id"), active, ask)
	return listed(c, ask, found, err, c.deployToken)
}

func (d deedsOfDeployTokens) get(c *call) error {
	id, err := c.id("token_id")
	if err != nil {
		return err
	}
	t, err := d.deeds.Get(c.r.Context(), c.actor, c.path("id"), id)
	if err != nil {
		return err
	}
	return c.ok(c.deployToken(t))
}

func (d deedsOfDeployTokens) create(c *call) error {
	t := auth.DeployToken{
		Name: c.params.record().required("name"), Username: c.params.record().str("username"),
		Scopes: c.params.scopes(), ExpiresAt: c.params.moment("expires_at"),
	}
	if err := c.params.err(); err != nil {
		return err
	}
	t, secret, err := d.deeds.Create(c.r.Context(), c.actor, c.path("id"), t)
	if err != nil {
		return err
	}
	w := c.deployToken(t)
	w.Token = secret
	return c.created(w)
}

func (d deedsOfDeployTokens) revoke(c *call) error {
	id, err := c.id("token_id")
	if err != nil {
		return err
	}
	if err := d.deeds.Delete(c.r.Context(), c.actor, c.path("id"), id); err != nil {
		return err
	}
	return c.noContent()
}

func (c *call) deployToken(t auth.DeployToken) wire.DeployToken {
	return wire.DeployToken{
		ID: t.ID, Name: t.Name, Username: t.Username, ExpiresAt: wire.OptionalTime(t.ExpiresAt),
		Scopes: scopeWords(t.Scopes), Revoked: t.Revoked, Expired: t.Expired(c.s.Auth.Now()),
	}
}
