package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// signInLink is a link that `granary open` would open: the address of the page, with the
// code behind the "#".
func signInLink(t *testing.T, server string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server+"/api/v4/user/sign_in_links", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("PRIVATE-TOKEN", ciToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var link struct{ URL string }
	if err := json.NewDecoder(resp.Body).Decode(&link); err != nil || resp.StatusCode != http.StatusCreated || !strings.HasPrefix(link.URL, server+"/") {
		t.Fatalf("%s, %v: %+v", resp.Status, err, link)
	}
	return strings.TrimPrefix(link.URL, server)
}

// signIn signs the tab in by typing a token.
func (p *tab) signIn(token string) {
	p.t.Helper()
	p.do(chromedp.SetValue(chromedp.CSS("[name=token]"), token))
	p.click("button.go")
}

// TestPagesDoor: people come in by a token and by a link, with scripts and without, by
// mouse and by keyboard; nobody comes in by a wrong one; and they get out.
func TestPagesDoor(t *testing.T) {
	server := startServer(t)
	in := `document.querySelector("nav.who .face")`
	t.Run("a token", func(t *testing.T) {
		p := newTab(t, server)
		p.open("/-/sign_in?to=" + url.QueryEscape("/-/user/profile"))
		p.fits("door")
		p.inspect("door")
		p.signIn("gnpat-wrong")
		p.sees("unknown, expired or revoked")
		p.inspect("door-refused")
		if kept := value(p, chromedp.Value(chromedp.CSS("[name=token]"))); kept != "" {
			t.Errorf("the page has the wrong token: %q", kept)
		}
		p.signIn(ciToken)
		p.until(`location.pathname == "/-/user/profile" && !!` + in)
		p.signOut()
	})
	t.Run("a link", func(t *testing.T) {
		link := signInLink(t, server)
		p := newTab(t, server)
		p.open(link)
		p.until(`location.hash == "" && document.querySelector("[name=code]").value.length > 20`)
		p.inspect("door-link")
		p.click("button.go")
		p.until(`!!` + in)
		again := newTab(t, server)
		again.open(link)
		again.click("button.go")
		again.until(`document.querySelector("[name=code]") && document.body.innerText.includes("used already") && !` + in)
		again.inspect("door-link-used")
	})
	t.Run("without scripts", func(t *testing.T) {
		p := newTab(t, server)
		p.withoutScripts()
		path, code, _ := strings.Cut(signInLink(t, server), "#")
		p.open(path)
		p.do(chromedp.SetValue(chromedp.CSS("[name=code]"), code))
		p.click("button.go")
		p.until(`!!` + in)
		p.signOut()
		p.open("/-/sign_in")
		p.signIn(ciToken)
		p.until(`!!` + in)
	})
	t.Run("by keyboard", func(t *testing.T) {
		p := newTab(t, server)
		p.open("/-/sign_in")
		p.do(chromedp.KeyEvent(kb.Tab))
		for range 10 {
			if value(p, chromedp.Evaluate[bool](`document.activeElement.name == "token"`)) {
				break
			}
			p.do(chromedp.KeyEvent(kb.Tab))
		}
		p.do(chromedp.KeyEvent(ciToken), chromedp.KeyEvent(kb.Enter))
		p.until(`!!` + in)
	})
}

// signOut leaves by the button of the profile, and sees that a page needs a sign-in again.
func (p *tab) signOut() {
	p.t.Helper()
	p.open("/-/user/profile")
	p.click(`form[action$="/-/sign_out"] button`)
	p.sees("Sign in")
	p.open("/-/user/profile")
	p.until(`location.pathname == "/-/sign_in"`)
}
