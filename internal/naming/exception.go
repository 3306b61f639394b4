package naming

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"

	"granary/internal/fault"
)

// Exception is the compiled form of generic_duplicate_exception_regex: it matches the
// names and versions for which the rule about duplicates is reversed. A nil one matches
// nothing. It is safe for concurrent use.
type Exception struct {
	text  string
	whole *regexp.Regexp // nil: compiled at each use
	size  int64
}

// maxProgram is the largest size of a compiled exception, in bytes. Usual repeats fit
// (`[a-z0-9.-]{1,255}` takes 23 KiB). Several repeats of 1000, or nested ones, do not: 255
// characters of them would take 2 MiB.
const maxProgram = 128 << 10

// maxException is the largest number of characters of an exception: GitLab's limit.
const maxException = 255

const exceptionField = "generic_duplicate_exception_regex"

// KeptException compiles an exception that is on record, nil for the empty one. If it was
// saved before there was a limit, and is too large for the cache, it is compiled at each
// use. One that does not compile matches nothing.
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

// wholeText surrounds an expression that must match a whole text. Its two alternatives for
// the end keep Go from compiling a second, one-pass program, which is several times as
// large.
const wholeText = `\A(?:%s)(?:\z|\b\z)`

// wholeMatch compiles an expression; it returns nil if the expression is invalid.
func wholeMatch(text string) *regexp.Regexp {
	re, err := regexp.Compile(fmt.Sprintf(wholeText, text))
	if err != nil {
		return nil
	}
	return re
}

// compileException returns the size of the program of an expression, in bytes, or the
// error in its syntax.
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
	classes := map[*rune]int{} // by the end of their memory, which instructions share
	for _, i := range prog.Inst {
		if n := cap(i.Rune); n > 0 {
			end := &i.Rune[:n][n-1]
			classes[end] = max(classes[end], n)
		}
	}
	for _, n := range classes {
		size += node + character*n // short ones are in the node of the parse tree
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
