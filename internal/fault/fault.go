// Package fault is the one kind of error that rooms hand to each other when a
// caller has to be told something: what went wrong, by kind, in words for the
// caller, with the cause kept for the log.
package fault

import (
	"errors"
	"strconv"
	"strings"
)

// Kind says what sort of failure an error is. Doors (the API, a page, the
// client) turn it into their own words in one place each.
type Kind int

// The kinds. Internal is the zero value: an error nobody classified is ours. The API
// answers them so (api.answer); M is {"message": ...}, E is {"error": ...}:
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
	Invalid                // a parameter is missing, unreadable or not allowed
	Rejected               // well-formed, but a field of the record may not have that value
	Refused                // a rule of the registry says no to this content
	Unauthenticated        // nobody is logged in, or the credential is unknown
	DeadToken              // the credential is known and expired or revoked
	InsufficientScope      // the token's scopes do not reach this far; Scopes are those that do
	Denied                 // visible, but this actor may not
	Hidden                 // does not exist, or not for this actor; Msg is the noun
	NotFound               // visible container, missing row
	Absent                 // visible container, and what should be there is switched off
	Moved                  // lives under another path now; To is the id it has
	Conflict               // somebody was there first; Field is what is taken, if there is a choice
	Precondition           // it is not what the caller made its condition
	NotAllowed             // this thing cannot be asked for that way
	Unprocessable          // understood, and cannot be carried out
	Unfit                  // understood, and one value in it cannot be used
	TooLarge               // more bytes than allowed
	Timeout                // the caller stopped sending
	Unavailable            // database or store cannot serve now; try again
	OverLimit              // the actor has as many of these as allowed, which is Most
	Damaged                // on record, and the store has lost it or has something else
	Full                   // the owner of the rows has as many as its Limit, which is Most
)

// Error carries a kind and words for the caller.
type Error struct {
	Kind   Kind
	Msg    string              // for the caller; empty means the kind's own words suffice
	Fields map[string][]string // by field; nil where Msg tells it
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

// As is the first Error in err's chain, where it is of kind k.
func As(err error, k Kind) (*Error, bool) {
	e, ok := errors.AsType[*Error](err)
	return e, ok && e.Kind == k
}

// Is reports whether err is a fault of kind k.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }
