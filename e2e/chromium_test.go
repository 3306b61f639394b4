package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// chromium is the one browser of a test process. Every tab has cookies of its own, and is
// closed at the end of its test; closeChromium ends the browser.
var chromium struct {
	sync.Mutex
	ctx context.Context
	end func()
}

// startChromium starts the browser, once.
func startChromium() (context.Context, error) {
	chromium.Lock()
	defer chromium.Unlock()
	if chromium.ctx != nil {
		return chromium.ctx, nil
	}
	dir, err := os.MkdirTemp("", "granary-chromium")
	if err != nil {
		return nil, err
	}
	// What the library leaves behind is in dir, too.
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium-headless-shell"),
		chromedp.UserDataDir(filepath.Join(dir, "profile")), chromedp.Env("TMPDIR="+dir))
	ctx, endBrowser := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, endTab := chromedp.NewContext(ctx)
	chromium.end = func() {
		endTab()
		endBrowser()
		_ = os.RemoveAll(dir)
	}
	if err := chromedp.Do(ctx); err != nil {
		chromium.end()
		return nil, fmt.Errorf("tools/install-test-deps installs chromium-headless-shell: %w", err)
	}
	chromium.ctx = ctx
	return ctx, nil
}

// closeChromium ends the browser, if it was started.
func closeChromium() {
	chromium.Lock()
	defer chromium.Unlock()
	if chromium.ctx != nil {
		chromium.end()
		chromium.ctx = nil
	}
}

// stepTime is the most that one step may take, a page's load for example.
const stepTime = 30 * time.Second

// tab is a tab of the browser, and what its page did since open.
type tab struct {
	t      *testing.T
	ctx    context.Context
	origin string // of the server whose pages it shows

	mu       sync.Mutex
	console  []string                   // messages and exceptions
	requests []string                   // addresses
	bytes    float64                    // of all answers, with their headers
	status   int64                      // of the page
	pages    map[network.RequestID]bool // the requests that loaded a page
}

// newTab opens a tab without cookies, 1280 pixels wide, light.
func newTab(t *testing.T, origin string) *tab {
	t.Helper()
	browser, err := startChromium()
	if err != nil {
		t.Fatal(err)
	}
	p := &tab{t: t, origin: origin, pages: map[network.RequestID]bool{}}
	ctx, end := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.listen))
	t.Cleanup(end)
	p.ctx = ctx
	if err := chromedp.Do(ctx); err != nil { // a tab of a shorter life would close with the step
		t.Fatal(err)
	}
	p.look(1280, false)
	return p
}

func (p *tab) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
		p.pages[e.RequestID] = p.pages[e.RequestID] || e.Type == network.ResourceTypeDocument
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			p.status = e.Response.Status
		}
	case *network.EventLoadingFinished:
		p.bytes += e.EncodedDataLength
	case *runtime.EventConsoleAPICalled:
		text := []string{string(e.Type)}
		for _, a := range e.Args {
			text = append(text, string(a.Value), a.Description)
		}
		p.console = append(p.console, strings.Join(text, " "))
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.console = append(p.console, text)
	case *log.EventEntryAdded:
		// The status of the page itself is no fault of the page: 403 for a wrong token.
		if e.Entry.Source != log.EntrySourceNetwork || !p.pages[e.Entry.NetworkRequestID] {
			p.console = append(p.console, fmt.Sprintf("%s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	}
}

// do runs steps one after the other.
func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	for i, step := range steps {
		ctx, cancel := context.WithTimeout(p.ctx, stepTime)
		err := chromedp.Do(ctx, step)
		cancel()
		if err != nil {
			p.t.Fatalf("step %d: %v\n%s", i+1, err, p.text())
		}
	}
}

// value runs an action and returns what it found.
func value[T any](p *tab, action chromedp.Action[T]) T {
	p.t.Helper()
	for end := time.Now().Add(stepTime); ; time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(p.ctx, stepTime)
		v, err := chromedp.Run(ctx, action)
		cancel()
		if err == nil {
			return v
		}
		// A page that is just being left answers nothing: the next one does.
		if !strings.Contains(err.Error(), "navigated or closed") || time.Now().After(end) {
			p.t.Fatal(err)
		}
	}
}

// text is what a reader sees of the page, to say what is wrong.
func (p *tab) text() string {
	ctx, cancel := context.WithTimeout(p.ctx, stepTime)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// open loads a page of the server and forgets what other pages did.
func (p *tab) open(path string) {
	p.t.Helper()
	p.mu.Lock()
	p.console, p.requests, p.bytes = nil, nil, 0
	p.mu.Unlock()
	p.do(chromedp.Navigate(p.origin + path))
}

// until waits until an expression is true, on this page or the one to which it leads.
func (p *tab) until(expression string) {
	p.t.Helper()
	for end := time.Now().Add(stepTime); ; time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(p.ctx, stepTime)
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		cancel()
		if err == nil && is {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("%s does not become true: %v\n%s", expression, err, p.text())
		}
	}
}

