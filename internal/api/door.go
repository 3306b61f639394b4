package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxHost is how many bytes a host may have: a name of DNS, and a port.
const maxHost = 260

// door is where requests come in. It finds their path, which is all that a route
// depends on beside the method.
type door struct {
	s       *Server
	mux     *http.ServeMux
	generic map[string]route // by method
	own     string           // the path of the server's own address, "/granary"; "" for none
	vary    []string         // of every answer below /api/, made once
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := d.s
	came := targetPath(r)
	path, ours := d.below(tidy(came))
	if ours && strings.HasPrefix(path, "/api/") {
		w.Header()["Vary"] = d.vary
		if r.Header["Origin"] != nil && crossOrigin(w, r) {
			return
		}
	}
	if len(r.Host) > maxHost { // it is repeated in every row of an answer
		s.writeJSON(w, http.StatusBadRequest, errorBody("the host is too long (maximum is "+strconv.Itoa(maxHost)+" characters)"))
		return
	}
	if !ours {
		s.writeJSON(w, http.StatusNotFound, errorBody("404 Not Found - the address of this server is "+s.ExternalURL))
		return
	}
	if project, raw, ok := splitGeneric(path); ok {
		s.serveGeneric(w, r, d.generic[r.Method], project, raw)
		return
	}
	path = dropSlash(path)
	if unclean(path) {
		s.writeJSON(w, http.StatusNotFound, errorBody("404 Not Found"))
		return
	}
	if path != came || r.URL.Path == "" { // of http://host
		r.URL = withPath(r.URL, path)
	}
	if strings.HasPrefix(path, "/-/") {
		w.Header()["X-Content-Type-Options"] = []string{"nosniff"}
	}
	d.mux.ServeHTTP(w, r)
}

// below is a path without that of the server's own address, and whether it is
// served here at all.
func (d *door) below(path string) (string, bool) {
	if d.own == "" {
		return path, true
	}
	if below, ok := underPath(path, d.own); ok {
		return below, true
	}
	return path, isProbe(dropSlash(path))
}

// isProbe reports an address that is served without the path of the server's own
// too: load balancers and Prometheus call a node by itself.
func isProbe(path string) bool {
	return slices.Contains([]string{"/-/liveness", "/-/readiness", "/-/metrics"}, path)
}
