package e2e_test

import (
	"net/url"
	"strings"
	"testing"
)

// TestPagesLongNames: no page scrolls sideways because of a long name, and a column of words
// breaks none of them.
func TestPagesLongNames(t *testing.T) {
	api, p := newJourney(t)
	name, file, tag := strings.Repeat("n", 200), strings.Repeat("f", 200), "v"+strings.Repeat("1", 199)
	api.put(name+"/1.0.0/"+file, "bytes")
	api.put(name+"/1.0.0/other", "bytes")
	api.put("sonde/1.0.0/"+file, "bytes")
	api.do("POST", "/projects/root%2Fdemo/releases", url.Values{"tag_name": {tag}, "name": {strings.Repeat("r", 200)}}, 201)
	api.do("POST", "/projects/root%2Fdemo/releases/"+tag+"/assets/links", url.Values{"name": {file}, "url": {"https://example.com/" + file}}, 201)
	api.user("jo", "")
	p.open("/root/demo/-/members")
	p.fill("username", "jo")
	p.choose("access_level", "10")
	p.press("Add")
	p.sees("Added.")
	for _, at := range []string{
		"", "/-/packages/generic/" + name, "/-/packages/generic/" + name + "/1.0.0", "/-/packages/generic/sonde/1.0.0", "/-/packages/delete?name=" + name,
		"/-/packages/delete?name=sonde", "/-/releases", "/-/releases/" + tag, "/-/releases/" + tag + "/edit", "/-/members",
	} {
		p.open("/root/demo" + at)
		for _, width := range []int64{1280, 390, 320} {
			p.look(width, false)
			for _, fault := range p.faults() {
				t.Errorf("%s at %d: %s", at, width, fault)
			}
		}
	}
	p.look(390, false)
	p.until(`[...document.querySelectorAll("td.role")].length > 1 && [...document.querySelectorAll("td.role")].every(c => { const r = document.createRange(); r.selectNodeContents(c); return r.getClientRects().length == 1 })`)
}
