package ui

import (
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/page"
)

// scopeRow is a scope that a new token may have.
type scopeRow struct {
	Scope       access.Scope
	Name, Means string
	Default     bool
}

// ownScopes are the scopes that a person's token may have here, in words.
func ownScopes() []scopeRow {
	return []scopeRow{
		{access.ScopeAPI, "Everything I can", "Publish, install, delete, administer", false},
		{access.ScopeReadAPI, "Read", "Lists, packages and downloads of what I can see", true},
		{access.ScopeReadUser, "Know me", "My name and address, nothing else", false},
		{access.ScopeSelfRotate, "Renew itself", "Replaces itself before it expires", false},
	}
}

// newTokenDays is how long a new token is valid unless its maker says otherwise.
const newTokenDays = 90

// secretShown is a secret that is shown this once, and the command that takes it.
type secretShown struct {
	What    string // "The token “release” is made."
	Secret  string
	Command string
}

// tokensPage is the data of the page of one's own tokens.
type tokensPage struct {
	Tokens               []auth.PersonalToken
	Pager                pager
	Scopes               []scopeRow
	Expires              string // of a new token, as a date
	Once                 *secretShown
	MayMake              bool
	MayRotate, MayRevoke bool
}

func showTokens(v *visit) error { return v.showTokens(nil) }

// showTokens is one's own tokens that are in use; once is a secret to show.
func (v *visit) showTokens(once *secretShown) error {
	p, err := v.numbered()
	if err != nil {
		return err
	}
	active := true
	found, err := v.s.Auth.ListPersonalTokens(v.r.Context(), v.actor, auth.TokenFilter{UserID: v.actor.UserID, Active: &active}, page.Request{
		Number: p.Number, Size: p.Size, OrderBy: "created_at", Desc: true,
	})
	if err != nil {
		return err
	}
	d := tokensPage{
		Tokens: found.Rows, Pager: v.pagerOf(p, found.Total, "in use", "in use"), Scopes: ownScopes(), Once: once, MayMake: v.canOwn(access.IssueTokenInPerson),
		MayRotate: v.canOwn(access.RotateToken) && v.actor.Has(access.ScopeAPI), MayRevoke: v.canOwn(access.RevokeToken), // self_rotate is for the token itself
	}
	if d.MayMake {
		end, err := v.newTokenEnd()
		if err != nil {
			return err
		}
		d.Expires = end.Format(time.DateOnly)
	}
	sheet := v.userScreen("tokens", "Access tokens", d)
	sheet.secret = once != nil
	return v.show(sheet)
}

// newTokenEnd is when a new token of the actor's own ends unless its maker says otherwise.
func (v *visit) newTokenEnd() (time.Time, error) {
	end := v.began.UTC().AddDate(0, 0, newTokenDays).Truncate(24 * time.Hour)
	latest, err := v.s.Auth.LatestEnd(v.r.Context(), v.actor)
	if latest != nil && latest.Before(end) {
		end = *latest
	}
	return end, err
}

// makeToken makes a token for oneself and shows its secret once.
func makeToken(v *visit) error {
	expires, err := v.day("expires_at")
	if err != nil {
		return v.again(showTokens, err)
	}
	if expires != nil && !expires.After(v.began) {
		return v.again(showTokens, fault.Field("expires_at", "must be after today"))
	}
	t := auth.PersonalToken{UserID: v.actor.UserID, Name: v.sent("name"), ExpiresAt: expires, Scopes: scopesOf(v.form.values["scopes"])}
	t, secret, err := v.s.Auth.CreateTokenInPerson(v.r.Context(), v.actor, t)
	if err != nil {
		return v.again(showTokens, err)
	}
	v.form = &form{}
	return v.showTokens(v.once("The token “"+t.Name+"” is made.", secret))
}

// once is a secret to show, with the command that takes it.
func (v *visit) once(what, secret string) *secretShown {
	return &secretShown{What: what, Secret: secret, Command: "granary login " + v.s.Base(v.r)}
}

func scopesOf(texts []string) (scopes []access.Scope) {
	for _, text := range texts {
		scopes = append(scopes, access.Scope(text))
	}
	return scopes
}

// revokeToken ends one of one's own tokens.
func revokeToken(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	if err := v.s.Auth.RevokePersonalToken(v.r.Context(), v.actor, id); err != nil {
		return hidden(err)
	}
	return v.see(v.s.at("user", "tokens"), "revoked")
}

// rotateToken replaces one of one's own tokens and shows the new secret once.
func rotateToken(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	expires, err := v.newTokenEnd()
	if err != nil {
		return err
	}
	t, secret, err := v.s.Auth.RotatePersonalToken(v.r.Context(), v.actor, id, &expires)
	if err != nil {
		return v.again(showTokens, hidden(err))
	}
	v.form = &form{}
	return v.showTokens(v.once("The token “"+t.Name+"” has a new secret. The old one is dead.", secret))
}

// hidden is the answer to an id of somebody else's token, which deeds call a missing
// credential.
func hidden(err error) error {
	if fault.Is(err, fault.Unauthenticated) {
		return fault.New(fault.NotFound, "")
	}
	return err
}
