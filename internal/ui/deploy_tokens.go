package ui

import (
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/fault"
)

// deployTokensPage is the data of the page of a place's deploy tokens.
type deployTokensPage struct {
	Form    *form
	Tokens  []deployTokenRow
	Pager   pager
	At      string // the address of the page
	Noun    string // "project" or "group"
	Can     bool   // make and delete
	Expires string // of a new token, as a date
	Scopes  []scopeRow
	Once    *secretShown
}

// deployTokenRow is one deploy token.
type deployTokenRow struct {
	auth.DeployToken
	Delete string
}

// deployScopes are the scopes of deploy tokens that have an effect, in words.
func deployScopes() []scopeRow {
	return []scopeRow{
		{access.ScopeReadPackage, "Read", "Lists and downloads packages", true},
		{access.ScopeWritePackage, "Write", "Publishes packages, and lists and downloads them", false},
	}
}

// deployTokens is the deeds about deploy tokens of the place.
func (v *visit) deployTokens() auth.DeployTokensOf {
	if v.project != nil {
		return v.s.Auth.ProjectDeployTokens()
	}
	return v.s.Auth.GroupDeployTokens()
}

func showDeployTokens(v *visit) error { return v.showDeployTokens(nil) }

// showDeployTokens is the deploy tokens in use; once is a secret to show.
func (v *visit) showDeployTokens(once *secretShown) error {
	p, err := v.numbered()
	if err != nil {
		return err
	}
	found, err := v.deployTokens().List(v.r.Context(), v.actor, v.ref(), true, p)
	if err != nil {
		return err
	}
	d := deployTokensPage{
		Form: v.form, Pager: v.pagerOf(p, found.Total, "in use", "in use"), At: v.s.in(v.full(), "settings", "deploy_tokens"), Noun: v.noun(),
		Can: v.can(v.either(access.AdminProjectDeployTokens, access.AdminGroupDeployTokens)), Scopes: deployScopes(), Once: once,
		Expires: v.began.AddDate(1, 0, 0).UTC().Format(time.DateOnly),
	}
	for _, t := range found.Rows {
		d.Tokens = append(d.Tokens, deployTokenRow{t, v.s.in(v.full(), "settings", "deploy_tokens", number(t.ID), "delete")})
	}
	page := v.settingsScreen("settings_deploy_tokens", "settings/deploy_tokens", "Deploy tokens", d)
	page.secret = once != nil
	return v.show(page)
}

// makeDeployToken makes a deploy token and shows its secret once.
func makeDeployToken(v *visit) error {
	expires, err := v.future("expires_at")
	if err != nil {
		return v.again(showDeployTokens, err)
	}
	t := auth.DeployToken{Name: v.sent("name"), Username: v.sent("username"), ExpiresAt: expires, Scopes: scopesOf(v.form.values["scopes"])}
	t, secret, err := v.deployTokens().Create(v.r.Context(), v.actor, v.ref(), t)
	if err != nil {
		return v.again(showDeployTokens, noScopes(err, t.Scopes))
	}
	v.form = &form{}
	return v.showDeployTokens(&secretShown{What: "The deploy token “" + t.Name + "” is made. Its user name is " + t.Username + ".", Secret: secret})
}

// deleteDeployToken ends a deploy token.
func deleteDeployToken(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	if err := v.deployTokens().Delete(v.r.Context(), v.actor, v.ref(), id); err != nil {
		return err
	}
	return v.see(v.s.in(v.full(), "settings", "deploy_tokens"), "revoked")
}

// future is the date of a field, nil if it is empty. A token that is dead when it is made
// is a mistake.
func (v *visit) future(name string) (*time.Time, error) {
	day, err := v.day(name)
	if err == nil && day != nil && !day.After(v.began) {
		err = fault.Field(name, "must be after today")
	}
	return day, err
}

// noScopes is the refusal of a token without scopes, beside the boxes.
func noScopes(err error, scopes []access.Scope) error {
	if fault.Is(err, fault.Invalid) && len(scopes) == 0 {
		return &fault.Error{Kind: fault.Rejected, Fields: map[string][]string{"base": {"Choose at least one thing that the token can do"}}}
	}
	return err
}
