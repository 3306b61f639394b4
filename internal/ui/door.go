package ui

import (
	"net/http"

	"granary/internal/access"
	"granary/internal/fault"
)

// doorPage is the data of the page that signs in.
type doorPage struct {
	Host  string // of this server
	To    string // where to go then
	Plain bool   // what is typed can be read on the way
	Again bool   // signed in, but too long ago for what was asked
	Link  bool   // a link is used, not a token
}

func (v *visit) doorPage(link bool) doorPage {
	return doorPage{
		Host: v.r.Host, To: v.ours(v.form.Or("to", v.query("to"))), Plain: !v.secure(), Again: v.query("again") != "", Link: link,
	}
}

// showDoor is the page to sign in on. It leads on if somebody is signed in already, unless
// that was too long ago or with too weak a token.
func showDoor(v *visit) error {
	d := v.doorPage(false)
	if v.actor.Kind != access.Anonymous && !d.Again && v.query("otherwise") == "" {
		return v.see(d.To, "")
	}
	return v.show(screen{name: "sign_in", title: "Sign in", data: d})
}

// signInByToken begins a session by a personal access token.
func signInByToken(v *visit) error {
	session, secret, err := v.s.Auth.SignIn(v.r.Context(), v.sent("token"), v.from(), v.r.UserAgent())
	if err != nil {
		return v.refusedDoor(err, false)
	}
	return v.begin(session, secret)
}

// showLink is the page of a sign-in link. Its code is in the fragment of the address,
// which no server, log or preview sees; the script puts it into the form.
func showLink(v *visit) error {
	return v.show(screen{name: "sign_in", title: "Sign in", data: v.doorPage(true)})
}

// signInByLink begins a session by the code of a link.
func signInByLink(v *visit) error {
	session, secret, err := v.s.Auth.SignInByLink(v.r.Context(), v.sent("code"), v.from(), v.r.UserAgent())
	if err != nil {
		return v.refusedDoor(err, true)
	}
	return v.begin(session, secret)
}

// refusedDoor shows the door again with the reason. What was typed is not kept: it was a
// secret.
func (v *visit) refusedDoor(err error, link bool) error {
	e, ok := fault.As(err, fault.Unauthenticated)
	if !ok {
		return err
	}
	v.form.status = http.StatusForbidden
	v.form.reasons = map[string][]string{"": {sentence(e.Msg)}}
	return v.show(screen{name: "sign_in", title: "Sign in", data: v.doorPage(link)})
}

// signOut ends the session of this browser.
func signOut(v *visit) error {
	if v.session.ID != 0 {
		if err := v.s.Auth.EndSession(v.r.Context(), v.actor, v.session.ID); err != nil && !absent(err) {
			return err
		}
	}
	v.cookieOf().end(v.w)
	if v.s.root == "" { // with a path, other programs at the same host would lose their caches, too
		v.w.Header().Set("Clear-Site-Data", `"cache"`)
	}
	return v.see(v.s.at("sign_in"), "signed-out")
}
