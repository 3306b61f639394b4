package daemon

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
)

// The link that the first start shows, and one of granary admin sign-in-link, sign in as root
// with all rights; reset-root ends the sessions.
func TestSignInLinks(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	url, stop := serveHere(t, nil, "--data-dir="+data)
	printed := stop()
	cfg, err := settings([]string{noReserve}, "--data-dir="+data)
	if err != nil {
		t.Fatal(err)
	}
	a := openAdmin(t, cfg)
	defer closeAdmin(t, a)
	if err := a.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	link, expires, err := a.SignInLink(t.Context(), "root")
	if err != nil || time.Until(expires) > time.Hour || time.Until(expires) < 50*time.Minute {
		t.Errorf("%v until %v", err, expires)
	}
	if _, _, err := a.SignInLink(t.Context(), "nobody"); err == nil || err.Error() != `there is no user "nobody"` {
		t.Errorf("of nobody: %v", err)
	}
	a.cfg.Pages = false
	if link, _, err := a.SignInLink(t.Context(), "root"); link != "" || err == nil || !strings.Contains(err.Error(), "the pages are off (pages=false)") {
		t.Errorf("without pages %q, %v", link, err)
	}
	a.cfg.Pages = true
	_, shown, _ := strings.Cut(printed, "  sign in        "+url+"/-/sign_in/link?to=%2Froot%2Fdemo#")
	shown, _, _ = strings.Cut(shown, "   (works once, for an hour)\n")
	_, made, _ := strings.Cut(link, "/-/sign_in/link#")
	from := netip.MustParseAddr("127.0.0.1")
	var cookies []string
	for _, code := range []string{shown, made} {
		_, cookie, err := a.server.auth.SignInByLink(t.Context(), code, from, "Browser")
		if err != nil {
			t.Fatalf("%q: %v", code, err)
		}
		actor, s, err := a.server.auth.FindSession(t.Context(), cookie, from)
		if err != nil || actor.Username != "root" || !actor.Admin || !actor.Has(access.ScopeAPI) || s.TokenID != 0 {
			t.Errorf("%+v of %+v, %v", actor, s, err)
		}
		cookies = append(cookies, cookie)
	}
	if _, _, err := a.ResetRoot(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, cookie := range cookies {
		if _, _, err := a.server.auth.FindSession(t.Context(), cookie, from); err == nil {
			t.Error("a session of root's outlives reset-root")
		}
	}
}

// The start names groups and users of older servers whose paths the pages need.
func TestReservedPathsAreNamed(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	_, stop := serveHere(t, nil, "--data-dir="+data)
	stop()
	cfg, err := settings([]string{noReserve}, "--data-dir="+data)
	if err != nil {
		t.Fatal(err)
	}
	a := openAdmin(t, cfg)
	_, err = a.server.db.InsertUser(t.Context(), auth.User{Username: "Groups", Name: "g", Email: "g@example.com", CreatedAt: time.Now()}, audit.Event{At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	closeAdmin(t, a)
	p, err := launch(nil, "--listen=127.0.0.1:0", "--data-dir="+data)
	if err != nil {
		t.Fatal(err)
	}
	defer p.kill()
	if p.url() == "" {
		t.Fatal(p.logged())
	}
	if log := p.logged(); !strings.Contains(log, "path=groups") || strings.Contains(log, "path=api") {
		t.Errorf("the log is\n%s", log)
	}
}
