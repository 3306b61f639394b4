package registry

import (
	"slices"

	"granary/internal/fault"
)

// Condition is what a publisher requires of the file that its own replaces: the one
// that an installer would get (RFC 9110 13.1.1 and 13.1.2). Both parts must hold, if
// set.
type Condition struct {
	Match     *Tags // there must be a file, one of these; nil: not required
	NoneMatch *Tags // there must be none of these; nil: not required
}

// Tags name files by their entity tags.
type Tags struct {
	Any     bool     // "*", any file
	Digests []Digest // without any, nothing matches
}

func (t *Tags) has(d Digest) bool { return t.Any || slices.Contains(t.Digests, d) }

// Judge returns Precondition if the condition does not hold. there is the digest of
// the file, nil if there is none. A nil Condition always holds. The refusal contains
// the digest: an actor that may publish may read.
func (c *Condition) Judge(there *Digest) error {
	switch {
	case c == nil:
		return nil
	case there == nil && c.Match != nil:
		return fault.New(fault.Precondition, "there is no such file")
	case there == nil:
		return nil
	case (c.Match == nil || c.Match.has(*there)) && (c.NoneMatch == nil || !c.NoneMatch.has(*there)):
		return nil
	}
	return fault.New(fault.Precondition, "the file is there, its SHA-256 is "+there.String())
}
