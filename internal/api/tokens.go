package api

import (
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/page"
	"granary/internal/wire"
)

// scopes reads a list of token scopes.
func (p params) scopes() []access.Scope {
	var scopes []access.Scope
	for _, s := range p.list("scopes") {
		scopes = append(scopes, access.Scope(s))
	}
	return scopes
}

func scopeWords(scopes []access.Scope) []string {
	words := make([]string, 0, len(scopes))
	for _, s := range scopes {
		words = append(words, string(s))
	}
	return words
}

// tokenID reads a token's id; "self" is 0.
func (c *call) tokenID() (int64, error) {
	if c.path("token_id") == "self" {
		return 0, nil
	}
	return c.id("token_id")
}

func createPersonalToken(c *call) error {
	userID, err := c.id("id")
	if err != nil {
		return err
	}
	t := auth.PersonalToken{
		UserID: userID, Name: c.params.record().required("name"), Description: c.params.record().str("description"),
		Scopes: c.params.scopes(), ExpiresAt: c.params.day("expires_at"),
	}
	if err := c.params.err(); err != nil {
		return err
	}
	t, secret, err := c.s.Auth.CreatePersonalToken(c.r.Context(), c.actor, t)
	if err != nil {
		return err
	}
	return c.created(c.personalToken(t, secret))
}

func getPersonalToken(c *call) error {
	id, err := c.tokenID()
	if err != nil {
		return err
	}
	t, err := c.s.Auth.PersonalToken(c.r.Context(), c.actor, id)
	if err != nil {
		return err
	}
	return c.ok(c.personalToken(t, ""))
}

func revokePersonalToken(c *call) error {
	id, err := c.tokenID()
	if err != nil {
		return err
	}
	if err := c.s.Auth.RevokePersonalToken(c.r.Context(), c.actor, id); err != nil {
		return err
	}
	return c.noContent()
}

func rotatePersonalToken(c *call) error {
	id, err := c.tokenID()
	if err != nil {
		return err
	}
	expires := c.params.day("expires_at")
	if err := c.params.err(); err != nil {
		return err
	}
	t, secret, err := c.s.Auth.RotatePersonalToken(c.r.Context(), c.actor, id, expires)
	if err != nil {
		return err
	}
	return c.ok(c.personalToken(t, secret))
}

func listPersonalTokens(c *call) error {
	f, ask := c.tokenFilter()
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Auth.ListPersonalTokens(c.r.Context(), c.actor, f, ask)
	return listed(c, ask, found, err, func(t auth.PersonalToken) wire.PersonalAccessToken { return c.personalToken(t, "") })
}

// tokenFilter reads the filter and the order of a list of tokens.
func (c *call) tokenFilter() (auth.TokenFilter, page.Request) {
	p := c.params
	f := auth.TokenFilter{UserID: p.integer("user_id"), Search: p.str("search"), Revoked: p.optionalBoolean("revoked")}
	if state := p.choice("state", "active", "inactive"); state != "" {
		active := state == "active"
		f.Active = &active
	}
	for name, at := range map[string]*time.Time{
		"created_after": &f.CreatedAfter, "created_before": &f.CreatedBefore,
		"expires_after": &f.ExpiresAfter, "expires_before": &f.ExpiresBefore,
		"last_used_after": &f.LastUsedAfter, "last_used_before": &f.LastUsedBefore,
	} {
		if t := p.moment(name); t != nil {
			*at = *t
		}
	}
	sort := p.choice("sort", "created_asc", "created_desc", "expires_asc", "expires_desc",
		"last_used_asc", "last_used_desc", "name_asc", "name_desc")
	ask := c.page(false)
	ask.OrderBy, ask.Desc = splitSort(sort)
	return f, ask
}

func (c *call) personalToken(t auth.PersonalToken, secret string) wire.PersonalAccessToken {
	return wire.PersonalAccessToken{
		ID: t.ID, Name: t.Name, Revoked: t.Revoked, CreatedAt: wire.Time(t.CreatedAt), Description: t.Description,
		Scopes: scopeWords(t.Scopes), UserID: t.UserID, LastUsedAt: wire.OptionalTime(t.LastUsedAt),
		Active: t.Active(c.s.Auth.Now()), ExpiresAt: wire.OptionalDate(t.ExpiresAt),
		AccessLevel: int(t.Role), Token: secret,
	}
}

// splitSort reads "created_desc" as a column and a direction.
func splitSort(sort string) (column string, desc bool) {
	if column, ok := strings.CutSuffix(sort, "_desc"); ok {
		return column, true
	}
	return strings.TrimSuffix(sort, "_asc"), false
}
