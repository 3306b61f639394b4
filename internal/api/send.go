package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"granary/internal/registry"
)

// Redirect says which downloads are answered with a link to the store, if the store
// makes links.
type Redirect int

// RedirectSafe does not redirect requests with a credential in a header: curl --location,
// wget and others send such a header to the target, too, and the store must never see
// it.
const (
	RedirectNone Redirect = iota
	RedirectSafe
	RedirectAll
)

// send answers with a file, or with a link to it. Every byte of a user's file leaves
// through here.
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
	changed := changedAt(content.File)
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

// changedAt is a file's date. That of a twin would identify two files: it has none, and
// matches none.
func changedAt(f registry.File) time.Time {
	if f.Twin {
		return time.Time{}
	}
	return f.CreatedAt
}

// applies reports whether a request may be answered with a link. HEAD asks about the
// file, not for its place. Conditions are judged here, since the store has other ETags.
// Several ranges are sent from here, since most stores send only one, and stores differ
// in reading the unit.
func (p Redirect) applies(r *http.Request) bool {
	if p == RedirectNone || r.Method != http.MethodGet || has(r, "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range") {
		return false
	}
	if field := r.Header.Get("Range"); field != "" && (strings.Contains(field, ",") || !strings.HasPrefix(field, "bytes=")) {
		return false
	}
	return p == RedirectAll || !has(r, "Authorization", "Private-Token", "Job-Token", "Deploy-Token", "Cookie")
}

// wantsBytes reports whether the conditions of a GET let the file be sent. For 304 or 412
// its bytes need no check.
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

// sendLink redirects to the store, with headers about the file. Content-Length is that of
// this answer, so X-Linked-Size, a name of Hugging Face, has the size of the file. Caches
// must not keep the link, and the store gets no Referer.
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
