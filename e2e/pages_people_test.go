package e2e_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestPagesPeople: an administrator makes a user and hands a link over; sessions end when
// their owner or an administrator says so.
func TestPagesPeople(t *testing.T) {
	_, admin := newJourney(t)
	admin.open("/-/admin/users")
	admin.fill("username", "jo")
	admin.fill("email", "jo@example.com")
	admin.press("Make the user")
	link := admin.secret()
	admin.inspect("admin-users-made")
	path := strings.TrimPrefix(link, admin.origin)
	if path == link {
		t.Fatalf("the link %s is not of this server", link)
	}
	first := newTab(t, admin.origin)
	first.open(path)
	first.until(`location.hash == "" && document.querySelector("[name=code]").value != ""`)
	first.click("button.go")
	first.until(isIn)
	first.sees("You are in no project yet")
	first.inspect("home-empty")

	// A token that the first browser makes signs the second in.
	first.open("/-/user/tokens")
	first.fill("name", "second")
	first.click("[name=scopes][value=api]")
	first.press("Make the token")
	second := newTab(t, admin.origin)
	second.enter(first.secret())
	first.open("/-/user/sessions")
	if n := len(first.texts("tbody tr")); n != 2 {
		t.Errorf("%d sessions are shown", n)
	}
	first.inspect("sessions-two")
	second.open("/-/user/sessions")
	second.press("Sign out everywhere")
	second.sees("You are signed out.")
	isOut := func(p *tab, why string) {
		t.Helper()
		p.open("/-/user/profile")
		p.until(`document.readyState == "complete"`)
		if p.has("nav.who .face") || !strings.Contains(value(p, chromedp.Evaluate[string](`location.pathname`)), "/-/sign_in") {
			t.Errorf("%s: still signed in", why)
		}
	}
	isOut(first, "signed out everywhere")
	isOut(second, "signed out everywhere")

	admin.open("/-/admin/users")
	admin.press("Make a sign-in link for jo")
	path = strings.TrimPrefix(admin.secret(), admin.origin)
	first.open(path)
	first.click("button.go")
	first.until(isIn)
	admin.open("/-/admin/users")
	admin.press("Block jo")
	admin.sees("Blocked. Every session of this user is ended.")
	isOut(first, "blocked")
	first.open(path)
	first.click("button.go")
	first.until(`document.readyState == "complete" && !!document.querySelector("[role=alert]")`)
	if first.has("nav.who .face") {
		t.Error("a blocked user came in")
	}
}
