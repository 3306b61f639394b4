package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// pagePolicy is the policy of our pages, which their scripts have to live with.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types worker"

// scriptsPage has what our scripts work on. It takes uploads as the server does, and
// refuses the first of each name.
type scriptsPage struct {
	t  *testing.T
	mu sync.Mutex
	at map[string]string // what was stored, by path: its SHA-256
	no map[string]bool   // paths that were refused once
}

const scriptsHTML = `<!doctype html><html lang="en"><head><title>page</title><link rel="icon" href="/icon.svg"><meta name="hasher" content="/hasher.js%s">
<link rel="stylesheet" href="/granary.css"><script src="/granary.js" defer></script></head><body><main><h1>Page</h1>
<section><div class="drop" data-to="/p/-/packages/generic/sonde/2.4.1/"><label class="btn">Choose<input type="file" id="more" multiple></label></div><ul class="queue"></ul></section>
<form data-new="/p/-/packages/generic/"><label>Name<input name="name" required pattern="[a-z]+"></label><label>Version<input name="version" required></label>
<div class="drop"><label class="btn">Choose<input type="file" id="new" multiple required></label></div><ul class="queue"></ul><p data-large hidden>large</p><button id="publish">Publish</button></form>
<form action="/signed-in"><label>Code<input name="code"></label></form>
<form><label>Name<input data-expect="sonde" id="typed"></label><button id="gone">Delete</button></form>
<p id="said" class="sr" role="status"></p></main></body></html>`

