// Package naming is the grammar of the names of packages, versions and files: which ones
// are valid, and how they are stored. It is pure, and fuzzed.
package naming

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Grammar is the grammar of package names, versions and files: Strict is the
// mission's rows 5 to 7, Relaxed today's GitLab (contract 2.2).
type Grammar string

// The two grammars.
const (
	Strict  Grammar = "strict"
	Relaxed Grammar = "relaxed"
)

// SafeFile makes a safe file name from a sender's, as GitLab does: it takes the last part of
// the path, and replaces every character by an underscore, except word characters of any
// script and ".+-".
func SafeFile(sent string) FileName {
	sent = sent[strings.LastIndexAny(sent, `/\`)+1:]
	name := strings.Map(func(c rune) rune {
		if c < utf8.RuneSelf && isNameOrPlus(byte(c)) || c >= utf8.RuneSelf && isOfWord(c) {
			return c
		}
		return '_'
	}, sent)
	switch {
	case strings.Trim(name, ".") == "":
		name = "unnamed"
	case len(name) > maxFile: // the end shows its type
		cut := len(name) - maxFile
		for !utf8.RuneStart(name[cut]) {
			cut++
		}
		name = name[cut:]
	}
	return FileName(name)
}

// isOfWord is [[:word:]] of Ruby's regular expressions, by which GitLab cleans names.
func isOfWord(c rune) bool {
	return unicode.In(c, unicode.L, unicode.M, unicode.Nd, unicode.Pc)
}
