package api

import (
	"net/http"
	"net/url"
	"strings"

	"granary/internal/registry"
	"granary/internal/wire"
)

// contentType is the media type of a file: by its extension if that is on GitLab's
// short list, otherwise application/octet-stream, so that no uploaded file runs in a
// browser (contract generic-packages 3.3).
func contentType(name string) string {
	switch extension(name) {
	case "gz", "tgz":
		return "application/gzip"
	case "zip":
		return "application/zip"
	case "7z":
		return "application/x-7z-compressed"
	case "xz", "txz":
		return "application/x-xz"
	case "deb", "udeb":
		return "application/x-debian-package"
	case "jar", "war", "ear":
		return "application/java-archive"
	case "apk":
		return "application/vnd.android.package-archive"
	case "dmg":
		return "application/x-apple-diskimage"
	case "tar":
		return "application/x-tar"
	case "gtar":
		return "application/x-gtar"
	case "bz2", "tbz", "tbz2":
		return "application/x-bzip2"
	case "iso":
		return "application/x-iso9660-image"
	}
	return "application/octet-stream"
}

// extension is what follows the last dot, in lower case. ".name" has none.
func extension(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 {
		return ""
	}
	return strings.ToLower(name[i+1:])
}

// contentHeaders sets the headers of a download (contract generic-packages 3.3). If a
// browser shows the file nevertheless, a sandbox keeps it from running or loading
// anything. The values, including those of safeHeaders, are one array, since every small
// download pays for them.
func contentHeaders(h http.Header, f registry.File, contentType string) {
	delete(h, wire.FeaturesHeader) // the map would grow at the 15th header: a small download would cost 5 % more
	tag := `"` + f.Digest.String() + `"`
	v := [...]string{
		contentType, disposition(f.Name.Base()), "binary", tag, tag[1 : len(tag)-1],
		cacheControl(f), "sandbox; default-src 'none'", "SAMEORIGIN", "nosniff",
	}
	for i, name := range [...]string{
		"Content-Type", "Content-Disposition", "Content-Transfer-Encoding", "Etag", "X-Checksum-Sha256",
		"Cache-Control", "Content-Security-Policy", "X-Frame-Options", "X-Content-Type-Options",
	} {
		h[name] = v[i : i+1 : i+1]
	}
}

// cacheControl lets every cache keep a file that everyone may read and that never
// changes. It may be deleted: it is not kept for ever.
func cacheControl(f registry.File) string {
	if f.Public {
		return "public, max-age=86400"
	}
	return "max-age=0, private, must-revalidate"
}

// disposition asks the client to save the file under the name, in both forms of RFC 6266.
func disposition(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, name)
	return `attachment; filename="` + plain + `"; filename*=UTF-8''` + extValue(name)
}

// extValue is the ext-value of RFC 8187: attr-char unchanged, the rest percent-encoded.
func extValue(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}
