package api

import (
	"net/http"

	"granary/internal/access"
	"granary/internal/throttle"
)

// writes reports a route that is counted by Server.Writes: each of its requests may
// leave a row, an audit event or a message to somebody's webhook behind, and nothing
// else bounds how many. Only what publishing and its cleaning up need is not counted
// (design note 009).
func (r *route) writes() bool {
	if r.method == http.MethodGet {
		return false
	}
	switch r.action {
	case access.PublishPackage, access.DestroyPackage, access.PublishRelease, access.DestroyRelease, access.UploadFile, access.DestroyUpload:
		return false
	}
	return true
}

// countWrite counts a request to a route that writes for its user, and returns an
// endpointRefusal if it is one too many. Administrators are exempt, in whoever's
// name they act. Bots count for their place: one Maintainer makes as many as there
// may be.
func (s *Server) countWrite(a access.Actor, r *route) error {
	if !r.writes() || !a.LoggedIn() || a.Admin || a.SudoID != 0 {
		return nil
	}
	who := throttle.User(a.UserID)
	if a.Bot {
		who = throttle.Place(a.Home)
	}
	if err := s.Writes.Count(who); err != nil {
		return endpointRefusal{err}
	}
	return nil
}

// endpointRefusal is a *throttle.Refusal that is told as GitLab tells those of
// single endpoints: in JSON (contract rest-api H).
type endpointRefusal struct{ error }

// Unwrap returns the *throttle.Refusal.
func (e endpointRefusal) Unwrap() error { return e.error }
