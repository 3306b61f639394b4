package ui

import (
	"net/url"
	"time"

	"granary/internal/access"
	"granary/internal/webhooks"
)

// hooksPage is the data of the page of a project's webhooks.
type hooksPage struct {
	Form  *form
	Rows  []hookRow
	Pager pager
	At    string // the address of the page
	Can   bool
	New   hookFields
}

// hookRow is one webhook.
type hookRow struct {
	Name, Target, URL string // URL is of its page
	State             hookState
	Last              *attemptRow // nil if nothing was sent yet
}

// hookState is whether a hook is sent anything.
type hookState struct {
	Word  string // "active", "no events", "resting", "off"
	Class string // of its tag
	Until *time.Time
}

// hookFields are the fields of a hook, for the template hook-fields.
type hookFields struct {
	URL, Name, Description field
	Token, Signing         secretField
	Packages, VerifyTLS    boxField
}

// secretField is a secret that can be set or removed, and is never shown.
type secretField struct {
	Form        *form
	Name, Label string
	Hint        string
	Set         bool
	Remove      boxField
}

// showHooks is the webhooks with the state of the last delivery of each.
func showHooks(v *visit) error {
	p, err := v.numbered()
	if err != nil {
		return err
	}
	found, err := v.s.Hooks.List(v.r.Context(), v.actor, v.ref(), p)
	if err != nil {
		return err
	}
	last, err := v.s.Hooks.LastAttempts(v.r.Context(), v.actor, v.ref())
	if err != nil {
		return err
	}
	d := hooksPage{
		Form: v.form, Pager: v.pagerOf(p, found.Total, "webhook", "webhooks"), At: v.s.in(v.full(), "hooks"), Can: v.can(access.AdminHooks),
		New: v.hookFields(webhooks.Hook{Packages: true, VerifyTLS: true}),
	}
	for _, h := range found.Rows {
		row := v.hookRow(h)
		if a, sent := last[h.ID]; sent {
			one := v.attemptRow(a)
			row.Last = &one
		}
		d.Rows = append(d.Rows, row)
	}
	return v.show(screen{name: "hooks", title: "Webhooks · " + v.full(), tab: "hooks", data: d})
}

func (v *visit) hookRow(h webhooks.Hook) hookRow {
	return hookRow{Name: h.Name, Target: shownURL(h.Target.URL), URL: v.s.in(v.full(), "hooks", number(h.ID)), State: stateOf(h, v.began)}
}

// stateOf is a hook's state now.
func stateOf(h webhooks.Hook, now time.Time) hookState {
	switch {
	case h.Dead():
		return hookState{Word: "off", Class: "bad"}
	case h.Resting(now):
		return hookState{Word: "resting", Class: "warn", Until: h.Disabled}
	case !h.Packages:
		return hookState{Word: "no events"}
	}
	return hookState{Word: "active", Class: "leaf"}
}

// shownURL is a receiver's address without user and password, which are secrets.
func shownURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	if u.User == nil {
		return text
	}
	u.User = nil
	return u.String()
}

// hookFields are the fields of a new hook, or of one that is stored. Secrets are never
// among them.
func (v *visit) hookFields(h webhooks.Hook) hookFields {
	secret := func(name, label, hint string, set bool) secretField {
		return secretField{Form: v.form, Name: name, Label: label, Hint: hint, Set: set, Remove: v.box("remove_"+name, "Remove it", "", false)}
	}
	f := hookFields{
		URL:         newField(v.form, "url", "Receiver", shownURL(h.Target.URL)).Required().Such("https://ci.example.com/granary").Help("An https or http address that takes a POST with JSON.").Most(2048),
		Name:        newField(v.form, "name", "Name", h.Name),
		Description: newField(v.form, "description", "Description", h.Description).Most(2048),
		Token:       secret("token", "Secret token", "Sent as X-Gitlab-Token.", h.Target.Token != ""),
		Signing:     secret("signing_token", "Signing token", "whsec_ and 32 bytes in base64: deliveries are signed with it (Standard Webhooks).", h.Target.SigningToken != ""),
		Packages:    v.box("package_events", "Events of packages", "Published, deleted, yanked, deprecated, hidden, final, channels.", h.Packages),
		VerifyTLS:   v.box("enable_ssl_verification", "Check the receiver’s certificate", "Without it anybody on the way can read and change what is sent.", h.VerifyTLS),
	}
	if h.ID != 0 {
		f.URL.Hint = "Another address drops the tokens and headers that are set here, so that they are not sent elsewhere."
	}
	return f
}

// hookEdit is the form of a hook as an edit; before is the hook that it changes.
func (v *visit) hookEdit(before webhooks.Hook) webhooks.Edit {
	packages, verify := v.ticked("package_events"), v.ticked("enable_ssl_verification")
	e := webhooks.Edit{Name: v.given("name"), Description: v.given("description"), Packages: &packages, VerifyTLS: &verify}
	if address := v.sent("url"); before.ID == 0 || address != shownURL(before.Target.URL) {
		e.URL = &address
	}
	for name, to := range map[string]**string{"token": &e.Token, "signing_token": &e.SigningToken} {
		switch value := v.sent(name); {
		case value != "":
			*to = &value
		case v.ticked("remove_" + name):
			*to = new(string)
		}
	}
	return e
}

// makeHook makes a webhook and leads to its page.
func makeHook(v *visit) error {
	h, err := v.s.Hooks.Create(v.r.Context(), v.actor, v.ref(), v.hookEdit(webhooks.Hook{}))
	if err != nil {
		return v.again(showHooks, receiverField(err))
	}
	return v.see(v.s.in(v.full(), "hooks", number(h.ID)), "made")
}
