// Package fault is the error that rooms return for callers: a kind, words for the caller,
// and the cause for the log.
package fault

import (
	"errors"
	"strconv"
	"strings"
)

// Kind is the kind of an error. The API turns it into a status in one place.
type Kind int

// The kinds. Internal is the zero value: an error without a kind is the server's fault. The
// API answers them as follows (api.answer); M is {"message": ...}, E is {"error": ...}:
//
//	Invalid           400 E          Hidden        404 M with the noun in Msg
//	Rejected          400 M, Fields  NotFound      404 M
//	Refused           400 M          Absent        404 M in the words of Msg
//	Unauthenticated   401 M          Moved         405 M; a GET is sent on to To
//	DeadToken         401 E          NotAllowed    405 E, M without words
//	InsufficientScope 403 E, Scopes  Timeout       408 M
//	Denied            403 M          Conflict      409 M
//	OverLimit         403 E          Precondition  412 M
//	TooLarge          400 M          Unprocessable 422 M, Fields
//	Unavailable       503 M          Full          422 M, Fields
//	Damaged, Internal 500 M          Unfit         422 E
const (
	Internal          Kind = iota
	Invalid                // a parameter is missing, malformed or not allowed
	Rejected               // a field of the record may not have that value
	Refused                // a rule of the registry refuses this content
	Unauthenticated        // there is no credential, or it is unknown
	DeadToken              // the credential is expired or revoked
	InsufficientScope      // the token lacks a scope; Scopes are those that would suffice
	Denied                 // the actor can see the resource, but may not do this
	Hidden                 // does not exist, or the actor cannot see it; Msg is the noun
	NotFound               // the actor can see the container, and the row does not exist
	Absent                 // the actor can see the container, and a part of it is missing or off
	Moved                  // the path is a former one; To is the project's id
	Conflict               // taken or changed by another request; Field says what is taken, if it could be several
	Precondition           // a condition of the request does not hold
	NotAllowed             // the method or kind of request is not possible here
	Unprocessable          // well-formed, and cannot be carried out
	Unfit                  // well-formed, and one of its values cannot be used
	TooLarge               // more bytes than allowed
	Timeout                // the caller stopped sending
	Unavailable            // the database or store cannot answer now; try again
	OverLimit              // the actor has as many rows as allowed, which is Most
	Damaged                // on record, but the store lost the bytes or has others
	Full                   // the owner of the rows has as many as its Limit, which is Most
)

// Error is an error with a kind and words for the caller.
type Error struct {
	Kind   Kind
	Msg    string              // for the caller; empty means the kind's own words suffice
	Fields map[string][]string // by field; nil if Msg has the words
	Err    error               // the cause, for the log only

	// Data of some kinds, for the rooms and doors that act on it.
	To     int64    // of Moved: the project's id
	Scopes []string // of InsufficientScope: any one of them would do
	Field  string   // of Conflict: what is taken, such as "Email"; "" if there is no choice
	Most   int      // of Full and OverLimit: how many are allowed
}

// Error is the text for logs.
func (e *Error) Error() string {
	msg := e.Msg
	if e.Fields != nil {
		msg = ""
	}
	for field, reasons := range e.Fields {
		for _, reason := range reasons {
			msg += field + " " + reason + "; "
		}
	}
	switch {
	case msg != "":
	case e.Kind == Moved:
		msg = "it is project " + strconv.FormatInt(e.To, 10) + " now"
	case e.Kind == InsufficientScope:
		msg = "the token needs one of the scopes " + strings.Join(e.Scopes, ", ")
	case e.Field != "":
		msg = e.Field + " is taken"
	}
	switch {
	case e.Err == nil:
		return msg
	case msg == "":
		return e.Err.Error()
	}
	return msg + ": " + e.Err.Error()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// New is an error of kind k with words for the caller.
func New(k Kind, msg string) *Error { return &Error{Kind: k, Msg: msg} }

// Wrap is an error of kind k with words for the caller and a cause for the log.
func Wrap(k Kind, msg string, err error) *Error { return &Error{Kind: k, Msg: msg, Err: err} }

// Field is a Rejected error about one field of a record.
func Field(name, reason string) *Error {
	return &Error{Kind: Rejected, Fields: map[string][]string{name: {reason}}}
}

// MovedTo is a Moved error: a former path of the project with this id.
func MovedTo(id int64) *Error { return &Error{Kind: Moved, To: id} }

// Taken is a Conflict about one field of a record.
func Taken(field string, err error) *Error { return &Error{Kind: Conflict, Field: field, Err: err} }

// KindOf is the kind of the first Error in err's chain, Internal if there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// As returns the first Error in err's chain if it is of kind k.
func As(err error, k Kind) (*Error, bool) {
	e, ok := errors.AsType[*Error](err)
	return e, ok && e.Kind == k
}

// Is reports whether err is a fault of kind k.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }
