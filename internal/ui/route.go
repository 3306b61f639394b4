package ui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"granary/internal/fault"
)

// site is what a path belongs to.
type site int

const (
	instance site = iota // "/" and what is below "/-/"
	group                // /GROUP[/-/REST], a user's own namespace, too
	project              // /PROJECT[/-/REST]
)

// route is one row of the table of pages.
type route struct {
	method string // GET answers HEAD, too
	on     site
	path   string // after "/-/": "packages/generic/{name}/{version}"; "" for the place itself; {name...} takes the rest
	way    way
	do     func(*visit) error
}

// way is how a request comes to its page function. The zero way is for anyone, reads a
// small form if the method writes, and shows no secret.
type way struct {
	signedIn bool  // nobody is sent to the door
	admin    bool  // only administrators; others get 404
	fresh    bool  // needs a sign-in of the last 12 hours
	stream   bool  // the page function reads the body
	largest  int64 // bytes of the form; 0 for 128 KiB
	door     bool  // works for nobody signed in, and is not sent to the door
	free     bool  // does not count as a write: publishing, cleaning up after it, and signing out (design note 009)
}

// target is a request's path, taken apart.
type target struct {
	place string   // the full path of a group or project, decoded; "" for the instance
	rest  []string // the segments after "/-/", decoded
}

// parseTarget takes an escaped path apart. NotFound if a segment cannot be part of an
// address of ours, such as an empty one: browsers take // for another server.
func parseTarget(escaped string) (target, error) {
	path := strings.TrimPrefix(escaped, "/")
	if path == "" {
		return target{}, nil
	}
	if after, ok := strings.CutPrefix(path, "-/"); ok {
		return below(target{}, after)
	}
	place, rest := path, ""
	if before, after, ok := strings.Cut(path, "/-/"); ok {
		place, rest = before, after
	}
	var t target
	for segment := range strings.SplitSeq(place, "/") {
		name, err := url.PathUnescape(segment)
		if err != nil || name == "" || strings.ContainsAny(name, "/\x00") {
			return target{}, fault.New(fault.NotFound, "")
		}
		t.place = strings.TrimPrefix(t.place+"/"+name, "/")
	}
	return below(t, rest)
}

// below is the target of what comes after the "/-/" of a place.
func below(t target, rest string) (target, error) {
	if rest == "" {
		return t, nil
	}
	for segment := range strings.SplitSeq(rest, "/") {
		value, err := url.PathUnescape(segment)
		if err != nil || value == "" || value == "." || value == ".." || strings.ContainsRune(value, 0) {
			return target{}, fault.New(fault.NotFound, "")
		}
		t.rest = append(t.rest, value)
	}
	return t, nil
}

// match returns the values of the route's path in rest.
func (r *route) match(rest []string) (map[string]string, bool) {
	var want []string
	if r.path != "" {
		want = strings.Split(r.path, "/")
	}
	values := map[string]string{}
	for i, part := range want {
		name, isValue := strings.CutPrefix(strings.TrimSuffix(part, "}"), "{")
		if name, all := strings.CutSuffix(name, "..."); isValue && all {
			if i >= len(rest) {
				return nil, false
			}
			values[name] = strings.Join(rest[i:], "/")
			return values, true
		}
		switch {
		case i >= len(rest):
			return nil, false
		case isValue && (name == "tag" || !strings.Contains(rest[i], "/")): // tags may have slashes, as %2F
			values[name] = rest[i]
		case part != rest[i]:
			return nil, false
		}
	}
	return values, len(rest) == len(want)
}

// takes reports whether the route answers a method.
func (r *route) takes(method string) bool {
	return r.method == method || r.method == http.MethodGet && method == http.MethodHead
}

// writes reports a route that may change something.
func (r *route) writes() bool { return r.method != http.MethodGet }

// find returns the route of a path and its values. If only other methods have one, it
// returns those, or nothing if the path has no page.
func (s *Server) find(on site, method string, rest []string) (found *route, values map[string]string, methods []string) {
	for i := range s.routes {
		r := &s.routes[i]
		if r.on != on {
			continue
		}
		values, ok := r.match(rest)
		switch {
		case !ok:
		case r.takes(method):
			return r, values, nil
		case !slices.Contains(methods, r.method):
			methods = append(methods, r.method)
		}
	}
	return nil, nil, methods
}

// pattern is the route's whole pattern, as logs and metrics name it.
func (r *route) pattern() string {
	place := map[site]string{instance: "", group: "/{group}", project: "/{project}"}[r.on]
	switch {
	case r.path != "":
		place += "/-/" + r.path
	case place == "":
		place = "/"
	}
	return r.method + " " + place
}
