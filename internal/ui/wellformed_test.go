package ui_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// TestPagesAreWellFormed: every page that a crawl finds, and those of refused forms, are
// HTML that the policy of our headers allows and that assistive technology can read.
func TestPagesAreWellFormed(t *testing.T) {
	o := newTour(newSite(t))
	for _, who := range []string{"nobody", "guest", "admin"} {
		b := o.of(who)
		c := o.crawl(t, who, b)
		for address, page := range c.pages {
			wellFormed(t, who+", "+address, page)
		}
		for _, pattern := range sorted(c.posts) {
			f := c.posts[pattern][0]
			if who == "admin" && !strings.Contains(pattern, "/{id}/") && !strings.Contains(pattern, "session") && !strings.Contains(pattern, "sign_out") {
				got := b.do(http.MethodPost, o.absolute(f.page, f.action), "application/x-www-form-urlencoded", "") // nothing is filled in
				if strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") && got.body != "" {
					wellFormed(t, pattern+", empty", got)
				}
			}
		}
	}
	b := o.as("guest")
	for _, address := range []string{"/-/nothing", "/open/lib/-/nothing", "/open/lib/-/packages?page=x", "/-/help/api/none"} {
		wellFormed(t, address, b.get(address))
	}
}

// wellFormed holds a page to the rules.
func wellFormed(t *testing.T, name string, a answer) {
	t.Helper()
	m := a.parse(t)
	bad := func(what string, e markup) {
		t.Helper()
		var b strings.Builder
		if err := html.Render(&b, e.Node); err != nil {
			t.Fatal(err)
		}
		t.Errorf("%s: %s: %.300s", name, what, b.String())
	}
	headings, ids := 0, map[string]bool{}
	for e := range m.elements() {
		if e.Data == "h1" {
			headings++
		}
		for _, attribute := range e.Attr {
			if attribute.Key == "style" || strings.HasPrefix(attribute.Key, "on") {
				bad("attribute "+attribute.Key, e)
			}
		}
		if id, has := e.attr("id"); has {
			if id == "" || ids[id] {
				bad("the id "+id+" twice", e)
			}
			ids[id] = true
		}
	}
	if headings != 1 {
		t.Errorf("%s: %d headings h1", name, headings)
	}
	m.checkReferences(ids, bad)
	m.checkFields(bad)
	m.checkTables(bad)
	balanced(t, name, a.body)
}

// checkReferences looks at what names other elements, and at what the policy forbids.
func (m markup) checkReferences(ids map[string]bool, bad func(string, markup)) {
	for e := range m.elements() {
		switch _, external := e.attr("src"); {
		case e.Data == "style", e.Data == "base", e.Data == "iframe", e.Data == "object", e.Data == "embed":
			bad("forbidden", e)
		case e.Data == "script" && !external:
			bad("inline script", e)
		}
		for _, name := range []string{"aria-labelledby", "aria-describedby", "for"} {
			for id := range strings.FieldsSeq(e.value(name)) {
				if !ids[id] {
					bad(name+" names nothing", e)
				}
			}
		}
	}
}

// checkFields looks for fields without a label and buttons without a name.
func (m markup) checkFields(bad func(string, markup)) {
	labelled := map[string]bool{}
	for l := range m.elements("label") {
		labelled[l.value("for")] = true
	}
	for e := range m.elements("input", "select", "textarea") {
		around := e.inside("label")
		named := e.value("aria-label") != "" || labelled[e.value("id")] && e.value("id") != "" || around != nil && markup{around}.text() != ""
		if e.value("type") != "hidden" && !named {
			bad("a field without a label", e)
		}
	}
	for e := range m.elements("button", "a", "summary", "h1", "h2", "h3") {
		if e.text() == "" && e.value("aria-label") == "" {
			bad("without a name", e)
		}
	}
	for e := range m.elements("form") {
		if e.inside("form") != nil {
			bad("a form in a form", e)
		}
	}
}

// checkTables looks for tables that a screen reader cannot name, and rows that do not fit.
func (m markup) checkTables(bad func(string, markup)) {
	for table := range m.elements("table") {
		columns := 0
		for range table.elements("th") {
			columns++
		}
		captioned := false
		for caption := range table.elements("caption") {
			captioned = caption.text() != ""
		}
		if !captioned {
			bad("a table without a caption", table)
		}
		for cell := range table.elements("th") {
			if !slices.Contains([]string{"col", "row"}, cell.value("scope")) {
				bad("th without scope", cell)
			}
			if cell.text() == "" {
				bad("an empty th", cell)
			}
		}
		for row := range table.elements("tr") {
			cells := 0
			for range row.elements("td") {
				cells++
			}
			if cells > 0 && cells != columns {
				bad("a row that does not fit its table", row)
			}
		}
	}
}

// balanced checks that every element that is opened is closed where it belongs: a parser
// of HTML would mend it silently.
func balanced(t *testing.T, name, body string) {
	t.Helper()
	void := []string{"meta", "link", "input", "br", "img", "hr"}
	var open []string
	z := html.NewTokenizer(strings.NewReader(body))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("%s: not closed: %v", name, open)
			}
			return
		case html.StartTagToken:
			if tag, _ := z.TagName(); !slices.Contains(void, string(tag)) {
				open = append(open, string(tag))
			}
		case html.EndTagToken:
			tag, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(tag) {
				t.Errorf("%s: %s is closed within %v", name, tag, open)
				return
			}
			open = open[:len(open)-1]
		}
	}
}
