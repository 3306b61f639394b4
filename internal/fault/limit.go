package fault

import "strconv"

// Limit is how many rows of one kind their owner may have. The room that defines the
// kind sets it, and the records check it in the transaction that adds a row.
type Limit struct {
	Most int
	Of   string // what is counted, and in what: "releases of a project"
	Cure string // what to do at the limit: "delete one first"
}

// Exceeded is the Full error of a row too many: GitLab's words for such limits, and what
// to do.
func (l Limit) Exceeded() *Error {
	text := "Maximum number of " + l.Of + " (" + strconv.Itoa(l.Most) + ") exceeded"
	if l.Cure != "" {
		text += ": " + l.Cure
	}
	return &Error{Kind: Full, Most: l.Most, Fields: map[string][]string{"base": {text}}}
}
