package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// wrongPages have one fault each, and "good" has none.
func wrongPages(elsewhere string) map[string]string {
	page := func(head, body string) string {
		return `<!doctype html><html lang="en"><head><title>page</title><link rel="icon" href="data:,">` + head + `</head><body><main><h1>Page</h1>` + body + `</main></body></html>`
	}
	return map[string]string{
		"/good":      page("", "<p>words</p>"),
		"/contrast":  page("<style>p { color: #bbb; background: #fff }</style>", "<p>words</p>"),
		"/heading":   page("", "<h4>too deep</h4>"),
		"/nameless":  page("", "<button></button>"),
		"/target":    page("", `<style>a { display: inline-block; width: 9px; height: 9px; font-size: 6px }</style><a href="/1">a</a><a href="/2">b</a><a href="/3">c</a>`),
		"/console":   page("", "<script>console.warn('from the page')</script>"),
		"/exception": page("", "<script>throw new Error('from the page')</script>"),
		"/missing":   page(`<link rel="stylesheet" href="/none.css">`, ""),
		"/elsewhere": page("", fmt.Sprintf(`<img src="%s/pixel" alt="">`, elsewhere)),
		"/wide":      page("", `<style>p { width: 2000px }</style><p>words</p>`),
	}
}

// TestHarnessFindsFaults: each fault of a page is found and named, and a page without one
// passes.
func TestHarnessFindsFaults(t *testing.T) {
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	pages := wrongPages(elsewhere.URL)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, text)
	}))
	defer server.Close()
	p := newTab(t, server.URL)
	for path, want := range map[string]string{
		"/good": "", "/contrast": "color-contrast", "/heading": "heading-order", "/nameless": "button-name", "/target": "target-size",
		"/console": "console: warning", "/exception": "Error: from the page", "/missing": "none.css", "/elsewhere": "request to another server", "/wide": "wider than the window",
	} {
		p.open(path)
		faults := append(p.faults(), p.axe()...)
		if want == "" && len(faults) > 0 || want != "" && !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, want) }) {
			t.Errorf("%s: %q, want %q", path, faults, want)
		}
	}
}

// TestHarnessSwitchesScriptsAndThemes: a page without scripts shows what is for it, and the
// theme and the width are what the page gets.
func TestHarnessSwitchesScriptsAndThemes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<!doctype html><title>page</title><link rel="icon" href="data:,"><p id="p">plain</p><noscript>without</noscript><script>document.getElementById("p").textContent = "scripted"</script>`)
	}))
	defer server.Close()
	p := newTab(t, server.URL)
	p.open("/")
	p.sees("scripted")
	p.look(390, true)
	if got := value(p, chromedp.Evaluate[string](`innerWidth + " " + matchMedia("(prefers-color-scheme: dark)").matches`)); got != "390 true" {
		t.Error(got)
	}
	p.withoutScripts()
	p.open("/")
	p.sees("without")
	p.sees("plain")
}
