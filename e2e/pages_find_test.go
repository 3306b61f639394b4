package e2e_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestPagesFind: among many packages and versions people find one by filter, order, page
// and digest.
func TestPagesFind(t *testing.T) {
	api, p := newJourney(t)
	for i := range 22 {
		api.put(numbered("tool", i)+"/1.0.0/f", "same")
	}
	for i := range 24 {
		api.put(fmt.Sprintf("sonde/%d.%d.0/f", 1+i/12, i%12), fmt.Sprint("sonde ", i))
	}
	p.part("packages", func(t *testing.T) { findsPackages(t, p) })
	p.part("versions", func(t *testing.T) { findsVersions(t, p) })
	p.part("search", func(t *testing.T) { findsByDigest(t, p) })
}

func findsPackages(t *testing.T, p *tab) {
	p.open("/root/demo")
	p.sees("23 packages")
	first := p.texts("td:first-child a.name")
	if len(first) != 20 || first[0] != "sonde" {
		t.Errorf("the page begins with what was published last: %q", first)
	}
	p.press("Package")
	p.until(`location.search.includes("sort=name") && document.querySelector("td a.name").textContent == "sonde"`)
	p.press("Package ↑")
	p.until(`location.search.includes("sort=name") && document.querySelector("td a.name").textContent == "tool21"`)
	last := p.texts("td:first-child a.name")
	p.press("Older")
	p.until(`location.search.includes("cursor=") && document.querySelectorAll("td:first-child a.name").length == 3`)
	if rest := p.texts("td:first-child a.name"); !slices.Equal(rest, []string{"tool01", "tool00", "sonde"}) || len(last) != 20 {
		t.Errorf("the pages have %q and %q", last, rest)
	}
	p.press("Newer")
	p.until(`document.querySelector("td a.name").textContent == "tool21"`)
	p.press("Versions")
	p.until(`document.querySelector("td a.name").textContent == "sonde"`)

	p.do(chromedp.SendKeys(chromedp.CSS(".filters [name=search]"), "tool1"+kb.Enter))
	p.sees("10 packages")
	p.choose("published", "30")
	p.until(`location.search.includes("published=30") && location.search.includes("search=tool1")`)
	p.sees("10 packages")
	p.choose("status", "deprecated")
	p.sees("Nothing matches")
	p.inspect("packages-none")
	p.press("Show all packages")
	p.sees("23 packages")
}

func findsVersions(t *testing.T, p *tab) {
	p.open("/root/demo/-/packages/generic/sonde")
	first := p.texts("td a.name")
	if len(first) != 20 || first[0] != "2.11.0" || first[1] != "2.10.0" {
		t.Errorf("the highest version is first: %q", first)
	}
	p.press("Older")
	p.until(`location.search.includes("cursor=") && document.querySelectorAll("td a.name").length == 4`)
	p.press("Newer")
	p.until(`document.querySelector("td a.name").textContent == "2.11.0"`)
	p.do(chromedp.SendKeys(chromedp.CSS(".filters [name=search]"), "^1.10"+kb.Enter))
	p.until(`document.querySelectorAll("td a.name").length == 2 && document.querySelector("td a.name").textContent == "1.11.0"`)
	p.press("By date")
	p.until(`location.search.includes("order=date") && document.querySelectorAll("td a.name").length == 2`)
	p.press("1.10.0")
	p.at("/root/demo/-/packages/generic/sonde/1.10.0")
	p.press("1.11.0 →")
	p.at("/root/demo/-/packages/generic/sonde/1.11.0")
}

func findsByDigest(t *testing.T, p *tab) {
	p.do(chromedp.SendKeys(chromedp.CSS("#q"), fmt.Sprintf("%x", sha256.Sum256([]byte("sonde 7")))+kb.Enter))
	p.sees("Files with this digest")
	p.press("sonde 1.7.0")
	p.at("/root/demo/-/packages/generic/sonde/1.7.0")
	p.do(chromedp.SendKeys(chromedp.CSS("#q"), "ool2"+kb.Enter))
	p.sees("tool20")
	p.do(chromedp.SendKeys(chromedp.CSS("#q"), fmt.Sprintf("%x", sha256.Sum256([]byte("none")))+kb.Enter))
	p.sees("No file that you can see has this digest")
	p.inspect("search-none")
}
