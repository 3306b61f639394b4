package api

import (
	"net/http"
)

// What pages of other origins may do, as GitLab has it (rack-cors in its
// config/application.rb): everything below /api/, without the browser's own
// credentials, and read these headers of an answer. GitLab's X-Gitlab-* headers
// belong to files of git; X-Checksum-SHA256 is named besides, so that a page can
// check what it downloads.
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
	corsExposed = "Link, X-Total, X-Total-Pages, X-Per-Page, X-Page, X-Next-Page, X-Prev-Page, X-Request-Id, ETag, X-Checksum-SHA256"
	corsMaxAge  = "7200" // seconds, the default of rack-cors
)

// maxAsked is how many bytes of names of headers a preflight may ask for.
const maxAsked = 4096

// crossOrigin lets the page of another origin read what will be answered, and
// answers itself where the browser only asks whether it may (a preflight), which
// it reports. Whether there is such a route, the request itself will tell. An
// answer without these headers differs, so that all say "Vary: Origin" (door.go):
// a cache must not give to the page what it kept for another program.
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
