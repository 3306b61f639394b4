package api_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"
)

// The model of one version: what docs/design/021-drafts.md promises of it, without a
// server. The histories of TestDraftHistories are checked against it.

// standing is what a version is.
type standing string

const (
	noVersion    standing = "none"
	openVersion  standing = "open" // as GitLab has it
	draftVersion standing = "draft"
	finalVersion standing = "final"
)

// content is one of the bodies that clients publish; 0 is none.
type content int

// contents are the bodies, the last one too large for the database.
func contents() []string { return []string{"", "first", "second", strings.Repeat("third", 1000)} }

// paths are the files of the version.
func paths() []string { return []string{"a.bin", "b.bin"} }

// listing is the content of each path.
type listing [2]content

// manifest is the text of docs/design/021, made without the server's code.
func (l listing) manifest() string {
	var text strings.Builder
	for i, c := range l {
		if c != 0 {
			fmt.Fprintf(&text, "%s  %s\n", sha256Hex(contents()[c]), paths()[i])
		}
	}
	return text.String()
}

func sha256Hex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// versionState is all that a version is; reserved is the manifest that alone may be
// final under its number, empty if the number is free.
type versionState struct {
	standing
	files, reserved listing
}

// draftDeed is one call.
type draftDeed struct {
	what    string // a case of versionState.do
	path    int
	content content // of a PUT
	expect  listing // of a finalise; empty if it expects nothing
}

// draftOutcome is what the call answers.
type draftOutcome struct {
	status  int
	content content      // of a GET
	seen    versionState // of a look
}

func (d draftDeed) String() string {
	switch {
	case d.what == "finalise" && d.expect != listing{}:
		return fmt.Sprintf("finalise, expect %v", d.expect)
	case strings.HasSuffix(d.what, "put"):
		return fmt.Sprintf("%s %s %d", d.what, paths()[d.path], d.content)
	case strings.HasSuffix(d.what, "get"):
		return fmt.Sprintf("%s %s", d.what, paths()[d.path])
	}
	return d.what
}

func (o draftOutcome) String() string {
	switch {
	case o.seen != versionState{}:
		return fmt.Sprint(o.seen)
	case o.content != 0:
		return fmt.Sprintf("%d, content %d", o.status, o.content)
	}
	return fmt.Sprint(o.status)
}

// do is the deed's only right answer, and the state after it.
func (s versionState) do(d draftDeed) (draftOutcome, versionState) {
	switch d.what {
	case "put":
		return s.put(d, openVersion)
	case "draft put":
		return s.put(d, draftVersion)
	case "get":
		return s.get(d, s.standing == openVersion || s.standing == finalVersion)
	case "draft get":
		return s.get(d, s.standing == draftVersion)
	case "finalise":
		return s.finalise(d.expect)
	case "discard", "expire":
		return s.remove(s.standing == draftVersion)
	case "delete":
		return s.remove(s.standing == openVersion || s.standing == finalVersion)
	case "look":
		return draftOutcome{status: 200, seen: s}, s
	}
	panic("the model has no " + d.what)
}

// put is a PUT that makes, or joins, an open version or a draft.
func (s versionState) put(d draftDeed, as standing) (draftOutcome, versionState) {
	free := s.reserved == listing{} || as == draftVersion
	switch {
	case s.standing == noVersion && free, s.standing == as:
		s.standing = as
		s.files[d.path] = d.content
		return draftOutcome{status: 201}, s
	case s.standing == finalVersion && s.files[d.path] == d.content:
		return draftOutcome{status: 201}, s // a retry
	}
	return draftOutcome{status: 409}, s
}

func (s versionState) get(d draftDeed, shown bool) (draftOutcome, versionState) {
	if shown && s.files[d.path] != 0 {
		return draftOutcome{status: 200, content: s.files[d.path]}, s
	}
	return draftOutcome{status: 404}, s
}

func (s versionState) finalise(expect listing) (draftOutcome, versionState) {
	other := func(l listing) bool { return l != listing{} && l != s.files }
	switch {
	case s.standing == noVersion:
		return draftOutcome{status: 404}, s
	case other(expect) || other(s.reserved):
		return draftOutcome{status: 409}, s
	case s.standing == finalVersion:
		return draftOutcome{status: 200}, s
	}
	s.standing, s.reserved = finalVersion, s.files
	return draftOutcome{status: 201}, s
}

func (s versionState) remove(there bool) (draftOutcome, versionState) {
	if !there {
		return draftOutcome{status: 404}, s
	}
	return draftOutcome{status: 204}, versionState{standing: noVersion, reserved: s.reserved}
}

// linearizable reports whether the operations, whose inputs are deeds and whose outputs
// are outcomes, can have happened one after the other, from a state on.
func (s versionState) linearizable() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return s },
		Step: func(state, input, output any) (bool, any) {
			want, next := state.(versionState).do(input.(draftDeed))
			return want == output.(draftOutcome), next
		},
	}
}
