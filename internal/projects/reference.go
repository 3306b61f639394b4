package projects

import (
	"strconv"
	"strings"

	"granary/internal/fault"
)

// Reference is how a caller names a project or a group: by id, or by full path.
// Exactly one of the two is set.
type Reference struct {
	ID   int64
	Path string // in lower case
}

// Limits of a full path. Its whole length has none here: paths that were created when
// longer ones were allowed must be found.
const (
	maxSegment  = 255 // bytes
	maxSegments = maxGroupDepth + 1

	// LeastOfProject is how many segments the full path of a project has at least:
	// the namespace's and its own.
	LeastOfProject = 2
	// LeastOfGroup is the same for a group, and for a user's name.
	LeastOfGroup = 1
)

// ParseReference parses the id or full path of something whose path has at least the
// given number of segments. Digits, with or without a minus sign, are an id (contract
// rest-api 1.1) and never a path; an id has no leading zero and fits 64 bits. It returns
// NotFound for other texts that cannot be a full path, like for unknown paths.
func ParseReference(text string, least int) (Reference, error) {
	if isNumber(text) {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || text[0] == '-' || text[0] == '0' {
			return Reference{}, fault.New(fault.NotFound, "")
		}
		return Reference{ID: id}, nil
	}
	path, err := ParsePath(text, least)
	return Reference{Path: path}, err
}

// ParsePath parses a full path of at least the given number of segments, and returns it
// in lower case, in which paths are unique. It returns NotFound if it cannot be one.
func ParsePath(text string, least int) (string, error) {
	segments, length := 1, 0
	for _, c := range []byte(text) {
		switch {
		case c == '/' && length > 0 && segments < maxSegments:
			segments, length = segments+1, 0
		case (isWord(c) || c == '-' || c == '.') && length < maxSegment:
			length++
		default:
			return "", fault.New(fault.NotFound, "")
		}
	}
	if length == 0 || segments < least {
		return "", fault.New(fault.NotFound, "")
	}
	return strings.ToLower(text), nil
}

// isNumber is \A-?\d+\z.
func isNumber(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return digits != ""
}
