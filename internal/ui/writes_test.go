package ui_test

import (
	"net/http"
	"strings"
	"testing"

	"granary/internal/throttle"
)

// TestFreeWrites: publishing, what goes with it and signing out work for somebody whose
// writes are used up, as they do by the API; other forms do not.
func TestFreeWrites(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("maintainer")
	s.pages.Rates.Writes = throttle.New("test", throttle.Rate{Requests: 1, Seconds: 1 << 32}, s.now)
	b.post("/-/user/profile/theme", "theme", "dark").leads(t, "/-/user/profile?done=saved")
	b.post("/-/user/profile/theme", "theme", "dark").wants(t, 429)
	const at = "/acme/tools/-/packages/generic/sonde/2.0.0"
	b.do(http.MethodPut, at+"/f", "", "bytes").wants(t, 201)
	form, kind := uploadOf(t, 0, "g")
	b.do(http.MethodPost, "/acme/tools/-/packages/new", kind, string(form)).wants(t, 303)
	b.post(at+"/channel", "channel", "stable").wants(t, 303)
	b.post(at+"/channel/remove", "channel", "stable").wants(t, 303)
	b.post(at+"/edit", "do", "yank").wants(t, 303)
	b.post(at+"/finalise", "manifest", b.get(at).hidden(t, at+"/finalise", "manifest")).wants(t, 303)
	b.post("/acme/tools/-/releases/new", "tag", "v2.0.0").wants(t, 303)
	b.post("/acme/tools/-/releases/v2.0.0/edit", "name", "Two").wants(t, 303)
	b.post("/acme/tools/-/releases/v2.0.0/delete", "confirm", "v2.0.0").wants(t, 303)
	s.pages.Rates.Authenticated = throttle.New("test", throttle.Rate{Requests: 1, Seconds: 1 << 32}, s.now)
	b.get("/acme/tools").wants(t, 200)
	b.get("/acme/tools").wants(t, 429)
	b.post("/-/sign_out").leads(t, "/-/sign_in?done=signed-out")
	if got := b.get("/acme/tools"); !strings.HasPrefix(got.Header.Get("Location"), "/-/sign_in") {
		t.Errorf("still signed in: %d", got.StatusCode)
	}
}
