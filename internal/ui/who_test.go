package ui_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
)

// letters are the outcomes of a row, one for each of audience.
func (o outcome) letters(t *testing.T) string {
	t.Helper()
	letters := strings.ReplaceAll(o.want, " ", "")
	if len(letters) != len(audience()) {
		t.Fatalf("%s has %d outcomes", o.pattern, len(letters))
	}
	return letters
}

// of is the browser of one of audience. The time of the whole site moves for stale.
func (o *tour) of(who string) *browser {
	o.t.Helper()
	switch who {
	case "nobody":
		return o.nobody()
	case "reads":
		o.as("maintainer", access.ScopeReadAPI)
		return o.as("maintainer", access.ScopeReadAPI)
	case "stale":
		b := o.as("admin")
		o.skew = 13 * time.Hour
		return b
	}
	o.as(who, access.ScopeAPI, access.ScopeReadUser) // a second session
	return o.as(who)
}

// letter is the outcome of a page.
func letter(a answer) string {
	to := a.Header.Get("Location")
	switch status := a.StatusCode; {
	case status == http.StatusOK:
		return "o"
	case strings.HasPrefix(to, "/-/sign_in?to="):
		return "d"
	case status >= 300 && status < 400 && to != "":
		return "r"
	case status == http.StatusForbidden:
		return "n"
	case status == http.StatusNotFound:
		return "g"
	}
	return http.StatusText(a.StatusCode)
}

// TestWhoSeesWhat: each page opens for whom the table says, and for nobody else; each form
// is shown to whom the table says, and to nobody else. A form that is not shown is refused
// if it is sent all the same, and changes nothing.
func TestWhoSeesWhat(t *testing.T) {
	o := newTour(newSite(t))
	table := map[string]outcome{}
	for _, row := range outcomes() {
		table[row.pattern] = row
	}
	for _, pattern := range o.pages.Patterns() {
		if _, known := table[pattern]; !known {
			t.Errorf("%s: say in who_table_test.go who sees it", pattern)
		}
	}
	var sheets map[string][]sheet // as the administrator sees them
	for i, who := range []string{"admin", "nobody", "stranger", "guest", "reporter", "developer", "maintainer", "owner", "reads", "stale"} {
		b := o.of(who)
		c := o.crawl(t, who, b)
		if i == 0 {
			sheets = c.posts
		}
		for _, row := range outcomes() {
			want := row.letters(t)[slices.Index(audience(), who)]
			c.check(row, want, sheets)
		}
	}
	for pattern := range table {
		if !slices.Contains(o.pages.Patterns(), pattern) {
			t.Errorf("%s: there is no such page", pattern)
		}
	}
}

// check holds what somebody sees of a pattern to a letter of the table.
func (c *crawl) check(row outcome, want byte, sheets map[string][]sheet) {
	method, _, _ := strings.Cut(row.pattern, " ")
	address := c.o.at(row.sample)
	if method == http.MethodGet {
		got := letter(c.b.get(address))
		if got == "o" && !c.reached[row.pattern] {
			got = "u"
		}
		if got != string(want) {
			c.t.Errorf("%s: %s is %s, want %c", c.who, address, got, want)
		}
		return
	}
	seen := len(c.posts[row.pattern]) > 0
	if seen != (want == 'f') {
		c.t.Errorf("%s: a form for %s is seen: %v", c.who, row.pattern, seen)
	}
	if seen || want == 'f' || strings.Contains(row.pattern, "sign_in") || strings.Contains(row.pattern, "sign_out") {
		return
	}
	c.refused(row, method, address, sheets[row.pattern])
}

// refused sends a form that is not shown, as the administrator would.
func (c *crawl) refused(row outcome, method, address string, sheets []sheet) {
	before := c.o.events()
	var body, kind string
	if len(sheets) > 0 {
		body, kind = sheets[0].filled().body(c.t)
	}
	got := c.b.do(method, address, kind, body)
	refused := got.StatusCode == http.StatusForbidden || got.StatusCode == http.StatusNotFound || letter(got) == "d" ||
		method == http.MethodPut && got.StatusCode == http.StatusUnauthorized
	if method == http.MethodPut && !c.may("POST /{project}/-/packages/new") != refused || method == http.MethodPost && !refused {
		c.t.Errorf("%s: %s of %s: %d %.300s", c.who, method, address, got.StatusCode, got.body)
	}
	if method == http.MethodPost && c.o.events() != before {
		c.t.Errorf("%s: %s of %s leaves events", c.who, method, address)
	}
}

// may reports whether the form of a pattern is shown.
func (c *crawl) may(pattern string) bool { return len(c.posts[pattern]) > 0 }

// events is how many audit events there are. Each change leaves one.
func (s *site) events() (n int) {
	s.t.Helper()
	if err := s.db.Reads.QueryRowContext(s.t.Context(), `SELECT count(*) FROM audit_events`).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}
