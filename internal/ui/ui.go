// Package ui is the door for people: HTML pages over the deeds that package api offers to
// programs. A page function reads the request, calls a deed or a few, and renders. It
// decides nothing and stores nothing. Everything works without scripts, except dropping
// files.
package ui

import (
	"context"
	"html/template"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"granary/internal/auth"
	"granary/internal/openapi"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/releases"
	"granary/internal/trail"
	"granary/internal/webhooks"
)

// Server is the pages. Its fields are set once, before Handler.
type Server struct {
	Auth        *auth.Service
	Projects    *projects.Service
	Registry    *registry.Registry
	Releases    *releases.Service
	Audit       *trail.Service
	Hooks       *webhooks.Service
	Instance    Instance // what administrators see of the process; nil without it
	ExternalURL string   // everything is served below its path; "" if links begin with what Base says
	Version     string   // of granary
	Now         func() time.Time

	Base     func(*http.Request) string       // the server's address as this client should see it, without a slash at the end
	Note     func(context.Context, error)     // adds the cause of a 5xx to the request's log line
	ClientIP func(context.Context) netip.Addr // of a request
	Rates    auth.Rates                       // of requests

	root   string // the path of ExternalURL, without a slash at the end
	routes []route
	pages  *template.Template
	assets *assets
	tags   func() ([]openapi.Tag, error) // of the API, read when somebody asks
}

// Instance is what administrators see of the process behind the pages.
type Instance interface {
	// Tasks are the server's tasks in the background, and how each last went.
	Tasks() []Task
	// Health is the parts that the server depends on, and whether they answer.
	Health(ctx context.Context) []Part
	// Settings are the settings as they are, and where each comes from. Secrets have
	// no value.
	Settings() []Setting
	// Nodes are the servers on this database; one on SQLite.
	Nodes(ctx context.Context) ([]Node, error)
}

// Task is work in the background.
type Task struct {
	Name    string
	Last    time.Time // when it last ended; zero: not yet
	Took    time.Duration
	Failure string // of the last run; "" if it went well
}

// Part is something that the server depends on.
type Part struct {
	Name    string // "database", "store", "disk"
	Healthy bool
	Text    string // what was found, in one sentence
}

// Setting is a setting of the server.
type Setting struct {
	Name, Value, From string
	Secret            bool
}

// Node is a server on this database.
type Node struct {
	ID      string
	Version string
	Seen    time.Time
	Upkeep  bool // it holds the lock of the tasks
}

// Handler is all pages. It serves paths below that of ExternalURL, without it, as package
// api passes them on.
func (s *Server) Handler() (http.Handler, error) {
	address, err := url.Parse(s.ExternalURL)
	if err != nil {
		return nil, err
	}
	s.root = address.EscapedPath()
	s.routes = s.table()
	s.tags = sync.OnceValues(func() ([]openapi.Tag, error) {
		document, err := openapi.Read()
		return document.Tags(), err
	})
	if s.assets, err = newAssets(s.root); err != nil {
		return nil, err
	}
	if s.pages, err = s.parse(); err != nil {
		return nil, err
	}
	guard := http.NewCrossOriginProtection()
	if address.Host != "" {
		if err := guard.AddTrustedOrigin(address.Scheme + "://" + address.Host); err != nil {
			return nil, err
		}
	}
	guard.SetDenyHandler(http.HandlerFunc(s.crossSite))
	return guard.Handler(http.HandlerFunc(s.serve)), nil
}
