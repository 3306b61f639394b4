package api

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/wire"
)

// genericPath is where files are published to and installed from (contract
// generic-packages 1). ServeMux matches it on the escaped path and hands each
// segment back decoded once.
const genericPath = "/projects/{id}/packages/generic/{name}/{version}/{file...}"

// serveGeneric publishes or installs one file.
func (s *Server) serveGeneric(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{s: s, w: w, r: r}
		actor, refused := s.authenticate(r, route.doors)
		c.actor = actor
		var err error
		switch {
		case r.PathValue("file") == "":
			writeJSON(w, http.StatusNotFound, errorBody("404 Not Found"))
			return
		case route.action == access.PublishPackage:
			err = c.putFile(refused)
		default:
			err = c.getFile(refused)
		}
		if err != nil {
			s.fail(w, r, genericFault(c.actor, err))
		}
	})
}

// genericFault words a refusal as these routes do: an anonymous caller is asked
// to log in for whatever it may not see, and nothing is named (contract 0.6,
// 2.6).
func genericFault(a access.Actor, err error) error {
	switch {
	case !fault.Is(err, fault.Hidden):
		return err
	case a.Kind == access.Anonymous:
		return fault.Wrap(fault.Unauthenticated, "", err)
	}
	return fault.Wrap(fault.Hidden, "", err)
}

// raw is the coordinates as the path has them. Directories stand before the
// file name, or in the parameter path.
func (c *call) raw() registry.Raw {
	raw := registry.Raw{Name: c.path("name"), Version: c.path("version"), File: c.path("file")}
	escaped := c.r.URL.EscapedPath()
	// Of the last segment only the literal slashes part directories from the
	// file: an escaped one is a character of the file's name.
	if literal := strings.Count(escaped[strings.Index(escaped, "/generic/"):], "/"); literal > 4 {
		raw.Dir, raw.File = splitAtSlash(raw.File, literal-4)
	}
	if raw.Dir == "" && c.r.URL.RawQuery != "" {
		raw.Dir = c.r.URL.Query().Get("path")
	}
	return raw
}

// splitAtSlash splits a decoded path at its literal slashes: what follows the
// last of them is the file's name. Where escaped slashes came before a literal
// one the split is the same, for the last literal one is what counts.
func splitAtSlash(path string, literal int) (dir, file string) {
	at := -1
	for i := 0; i < len(path) && literal > 0; i++ {
		if path[i] == '/' {
			at = i
			literal--
		}
	}
	if at < 0 {
		return "", path
	}
	return path[:at], path[at+1:]
}

// putFile publishes. Credentials come before parameters (contract 0.5).
func (c *call) putFile(refused error) error {
	if refused != nil {
		return refused
	}
	ctx, project := c.r.Context(), c.path("id")
	if v := access.CheckToken(c.actor, access.PublishPackage); v != access.Allowed {
		return access.Refusal(v, access.PublishPackage, "")
	}
	coordinates, err := c.s.Registry.Coordinates(ctx, c.actor, project, c.raw())
	options, wantRow, bad := publishOptions(c.r)
	if err = joinInvalid(err, bad); err != nil {
		return err
	}
	f, err := c.s.Registry.Publish(ctx, c.actor, project, coordinates, c.r.Body, options)
	if err != nil {
		return err
	}
	if wantRow {
		return c.ok(packageFileRow(c, f, coordinates))
	}
	return c.created(message("201 Created", ""))
}

// publishOptions reads what travels beside the body of a publish.
func publishOptions(r *http.Request) (o registry.PublishOptions, wantRow bool, err error) {
	o.Length = r.ContentLength
	p := params{values: map[string][]string{}, faults: new([]string)}
	if r.URL.RawQuery != "" {
		p.values = r.URL.Query()
	}
	if status := registry.Status(p.choice("status", "default", "hidden")); status != "" {
		o.Status = &status
	}
	wantRow = p.choice("select", "package_file") != ""
	if o.Digest, err = declaredDigest(r.Header); err != nil {
		return o, wantRow, err
	}
	return o, wantRow, p.err()
}

