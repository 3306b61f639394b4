package registry

import (
	"slices"

	"granary/internal/fault"
)

// Condition is what a publisher requires of the file whose place its own takes: the
// one that an installer would get (RFC 9110 13.1.1 and 13.1.2). All parts that are
// there must hold.
type Condition struct {
	Match     *Tags // there must be a file, one of these; nil: whatever is there
	NoneMatch *Tags // there must be none of these; nil: whatever is there
}

// Tags name files by their entity tags.
type Tags struct {
	Any     bool     // "*", whatever file there is
	Digests []Digest // those that can be a file's; none match nothing
}

func (t *Tags) has(d Digest) bool { return t.Any || slices.Contains(t.Digests, d) }

// Judge is Precondition where the condition does not hold. there is the digest of the
// file, nil where there is none. A nil Condition always holds. The refusal tells the
// digest: who may publish may read.
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
