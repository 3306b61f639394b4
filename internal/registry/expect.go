package registry

import (
	"cmp"
	"fmt"
	"slices"

	"granary/internal/fault"
	"granary/internal/proof"
)

// Differences are the paths by which a version is not what was expected, at most
// MostDifferences of each kind.
type Differences struct {
	Missing []string // expected, and not there
	Extra   []string // there, and not expected
	Differs []string // there with other bytes
}

// MostDifferences is how many paths of each kind Differences have.
const MostDifferences = 100

// UnexpectedError is a version that is not what was expected.
type UnexpectedError struct {
	Differences
	text string
}

// Error has the numbers, which may be higher than the lists are long.
func (e *UnexpectedError) Error() string { return e.text }

// expect compares a version with what the caller expects. Conflict with an
// *UnexpectedError if they differ.
func (o FinaliseOptions) expect(v PackageVersion, manifest Digest, files []proof.File) error {
	unexpected := func(text string, d Differences) error {
		text = "409 Conflict - " + v.words() + " is not what was expected: " + text
		return fault.Wrap(fault.Conflict, text, &UnexpectedError{d, text})
	}
	if o.Files != nil {
		if d, n := differences(o.Files, files); n != [3]int{} {
			return unexpected(fmt.Sprintf("%d missing, %d extra, %d with other bytes", n[0], n[1], n[2]), d)
		}
	}
	if o.Manifest != nil && *o.Manifest != manifest {
		return unexpected("its manifest is "+manifest.String()+", not "+o.Manifest.String(), Differences{})
	}
	return nil
}

// differences compares two lists of files, and counts the paths that are missing, extra
// and other.
func differences(want, got []proof.File) (d Differences, n [3]int) {
	byPath := func(files []proof.File) []proof.File {
		return slices.SortedFunc(slices.Values(files), func(a, b proof.File) int { return cmp.Compare(a.Path, b.Path) })
	}
	note := func(kind int, to *[]string, path string) {
		if n[kind]++; len(*to) < MostDifferences {
			*to = append(*to, path)
		}
	}
	want, got = byPath(want), byPath(got)
	for len(want) > 0 || len(got) > 0 {
		switch {
		case len(got) == 0 || len(want) > 0 && want[0].Path < got[0].Path:
			note(0, &d.Missing, want[0].Path)
			want = want[1:]
		case len(want) == 0 || got[0].Path < want[0].Path:
			note(1, &d.Extra, got[0].Path)
			got = got[1:]
		default:
			if want[0].Digest != got[0].Digest {
				note(2, &d.Differs, got[0].Path)
			}
			want, got = want[1:], got[1:]
		}
	}
	return d, n
}
