package releases

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"granary/internal/fault"
)

// Limits, in bytes or in number. A release is read and written whole, so its
// links are bounded.
const (
	maxLine        = 255
	maxDescription = 1_000_000
	maxURL         = 4096
	maxLinks       = 1000
	maxMilestones  = 100
)

// check refuses a release with an invalid field.
func (r Release) check() error {
	switch {
	case r.Tag == "":
		return fault.Field("tag", "can't be blank")
	case !validTag(r.Tag):
		return &fault.Error{Kind: fault.Rejected, Msg: "Tag name invalid"}
	case !oneLine(r.Name):
		return fault.Field("name", "must be one line of at most 255 bytes")
	case !oneLine(r.Ref):
		return fault.Field("ref", "must be one line of at most 255 bytes")
	case len(r.Description) > maxDescription:
		return fault.Field("description", "is too long (maximum is 1000000 bytes)")
	case !utf8.ValidString(r.Description) || strings.ContainsRune(r.Description, 0):
		return fault.Field("description", "is not text")
	case len(r.Milestones) > maxMilestones || slices.ContainsFunc(r.Milestones, func(m string) bool { return m == "" || !oneLine(m) }):
		return fault.Field("milestones", "are 100 at most, of one line of at most 255 bytes each")
	}
	return r.checkLinks()
}

// checkLinks returns a fault of the first invalid field. Release tools read the status: it
// is 400 for every fault (contract rest-api G2).
func (r Release) checkLinks() error {
	if len(r.Links) > maxLinks {
		return fault.Field("links", "are too many (maximum is 1000 in a release)")
	}
	names, urls, paths := map[string]bool{}, map[string]bool{}, map[string]bool{"": false}
	for _, l := range r.Links {
		if err := l.check(); err != nil {
			return err
		}
		switch {
		case names[l.Name]:
			return fault.Field("name", taken)
		case urls[l.URL]:
			return fault.Field("url", taken)
		case paths[l.Path]:
			return fault.Field("filepath", taken)
		}
		names[l.Name], urls[l.URL], paths[l.Path] = true, true, l.Path != ""
	}
	return nil
}

const taken = "has already been taken"

func (l Link) check() error {
	switch {
	case strings.TrimSpace(l.Name) == "":
		return fault.Field("name", "can't be blank")
	case !oneLine(l.Name):
		return fault.Field("name", "must be one line of at most 255 bytes")
	case !validURL(l.URL):
		return fault.Field("url", "is blocked: Only allowed schemes are http, https, ftp")
	case l.Path != "" && !validPath(l.Path):
		return fault.Field("filepath", "is in an invalid format")
	}
	return nil
}

// validURL accepts absolute addresses that run nothing in a browser: downloads of a release
// redirect there.
func validURL(text string) bool {
	if len(text) > maxURL || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return isControl(r) || r == ' ' || r == '\\' }) {
		return false
	}
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && slices.Contains([]string{"http", "https", "ftp"}, u.Scheme)
}

// validPath accepts "/" and segments that programs that clean URLs leave unchanged.
func validPath(path string) bool {
	if !oneLine(path) || !strings.HasPrefix(path, "/") || strings.ContainsAny(path, `\?#%`) {
		return false
	}
	for part := range strings.SplitSeq(path[1:], "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}

// validTag is git's rule for the name of a tag (git check-ref-format).
func validTag(tag string) bool {
	if !oneLine(tag) || tag == "@" || strings.HasPrefix(tag, "-") || strings.HasSuffix(tag, ".") ||
		strings.ContainsAny(tag, ` ~^:?*[\`) || strings.Contains(tag, "..") || strings.Contains(tag, "@{") {
		return false
	}
	for part := range strings.SplitSeq(tag, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}

func oneLine(s string) bool {
	return len(s) <= maxLine && utf8.ValidString(s) && !strings.ContainsFunc(s, isControl)
}

// isControl reports whether r is a control character or a line break of Unicode.
func isControl(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }
