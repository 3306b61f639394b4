package api

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"granary/internal/fault"
	"granary/internal/releases"
)

// The deeds of web addresses, which begin with a project's full path, and how to match
// them.

// followed does a deed again with the project's id if its path is a former one:
// install scripts outlive names.
func followed(do func(*call) error) func(*call) error {
	return func(c *call) error {
		err := do(c)
		if moved, ok := fault.As(err, fault.Moved); ok {
			c.ref = strconv.FormatInt(moved.To, 10)
			return do(c)
		}
		return err
	}
}

// fromBrowser reports a request of a browser at an address that pages and tools share. Only
// browsers put HTML first in Accept.
func (c *call) fromBrowser() bool {
	return c.route.way.session && c.s.Pages != nil && reads(c.r) && !hasCredential(c.r) && strings.HasPrefix(c.r.Header.Get("Accept"), "text/html")
}

// toDoor leads a browser to the page to sign in on, and from there back. A challenge would
// make it ask for a password, and there is none.
func (c *call) toDoor() {
	root := pathOf(c.s.ExternalURL)
	back := root + c.r.URL.EscapedPath()
	if c.r.URL.RawQuery != "" {
		back += "?" + c.r.URL.RawQuery
	}
	h := c.w.Header()
	safeHeaders(h)
	h["Cache-Control"] = []string{"no-store"}
	h["Location"] = []string{root + "/-/sign_in?to=" + url.QueryEscape(back)}
	c.w.WriteHeader(http.StatusSeeOther)
}

// matchLatest takes /<project>/-/releases/permalink/latest[/<suffix>].
func matchLatest(path string) (string, []string, bool) {
	project, rest, ok := cutProject(path, "/-/releases/permalink/latest")
	if !ok || rest != "" && rest[0] != '/' {
		return "", nil, false
	}
	return project, []string{rest}, true
}

// webLatest redirects to the latest release's own address, with the same suffix and
// query.
func webLatest(c *call) error {
	r, err := c.s.Releases.Latest(c.r.Context(), c.actor, c.ref, releases.ByRelease)
	if err != nil {
		return err
	}
	return c.redirectHere("/" + r.ProjectPath + "/-/releases/" + url.PathEscape(r.Tag) + c.rest[0])
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

// webDownload redirects to where the link leads. If that is a file of a package here, a
// session reads it at once: its address is of the API, which takes no session.
func webDownload(c *call) error {
	l, err := c.s.Releases.Asset(c.r.Context(), c.actor, c.ref, c.rest[0], c.rest[1])
	if err != nil {
		return err
	}
	if c.actor.SessionID == 0 {
		return c.redirect(l.URL)
	}
	path, here := strings.CutPrefix(l.URL, c.base())
	pattern, project, raw := splitGeneric(path)
	if !here || pattern != genericPath || strings.ContainsAny(path, "?#") {
		return c.redirect(l.URL)
	}
	file := *c // c.ref is the release's project
	file.ref, file.raw = project, raw
	return followed(getFile)(&file)
}

// matchPackageFile takes /<project>/-/package_files/<id>/download, which GitLab's
// page of a package links to.
func matchPackageFile(path string) (string, []string, bool) {
	project, rest, ok := cutProject(path, "/-/package_files/")
	id, ended := strings.CutSuffix(rest, "/download")
	return project, []string{id}, ok && ended && id != "" && !strings.Contains(id, "/")
}

func webPackageFile(c *call) error {
	id, err := strconv.ParseInt(c.rest[0], 10, 64)
	if err != nil || id <= 0 || strconv.FormatInt(id, 10) != c.rest[0] {
		return fault.New(fault.NotFound, "")
	}
	return c.sendPackageFile(c.ref, 0, id)
}

// matchUpload takes /<project>/uploads/<secret>/<file>. A group may be called uploads, so
// only the form of the end counts.
func matchUpload(path string) (string, []string, bool) {
	parts := strings.Split(path, "/")
	n := len(parts)
	if n < 6 || parts[n-3] != "uploads" || !isSecret(parts[n-2]) || parts[n-1] == "" {
		return "", nil, false
	}
	return strings.Join(parts[1:n-3], "/"), []string{parts[n-2], decoded(parts[n-1])}, true
}

func isSecret(s string) bool { return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == "" }

func webUpload(c *call) error {
	return c.getUpload(c.ref, c.rest[0], c.rest[1])
}

// cutProject cuts a path at the first mark after a project's full path. The full path has
// at least two segments, none of which is "-", so it cannot contain the mark.
func cutProject(path, mark string) (project, rest string, ok bool) {
	project, rest, ok = strings.Cut(strings.TrimPrefix(path, "/"), mark)
	return project, rest, ok && strings.Contains(project, "/")
}
