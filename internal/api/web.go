package api

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/releases"
)

// Besides the API there are addresses that release tools write into install
// scripts and package recipes. They begin with a project's full path, so that
// ServeMux cannot match them: unknown asks here first.

// maxWebPath is how many bytes such an address may have: a full path, a tag and
// the path of a file.
const maxWebPath = 8192

// webRoute is one of them. do gets the project and what follows it, decoded.
type webRoute struct {
	pattern string // for log and metrics
	match   func(path string) (project string, rest []string, ok bool)
	do      func(c *call, project string, rest []string) error
}

func webRoutes() []webRoute {
	return []webRoute{
		{"/{project...}/-/releases/permalink/latest/{suffix...}", matchLatest, webLatest},
		{"/{project...}/-/releases/{tag}/downloads/{path...}", matchDownload, webDownload},
		{"/{project...}/-/package_files/{package_file_id}/download", matchPackageFile, webPackageFile},
		{"/{project...}/uploads/{secret}/{file}", matchUpload, webUpload},
		{"/{project...}/-/releases", matchEnd("/-/releases"), webReleases},
		{"/{project...}/-/releases.json", matchEnd("/-/releases.json"), webReleasesJSON},
		{"/{project...}/-/releases.atom", matchEnd("/-/releases.atom"), webReleasesAtom},
		{"/{project...}/-/releases/{tag}", matchRelease, webRelease},
		{"/{project...}/-/badges/release.svg", matchEnd("/-/badges/release.svg"), webReleaseBadge},
	}
}

// serveWeb answers a request to one of webRoutes, and reports whether it was.
func (s *Server) serveWeb(w http.ResponseWriter, r *http.Request) bool {
	path := r.URL.EscapedPath()
	if len(path) > maxWebPath {
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead || strings.HasPrefix(path, prefix+"/") || strings.HasPrefix(path, "/-/") {
		return false
	}
	for _, route := range webRoutes() {
		project, rest, ok := route.match(path)
		if !ok {
			continue
		}
		r.Pattern = "GET " + route.pattern
		s.serveFile(func(c *call) error {
			return followed(decoded(project), func(p string) error { return route.do(c, p, rest) })
		}).ServeHTTP(w, r)
		return true
	}
	return false
}

// followed does it again with the project's id where the path is an old one:
// install scripts outlive names.
func followed(project string, do func(project string) error) error {
	err := do(project)
	if moved, ok := fault.As(err, fault.Moved); ok {
		return do(strconv.FormatInt(moved.To, 10))
	}
	return err
}

// serveFile runs what people and download tools fetch by an address: Basic is
// taken too, and whoever is not logged in is asked to.
func (s *Server) serveFile(do func(*call) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{s: s, w: w, r: r, params: params{faults: new([]string)}}
		var err error
		c.actor, err = s.authenticate(r, auth.Doors{JobTokens: true, Basic: true})
		if err == nil {
			err = do(c)
		}
		if err != nil {
			s.fail(w, r, genericFault(c.actor, err))
		}
	})
}

// matchLatest takes /<project>/-/releases/permalink/latest[/<suffix>].
func matchLatest(path string) (string, []string, bool) {
	project, rest, ok := cutProject(path, "/-/releases/permalink/latest")
	if !ok || rest != "" && rest[0] != '/' {
		return "", nil, false
	}
	return project, []string{rest}, true
}

// webLatest redirects to the latest release's own address. Suffix and query go on
// as they came.
func webLatest(c *call, project string, rest []string) error {
	r, err := c.s.Releases.Latest(c.r.Context(), c.actor, project, releases.ByRelease)
	if err != nil {
		return err
	}
	return c.redirectHere("/" + r.ProjectPath + "/-/releases/" + url.PathEscape(r.Tag) + rest[0])
}

// matchDownload takes /<project>/-/releases/<tag>/downloads/<path>.
func matchDownload(path string) (string, []string, bool) {
	project, rest, ok := cutProject(path, "/-/releases/")
	if !ok {
		return "", nil, false
	}
	tag, file, ok := strings.Cut(rest, "/downloads/")
	if !ok || tag == "" || file == "" || strings.Contains(tag, "/") {
		return "", nil, false
	}
	return project, []string{decoded(tag), decoded(file)}, true
}

func webDownload(c *call, project string, rest []string) error {
	l, err := c.s.Releases.Asset(c.r.Context(), c.actor, project, rest[0], rest[1])
	if err != nil {
		return err
	}
	return c.redirect(l.URL)
}

// matchPackageFile takes /<project>/-/package_files/<id>/download, which GitLab's
// page of a package links to.
func matchPackageFile(path string) (string, []string, bool) {
	project, rest, ok := cutProject(path, "/-/package_files/")
	id, ended := strings.CutSuffix(rest, "/download")
	return project, []string{id}, ok && ended && id != "" && !strings.Contains(id, "/")
}

func webPackageFile(c *call, project string, rest []string) error {
	id, err := strconv.ParseInt(rest[0], 10, 64)
	if err != nil || id <= 0 || strconv.FormatInt(id, 10) != rest[0] {
		return fault.New(fault.NotFound, "")
	}
	return c.sendPackageFile(project, 0, id)
}

// matchUpload takes /<project>/uploads/<secret>/<file>. A group may be called
// uploads: what counts is the shape of the end.
func matchUpload(path string) (string, []string, bool) {
	parts := strings.Split(path, "/")
	n := len(parts)
	if n < 6 || parts[n-3] != "uploads" || !isSecret(parts[n-2]) || parts[n-1] == "" {
		return "", nil, false
	}
	return strings.Join(parts[1:n-3], "/"), []string{parts[n-2], decoded(parts[n-1])}, true
}

func isSecret(s string) bool { return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == "" }

func webUpload(c *call, project string, rest []string) error {
	return c.getUpload(project, rest[0], rest[1])
}

// cutProject cuts a path at the mark behind a project's full path, of at least
// two segments. No segment of it is "-", so that the first mark is the one.
func cutProject(path, mark string) (project, rest string, ok bool) {
	project, rest, ok = strings.Cut(strings.TrimPrefix(path, "/"), mark)
	return project, rest, ok && strings.Contains(project, "/")
}
