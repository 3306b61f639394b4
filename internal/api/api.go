// Package api is the door for programs: GitLab's REST routes over the deeds of
// registry, projects and auth. It reads requests and writes answers; it
// neither decides nor stores.
package api

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/gate"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/releases"
	"granary/internal/throttle"
	"granary/internal/trail"
	"granary/internal/webhooks"
)

// Server is the API. Its fields are set once, before Handler.
type Server struct {
	Auth        *auth.Service
	Projects    *projects.Service
	Registry    *registry.Registry
	Releases    *releases.Service
	Audit       *trail.Service
	Hooks       *webhooks.Service
	ExternalURL string                       // its path, if any, is where everything is served; "" for what Hosts says
	Hosts       Hosts                        // whose names links repeat
	Version     string                       // granary's own
	Redirect    Redirect                     // which downloads are sent on to the store
	Note        func(context.Context, error) // gives a request's log line the cause of its 5xx

	ClientIP      func(context.Context) netip.Addr // of a request; nil where nothing depends on it
	Anonymous     *throttle.Throttle               // of requests by address; nil for no limit
	Authenticated *throttle.Throttle               // of requests by user or deploy token; nil for no limit
	Writes        *throttle.Throttle               // of requests by user to routes that write, administrators' aside; nil for no limit

	Answers        *throttle.Budget // memory of large answers; nil for no limit
	Bodies         *throttle.Budget // memory of large bodies with parameters; nil for no limit
	AnswerWait     time.Duration    // for a part of it; 0 for 10 s
	AnswerPatience time.Duration    // with a client that takes nothing of an answer; 0 for 10 s

	known *access.Actor                      // who is asking, whatever the request carries; nil for who it says
	asked func(r *http.Request, name string) // told of every parameter that a handler asks for; nil except in tests

	stepped func(n int) // told of every step of an answer that is written, in bytes; nil except in tests
}

// prefix is the root of the API.
const prefix = "/api/v4"

// Handler adds the API's routes to the mux and returns what must be served in
// its place. The mux would answer some paths with a redirect to what it takes
// for the same; here nothing else is the same (contract generic-packages 1).
func (s *Server) Handler(mux *http.ServeMux) http.Handler {
	generic := map[string]route{} // by method
	for _, route := range s.routes() {
		switch {
		case route.path == genericPath:
			generic[route.method] = route
		case route.action == access.UploadFile:
			mux.Handle(route.method+" "+prefix+route.path, s.serveUpload(route))
		default:
			mux.Handle(route.method+" "+prefix+route.path, s.serve(route))
		}
	}
	generic[http.MethodHead] = generic[http.MethodGet]
	mux.Handle("GET "+prefix+documentPath, s.serveDocument())
	mux.Handle("GET "+projectUploadPath, s.serveFile(getProjectUpload))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.unknown(mux, w, r) })
	d := &door{s: s, mux: mux, generic: generic, vary: []string{"Origin"}}
	if s.known == nil {
		d.own = pathOf(s.ExternalURL)
	}
	return d
}

// As is the same API for one who needs no credential: the administrator on the
// command line of the server's machine. It must never be served on a network.
func (s *Server) As(a access.Actor) http.Handler {
	as := *s
	as.known, as.Answers, as.Bodies = &a, nil, nil
	return as.Handler(http.NewServeMux())
}

// route is one row of the table of routes.
type route struct {
	method string
	path   string        // after prefix
	action access.Action // what the actor must be able to do at all, before parameters are read
	doors  auth.Doors    // credentials taken besides personal access tokens
	do     func(*call) error
}

// serve runs a route: who is asking, may they ask at all, what do they want.
func (s *Server) serve(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{s: s, w: w, r: r}
		err := c.run(route)
		if fault.Is(err, fault.Moved) && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			c.moved(err)
			return
		}
		if err != nil {
			s.fail(w, r, err)
		}
	})
}

func (c *call) run(route route) error {
	var err error
	if c.actor, err = c.s.authenticate(c.r, route.doors); err != nil {
		return err
	}
	if err := gate.Token(c.actor, route.action, ""); err != nil {
		return err
	}
	if err := c.s.countWrite(c.actor, route); err != nil {
		return err
	}
	if err := c.checkPath(route.path); err != nil {
		return err
	}
	free, err := c.takeBody()
	if err != nil {
		return err
	}
	defer free()
	if c.params, err = readParams(c.r); err != nil {
		return err
	}
	c.listen()
	if err := c.sudo(); err != nil {
		return err
	}
	return route.do(c)
}

// listen has the server told of the parameters that are asked for.
func (c *call) listen() {
	if c.s.asked != nil {
		c.params.asked = func(name string) { c.s.asked(c.r, name) }
	}
}

// sudo takes the parameter sudo from the body, too. What stands in header or query
// has been taken by authenticate, and comes first.
func (c *call) sudo() error {
	ref := first(sudoOf(c.params.values), c.params.str("sudo"))
	err := c.params.err()
	if err != nil || ref == "" || c.actor.SudoID != 0 {
		return err
	}
	c.actor, err = c.s.sudo(c.r, c.actor, ref)
	return err
}

// unknown answers what no route matches: 405 where another method would.
func (s *Server) unknown(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	if s.serveWeb(w, r) {
		return
	}
	if r.URL.Path == "/api/v3" || strings.HasPrefix(r.URL.Path, "/api/v3/") {
		s.writeJSON(w, http.StatusGone, errorBody("API V3 is no longer supported. Use API V4 instead."))
		return
	}
	if r.URL.Path == "/api/graphql" {
		s.noGraphQL(w, r)
		return
	}
	var allowed []string
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := mux.Handler(probe); pattern != "" && pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		s.writeJSON(w, http.StatusNotFound, errorBody("404 Not Found"))
		return
	}
	s.notAllowed(w, r, allowed...)
}

// notAllowed answers a method that the path does not have.
func (s *Server) notAllowed(w http.ResponseWriter, r *http.Request, allowed ...string) {
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	if r.Method == http.MethodOptions {
		safeHeaders(w.Header())
		w.WriteHeader(http.StatusNoContent)
		return
	}
	s.writeJSON(w, http.StatusMethodNotAllowed, errorBody("405 Not Allowed"))
}