// joinInvalid makes one fault of two about parameters.
func joinInvalid(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil || !fault.Is(a, fault.Invalid) || !fault.Is(b, fault.Invalid):
		return a
	}
	return fault.New(fault.Invalid, a.Error()+", "+b.Error())
}

// getFile installs. Parameters come before credentials (contract 0.5).
func (c *call) getFile(refused error) error {
	ctx, project := c.r.Context(), c.path("id")
	coordinates, err := c.s.Registry.Coordinates(ctx, c.actor, project, c.raw())
	if fault.Is(err, fault.Invalid) || refused == nil && err != nil {
		return err
	}
	if refused != nil {
		return refused
	}
	content, err := c.s.Registry.Open(ctx, c.actor, project, coordinates)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // it was only read
	if c.r.Method == http.MethodGet {
		c.s.Registry.Downloaded(content.File)
	}
	contentHeaders(c.w.Header(), content.File)
	http.ServeContent(c.w, c.r, "", content.CreatedAt, content.ReadSeekCloser)
	return nil
}

// contentHeaders describe a file on its way out (contract 3.3).
func contentHeaders(h http.Header, f registry.File) {
	digest, name := f.Digest.String(), f.Name.Base()
	safeHeaders(h)
	h["Content-Type"] = []string{contentType(name)}
	h["Content-Disposition"] = []string{disposition(name)}
	h["Content-Transfer-Encoding"] = []string{"binary"}
	h["Etag"] = []string{`"` + digest + `"`}
	h["X-Checksum-Sha256"] = []string{digest}
	h["Cache-Control"] = []string{"max-age=0, private, must-revalidate"}
}

// disposition asks to be saved under the name, in both spellings of RFC 6266.
func disposition(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, name)
	return `attachment; filename="` + plain + `"; filename*=UTF-8''` + extValue(name)
}

// extValue is the ext-value of RFC 8187: attr-char as it is, the rest percent-
// encoded.
func extValue(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// packageFileRow is the answer to select=package_file. GitLab's file.url is a
// path in its storage, which release tools took for a link; here it is one.
func packageFileRow(c *call, f registry.File, at registry.Coordinates) wire.PackageFileRow {
	path := strings.ReplaceAll(string(at.File), "%2F", "/")
	return wire.PackageFileRow{
		ID: f.ID, PackageID: f.PackageID, ProjectID: f.ProjectID,
		CreatedAt: wire.Time(f.CreatedAt), UpdatedAt: wire.Time(f.CreatedAt),
		Size: f.Size, FileStore: 1, FileName: string(f.Name), FileSHA256: f.Digest.String(), Status: string(f.Status),
		File: wire.StoredFile{URL: c.base() + prefix + "/projects/" + strconv.FormatInt(f.ProjectID, 10) +
			"/packages/generic/" + string(at.Name) + "/" + string(at.Version) + "/" + path},
	}
}

// serveUnclean answers a path that ServeMux would redirect. On the generic
// routes its odd segments are names that the grammar refuses; elsewhere there
// is nothing.
func (s *Server) serveUnclean(w http.ResponseWriter, r *http.Request, raw string) {
	before, after, ok := strings.Cut(raw, "/packages/generic/")
	id, isProject := strings.CutPrefix(before, prefix+"/projects/")
	parts := strings.SplitN(after, "/", 3)
	if !ok || !isProject || strings.Contains(id, "/") || len(parts) < 3 {
		writeJSON(w, http.StatusNotFound, errorBody("404 Not Found"))
		return
	}
	for i, name := range []string{"name", "version", "file"} {
		r.SetPathValue(name, decoded(parts[i]))
	}
	r.SetPathValue("id", decoded(id))
	for _, route := range s.routes() {
		reads := route.method == http.MethodGet && r.Method == http.MethodHead
		if route.path == genericPath && (route.method == r.Method || reads) {
			s.serveGeneric(route).ServeHTTP(w, r)
			return
		}
	}
	w.Header().Set("Allow", "GET, HEAD, PUT")
	writeJSON(w, http.StatusMethodNotAllowed, errorBody("405 Not Allowed"))
}

// decoded is a path segment decoded once; the server has made sure that it can
// be.
func decoded(segment string) string {
	text, err := url.PathUnescape(segment)
	if err != nil {
		return segment
	}
	return text
}
