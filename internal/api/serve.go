package api

import (
	"cmp"
	"net/http"

	"granary/internal/fault"
	"granary/internal/gate"
)

// handle serves the requests that ServeMux finds for a route.
func (s *Server) handle(route *route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve(&call{s: s, w: w, r: r, route: route})
	})
}

// handledBy is the deed of a route that another package answers; nil for no route.
func handledBy(h http.Handler) func(*call) error {
	if h == nil {
		return nil
	}
	return func(c *call) error {
		h.ServeHTTP(c.w, c.r)
		return nil
	}
}

// serve answers a request of any route, and words its failure.
func serve(c *call) {
	err := c.run()
	if err == nil {
		return
	}
	if c.route.way.logsIn {
		err = genericFault(c.actor, err)
	}
	if fault.Is(err, fault.Moved) && reads(c.r) {
		c.moved(err)
		return
	}
	if c.fromBrowser() && fault.Is(err, fault.Unauthenticated) {
		c.toDoor()
		return
	}
	c.s.fail(c.w, c.r, err)
}

// run is the order of the checks: who asks, may they ask at all, what do they want.
func (c *call) run() (err error) {
	way := &c.route.way
	if way.order == noCredential {
		return c.route.do(c)
	}
	c.actor, c.refused = c.s.authenticate(c.r, way)
	if c.refused != nil && (way.order != parametersFirst || tooMany(c.refused)) {
		return c.refused
	}
	if way.order == rightFirst {
		if err := c.mayAsk(); err != nil {
			return err
		}
	}
	if way.body != parameters {
		return c.route.do(c)
	}
	free, err := c.takeBody(maxBody)
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
	return c.route.do(c)
}

// mayAsk refuses what needs no look at the parameters.
func (c *call) mayAsk() error {
	if err := gate.Token(c.actor, c.route.action, ""); err != nil {
		return err
	}
	if err := c.s.countWrite(c.actor, c.route); err != nil {
		return err
	}
	return c.checkPath()
}

// readQuery makes the query the parameters, for a deed that reads its own body or has none.
func (c *call) readQuery() {
	c.params = newParams()
	if c.r.URL.RawQuery != "" {
		c.params.values = c.r.URL.Query()
	}
	c.listen()
}

// listen passes the names of the parameters that are read to Server.asked.
func (c *call) listen() {
	if c.s.asked != nil {
		c.params.asked = func(name string) { c.s.asked(c.r, name) }
	}
}

// sudo takes the parameter sudo from the body, too. authenticate has taken that of
// the header or the query, which comes first.
func (c *call) sudo() error {
	ref := cmp.Or(sudoOf(c.params.values), c.params.str("sudo"))
	err := c.params.err()
	if err != nil || ref == "" || c.actor.SudoID != 0 {
		return err
	}
	c.actor, err = c.s.sudo(c.r, c.actor, ref)
	return err
}
