package api

import (
	"io"
	"net/http"
	"strings"

	"granary/internal/fault"
	"granary/internal/registry"
)

// A selector such as latest may lead to another version a moment later. A client that
// continues a download there would put the bytes of two versions together, so a part of
// the file is sent only to a client that names the file by its ETag (design note 020).

// sendSelected answers with a file whose address has a selector.
func (c *call) sendSelected(content *registry.Content) error {
	at := *content.Selected
	exact := c.nameURL(content.ProjectID, at.Name) + "/" + escapedPath(string(at.Version)) + "/" + escapedPath(at.File.Path())
	tag := `"` + content.Digest.String() + `"`
	content.Twin = true // the file of another version may have the same date
	wanted := func() bool { return wantsBytes(c.r, content.File, changedAt(content.File)) }
	if err := c.underSelector(tag, string(at.Version), exact, exact, wanted); err != nil {
		return err
	}
	return c.send(content, contentType(content.Name.Base()))
}

// underSelector judges the Range header of a request whose address has a selector, as
// wholeOf does, and lets a good answer say which version it is. exact is its address, and
// resume where a download can be continued, "" for nowhere.
func (c *call) underSelector(tag, version, exact, resume string, wanted func() bool) error {
	whole, err := c.wholeOf(tag, resume, version, wanted)
	if err != nil {
		return err
	}
	if whole {
		c.r = withRange(c.r, "")
	}
	c.saysVersion(version, exact)
	return nil
}

// wholeOf judges the Range header of a request whose address has a selector, for content
// of this strong ETag. It reports whether to ignore the header: "bytes=0-" asks for the
// whole file, and a condition that does not name the ETag does not hold. Precondition if
// the client continues a download without naming it; resume is where it can, "" for
// nowhere.
func (c *call) wholeOf(tag, resume, version string, wanted func() bool) (bool, error) {
	set, ifRange := byteRange(c.r), c.r.Header.Get("If-Range")
	switch {
	case set == "":
		return false, nil
	case ifRange != "":
		return ifRange != tag, nil
	case names(c.r.Header["If-Match"], tag):
		return false, nil
	case set == "0-":
		return true, nil
	case !wanted():
		return true, nil // 304, or 412 by another condition
	}
	text := c.raw.Version + " is " + version + " now; start over"
	if resume != "" {
		text = c.raw.Version + " is " + version + " now; resume at " + resume + ", or start over"
	}
	return false, fault.New(fault.Precondition, text)
}

// byteRange is which bytes a GET asks for: "5-9", "" if it names none, or only in a unit
// that nobody heeds.
func byteRange(r *http.Request) string {
	unit, set, _ := strings.Cut(r.Header.Get("Range"), "=")
	if strings.ToLower(strings.TrimSpace(unit)) != "bytes" || r.Method != http.MethodGet {
		return ""
	}
	return strings.TrimSpace(set)
}

// names reports whether a list of entity tags has this one.
func names(lines []string, tag string) bool {
	for rest := strings.Join(lines, ","); rest != ""; {
		found, after, ok := cutTag(strings.TrimLeft(rest, ", \t"))
		if !ok {
			return false
		}
		if found == tag {
			return true
		}
		rest = strings.TrimLeft(after, ", \t")
	}
	return false
}

// saysVersion adds to a good answer what it says of the version.
func (c *call) saysVersion(version, exact string) { c.w = &selectedWriter{c.w, version, exact} }

// selectedWriter writes the header of an answer under a selector. It says that there are
// no ranges, since most clients ask for them without naming the file.
type selectedWriter struct {
	http.ResponseWriter
	version, exact string
}

func (w *selectedWriter) WriteHeader(status int) {
	if h := w.Header(); status < http.StatusBadRequest {
		h["Content-Location"], h["X-Package-Version"] = []string{w.exact}, []string{w.version}
		if h.Get("Cache-Control") != "no-store" { // of a link to the store
			h["Cache-Control"] = []string{"no-cache, private"}
		}
		if status == http.StatusOK {
			h["Accept-Ranges"] = []string{"none"}
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// ReadFrom passes a file on, so that the kernel sends it.
func (w *selectedWriter) ReadFrom(src io.Reader) (int64, error) {
	if to, ok := w.ResponseWriter.(io.ReaderFrom); ok {
		return to.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{w.ResponseWriter}, src)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *selectedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
