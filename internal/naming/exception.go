package naming

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"

	"granary/internal/fault"
)

// Exception is the compiled form of generic_duplicate_exception_regex: of which
// names and versions the rule about duplicates is the other way round. A nil one
// matches nothing. It is safe for use by many goroutines.
type Exception struct {
	text  string
	whole *regexp.Regexp // nil: compiled at each use
	size  int64
}

// maxProgram is how large a compiled exception may be, in bytes. Repeats of any
// kind fit (`[a-z0-9.-]{1,255}` takes 23 KiB); nested or repeated ones of 1000 do
// not, of which 255 characters make 2 MiB.
const maxProgram = 128 << 10

// maxException is how many characters an exception has at most: GitLab's limit.
const maxException = 255

const exceptionField = "generic_duplicate_exception_regex"

// KeptException compiles an exception that is on record, nil for the empty one. One
// that was saved before its size was limited, and is too large to be remembered, is
// compiled at each use; one that does not compile matches nothing.
func KeptException(text string) *Exception {
	if text == "" {
		return nil
	}
	e := &Exception{text: text}
	program, err := compileException(text)
	if err == nil && program <= maxProgram {
		e.whole, e.size = wholeMatch(text), program
	}
	return e
}

// Matches reports whether the exception matches the whole of a text.
func (e *Exception) Matches(text string) bool {
	if e == nil {
		return false
	}
	whole := e.whole
	if whole == nil {
		whole = wholeMatch(e.text)
	}
	return whole != nil && whole.MatchString(text)
}

// Weight is about how many bytes the exception takes on the heap.
func (e *Exception) Weight() int64 {
	if e == nil {
		return 0
	}
	return int64(len(e.text)) + e.size
}

// wholeText surrounds an expression that has to match a whole text. Its end could be
// reached in two ways, so that Go does not make the program a second time in the
// form for expressions where there is but one, which is several times as large.
const wholeText = `\A(?:%s)(?:\z|\b\z)`

// wholeMatch compiles an expression, nil where it is none.
func wholeMatch(text string) *regexp.Regexp {
	re, err := regexp.Compile(fmt.Sprintf(wholeText, text))
	if err != nil {
		return nil
	}
	return re
}

// compileException returns how large the program of an expression is, in bytes, or
// what is wrong with the syntax.
func compileException(text string) (program int64, err error) {
	if _, err := syntax.Parse(text, syntax.Perl); err != nil {
		return 0, err
	}
	re, err := syntax.Parse(fmt.Sprintf(wholeText, text), syntax.Perl)
	if err != nil {
		return 0, err
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return 0, err
	}
	const fixed, instruction, character, node = 512, 40, 4, 96
	size := fixed + instruction*cap(prog.Inst)
	classes := map[*rune]int{} // by where their memory ends: instructions share it
	for _, i := range prog.Inst {
		if n := cap(i.Rune); n > 0 {
			end := &i.Rune[:n][n-1]
			classes[end] = max(classes[end], n)
		}
	}
	for _, n := range classes {
		size += node + character*n // short ones lie in a node of what was parsed
	}
	return int64(size), nil
}

// CheckException checks a duplicate exception that is to be saved: RE2, at most 255
// characters, and a program of bounded size.
func CheckException(expr *string) error {
	if expr == nil || *expr == "" {
		return nil
	}
	if utf8.RuneCountInString(*expr) > maxException {
		return fault.Field(exceptionField, "is too long (maximum is 255 characters)")
	}
	program, err := compileException(*expr)
	switch {
	case err != nil:
		return fault.Field(exceptionField, "not valid RE2 syntax: "+err.Error())
	case program > maxProgram:
		return fault.Field(exceptionField, fmt.Sprintf("not valid RE2 syntax: pattern too large - compile failed: it takes %d bytes, %d are allowed; use smaller repeats",
			program, maxProgram))
	}
	return nil
}
