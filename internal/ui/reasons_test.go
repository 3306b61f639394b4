package ui_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestRefusalsHaveReasons: whatever form is refused, since its fields are blank or far too
// long, the page says why.
func TestRefusalsHaveReasons(t *testing.T) {
	o := newTour(newSite(t))
	b := o.of("admin")
	refused := 0
	posts := o.crawl(t, "admin", b).posts
	for _, pattern := range inOrder(sorted(posts)) {
		if slices.ContainsFunc(lastPatterns(), func(ending string) bool { return strings.HasSuffix(pattern, ending) }) || strings.Contains(pattern, "sign_") {
			continue
		}
		f := posts[pattern][0]
		for _, text := range []string{" ", strings.Repeat("x", 70_000)} {
			for name := range f.fields {
				f.fields.Set(name, text)
			}
			body, kind := f.body(t)
			got := b.do(http.MethodPost, o.absolute(f.page, f.action), kind, body)
			if got.StatusCode != http.StatusUnprocessableEntity && got.StatusCode != http.StatusConflict {
				continue
			}
			refused++
			if !got.parse(t).says() {
				t.Errorf("%s from %s with %.20q: %d without a reason", pattern, f.page, text, got.StatusCode)
			}
		}
	}
	if refused < 10 {
		t.Errorf("%d forms are refused", refused)
	}
}

// says reports whether the page has a reason why something was refused.
func (m markup) says() bool {
	for e := range m.elements("small", "div", "p") {
		class := " " + e.value("class") + " "
		if (strings.Contains(class, " why ") || e.value("role") == "alert") && len(e.text()) > 10 {
			return true
		}
	}
	return strings.Contains(m.text(), "Not possible")
}

// TestReasonsWithoutPlace: a reason whose field has no place for it stands at the top.
func TestReasonsWithoutPlace(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("maintainer")
	b.post("/acme/tools/-/packages/generic/sonde/1.0.0/channel", "channel", " ").wants(t, 422, "Channel is missing: a name such as stable.")
	empty, kind := uploadOf(t, 0, "")
	b.do(http.MethodPost, "/acme/tools/-/packages/new", kind, string(empty)).wants(t, 422, "File is missing: choose a file.", `value="tool"`)
	b.post("/acme/tools/-/releases/new", "tag", "v9", "released_at", "never").wants(t, 422, "Must be a date such as").lacks(t, "Released at must be")
}
