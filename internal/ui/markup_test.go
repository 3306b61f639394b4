package ui_test

import (
	"iter"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// markup is a page, parsed.
type markup struct{ *html.Node }

// parse parses a page as a browser does.
func (a answer) parse(t *testing.T) markup {
	t.Helper()
	root, err := html.Parse(strings.NewReader(a.body))
	if err != nil {
		t.Fatalf("%s: %v", a.Request.URL, err)
	}
	return markup{root}
}

// elements are the elements below with one of the names, all of them without any.
func (m markup) elements(names ...string) iter.Seq[markup] {
	return func(yield func(markup) bool) {
		for n := range m.Descendants() {
			if n.Type == html.ElementNode && (len(names) == 0 || slices.Contains(names, n.Data)) && !yield(markup{n}) {
				return
			}
		}
	}
}

// attr is an attribute's value.
func (m markup) attr(name string) (value string, has bool) {
	for _, a := range m.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// value is an attribute's value, "" without it.
func (m markup) value(name string) string {
	value, _ := m.attr(name)
	return value
}

// text is the text within, without blanks around it.
func (m markup) text() string { return strings.TrimSpace(m.whole()) }

// whole is the text with the blanks around it.
func (m markup) whole() string {
	var b strings.Builder
	for n := range m.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	}
	return b.String()
}

// inside is the nearest element around with the name, nil if there is none.
func (m markup) inside(name string) *html.Node {
	for n := m.Parent; n != nil; n = n.Parent {
		if n.Type == html.ElementNode && n.Data == name {
			return n
		}
	}
	return nil
}

// sheet is a form of a page, with the fields that a browser sends if nobody changes any.
type sheet struct {
	page    string // the address of its page
	method  string // "get" or "post"
	action  string
	fields  url.Values
	upload  bool              // multipart/form-data
	expects map[string]string // what has to be typed, by field
}

// forms are the page's forms. A form with several buttons is sent by the first.
func (m markup) forms(page string) (all []sheet) {
	for f := range m.elements("form") {
		one := sheet{page: page, method: strings.ToLower(f.value("method")), action: f.value("action"), fields: url.Values{}, expects: map[string]string{}, upload: f.value("enctype") == "multipart/form-data"}
		if one.method == "" {
			one.method = "get"
		}
		if one.action == "" {
			one.action = page
		}
		pressed := false
		for e := range f.elements("input", "select", "textarea", "button") {
			name := e.value("name")
			if _, disabled := e.attr("disabled"); disabled || e.Data == "button" && (pressed || e.value("type") == "button") {
				continue
			}
			pressed = pressed || e.Data == "button"
			if text, has := e.attr("data-expect"); has {
				one.expects[name] = text
			}
			if text, sent := e.sends(); sent && name != "" {
				one.fields.Add(name, text)
			}
		}
		all = append(all, one)
	}
	return all
}

// sends is what a field sends as it is.
func (m markup) sends() (text string, sent bool) {
	switch m.Data {
	case "textarea":
		return m.whole(), true
	case "select":
		first, chosen := "", false
		for o := range m.elements("option") {
			value, has := o.attr("value")
			if !has {
				value = o.text()
			}
			if _, is := o.attr("selected"); is || !chosen {
				first, chosen = value, true
			}
		}
		return first, chosen
	}
	switch m.value("type") {
	case "checkbox", "radio":
		_, on := m.attr("checked")
		return m.value("value"), on
	case "file":
		return "", false
	}
	return m.value("value"), true
}

// links are the addresses of the page's links, as they are written.
func (m markup) links() (all []string) {
	for a := range m.elements("a") {
		if to, has := a.attr("href"); has {
			all = append(all, to)
		}
	}
	return all
}

// absolute is the address on this server that a link of a page leads to, without its
// fragment; "" for one that leads elsewhere.
func (s *site) absolute(page, to string) string {
	s.t.Helper()
	from, err := url.Parse(s.url + page)
	if err != nil {
		s.t.Fatal(err)
	}
	u, err := from.Parse(to)
	if err != nil {
		s.t.Errorf("%s: link %q: %v", page, to, err)
		return ""
	}
	if u.Scheme+"://"+u.Host != s.url {
		return ""
	}
	u.Fragment = ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u.RequestURI()
}
