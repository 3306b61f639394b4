package fault

import "strconv"

// Limit is how many rows of one kind their owner may have. The room that
// defines the kind says it, and the database judges it in the transaction that
// adds a row.
type Limit struct {
	Most int
	Of   string // what is counted, and in what: "releases of a project"
	Cure string // what to do when there are as many: "delete one first"
}

// Exceeded is the Full error for who wants more: in the words that GitLab has
// for such limits, with what to do.
func (l Limit) Exceeded() *Error {
	text := "Maximum number of " + l.Of + " (" + strconv.Itoa(l.Most) + ") exceeded"
	if l.Cure != "" {
		text += ": " + l.Cure
	}
	return &Error{Kind: Full, Most: l.Most, Fields: map[string][]string{"base": {text}}}
}
