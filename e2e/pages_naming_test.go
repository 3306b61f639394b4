package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/chromedp/chromedp"

	"granary/internal/naming"
)

// namingTexts are texts that a grammar may accept, and a seeded sample of random ones.
func namingTexts() []string {
	all := []string{
		"", ".", "..", "...", "a", "-", "~", "@", "+", "_", "1.2", "1.2.3", "01.2.3", "1.2.3.4", "1..2", "1.2.3-rc.1+b", "v1", "latest", "1.2.٣", " a", "a ", "a b",
		"a~1@b", "~a", "a@", "a+b", "ä", "a\u200bb", "a\x00b", "a\nb", "a\u2028b", "a%2e", "%2e%2e", "a/b", "/a", "a/", "a//b", "a/../b", "../a", "a/..", `a\b`, `..\a`, "a/.", "a/~b", "a/b~", "a/b~c",
		"a&b", "a[b", "a]b", "a^b", "a|b", "a(b", "a{b}", "a--b", "a&&b", "a!b", "a#b", "a,b", "a:b", "a=b", "😀", "a$b",
		strings.Repeat("1", 251) + ".2.3", strings.Repeat("1", 252) + ".2.3", "d/" + strings.Repeat("a", 255), "d/" + strings.Repeat("a", 256),
	}
	for _, n := range []int{254, 255, 256} {
		all = append(all, strings.Repeat("a", n), strings.Repeat("a", n-1)+"~", strings.Repeat(".", n))
	}
	rnd := rand.New(rand.NewPCG(17, 9)) //nolint:gosec // no secret
	alphabet := []rune("ab01..--__++~~@@// \\%2eü\t[]^|&😀")
	for range 2000 {
		text := make([]rune, 1+rnd.IntN(7))
		for i := range text {
			text[i] = alphabet[rnd.IntN(len(alphabet))]
			if rnd.IntN(3) > 0 { // most are of the letters of versions
				text[i] = []rune("012...a-")[rnd.IntN(8)]
			}
		}
		all = append(all, string(text))
	}
	return all
}

// accepted is what a browser with patterns lets through, for each text: as a name, as a
// version, and as the name of a file.
func (p *tab) accepted(texts []string) [][]bool {
	p.t.Helper()
	sent, err := json.Marshal(texts)
	if err != nil {
		p.t.Fatal(err)
	}
	return value(p, chromedp.Evaluate[[][]bool](`(texts => {
		const fields = [...document.querySelectorAll("form[data-new] input[pattern]")].map(f => f.cloneNode()), file = document.createElement("input");
		file.pattern = document.querySelector("form[data-new] .drop").dataset.pattern;
		return texts.map(text => [...fields, file].map(f => { f.value = text; return f.value != "" && !f.validity.patternMismatch }));
	})(`+string(sent)+`)`))
}

// TestPagesNaming: the browser lets through what the project's naming accepts, and no more:
// neither a name, nor a version, nor a file's name. Only the directories of a file, which no
// browser sends, are left to the server.
func TestPagesNaming(t *testing.T) {
	api, p := newJourney(t)
	texts := namingTexts()
	for _, grammar := range []naming.Grammar{naming.Strict, naming.Relaxed} {
		api.do("PUT", "/projects/root%2Fdemo", url.Values{"generic_package_naming": {string(grammar)}}, 200)
		p.open("/root/demo/-/packages/new")
		p.until(`document.readyState == "complete" && document.querySelectorAll("form[data-new] input[pattern]").length == 2`)
		takes, accepts := 0, p.accepted(texts)
		for i, text := range texts {
			if strings.ContainsAny(text, "\r\n\x00") || !utf8.ValidString(text) { // a field has none
				continue
			}
			for part, raw := range []naming.Raw{
				{Name: text, Version: "1.2.3", File: "f"}, {Name: "n", Version: text, File: "f"}, {Name: "n", Version: "1.2.3", File: text},
			} {
				_, err := naming.Parse(grammar, raw)
				if part == 2 && strings.Contains(text, "/") && err != nil {
					continue
				}
				if (err == nil) != accepts[i][part] {
					t.Errorf("%s, part %d: %q: the browser says %v, the server %v", grammar, part, text, accepts[i][part], err)
				}
				if err == nil {
					takes++
				}
			}
		}
		if takes < 500 {
			t.Errorf("%s: only %d texts are accepted", grammar, takes)
		}
	}
	t.Run("held back", func(t *testing.T) { heldBack(t, api, p) })
	t.Run("protected", func(t *testing.T) { protectedName(t, api) })
}

