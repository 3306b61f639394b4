package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"granary/internal/registry"
)

// Redirect says which downloads are answered with a link to the store, where it
// has links.
type Redirect int

// RedirectSafe leaves out requests that carry a credential in a header: curl
// --location, wget and others carry such a header on to wherever they are
// sent, and the store must never see it.
const (
	RedirectNone Redirect = iota
	RedirectSafe
	RedirectAll
)

// send answers with a file, or with where it is. No byte of a user's file leaves by
// another way.
func (c *call) send(content *registry.Content, contentType string) error {
	if c.s.Redirect.applies(c.r) {
		link, err := content.Link(c.r.Context(), contentType, disposition(content.Name.Base()))
		if err != nil {
			return err
		}
		if link != "" {
			c.sendLink(content.File, contentType, link)
			return nil
		}
	}
	changed := content.CreatedAt
	if content.Twin { // the date would stand for either file: it is not told, and none is ours
		changed = time.Time{}
	}
	if c.r.Method == http.MethodGet && content.Unchecked() && wantsBytes(c.r, content.File, changed) {
		if err := content.Check(); err != nil {
			return err
		}
	}
	contentHeaders(c.w.Header(), content.File, contentType)
	if content.Twin && !unmodified(c.r, changed) {
		c.w.WriteHeader(http.StatusPreconditionFailed)
		return nil
	}
	serveContent(c.w, c.r, changed, content.Size, content.ReadSeekCloser)
	return nil
}

// applies reports whether a request may be answered with a link. HEAD asks about
// the file, not about where it is. A condition is judged here: its ETag is ours
// and not the store's. Several ranges are sent from here: most stores know only one, and
// not every store reads the unit as we do.
func (p Redirect) applies(r *http.Request) bool {
	if p == RedirectNone || r.Method != http.MethodGet || has(r, "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range") {
		return false
	}
	if field := r.Header.Get("Range"); field != "" && (strings.Contains(field, ",") || !strings.HasPrefix(field, "bytes=")) {
		return false
	}
	return p == RedirectAll || !has(r, "Authorization", "Private-Token", "Job-Token", "Deploy-Token", "Cookie")
}

// wantsBytes reports whether the conditions of a GET let the file be sent. What 304 or
// 412 answers is not worth a look at its bytes.
func wantsBytes(r *http.Request, f registry.File, changed time.Time) bool {
	if !has(r, "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since") {
		return true
	}
	t := &trial{header: http.Header{}}
	contentHeaders(t.header, f, "")
	r, met := settleDates(t, r, changed)
	if !met || !unmodified(r, changed) {
		return false
	}
	http.ServeContent(t, withRange(r, ""), "", changed, strings.NewReader(""))
	return t.status != http.StatusNotModified && t.status != http.StatusPreconditionFailed
}

func has(r *http.Request, headers ...string) bool {
	for _, h := range headers {
		if r.Header.Get(h) != "" {
			return true
		}
	}
	return false
}

// sendLink tells what the file is beside where it is. Content-Length is this
// answer's own, so that the file's goes by another name, the one that Hugging
// Face gave it. Nobody may keep the link, nor tell the store where it was found.
func (c *call) sendLink(f registry.File, contentType, link string) {
	h := c.w.Header()
	contentHeaders(h, f, contentType)
	h.Del("Content-Type")
	h.Del("Content-Disposition")
	h.Del("Content-Transfer-Encoding")
	h.Set("Location", link)
	h.Set("X-Linked-Size", strconv.FormatInt(f.Size, 10))
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Length", "0")
	c.w.WriteHeader(http.StatusFound)
}
