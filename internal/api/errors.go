package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"granary/internal/fault"
	"granary/internal/throttle"
	"granary/internal/wire"
)

// basicChallenge is in every 401 that a login would avoid, so that clients with
// credentials in .netrc send them.
const basicChallenge = `Basic realm="GitLab Packages Registry"`

// fail answers a request that failed. Only here do faults become statuses and bodies
// in GitLab's shapes (contract generic-packages 7, rest-api 1.3).
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if refused, ok := errors.AsType[*throttle.Refusal](err); ok {
		_, endpoint := errors.AsType[endpointRefusal](err)
		retryLater(w, refused, endpoint)
		return
	}
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		e = &fault.Error{Kind: fault.Internal, Err: err}
	}
	if errors.Is(err, context.Canceled) && e.Kind != fault.Refused && r.Context().Err() != nil {
		e = fault.New(fault.Timeout, "") // the client left: nobody reads this, and the server did not fail
	}
	status, body := answer(e)
	switch e.Kind {
	case fault.Unauthenticated:
		w.Header().Set("WWW-Authenticate", basicChallenge)
	case fault.DeadToken:
		w.Header().Set("WWW-Authenticate", `Bearer realm="Protected by OAuth 2.0", error="invalid_token", error_description="`+e.Msg+`"`)
	case fault.Unavailable:
		w.Header().Set("Retry-After", "5")
	}
	if status >= http.StatusInternalServerError {
		s.Note(r.Context(), err)
	}
	s.writeJSON(w, status, body)
}

// answer is the status and the body of each kind of fault.
func answer(e *fault.Error) (int, any) {
	switch e.Kind {
	case fault.Invalid:
		return http.StatusBadRequest, errorBody(e.Msg)
	case fault.Rejected:
		return http.StatusBadRequest, fields(e, "")
	case fault.Refused:
		return http.StatusBadRequest, message("400 Bad request", e.Msg)
	case fault.Unauthenticated:
		return http.StatusUnauthorized, message("401 Unauthorized", "")
	case fault.DeadToken:
		return http.StatusUnauthorized, wire.TokenError{Error: "invalid_token", ErrorDescription: e.Msg}
	case fault.InsufficientScope:
		return http.StatusForbidden, wire.TokenError{
			Error:            "insufficient_scope",
			ErrorDescription: "The request requires higher privileges than provided by the access token.",
			Scope:            strings.Join(e.Scopes, " "),
		}
	case fault.Denied:
		return http.StatusForbidden, message("403 Forbidden", e.Msg)
	case fault.OverLimit:
		return http.StatusForbidden, errorBody(e.Msg)
	case fault.Hidden:
		return http.StatusNotFound, message(noun(e.Msg), "")
	case fault.Absent:
		return http.StatusNotFound, message(cmp.Or(e.Msg, "404 Not Found"), "")
	case fault.NotFound:
		return http.StatusNotFound, message("404 Not found", "")
	case fault.Moved:
		return http.StatusMethodNotAllowed, message("Non GET methods are not allowed for moved projects", "")
	case fault.Conflict:
		return http.StatusConflict, conflictBody(e)
	case fault.Precondition:
		return http.StatusPreconditionFailed, message("412 Precondition Failed", e.Msg)
	case fault.NotAllowed:
		return http.StatusMethodNotAllowed, notAllowedBody(e.Msg)
	case fault.Unprocessable, fault.Full:
		return http.StatusUnprocessableEntity, fields(e, "422 Unprocessable Entity")
	case fault.Unfit:
		return http.StatusUnprocessableEntity, errorBody(e.Msg)
	case fault.TooLarge:
		return http.StatusBadRequest, message("400 Bad request", cmp.Or(e.Msg, "File is too large"))
	case fault.Timeout:
		return http.StatusRequestTimeout, message("408 Request Timeout", e.Msg)
	case fault.Unavailable:
		return http.StatusServiceUnavailable, message("503 Service Unavailable", e.Msg)
	}
	if e.Kind == fault.Damaged {
		return http.StatusInternalServerError, message("500 Internal Server Error", e.Msg)
	}
	return http.StatusInternalServerError, message("500 Internal Server Error", "")
}

// fields is the body that says what is wrong with each field, or in one sentence.
func fields(e *fault.Error, otherwise string) wire.Message {
	if e.Fields != nil {
		return wire.Message{Message: e.Fields}
	}
	return message(cmp.Or(e.Msg, otherwise), "")
}

// noun is the text of a 404: "404 Project Not Found".
func noun(what string) string {
	if what == "" {
		return "404 Not Found"
	}
	return "404 " + what + " Not Found"
}

// message is GitLab's pattern of helper texts: "<code> <reason> - <detail>".
func message(text, detail string) wire.Message {
	if detail != "" {
		text += " - " + detail
	}
	return wire.Message{Message: text}
}

// notAllowedBody is the body of a 405, with the reason if GitLab gives one.
func notAllowedBody(why string) any {
	if why != "" {
		return errorBody(why)
	}
	return message("405 Method Not Allowed", "")
}

func errorBody(text string) wire.Error { return wire.Error{Error: text} }
