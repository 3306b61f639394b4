package api

import (
	"net/http"
)

// What pages of other origins may do, as in GitLab (rack-cors in its
// config/application.rb): send any request below /api/ without the browser's own
// credentials, and read these headers of the answer. GitLab's X-Gitlab-* headers are
// about git files and left out. X-Checksum-SHA256 is added, so that a page can check
// what it downloads, and the last four are granary's own.
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
	corsExposed = "Link, X-Total, X-Total-Pages, X-Per-Page, X-Page, X-Next-Page, X-Prev-Page, X-Request-Id, ETag, X-Checksum-SHA256, Content-Location, X-Package-Version, X-Package-Status, X-Granary-Features"
	corsMaxAge  = "7200" // seconds, the default of rack-cors
)

// maxAsked is how many bytes of header names a preflight may ask for.
const maxAsked = 4096

// crossOrigin lets a page of another origin read the answer. It answers a preflight
// itself and reports that; whether the route exists, the real request will show. An
// answer without these headers is a different one, so every answer says "Vary: Origin"
// (door.go): a cache must not give a page what it kept for another program.
func crossOrigin(w http.ResponseWriter, r *http.Request) (answered bool) {
	h := w.Header()
	h["Access-Control-Allow-Origin"] = []string{"*"}
	h["Access-Control-Allow-Methods"] = []string{corsMethods}
	h["Access-Control-Expose-Headers"] = []string{corsExposed}
	h["Access-Control-Max-Age"] = []string{corsMaxAge}
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" && len(asked) <= maxAsked {
		h["Access-Control-Allow-Headers"] = []string{asked}
	}
	safeHeaders(h)
	w.WriteHeader(http.StatusOK)
	return true
}
