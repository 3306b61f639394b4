package api

import (
	"net/http"
	"net/url"
	"strings"
)

// targetPath is the path of a request as the client sent it, with its escapes. It comes
// from the request's target: if a client did not escape a character such as ^,
// URL.EscapedPath encodes the decoded path again, and %2F has become a slash. A target
// may be a whole URL (RFC 9112 3.2.2).
func targetPath(r *http.Request) string {
	target := r.RequestURI
	if !strings.HasPrefix(target, "/") {
		_, rest, ok := strings.Cut(target, "://")
		begin := strings.IndexAny(rest, "/?")
		switch {
		case !ok:
			return r.URL.EscapedPath() // "*", or no target: the command line of the server's machine
		case begin < 0 || rest[begin] == '?':
			return "/"
		}
		target = rest[begin:]
	}
	path, _, _ := strings.Cut(target, "?")
	return path
}

// tidy merges repeated slashes, as GitLab's router does, and escapes characters that the
// client should have escaped. Escapes stay: %2F is no slash. Nearly all paths are tidy
// and cost no allocation.
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

// plainByte reports a byte that needs no escape in a path. net/url leaves the same bytes
// alone, so ServeMux splits the path as we do.
func plainByte(c byte) bool {
	switch c {
	case '/', '-', '.', '_', '~', '%', '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=', ':', '@', '[', ']':
		return true
	}
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z'
}

// dropSlash removes the slash at the end of a path, as GitLab's router does. Below
// packages/generic it stays: there the version would become the file's name.
func dropSlash(path string) string {
	if len(path) < 2 || path[len(path)-1] != '/' || belowGeneric(path) {
		return path
	}
	return path[:len(path)-1]
}

// underPath is the part of a path after own, the path of the server's own address, and
// whether the path is below own.
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

// climbs reports an escaped path that a client may read as another path: one of its
// decoded segments is "." or "..".
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

// withPath is a URL with another path, given in its escaped form.
func withPath(u *url.URL, path string) *url.URL {
	other := *u
	other.Path, other.RawPath = decoded(path), path
	return &other
}

// pathOf is the path of an address that does not end with a slash.
func pathOf(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	i := strings.IndexByte(rest, '/')
	if i < 0 {
		return ""
	}
	return tidy(rest[i:])
}
