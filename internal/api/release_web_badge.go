package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"granary/internal/fault"
	"granary/internal/releases"
)

// badge is a picture of two fields with a text in each. A caller may choose sizes and a
// text, within GitLab's bounds (Gitlab::Ci::Badge::Release::Template).
type badge struct {
	key, value           string
	keyWidth, valueWidth int // in pixels
	color                string
}

const (
	maxBadgeKey        = 64 // characters
	maxBadgeKeyWidth   = 512
	maxBadgeValueWidth = 200
)

// webReleaseBadge shows the tag of the latest release, or "none".
func webReleaseBadge(c *call) error {
	q := c.r.URL.Query()
	order := releases.ByRelease
	if q.Get("order_by") == releases.ByCreation {
		order = releases.ByCreation
	}
	b := newBadge(q)
	r, err := c.s.Releases.Latest(c.r.Context(), c.actor, c.ref, order)
	switch {
	case err == nil:
		b.value, b.color = r.Tag, "#3076af"
	case !fault.Is(err, fault.Absent):
		return err
	}
	body := []byte(b.svg())
	h := c.w.Header()
	markupHeaders(h, "image/svg+xml; charset=utf-8")
	h["Cache-Control"] = []string{"private, no-store"} // otherwise a page would show an old badge for hours
	h["Pragma"] = []string{"no-cache"}
	h["Expires"] = []string{"Fri, 01 Jan 1990 00:00:00 GMT"}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.w.WriteHeader(http.StatusOK)
	_ = c.s.deliver(c.w, body) // a client that is gone needs no answer
	return nil
}

// newBadge is the badge for no release, in the look that the query asks for. Values out
// of bounds are ignored.
func newBadge(q url.Values) badge {
	b := badge{key: "Latest Release", value: "none", keyWidth: 90, valueWidth: 54, color: "#e05d44"}
	if text := q.Get("key_text"); text != "" && utf8.RuneCountInString(text) <= maxBadgeKey {
		b.key = text
	}
	for _, width := range []struct {
		of   *int
		name string
		most int
	}{{&b.keyWidth, "key_width", maxBadgeKeyWidth}, {&b.valueWidth, "value_width", maxBadgeValueWidth}} {
		if n, err := strconv.Atoi(q.Get(width.name)); err == nil && n >= 1 && n <= width.most {
			*width.of = n
		}
	}
	return b
}

func (b badge) svg() string {
	key, value := inXML(b.key), inXML(b.value)
	var s strings.Builder
	_, _ = fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="20" role="img" aria-label="%s: %s">`+"\n", b.keyWidth+b.valueWidth, key, value)
	_, _ = fmt.Fprintf(&s, `<title>%s: %s</title>`+"\n", key, value)
	field := func(x, width int, color, text string) {
		_, _ = fmt.Fprintf(&s, `<rect x="%d" width="%d" height="20" fill="%s"/>`+"\n", x, width, color)
		_, _ = fmt.Fprintf(&s, `<text x="%d" y="14" fill="#fff" font-family="DejaVu Sans,Verdana,sans-serif" font-size="11" text-anchor="middle">%s</text>`+"\n", x+width/2, text)
	}
	field(0, b.keyWidth, "#555", key)
	field(b.keyWidth, b.valueWidth, b.color, value)
	s.WriteString("</svg>\n")
	return s.String()
}
