package registry

import "granary/internal/fault"

// Into says which version takes a published file. All take it if it is new.
type Into int

// The values. A new version is a draft but for IntoOpen.
const (
	IntoOpen   Into = iota // an open version
	IntoDraft              // a draft
	IntoEither             // an open version or a draft
)

// Number is what a name and a version of a project stand for, and the file of a path.
type Number struct {
	Package  *Package  // nil: there is none
	File     *File     // the newest of the path; nil for none
	Reserved *Reserved // nil: the number is free for the first that publishes it
}

// Reserved is a number that is never given away again: it was final, or was removed by a
// rule that reserves numbers.
type Reserved struct {
	Manifest *Digest // alone may be final again; nil: nothing may
}

// Admit decides whether the version takes a file with these coordinates, digest and size
// in bytes; nil and -1 if they are not known. A final version takes none, but returns its
// own if that may be the same: a retry. The fault is Conflict.
func (n Number) Admit(c Coordinates, into Into, d *Digest, size int64) (there *File, err error) {
	number := words(c.Name, c.Version)
	switch {
	case n.Package == nil && n.Reserved == nil:
		return nil, nil
	case n.Package == nil && n.Reserved.Manifest == nil:
		return nil, conflict(number + " is removed; its number stays reserved")
	case n.Package == nil && into == IntoOpen:
		return nil, conflict(number + " was final and is deleted; its number stays reserved")
	case n.Package == nil:
		return nil, nil
	case n.Package.FinalAt != nil:
		if n.File != nil && n.File.may(d, size) {
			return n.File, nil
		}
		return nil, isFinal(c)
	case n.Package.Status == StatusDraft && into == IntoOpen:
		return nil, conflict(number + " is a draft; add ?status=draft, or finalise it first")
	case n.Package.Status != StatusDraft && into == IntoDraft:
		return nil, conflict(number + " is published; a draft needs a new version")
	}
	return nil, nil
}

// may reports whether a file may have this digest and size; nil and -1 if they are not
// known.
func (f File) may(d *Digest, size int64) bool {
	return (d == nil || *d == f.Digest) && (size < 0 || size == f.Size)
}

func isFinal(c Coordinates) error {
	return conflict(words(c.Name, c.Version) + " is final; publish a new version")
}

// conflictWords begin the words of a Conflict.
const conflictWords = "409 Conflict - "

func conflict(text string) error { return fault.New(fault.Conflict, conflictWords+text) }
