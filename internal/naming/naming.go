// Package naming is the grammar of what packages, versions and files are called: what
// a caller may send, and how it is stored. It is pure, and fuzzed.
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

// SafeFile makes a safe file name of what a sender calls its file, as GitLab
// does: the last part of the path, every character but those of words, in whichever
// script, and ".+-" an underscore.
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
	case len(name) > maxFile: // the end tells its type
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
