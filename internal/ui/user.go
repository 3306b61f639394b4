package ui

import (
	"net/http"
	"strconv"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/fault"
)

// userScreen is a page of one's own settings.
func (v *visit) userScreen(current, title string, data any) screen {
	own := []tab{
		{"Profile", v.s.at("user", "profile"), current == "profile"}, {"Access tokens", v.s.at("user", "tokens"), current == "tokens"},
		{"Sessions", v.s.at("user", "sessions"), current == "sessions"}, {"What I did", v.s.at("user", "events"), current == "events"},
	}
	return screen{name: "user_" + current, title: title, side: own, data: data}
}

// showProfile is who one is, and how the pages look.
func showProfile(v *visit) error {
	u, err := v.s.Auth.User(v.r.Context(), v.actor, v.actor.UserID)
	if err != nil {
		return err
	}
	return v.show(v.userScreen("profile", "Profile", struct {
		User    auth.User
		Session auth.Session
	}{u, v.session}))
}

// setTheme keeps how the pages look in a cookie of its own.
func setTheme(v *visit) error {
	c := &http.Cookie{Name: "theme", Path: v.s.root + "/", MaxAge: 10 * 365 * 24 * 3600, Secure: v.cookieOf().secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	switch theme := v.sent("theme"); theme {
	case "light", "dark":
		c.Value = theme
	case "system":
		c.MaxAge = -1
	default:
		return v.again(showProfile, fault.Field("theme", "is light, dark or system"))
	}
	http.SetCookie(v.w, c)
	return v.see(v.s.at("user", "profile"), "saved")
}

// showSessions are the browsers in which one is signed in.
func showSessions(v *visit) error {
	p, err := v.numbered()
	if err != nil {
		return err
	}
	found, err := v.s.Auth.ListSessions(v.r.Context(), v.actor, v.actor.UserID, p)
	if err != nil {
		return err
	}
	return v.show(v.userScreen("sessions", "Sessions", struct {
		Sessions []auth.Session
		Own      int64
		Pager    pager
		MayEnd   bool
	}{found.Rows, v.session.ID, v.pagerOf(p, found.Total, "session", "sessions"), v.canOwn(access.EndSessions)}))
}

// endSession signs out another browser.
func endSession(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	if err := v.s.Auth.EndSession(v.r.Context(), v.actor, id); err != nil {
		return err
	}
	return v.see(v.s.at("user", "sessions"), "ended")
}

// endSessions signs out everywhere, here too.
func endSessions(v *visit) error {
	if err := v.s.Auth.EndSessions(v.r.Context(), v.actor, v.actor.UserID); err != nil {
		return err
	}
	v.cookieOf().end(v.w)
	return v.see(v.s.at("sign_in"), "signed-out")
}

// id is a positive number in the path.
func (v *visit) id(name string) (int64, error) {
	n, err := strconv.ParseInt(v.values[name], 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != v.values[name] {
		return 0, fault.New(fault.NotFound, "")
	}
	return n, nil
}

// number is an id as text.
func number(id int64) string { return strconv.FormatInt(id, 10) }

// day is midnight UTC of a date field, nil if it is empty.
func (v *visit) day(name string) (*time.Time, error) {
	text := v.sent(name)
	if text == "" {
		return nil, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return nil, fault.Field(name, "must be a date such as 2027-02-27")
	}
	return &day, nil
}
