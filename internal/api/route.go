package api

import (
	"net/http"

	"granary/internal/access"
	"granary/internal/auth"
)

// route is one row of the table of routes: which requests, and what becomes of them.
type route struct {
	method string        // GET answers HEAD, too
	path   string        // the whole pattern, as logs and metrics name it
	action access.Action // what the deed asks for, at the least
	way    way
	do     func(*call) error
}

// way is how a request comes to the deed of its route. The zero way takes personal
// access tokens and parameters, in the order rightFirst.
type way struct {
	doors  auth.Doors // credentials that are taken besides personal access tokens
	body   body
	order  order
	logsIn bool    // an anonymous caller is asked to log in for what it may not see (contract generic-packages 2.6)
	match  matcher // matches what ServeMux cannot; nil for ServeMux
	probe  bool    // answers without the path of ExternalURL, too
	page   bool    // Server.Pages answers at this address, too: this route is for programs, which have a credential

	// session: a GET or HEAD without any credential acts as the session of its cookie.
	// No other route looks at a cookie, so that the API needs no defence against
	// requests that other sites make a browser send.
	session bool
}

// body is what a request contains, and where it is read.
type body int

const (
	parameters  body = iota // in query and body; read before the deed, within limits
	noBody                  // nothing but a query, which the deed reads if it needs it
	fileBody                // one file as it is; the deed reads it as a stream
	listingBody             // a listing of files as text/plain, or parameters; the deed reads both
	formBody                // one file as multipart/form-data; the deed reads it as a stream
)

// order is the order of the checks, which decides which of several refusals a client
// reads (contract generic-packages 0.5).
type order int

const (
	rightFirst      order = iota // credential, whether its token can have the right at all, rate of writes, path, parameters, deed
	credentialFirst              // credential, deed; the deed checks the right
	parametersFirst              // deed; it checks the parameters, and then call.refused, the refusal of the credential
	noCredential                 // deed; credentials are not read, and the request is not counted
)

// matcher splits an escaped path that begins with a project's full path. project is
// still escaped; rest is the parts after it that the deed needs.
type matcher func(path string) (project string, rest []string, ok bool)

// Probes are the addresses that other machines of the operator call. They are
// answered without the path of ExternalURL, too: load balancers and Prometheus call
// a node, not the server's address. A nil handler is no route: 404.
type Probes struct {
	Liveness, Readiness, Metrics http.Handler // GET /-/liveness, /-/readiness, /-/metrics
}