// heldBack: nothing is sent that naming refuses. The reason stands beside the field, and
// beside the file.
func heldBack(t *testing.T, api *ciProject, p *tab) {
	p.t = t
	api.do("PUT", "/projects/root%2Fdemo", url.Values{"generic_package_naming": {"strict"}}, 200)
	dir := t.TempDir()
	for _, file := range []string{"sonde_2.4.tar.gz", "with blank", "plain.bin"} {
		write(t, dir, file, []byte(file))
	}
	p.open("/root/demo/-/packages/new")
	p.drop(".drop", dir+"/with blank", dir+"/sonde_2.4.tar.gz")
	p.until(`document.querySelector("[name=version]").value == "2.4"`)
	reasons := `[...document.querySelectorAll(".why, .queue .failed")].map(e => e.textContent).filter(e => e).join("|").replaceAll(" Remove", "")`
	p.until(reasons + ` == "Three numbers with dots between them, such as 2.4.1.|Not sent: Letters, digits and . _ - only, up to 255."`)
	p.inspect("upload-held-back")
	p.press("Publish")
	p.until(`document.activeElement == document.querySelector("[name=version]") && document.querySelector("[name=version]").ariaInvalid == "true"`)
	p.mu.Lock()
	sent := fmt.Sprint(p.requests)
	p.mu.Unlock()
	if strings.Contains(sent, "/generic/") || strings.Contains(sent, "hasher") {
		t.Errorf("requests: %s", sent)
	}
	value(p, chromedp.Evaluate[bool](`document.activeElement.select() ?? true`))
	p.do(chromedp.SendKeys(chromedp.CSS("[name=version]"), " 2.4.0 "))
	p.press("Publish")
	p.until(`document.querySelector(".queue .done") && ` + reasons + ` == "Not sent: Letters, digits and . _ - only, up to 255."`)
	published(t, p.origin, "sonde/2.4.0/sonde_2.4.tar.gz", "sonde_2.4.tar.gz")
	p.press("Remove with blank")
	p.at("/root/demo/-/packages/generic/sonde/2.4.0")
	p.drop(".drop", dir+"/with blank", dir+"/plain.bin")
	p.until(`document.querySelector(".queue .done") && ` + reasons + ` == "Not sent: Letters, digits and . _ - only, up to 255."`)
	published(t, p.origin, "sonde/2.4.0/plain.bin", "plain.bin")
}

// protectedName: who may not publish to a protected name is told so before a file is chosen.
func protectedName(t *testing.T, api *ciProject) {
	api.do("POST", "/projects/root%2Fdemo/packages/protection/rules", url.Values{
		"package_name_pattern": {"sonde*"}, "package_type": {"generic"}, "minimum_access_level_for_push": {"maintainer"},
	}, 201)
	p := newTab(t, api.url[:len(api.url)-len("/api/v4")])
	p.enter(api.user("dev", "30"))
	for name, refused := range map[string]bool{"sonde": true, "other": false} {
		p.open("/root/demo/-/packages/new?name=" + name)
		p.sees("New version")
		if p.has(".note.bad") != refused {
			t.Errorf("%s: %s", name, p.text())
		}
	}
	p.open("/root/demo/-/packages/new?name=sonde")
	p.sees("A protection rule of this project keeps you from publishing to sonde.")
	p.inspect("upload-protected")
}
