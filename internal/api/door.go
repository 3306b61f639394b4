package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"granary/internal/registry"
	"granary/internal/wire"
)

// maxHost is how many bytes the Host header may have: a DNS name and a port.
const maxHost = 260

// door receives every request. It finds the path, on which the route depends, together
// with the method.
type door struct {
	s        *Server
	mux      *http.ServeMux
	generic  genericRoutes
	web      []*route // whose match finds them, in order
	probes   []string // paths that are answered without the prefix own, too
	own      string   // the path of the server's own address, "/granary"; "" for none
	features []string // value of X-Granary-Features, made once
	vary     []string // value of Vary in every answer below /api/, made once
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := d.s
	came := targetPath(r)
	path, ours := d.below(tidy(came))
	if ours && strings.HasPrefix(path, "/api/") {
		h := w.Header()
		h["Vary"], h[wire.FeaturesHeader] = d.vary, d.features
		if r.Header["Origin"] != nil && crossOrigin(w, r) {
			return
		}
	}
	if len(r.Host) > maxHost { // links in every row of an answer repeat it
		s.writeJSON(w, http.StatusBadRequest, errorBody("the host is too long (maximum is "+strconv.Itoa(maxHost)+" characters)"))
		return
	}
	if !ours {
		s.writeJSON(w, http.StatusNotFound, errorBody("404 Not Found - the address of this server is "+s.ExternalURL))
		return
	}
	if pattern, project, raw := splitGeneric(path); pattern == genericPath || pattern != "" && !strings.Contains(came, "//") {
		// An empty name or version in a script leaves two slashes: that is no address of
		// a version.
		d.serveGeneric(w, r, pattern, project, raw)
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

// below removes the path of the server's own address from a path. It reports false for
// a path that is not served here.
func (d *door) below(path string) (string, bool) {
	if d.own == "" {
		return path, true
	}
	if below, ok := underPath(path, d.own); ok {
		return below, true
	}
	return path, slices.Contains(d.probes, dropSlash(path))
}

// genericRoutes are the routes below packages/generic, by method.
type genericRoutes struct{ file, version, channel, name map[string]*route }

func newGenericRoutes() genericRoutes {
	return genericRoutes{map[string]*route{}, map[string]*route{}, map[string]*route{}, map[string]*route{}}
}

// of is the routes of a pattern.
func (g genericRoutes) of(pattern string) map[string]*route {
	switch pattern {
	case genericPath:
		return g.file
	case genericVersion:
		return g.version
	case genericChannel:
		return g.channel
	}
	return g.name
}

func (g genericRoutes) add(r *route) {
	methods := g.of(strings.TrimPrefix(r.path, prefix))
	methods[r.method] = r
	if r.method == http.MethodGet {
		methods[http.MethodHead] = r
	}
}

// features is what this server has beyond GitLab.
func (s *Server) features() []string {
	all := []string{wire.FeatureChannels, wire.FeatureDrafts, wire.FeatureSelectors, wire.FeatureVersions, wire.FeatureStorage}
	if s.Pages != nil {
		all = append(all, wire.FeaturePages)
	}
	return []string{strings.Join(all, ", ")}
}

// serveGeneric serves a file of a generic package, a version, or the versions of a name.
func (d *door) serveGeneric(w http.ResponseWriter, r *http.Request, pattern, project string, raw registry.Raw) {
	if pattern == genericVersion && strings.HasPrefix(raw.Version, "@") && !reads(r) {
		pattern = genericChannel
	}
	route := d.generic.of(pattern)[r.Method]
	switch {
	case route != nil:
		r.Pattern = route.path // as ServeMux does, for logs and metrics
	case pattern == genericPath:
		r.Pattern = genericPattern
		d.s.notAllowed(w, r, http.MethodGet, http.MethodHead, http.MethodPut)
		return
	default: // as in GitLab, which has no such routes
		d.s.writeJSON(w, http.StatusNotFound, errorBody("404 Not Found"))
		return
	}
	if raw.Dir == "" && r.URL.RawQuery != "" {
		raw.Dir = r.URL.Query().Get("path")
	}
	serve(&call{s: d.s, w: w, r: r, route: route, ref: project, raw: raw})
}

// maxWebPath is how many bytes a web address may have: a full path, a tag and the path
// of a file.
const maxWebPath = 8192

// serveWeb serves a web address, which begins with a project's full path, so that
// ServeMux cannot match it. It reports whether r was for one.
func (d *door) serveWeb(w http.ResponseWriter, r *http.Request) bool {
	path := r.URL.EscapedPath()
	if len(path) > maxWebPath || !reads(r) || strings.HasPrefix(path, prefix+"/") || strings.HasPrefix(path, "/-/") {
		return false
	}
	for _, route := range d.web {
		if project, rest, ok := route.way.match(path); ok {
			if route.way.page && d.s.Pages != nil && !hasCredential(r) {
				return false
			}
			r.Pattern = route.method + " " + route.path
			serve(&call{s: d.s, w: w, r: r, route: route, ref: decoded(project), rest: rest})
			return true
		}
	}
	return false
}

// unknown answers what ServeMux has no route for: a web address, or 405 if another
// method has a route, or a page, or 404.
func (d *door) unknown(w http.ResponseWriter, r *http.Request) {
	s := d.s
	if d.serveWeb(w, r) {
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
	allowed := d.allowed(r)
	if len(allowed) == 0 && s.Pages != nil && r.URL.Path != "/api" && !strings.HasPrefix(r.URL.Path, "/api/") {
		s.Pages.ServeHTTP(w, r)
		return
	}
	if len(allowed) == 0 {
		text := "404 Not Found"
		if lostEscapes(r.URL.EscapedPath()) {
			text += " - the path of the project came with a plain slash, as some proxies and clients send it if ^ is not escaped: use the number of the project, or write %5E for ^"
		}
		s.writeJSON(w, http.StatusNotFound, errorBody(text))
		return
	}
	s.notAllowed(w, r, allowed...)
}

// allowed is the methods for which ServeMux has a route.
func (d *door) allowed(r *http.Request) (methods []string) {
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := d.mux.Handler(probe); pattern != "" && pattern != "/" {
			methods = append(methods, method)
		}
	}
	return methods
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
