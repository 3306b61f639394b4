// Package api is the door for programs: GitLab's REST routes over the deeds of
// registry, projects, auth and other rooms. It reads requests and writes answers. It
// decides nothing and stores nothing.
package api

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
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
	ExternalURL string   // everything is served below its path; "" if links begin with what Hosts says
	Hosts       Hosts    // names of this server that links may repeat
	Version     string   // of granary
	Redirect    Redirect // which downloads are redirected to the store
	Probes      Probes
	Note        func(context.Context, error) // adds the cause of a 5xx to the request's log line

	// Pages answers what no route here matches, outside /api/ and with a path below that
	// of ExternalURL; nil for no pages: 404 as JSON.
	Pages http.Handler
	// Session is the actor of the request's cookie, if that is of a session; nil for no
	// sessions. Only routes that tools and people share ask for it: see way.session.
	Session func(*http.Request) (access.Actor, bool)

	ClientIP func(context.Context) netip.Addr // of a request; nil if nothing depends on it
	Rates    auth.Rates                       // of requests

	Answers        *throttle.Budget // memory of large answers; nil for no limit
	Compression    *throttle.Budget // memory of archives that are compressed; nil for no limit
	Bodies         *throttle.Budget // memory of large bodies with parameters; nil for no limit
	AnswerWait     time.Duration    // longest wait for memory; 0 for 10 s
	AnswerPatience time.Duration    // longest wait for a client that reads nothing of its answer; 0 for 10 s

	known *access.Actor                      // acts in every request; nil if credentials say who acts
	asked func(r *http.Request, name string) // called for every parameter that a deed reads; nil except in tests

	compressing chan struct{} // holds an entry for each archive that is compressed at this moment

	stepped func(n int) // called with the bytes of each step of an answer; nil except in tests
}

// prefix is the root of the API.
const prefix = "/api/v4"

// Handler is everything that the program answers. ServeMux finds most routes, but not
// all: it redirects paths that it considers equal to others, and here no path is equal
// to another (contract generic-packages 1).
func (s *Server) Handler() http.Handler {
	d := &door{s: s, mux: http.NewServeMux(), generic: newGenericRoutes(), vary: []string{"Origin"}, features: s.features()}
	s.compressing = make(chan struct{}, mostCompressing())
	if s.known == nil {
		d.own = pathOf(s.ExternalURL)
	}
	rows := s.routes()
	for i := range rows {
		route := &rows[i]
		switch {
		case strings.HasPrefix(route.path, prefix+genericName):
			d.generic.add(route)
		case route.way.match != nil:
			d.web = append(d.web, route)
		case route.do != nil:
			d.mux.Handle(route.method+" "+route.path, s.handle(route))
		}
		if route.way.probe {
			d.probes = append(d.probes, route.path)
		}
	}
	d.mux.HandleFunc("/", d.unknown)
	return d
}

// As is the same API without credentials: every request acts as the administrator on
// the command line of the server's machine. It must never be served on a network.
func (s *Server) As(a access.Actor) http.Handler {
	as := *s
	as.known, as.Answers, as.Bodies, as.Compression, as.Probes = &a, nil, nil, nil, Probes{}
	as.Pages, as.Session = nil, nil
	return as.Handler()
}
