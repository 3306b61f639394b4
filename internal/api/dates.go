package api

import (
	"net/http"
	"time"
)

// settleDates judges the conditions by date for content that was last changed at this
// time. It returns the request with which http.ServeContent judges the rest, and false
// if it has answered 412.
//
// A date identifies content here, as an ETag does: it must equal the Last-Modified that
// we sent, as for If-Range (RFC 9110 13.1.5). ServeContent would accept any later date.
// But an address can lead to an older file again: if its newest file is deleted, the one
// before is back, with another date.
func settleDates(w http.ResponseWriter, r *http.Request, changed time.Time) (settled *http.Request, met bool) {
	// Read without Get, since every small download runs this.
	if changed.IsZero() || r.Header["If-Modified-Since"] == nil && r.Header["If-Unmodified-Since"] == nil {
		return r, true
	}
	if !unmodified(r, changed) {
		w.Header().Set("Last-Modified", changed.UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusPreconditionFailed)
		return r, false
	}
	since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	if err != nil || since.Unix() != changed.Unix() {
		r = r.Clone(r.Context())
		r.Header.Del("If-Modified-Since")
	}
	return r, true
}

// unmodified reports whether If-Unmodified-Since holds or does not apply. No date equals
// the zero time.
func unmodified(r *http.Request, changed time.Time) bool {
	if !has(r, "If-Unmodified-Since") || has(r, "If-Match") {
		return true
	}
	until, err := http.ParseTime(r.Header.Get("If-Unmodified-Since"))
	return err != nil || !changed.IsZero() && until.Unix() == changed.Unix()
}
