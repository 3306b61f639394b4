package ui_test

import (
	"errors"
	"maps"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// crawl is what somebody finds who follows every link from the first page.
type crawl struct {
	o       *tour
	t       *testing.T
	who     string
	b       *browser
	pages   map[string]answer  // by address
	from    map[string]string  // an address to the page that leads there
	posts   map[string][]sheet // by pattern
	reached map[string]bool    // patterns
	visits  map[string]int     // by pattern and names of parameters
	waiting []string
}

// enough is how many addresses of one pattern, with the same parameters, are looked at.
const enough = 3

// crawl follows the links and the forms that only read. Each must lead somewhere.
func (o *tour) crawl(t *testing.T, who string, b *browser) *crawl {
	t.Helper()
	c := &crawl{o: o, t: t, who: who, b: b, pages: map[string]answer{}, from: map[string]string{}, posts: map[string][]sheet{}, reached: map[string]bool{}, visits: map[string]int{}}
	c.find("", "/")
	for len(c.waiting) > 0 {
		address := c.waiting[0]
		c.waiting = c.waiting[1:]
		c.visit(address)
	}
	return c
}

// find puts an address on the list, if enough like it are not there yet.
func (c *crawl) find(page, to string) {
	address := c.o.absolute(page, to)
	if address == "" || c.from[address] != "" {
		return
	}
	pattern := c.o.pages.PatternOf(http.MethodGet, pathOf(address))
	kind := shape(address)
	if _, query, has := strings.Cut(kind, "?"); pattern != "" && has {
		kind = pattern + "?" + query
	}
	if c.visits[kind]++; c.visits[kind] > enough {
		return
	}
	c.from[address] = "from " + page
	c.waiting = append(c.waiting, address)
}

// visit reads a page and looks for what it leads to.
func (c *crawl) visit(address string) {
	got := c.b.get(address)
	switch got.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		c.find(address, got.Header.Get("Location"))
		c.reached[c.o.pages.PatternOf(http.MethodGet, pathOf(address))] = true
		return
	case http.StatusOK:
	case http.StatusUnprocessableEntity: // a form that asks for a choice, sent without one
		if c.o.pages.PatternOf(http.MethodGet, pathOf(address)) != "GET /{project}/-/packages/delete" {
			c.t.Errorf("%s: %s, %s: %d", c.who, address, c.from[address], got.StatusCode)
		}
		return
	default:
		c.t.Errorf("%s: %s, %s: %d", c.who, address, c.from[address], got.StatusCode)
		return
	}
	c.reached[c.o.pages.PatternOf(http.MethodGet, pathOf(address))] = true
	if !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
		return
	}
	c.pages[address] = got
	m := got.parse(c.t)
	for _, to := range m.links() {
		c.find(address, to)
	}
	for _, f := range m.forms(address) {
		if f.method == "get" {
			c.find(address, pathOf(f.action)+"?"+f.fields.Encode())
			continue
		}
		pattern := c.o.pages.PatternOf(http.MethodPost, pathOf(c.o.absolute(address, f.action)))
		if pattern == "" {
			c.t.Errorf("%s: a form of %s is sent to %q, which takes none", c.who, address, f.action)
		}
		c.posts[pattern] = append(c.posts[pattern], f)
	}
}

// filled is a form with something in each field that a person would fill in.
func (f sheet) filled() sheet {
	for name, text := range map[string]string{
		"username": "stranger", "name": "Thing", "version": "9.0.0", "channel": "beta", "path": "open/lib", "key": "NEW_KEY", "value": "some-value-9", "tag": "v9.0.0",
		"package_name_pattern": "other*", "url": "https://hooks.example.com/in", "header": "X-Other", "header_value": "two", "namespace": "open", "email": "new@example.com",
		"minimum_access_level_for_push": "40",
	} {
		if f.fields.Has(name) && f.fields.Get(name) == "" {
			f.fields.Set(name, text)
		}
	}
	for name, expect := range f.expects {
		f.fields.Set(name, expect)
	}
	return f
}

// body is the form as a browser sends it, with a file if it takes one, and its type.
func (f sheet) body(t *testing.T) (body, contentType string) {
	t.Helper()
	if !f.upload {
		return f.fields.Encode(), "application/x-www-form-urlencoded"
	}
	var b strings.Builder
	w := multipart.NewWriter(&b)
	for _, name := range sorted(f.fields) {
		if err := w.WriteField(name, f.fields.Get(name)); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", "new.tar.gz")
	if err == nil {
		_, err = part.Write([]byte("new bytes"))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

// sorted are the keys of a map, in order.
func sorted[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
