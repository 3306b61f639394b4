package api

import (
	"net/http"

	"granary/internal/access"
)

// writes reports a route whose requests Rates.Writes counts: each may add a row, an audit
// event or a delivery to a webhook, and nothing else limits how many. Only the routes for
// publishing and for cleaning up after it are not counted (design note 009).
func (r *route) writes() bool {
	if r.method == http.MethodGet {
		return false
	}
	switch r.action {
	case access.PublishPackage, access.FinalisePackage, access.DestroyPackage, access.PublishRelease, access.DestroyRelease, access.UploadFile, access.DestroyUpload:
		return false
	}
	return true
}

// countWrite counts a request to a route that writes. It returns an endpointRefusal if that
// was one too many.
func (s *Server) countWrite(a access.Actor, r *route) error {
	if !r.writes() {
		return nil
	}
	if err := s.Rates.CountWrite(a); err != nil {
		return endpointRefusal{err}
	}
	return nil
}

// endpointRefusal is a *throttle.Refusal of one endpoint, which GitLab answers in JSON
// (contract rest-api H).
type endpointRefusal struct{ error }

// Unwrap returns the *throttle.Refusal.
func (e endpointRefusal) Unwrap() error { return e.error }
