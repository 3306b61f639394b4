package api

import (
	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/wire"
)

// deedsOfBotTokens are the deeds around access tokens of projects, or of groups.
type deedsOfBotTokens struct{ deeds auth.BotTokensOf }

func (d deedsOfBotTokens) list(c *call) error {
	f, ask := c.tokenFilter()
	f.UserID = 0
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := d.deeds.List(c.r.Context(), c.actor, c.path("id"), f, ask)
	return listed(c, ask, found, err, func(t auth.PersonalToken) wire.PersonalAccessToken { return c.personalToken(t, "") })
}

func (d deedsOfBotTokens) get(c *call) error {
	id, err := c.id("token_id")
	if err != nil {
		return err
	}
	t, err := d.deeds.Get(c.r.Context(), c.actor, c.path("id"), id)
	if err != nil {
		return err
	}
	return c.ok(c.personalToken(t, ""))
}

func (d deedsOfBotTokens) create(c *call) error {
	p := c.params
	t := auth.PersonalToken{
		Name: p.record().required("name"), Description: p.record().str("description"), Scopes: p.scopes(),
		ExpiresAt: p.day("expires_at"), Role: access.Maintainer,
	}
	if level := p.optionalInteger("access_level"); level != nil {
		t.Role = access.Role(*level)
	}
	if err := p.err(); err != nil {
		return err
	}
	t, secret, err := d.deeds.Create(c.r.Context(), c.actor, c.path("id"), t)
	if err != nil {
		return err
	}
	return c.created(c.personalToken(t, secret))
}

func (d deedsOfBotTokens) revoke(c *call) error {
	id, err := c.id("token_id")
	if err != nil {
		return err
	}
	if err := d.deeds.Revoke(c.r.Context(), c.actor, c.path("id"), id); err != nil {
		return err
	}
	return c.noContent()
}

func (d deedsOfBotTokens) rotate(c *call) error {
	id, err := c.tokenID()
	if err != nil {
		return err
	}
	expires := c.params.day("expires_at")
	if err := c.params.err(); err != nil {
		return err
	}
	t, secret, err := d.deeds.Rotate(c.r.Context(), c.actor, c.path("id"), id, expires)
	if err != nil {
		return err
	}
	return c.ok(c.personalToken(t, secret))
}
