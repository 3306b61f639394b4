// Package api is the door for programs: GitLab's REST routes over the deeds of
// registry, projects and auth. It reads requests and writes answers; it
// neither decides nor stores.
package api

import (
	"context"
	"net/http"
	"strings"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/registry"
)

// Server is the API. Its fields are set once, before Handler.
type Server struct {
	Auth        *auth.Service
	Projects    *projects.Service
	Registry    *registry.Registry
	ExternalURL string                       // "" takes the host that each client called
	Version     string                       // granary's own
	Note        func(context.Context, error) // gives a request's log line the cause of its 5xx
}

// prefix is the root of the API.
const prefix = "/api/v4"

// Handler is the API, to be mounted at "/api/".
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, route := range s.routes() {
		handler := s.serve(route)
		if route.path == genericPath {
			handler = s.serveGeneric(route)
		}
		mux.Handle(route.method+" "+prefix+route.path, handler)
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) { s.unknown(mux, w, r) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// ServeMux would redirect a path with "//" or "/../" to what it takes
		// for the same; here nothing else is the same (contract 1).
		if raw := r.URL.EscapedPath(); unclean(raw) {
			s.serveUnclean(w, r, raw)
			return
		}
		mux.ServeHTTP(w, r)
	})
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
			c.redirect(err)
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
	if v := access.CheckToken(c.actor, route.action); v != access.Allowed {
		return access.Refusal(v, route.action, "")
	}
	if c.params, err = readParams(c.w, c.r); err != nil {
		return err
	}
	if c.actor, err = c.sudo(); err != nil {
		return err
	}
	return route.do(c)
}

// sudo lets an administrator act as somebody else.
func (c *call) sudo() (access.Actor, error) {
	ref := c.r.Header.Get("Sudo")
	if ref == "" {
		ref = c.params.str("sudo")
	}
	if ref == "" {
		return c.actor, nil
	}
	return c.s.Auth.Sudo(c.r.Context(), c.actor, ref)
}

// unknown answers what no route matches: 405 where another method would.
func (s *Server) unknown(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/api/v3/") {
		writeJSON(w, http.StatusGone, errorBody("API V3 is no longer supported. Use API V4 instead."))
		return
	}
	var allowed []string
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := mux.Handler(probe); pattern != "" && pattern != "/api/" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		writeJSON(w, http.StatusNotFound, errorBody("404 Not Found"))
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	writeJSON(w, http.StatusMethodNotAllowed, errorBody("405 Not Allowed"))
}

// unclean reports a path that ServeMux would clean.
func unclean(path string) bool {
	return strings.Contains(path, "//") || strings.Contains(path, "/./") || strings.Contains(path, "/../") ||
		strings.HasSuffix(path, "/.") || strings.HasSuffix(path, "/..")
}
