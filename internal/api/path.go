package api

import (
	"net/http"
	"net/url"
	"strings"
)

// targetPath is the path of a request as it came, escapes and all. It is read from
// the request's target: URL.EscapedPath encodes the decoded path anew where a
// client sent a character raw that must be escaped, such as ^, and its %2F are
// slashes then. A target may be a whole URL (RFC 9112 3.2.2).
func targetPath(r *http.Request) string {
	target := r.RequestURI
	if !strings.HasPrefix(target, "/") {
		_, rest, ok := strings.Cut(target, "://")
		begin := strings.IndexAny(rest, "/?")
		switch {
		case !ok:
			return r.URL.EscapedPath() // "*", and who has no target: the command line of the server's machine
		case begin < 0 || rest[begin] == '?':
			return "/"
		}
		target = rest[begin:]
	}
	path, _, _ := strings.Cut(target, "?")
	return path
}

// tidy makes one slash of several that follow each other, as GitLab's router
// does, and escapes what came raw and should not have. What was escaped stays
// so: %2F is no slash. Nearly all paths are tidy, and cost nothing.
func tidy(path string) string {
	for i := range len(path) {
		if !plainByte(path[i]) || path[i] == '/' && i > 0 && path[i-1] == '/' {
			return tidied(path)
		}
	}
	return path
}

func tidied(path string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(path) + 16)
	for i := range len(path) {
		switch c := path[i]; {
		case c == '/' && i > 0 && path[i-1] == '/':
		case plainByte(c):
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// plainByte reports a byte that may stand in an escaped path. They are those that
// net/url leaves as they are, so that ServeMux splits the path as we do.
func plainByte(c byte) bool {
	switch c {
	case '/', '-', '.', '_', '~', '%', '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=', ':', '@', '[', ']':
		return true
	}
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z'
}

// dropSlash takes the slash away that ends a path, as GitLab's router does. Below
// packages/generic it stays, where an empty name of a file must not be the version.
func dropSlash(path string) string {
	if len(path) < 2 || path[len(path)-1] != '/' || belowGeneric(path) {
		return path
	}
	return path[:len(path)-1]
}

// underPath is what follows the path of the server's own address, and whether a
// path is below it.
func underPath(path, own string) (string, bool) {
	rest, ok := strings.CutPrefix(path, own)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	if rest == "" {
		rest = "/"
	}
	return rest, true
}

// climbs reports an escaped path that a client may read as another: one of its parts
// is a dot or two once it is decoded.
func climbs(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		for name := range strings.SplitSeq(decoded(part), "/") {
			if name == "." || name == ".." {
				return true
			}
		}
	}
	return false
}

// withPath is a URL with another path, which is escaped.
func withPath(u *url.URL, path string) *url.URL {
	other := *u
	other.Path, other.RawPath = decoded(path), path
	return &other
}

// pathOf is the path of an address that has no slash at its end.
func pathOf(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	i := strings.IndexByte(rest, '/')
	if i < 0 {
		return ""
	}
	return tidy(rest[i:])
}
