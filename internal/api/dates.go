package api

import (
	"net/http"
	"time"
)

// settleDates judges the conditions by date of a request for a content that was last
// changed at this time, and is the request that http.ServeContent is to judge further.
// It reports false if it has answered 412.
//
// A date is a name here, as an ETag is: it holds for the Last-Modified that we sent
// and for no other, as If-Range has it (RFC 9110 13.1.5). To ServeContent any later
// date would do. But what an address leads to can become older: when its newest file
// is deleted, the one before is back, and has another date than the client was told.
func settleDates(w http.ResponseWriter, r *http.Request, changed time.Time) (settled *http.Request, met bool) {
	// Read without Get, since every small download comes by here.
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

// unmodified reports whether If-Unmodified-Since holds, or does not count. No date
// is that of the zero time.
func unmodified(r *http.Request, changed time.Time) bool {
	if !has(r, "If-Unmodified-Since") || has(r, "If-Match") {
		return true
	}
	until, err := http.ParseTime(r.Header.Get("If-Unmodified-Since"))
	return err != nil || !changed.IsZero() && until.Unix() == changed.Unix()
}
