package ui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/projects"
)

// visit is one request on its way to its page.
type visit struct {
	s       *Server
	w       http.ResponseWriter
	r       *http.Request
	logged  *http.Request // the same, as the log and the metrics look at it afterwards
	began   time.Time
	route   *route
	values  map[string]string // of the path
	actor   access.Actor      // the zero value is nobody
	session auth.Session      // zero for nobody
	group   *projects.Group   // of pages of a group
	project *projects.Project // of pages of a project
	form    *form             // of a request that writes, and of the page that shows it again
}

// maxForm is the bytes of a form, if the route says nothing else.
const maxForm = 128 << 10

// freshFor is how long after signing in a session may do what the way calls fresh.
const freshFor = 12 * time.Hour

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	v := &visit{s: s, w: w, r: r, logged: r, began: s.Now(), form: &form{}}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		v.r = r.WithContext(projects.Remember(r.Context()))
	}
	pageHeaders(w.Header())
	if err := v.run(); err != nil {
		v.fail(err)
	}
}

// run is the order of the checks: which page, who asks, how often, of what place.
func (v *visit) run() error {
	if strings.HasPrefix(v.r.URL.Path, "/-/assets/") {
		v.s.assets.ServeHTTP(v.w, v.r)
		return nil
	}
	t, err := parseTarget(v.r.URL.EscapedPath())
	if err != nil {
		return err
	}
	if !isText(v.r.URL.RawQuery) {
		return fault.New(fault.Invalid, "the address has a byte that no text has")
	}
	if err := v.signIn(); err != nil {
		return err
	}
	if err := v.count(); err != nil {
		return err
	}
	on, err := v.place(t)
	if err != nil {
		return err
	}
	if err := v.choose(on, t.rest); err != nil {
		return err
	}
	if err := v.countWrite(); err != nil {
		return err
	}
	if err := v.mayEnter(); err != nil {
		return err
	}
	if v.route.writes() && !v.route.way.stream {
		if err := v.readForm(); err != nil {
			return err
		}
	}
	return v.route.do(v)
}

// isText reports whether a query is UTF-8 without NUL, which no stored text has.
func isText(query string) bool {
	text, err := url.QueryUnescape(query)
	return err != nil || utf8.ValidString(text) && !strings.ContainsRune(text, 0) // a wrong escape is left out, as net/url does
}

// choose finds the route of the path. It leads to the page above a path that only takes
// forms.
func (v *visit) choose(on site, rest []string) error {
	var methods []string
	v.route, v.values, methods = v.s.find(on, v.r.Method, rest)
	if v.route == nil {
		if len(methods) > 0 && (v.r.Method == http.MethodGet || v.r.Method == http.MethodHead) {
			return &elsewhere{http.StatusSeeOther, v.s.root + v.pageAbove(on) + suffix(v.r)}
		}
		if len(methods) > 0 {
			if slices.Contains(methods, http.MethodGet) {
				methods = append(methods, http.MethodHead)
			}
			v.w.Header().Set("Allow", strings.Join(methods, ", "))
			return fault.New(fault.NotAllowed, "")
		}
		return fault.New(fault.NotFound, "")
	}
	v.logged.Pattern = v.route.pattern()
	return nil
}

// mayEnter refuses those to whom the page is closed, whatever it shows.
func (v *visit) mayEnter() error {
	way := v.route.way
	nobody := v.actor.Kind == access.Anonymous
	switch {
	case nobody && (way.signedIn || way.admin || way.fresh):
		return fault.New(fault.Unauthenticated, "")
	case way.admin && !v.actor.Admin:
		return fault.New(fault.Hidden, "")
	case way.fresh && v.began.Sub(v.session.SignedInAt) > freshFor:
		return errStale
	}
	return nil
}

// count counts the request for its author. Signing out always works.
func (v *visit) count() error {
	if v.actor.Kind != access.Anonymous && v.r.Method == http.MethodPost && v.r.URL.Path == "/-/sign_out" {
		return nil
	}
	return v.s.Rates.Count(v.actor, v.from())
}

// countWrite counts a request that may change something.
func (v *visit) countWrite() error {
	if !v.route.writes() || v.route.way.free {
		return nil
	}
	return v.s.Rates.CountWrite(v.actor)
}

// query is a parameter of the address.
func (v *visit) query(name string) string { return v.r.URL.Query().Get(name) }

// can reports whether the actor may do something to the place of the page. Pages show a
// control only if it may; the deed decides again.
func (v *visit) can(action access.Action) bool {
	var r access.Resource
	switch {
	case v.project != nil:
		r = v.project.Standing
	case v.group != nil:
		r = v.group.Standing
	}
	return v.s.Projects.Rules.Check(v.actor, r, action) == access.Allowed
}

// canOwn reports whether the actor may do something to what is its own, such as its tokens.
func (v *visit) canOwn(action access.Action) bool {
	return v.s.Projects.Rules.Check(v.actor, access.Resource{Own: true}, action) == access.Allowed
}

// see redirects after a POST that worked; word is one of doneWords.
func (v *visit) see(to, word string) error {
	if word != "" {
		mark := "?"
		if strings.Contains(to, "?") {
			mark = "&"
		}
		to += mark + "done=" + url.QueryEscape(word)
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}
