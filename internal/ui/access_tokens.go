package ui

import (
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/page"
)

// accessTokensPage is the data of the page of a place's access tokens.
type accessTokensPage struct {
	Form    *form
	Tokens  []accessTokenRow
	Pager   pager
	At      string // the address of the page
	Noun    string // "project" or "group"
	Can     bool   // make one
	Role    selectField
	Expires string // of a new token, as a date
	Scopes  []scopeRow
	Once    *secretShown
}

// accessTokenRow is one token of a project or group. The addresses are empty unless the
// actor may end it.
type accessTokenRow struct {
	auth.PersonalToken
	Rotate, Revoke string
}

// botScopes are the scopes of a project's or group's token that have an effect, in words.
func botScopes() []scopeRow {
	return []scopeRow{
		{access.ScopeAPI, "Everything its role can", "Publish, install, delete, administer", false},
		{access.ScopeReadAPI, "Read", "Lists, packages and downloads of what it can see", true},
		{access.ScopeSelfRotate, "Renew itself", "Replaces itself before it expires", false},
	}
}

// accessTokens is the deeds about access tokens of the place.
func (v *visit) accessTokens() auth.BotTokensOf {
	if v.project != nil {
		return v.s.Auth.ProjectTokens()
	}
	return v.s.Auth.GroupTokens()
}

func showAccessTokens(v *visit) error { return v.showAccessTokens(nil) }

// showAccessTokens is the access tokens in use; once is a secret to show.
func (v *visit) showAccessTokens(once *secretShown) error {
	p, err := v.numbered()
	if err != nil {
		return err
	}
	active := true
	found, err := v.accessTokens().List(v.r.Context(), v.actor, v.ref(), auth.TokenFilter{Active: &active}, page.Request{
		Number: p.Number, Size: p.Size, OrderBy: "created_at", Desc: true,
	})
	if err != nil {
		return err
	}
	d := accessTokensPage{
		Form: v.form, Pager: v.pagerOf(p, found.Total, "in use", "in use"), At: v.s.in(v.full(), "settings", "access_tokens"), Noun: v.noun(),
		Can: v.can(v.either(access.IssueProjectToken, access.IssueGroupToken)), Role: v.roleChoices("access_level", "Role", access.Developer),
		Expires: v.began.AddDate(0, 0, newTokenDays).UTC().Format(time.DateOnly), Scopes: botScopes(), Once: once,
	}
	mayEnd := v.can(v.either(access.EndProjectToken, access.EndGroupToken))
	for _, t := range found.Rows {
		row := accessTokenRow{PersonalToken: t}
		if mayEnd && v.actor.AtLeast(v.standing(), t.Role) {
			row.Rotate = v.s.in(v.full(), "settings", "access_tokens", number(t.ID), "rotate")
			row.Revoke = v.s.in(v.full(), "settings", "access_tokens", number(t.ID), "revoke")
		}
		d.Tokens = append(d.Tokens, row)
	}
	page := v.settingsScreen("settings_access_tokens", "settings/access_tokens", "Access tokens", d)
	page.secret = once != nil
	return v.show(page)
}

// makeAccessToken makes a token with its bot, and shows its secret once.
func makeAccessToken(v *visit) error {
	expires, err := v.future("expires_at")
	if err != nil {
		return v.again(showAccessTokens, err)
	}
	role, err := v.granted("access_level")
	if err != nil {
		return v.again(showAccessTokens, err)
	}
	t := auth.PersonalToken{Name: v.sent("name"), Role: role, ExpiresAt: expires, Scopes: scopesOf(v.form.values["scopes"])}
	t, secret, err := v.accessTokens().Create(v.r.Context(), v.actor, v.ref(), t)
	if err != nil {
		return v.again(showAccessTokens, noScopes(err, scopesOf(v.form.values["scopes"])))
	}
	v.form = &form{}
	return v.showAccessTokens(v.once("The token “"+t.Name+"” is made.", secret))
}

// rotateAccessToken replaces a token and shows the new secret once.
func rotateAccessToken(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	expires := v.began.UTC().AddDate(0, 0, newTokenDays).Truncate(24 * time.Hour)
	t, secret, err := v.accessTokens().Rotate(v.r.Context(), v.actor, v.ref(), id, &expires)
	if err != nil {
		return hidden(err)
	}
	v.form = &form{}
	return v.showAccessTokens(v.once("The token “"+t.Name+"” has a new secret. The old one is dead.", secret))
}

// revokeAccessToken ends a token and its bot's membership.
func revokeAccessToken(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	if err := v.accessTokens().Revoke(v.r.Context(), v.actor, v.ref(), id); err != nil {
		return hidden(err)
	}
	return v.see(v.s.in(v.full(), "settings", "access_tokens"), "revoked")
}