func (s *scriptsPage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", pagePolicy)
	switch name := filepath.Base(r.URL.Path); {
	case r.Method == http.MethodPut:
		s.put(w, r)
	case name == "granary.js", name == "hasher.js", name == "granary.css", name == "icon.svg":
		text, err := os.ReadFile("../internal/ui/assets/" + name)
		if err != nil {
			s.t.Error(err)
		}
		w.Header().Set("Content-Type", map[string]string{".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}[filepath.Ext(name)])
		if r.URL.RawQuery == "plain" { // as on a site that is not encrypted: there is no WebCrypto
			_, _ = io.WriteString(w, `Object.defineProperty(self, "crypto", {value: undefined});`)
		}
		_, _ = w.Write(text)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, scriptsHTML, map[bool]string{true: "?plain"}[r.URL.Path == "/plain"])
	}
}

func (s *scriptsPage) put(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	digest := sha256.Sum256(body)
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if declared := r.Header.Get("X-Checksum-SHA256"); declared != hex.EncodeToString(digest[:]) {
		s.t.Errorf("%s: declared %q, sent %x", r.URL.Path, declared, digest)
	}
	if !s.no[r.URL.Path] {
		s.no[r.URL.Path] = true
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"message":"403 Forbidden - <b>protected</b>"}`)
		return
	}
	s.at[r.URL.Path] = hex.EncodeToString(digest[:])
	w.WriteHeader(http.StatusCreated)
}

func newScriptsPage(t *testing.T) (*scriptsPage, string) {
	s := &scriptsPage{t: t, at: map[string]string{}, no: map[string]bool{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL
}

// TestHasher: the worker's SHA-256 is crypto/sha256's, by WebCrypto and by its own code, at
// the sizes where blocks and slices end.
func TestHasher(t *testing.T) {
	_, url := newScriptsPage(t)
	p := newTab(t, url)
	const slice = 4 << 20
	for _, path := range []string{"/", "/plain"} {
		p.open(path)
		for _, n := range []int{0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, slice - 1, slice, slice + 1, 2*slice + 56} {
			content := make([]byte, n)
			for i := range content {
				content[i] = byte(i*31 + i>>8)
			}
			want := sha256.Sum256(content)
			got := value(p, chromedp.Evaluate[string](fmt.Sprintf(
				`(() => { const b = new Uint8Array(%d); for (let i = 0; i < b.length; i++) b[i] = i * 31 + (i >> 8); return hash(new File([b], "f"), () => {}) })()`, n), chromedp.EvalAwaitPromise))
			if got != hex.EncodeToString(want[:]) {
				t.Errorf("%s, %d bytes: %s, want %x", path, n, got, want)
			}
		}
		gone := value(p, chromedp.Evaluate[string](`hash({size: 9, arrayBuffer: 1}, () => {}).then(d => d, e => "refused")`, chromedp.EvalAwaitPromise))
		if gone != "refused" {
			t.Errorf("%s: what is no file has the digest %s", path, gone)
		}
		for _, fault := range p.faults() {
			t.Error(fault)
		}
	}
}

// TestUploadScript: chosen files are sent with their digest, a refusal is shown as text and
// can be retried, and a new version gets its name from the files.
func TestUploadScript(t *testing.T) {
	s, url := newScriptsPage(t)
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	stored := func(path, content string) {
		t.Helper()
		s.mu.Lock()
		defer s.mu.Unlock()
		if want := sha256.Sum256([]byte(content)); s.at[path] != hex.EncodeToString(want[:]) {
			t.Errorf("%s: stored %q among %v", path, s.at[path], s.at)
		}
	}
	p := newTab(t, url)
	p.open("/")
	big := strings.Repeat("0123456789abcdef", 1<<18)
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#more"), []string{file("a b+c.bin", big), file("empty", "")}))
	for _, name := range []string{"a b+c.bin", "empty"} {
		p.sees("403 Forbidden - <b>protected</b>")
		p.click(fmt.Sprintf(`[aria-label="Retry %s"]`, name))
		p.until(fmt.Sprintf(`[...document.querySelectorAll(".queue li")].some(l => l.textContent.includes(%q) && l.textContent.includes("published · sha256"))`, name))
	}
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#more"), []string{filepath.Join(dir, "empty")})) // again
	p.until(`document.querySelectorAll(".queue li").length == 2 && document.querySelector("section a.btn").pathname == "/p/-/packages/generic/sonde/2.4.1"`)
	stored("/p/-/packages/generic/sonde/2.4.1/a b+c.bin", big)
	stored("/p/-/packages/generic/sonde/2.4.1/empty", "")

	p.do(chromedp.SetUploadFiles(chromedp.CSS("#new"), []string{file("Sonde_2.5.0_linux_amd64.tar.gz", "x")}))
	p.until(`document.querySelector("[name=name]").value == "Sonde" && document.querySelector("[name=version]").value == "2.5.0"`)
	p.click("#publish") // the pattern refuses the capital
	p.until(`document.querySelector("[name=name]").matches(":invalid") && document.querySelector("form .queue").textContent.includes("waiting")`)
	p.do(chromedp.SetValue(chromedp.CSS("[name=name]"), "sonde"))
	p.click("#publish")
	p.sees("Retry")
	p.until(`(n => n.scrollWidth <= n.clientWidth)(document.querySelector("form .queue li").firstChild) && !document.querySelector("form a.btn")`) // its name is all there
	p.click("#publish")                                                                                                                            // as Retry does
	p.until(`location.pathname == "/p/-/packages/generic/sonde/2.5.0"`)
	stored("/p/-/packages/generic/sonde/2.5.0/Sonde_2.5.0_linux_amd64.tar.gz", "x")
}

// TestSmallScripts: the code of a link is moved into the form, and out of the address; a
// button waits for what has to be typed.
func TestSmallScripts(t *testing.T) {
	_, url := newScriptsPage(t)
	p := newTab(t, url)
	p.open("/#secret-code")
	p.until(`document.querySelector("[name=code]").value == "secret-code" && location.href == "` + url + `/"`)
	if got := value(p, chromedp.Evaluate[int](`history.length`)); got > 2 {
		t.Errorf("the history has %d entries", got)
	}
	p.until(`document.querySelector("#gone").disabled`)
	p.do(chromedp.SendKeys(chromedp.CSS("#typed"), "sond"))
	p.until(`document.querySelector("#gone").disabled`)
	p.do(chromedp.SendKeys(chromedp.CSS("#typed"), "e"))
	p.until(`!document.querySelector("#gone").disabled`)
	for _, fault := range p.faults() {
		t.Error(fault)
	}
}
