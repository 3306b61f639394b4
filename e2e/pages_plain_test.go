package e2e_test

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestPagesWithoutScripts: the main journey works in a browser whose scripts are off.
func TestPagesWithoutScripts(t *testing.T) {
	server := startServer(t)
	api := &ciProject{t: t, url: server + "/api/v4"}
	api.put("other/1.0.0/f", "other")
	dir := t.TempDir()
	write(t, dir, "tool.tar.gz", []byte("the tool"))
	p := newTab(t, server)
	p.withoutScripts()
	p.enter(ciToken)

	p.open("/root/demo/-/packages/new")
	p.fill("name", "sonde")
	p.fill("version", "1.0.0")
	p.do(chromedp.SetUploadFiles(chromedp.CSS("form[data-new] [type=file]"), []string{dir + "/tool.tar.gz"}))
	p.press("Publish")
	p.at(sonde + "/1.0.0")

	p.open("/")
	p.do(chromedp.SendKeys(chromedp.CSS("#q"), "son"+kb.Enter))
	p.press("sonde")
	p.press("1.0.0")
	p.at(sonde + "/1.0.0")
	installs(t, "curl", p.snippets()["curl"], "tool.tar.gz", sumOf(t, dir+"/tool.tar.gz"), "GRANARY_TOKEN="+ciToken)
	p.click(`.pick label:has(#s2)`) // wget
	p.until(`document.querySelector(".code.s2").checkVisibility() && !document.querySelector(".code.s0").checkVisibility()`)

	p.open("/root/demo")
	p.do(chromedp.SetValue(chromedp.CSS(".filters [name=published]"), "7"))
	p.press("Filter")
	p.until(`location.search.includes("published=7")`)
	p.sees("2 packages")

	p.open("/-/user/tokens")
	p.fill("name", "laptop")
	p.press("Make the token")
	token := p.secret()
	if status := api.curl("--header", "PRIVATE-TOKEN: "+token, api.url+"/projects/root%2Fdemo/packages/generic/sonde/1.0.0/tool.tar.gz"); status != "200" {
		t.Errorf("the token gets %s", status)
	}
	p.press("Revoke laptop")
	p.sees("Revoked.")

	p.open(sonde)
	p.press("Delete…")
	p.do(chromedp.SendKeys(chromedp.CSS("[name=confirm]"), "sond"))
	p.press("Delete sonde")
	p.sees("Is not sonde.")
	p.fill("confirm", "sonde")
	p.press("Delete sonde")
	p.sees("Deleted.")
	if status := api.file("sonde/1.0.0/tool.tar.gz"); status != "404" {
		t.Errorf("the deleted file answers %s", status)
	}
	for _, fault := range p.faults() {
		t.Error(fault)
	}
}

// focused is what the focus is on: its text or name.
const focused = `(e => e.ariaLabel || e.name || e.textContent.trim() || e.tagName)(document.activeElement ?? document.body)`

// tabTo presses Tab until the focus is on what has this text or name. Each stop on the way
// must be visible and say that it has the focus.
func (p *tab) tabTo(name string) {
	p.t.Helper()
	var seen []string
	for range 80 {
		p.do(chromedp.KeyEvent(kb.Tab))
		at := value(p, chromedp.Evaluate[string](focused))
		seen = append(seen, at)
		shown := value(p, chromedp.Evaluate[bool](`(e => !e || e == document.body || e.matches(":focus-visible") && (getComputedStyle(e).outlineStyle != "none" || [...e.labels || []].some(l => getComputedStyle(l).outlineStyle != "none")))(document.activeElement)`))
		if !shown {
			p.t.Errorf("the focus on %q cannot be seen", at)
		}
		if at == name {
			return
		}
	}
	p.t.Fatalf("Tab does not come to %q: %q", name, seen)
}

func (p *tab) key(keys ...string) {
	p.t.Helper()
	for _, k := range keys {
		p.do(chromedp.KeyEvent(k))
	}
}

// slash presses "/" as a keyboard does: whoever prevents the key prevents its character, too.
func (p *tab) slash() {
	p.t.Helper()
	p.do(func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "/", Code: "Slash", Text: "/"})
		return chromedp.Void{}, err
	})
}

// TestPagesByKeyboard: the main journey without a mouse.
func TestPagesByKeyboard(t *testing.T) {
	server := startServer(t)
	api := &ciProject{t: t, url: server + "/api/v4"}
	api.put("sonde/1.0.0/f", "bytes")
	api.put("sonde/2.0.0/f", "bytes, too")
	p := newTab(t, server)
	p.open("/-/sign_in")
	p.tabTo("token")
	p.key(ciToken, kb.Enter)
	p.until(isIn)

	p.key(kb.Tab)
	if at := value(p, chromedp.Evaluate[string](focused)); at != "Skip to content" {
		t.Errorf("the first stop is %q", at)
	}
	p.key(kb.Enter)
	p.until(`location.hash == "#main"`)
	p.tabTo("demo")
	p.key(kb.Enter)
	p.at("/root/demo")
	p.slash()
	p.key("sonde 2", kb.Enter)
	p.until(`location.search.includes("search=sonde+2")`)
	p.tabTo("sonde")
	p.key(kb.Enter)
	p.at(sonde)
	p.tabTo("2.0.0")
	p.key(kb.Enter)
	p.at(sonde + "/2.0.0")
	p.tabTo("tool")
	p.key(kb.ArrowRight, kb.ArrowRight)
	p.until(`document.querySelector("#s2").checked && document.querySelector(".code.s2").checkVisibility()`)
	p.tabTo("Copy for wget")
	p.key(kb.Enter)
	p.until(`document.querySelector("#said").textContent == "Copied"`)

	// From the beginning, Tab goes through the whole page and leaves it.
	p.open(sonde + "/2.0.0")
	stops := map[string]bool{}
	for range 100 {
		p.key(kb.Tab)
		at := value(p, chromedp.Evaluate[string](`[null, document.body].includes(document.activeElement) ? "" : `+focused))
		if at == "" || at == "Skip to content" && len(stops) > 1 {
			break
		}
		stops[at] = true
	}
	for _, want := range []string{"file", "tool", "INPUT", "Yank, deprecate or hide", "Delete this version…", "API"} {
		if !stops[want] {
			t.Errorf("Tab does not come to %q: %v", want, stops)
		}
	}
	p.open(sonde + "/2.0.0")
	p.tabTo("Delete this version…")
	p.key(kb.Enter)
	p.at("/root/demo/-/packages/delete")
	p.tabTo("Delete sonde 2.0.0")
	p.key(kb.Enter)
	p.sees("Deleted.")

	p.open("/-/user/tokens")
	p.tabTo("name")
	p.key("laptop", kb.Enter)
	if token := p.secret(); !strings.HasPrefix(token, "g") {
		t.Errorf("the secret is %q", token)
	}
}