// sees waits until the page has the words.
func (p *tab) sees(words string) {
	p.t.Helper()
	p.until(fmt.Sprintf("document.readyState == 'complete' && document.body.innerText.includes(%q)", words))
}

// click presses what a CSS selector finds.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// look sets the width in pixels and the theme.
func (p *tab) look(width int64, dark bool) {
	p.t.Helper()
	theme := "light"
	if dark {
		theme = "dark"
	}
	p.do(chromedp.EmulateViewport(width, 900), func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		return chromedp.Void{}, err
	})
}

// withoutScripts switches the scripts of pages off. Those of the test still run.
func (p *tab) withoutScripts() {
	p.t.Helper()
	p.do(func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return chromedp.Void{}, err
	})
}

// faults are what no page may have: messages in the console, requests to other servers,
// and content that is wider than the window.
func (p *tab) faults() (faults []string) {
	p.t.Helper()
	p.mu.Lock()
	for _, message := range p.console {
		faults = append(faults, "console: "+message)
	}
	for _, address := range p.requests {
		if !strings.HasPrefix(address, p.origin+"/") && !strings.HasPrefix(address, "data:") {
			faults = append(faults, "request to another server: "+address)
		}
	}
	p.mu.Unlock()
	if wide := value(p, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`)); wide > 0 {
		widest := value(p, chromedp.Evaluate[string](`[...document.body.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + "." + e.className).slice(0, 3).join(", ")`))
		faults = append(faults, fmt.Sprintf("%d pixels wider than the window: %s", wide, widest))
	}
	return faults
}

// runAxe runs axe-core with the rules of WCAG 2.2 AA and best practice, and says what it
// found, one line each.
const runAxe = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]})
	.then(r => JSON.stringify(r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + v.help + ": " + n.html + " " + n.failureSummary.replaceAll("\n", " ")))))`

// axe is what axe-core finds. It is run through the protocol, which the CSP does not hold.
func (p *tab) axe() (faults []string) {
	p.t.Helper()
	script, err := os.ReadFile("../.cache/node/node_modules/axe-core/axe.min.js")
	if err != nil {
		p.t.Fatalf("tools/install-test-deps installs axe-core: %v", err)
	}
	if !value(p, chromedp.Evaluate[bool](`typeof axe == "object"`)) {
		value(p, chromedp.Evaluate[bool](string(script)+"; true"))
	}
	found := value(p, chromedp.Evaluate[string](runAxe, chromedp.EvalAwaitPromise))
	if err := json.Unmarshal([]byte(found), &faults); err != nil {
		p.t.Fatal(err)
	}
	return faults
}

// isClean fails the test for each fault of the page. name says which page it is.
func (p *tab) isClean(name string) {
	p.t.Helper()
	for _, fault := range append(p.faults(), p.axe()...) {
		p.t.Errorf("%s: %s", name, fault)
	}
}

// fits fails the test if the page took more than 25 KB or 4 requests.
func (p *tab) fits(name string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bytes > 25_000 || len(p.requests) > 4 || len(p.requests) == 0 {
		p.t.Errorf("%s: %.0f bytes in %d requests: %v", name, p.bytes, len(p.requests), p.requests)
	}
}

// answered fails the test unless the page came with this status.
func (p *tab) answered(status int64) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status != status {
		p.t.Errorf("%v: status %d, want %d", p.requests, p.status, status)
	}
}

// shoot writes a picture of the whole page to .cache/pages, which git ignores, if all pages
// are asked for.
func (p *tab) shoot(name string) {
	p.t.Helper()
	if !allPages() {
		return
	}
	picture := value(p, chromedp.FullScreenshot(100))
	if err := os.MkdirAll("../.cache/pages", 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile("../.cache/pages/"+name+".png", picture, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// allPages reports whether `make proof-pages` runs the test.
func allPages() bool { return os.Getenv("GRANARY_TEST_PAGES") == "all" }

// inspect looks at the page that is open in every width and theme, or in a sample of them.
func (p *tab) inspect(name string) {
	p.t.Helper()
	for _, width := range []int64{1280, 390, 320} {
		for _, dark := range []bool{false, true} {
			if !allPages() && dark != (width == 390) { // each width once, both themes
				continue
			}
			p.look(width, dark)
			cell := fmt.Sprintf("%s-%d-%s", name, width, map[bool]string{false: "light", true: "dark"}[dark])
			if width == 320 && !allPages() { // the sample asks the narrowest only whether it fits
				for _, fault := range p.faults() {
					p.t.Errorf("%s: %s", cell, fault)
				}
				continue
			}
			p.isClean(cell)
			if width != 320 {
				p.shoot(cell)
			}
		}
	}
	p.look(1280, false)
}
