// Package versions is the order of versions, and which of them a selector names. Server
// and client share it, so that there is one order.
package versions

import (
	"slices"
	"strings"
)

// Kinds of versions, the first byte of a Key.
const (
	otherKind    = 1 // in natural order, below every semantic version
	semanticKind = 2
)

// What follows the three numbers of a semantic version in its Key.
const (
	preRelease = 1
	release    = 2
)

// Kinds of pre-release identifiers in a Key.
const (
	endOfIdentifiers = 0
	numeric          = 1
	alphanumeric     = 2
)

// Key is a version as bytes that compare as semver.org orders versions (rule 11).
// Versions of equal precedence, such as 1.0, 1.0.0 and 1.0.0+build, have one key. A text
// that is no semantic version has a key, too: such texts come first, with numbers in
// them compared as numbers.
//
// A semantic version is one to three numbers of any length, with a leading v or not,
// perhaps a pre-release and a build. Leading zeros of the three numbers do not count.
func Key(version string) []byte {
	key, _ := KeyAndKind(version)
	return key
}

// KeyAndKind is Key, and whether the version is a pre-release, as IsPreRelease says.
func KeyAndKind(version string) (key []byte, pre bool) {
	v, ok := parse(version)
	if !ok {
		return natural(version), false
	}
	key = v.prefix(len(v.numbers))
	if len(v.pre) == 0 {
		return append(key, release), false
	}
	key = append(key, preRelease)
	for _, identifier := range v.pre {
		if isNumber(identifier) {
			key = appendNumber(append(key, numeric), identifier)
		} else {
			key = append(append(append(key, alphanumeric), identifier...), 0)
		}
	}
	return append(key, endOfIdentifiers), true
}

// IsSemantic reports whether a text is a semantic version, as Key takes it.
func IsSemantic(version string) bool {
	_, ok := parse(version)
	return ok
}

// IsPreRelease reports whether a text is a semantic version with a pre-release.
func IsPreRelease(version string) bool {
	v, ok := parse(version)
	return ok && len(v.pre) > 0
}

// Major is the first number of a semantic version; "" of any other text. The selector "1.x"
// is for those whose Major is "1".
func Major(version string) string {
	v, ok := parse(version)
	if !ok {
		return ""
	}
	return v.numbers[0]
}

// semantic is a version of numbers without leading zeros.
type semantic struct {
	numbers [3]string
	given   int // how many of the numbers the text has
	pre     []string
}

func parse(text string) (v semantic, ok bool) {
	rest, build, hasBuild := strings.Cut(strings.TrimPrefix(text, "v"), "+")
	if hasBuild && !all(strings.Split(build, "."), isIdentifier) {
		return v, false
	}
	core, pre, hasPre := strings.Cut(rest, "-")
	if hasPre {
		v.pre = strings.Split(pre, ".")
		if !all(v.pre, isPreReleaseIdentifier) {
			return v, false
		}
	}
	v.numbers = [3]string{"0", "0", "0"}
	for more := true; more; v.given++ {
		var number string
		number, core, more = strings.Cut(core, ".")
		if v.given == len(v.numbers) || !isNumber(number) {
			return v, false
		}
		v.numbers[v.given] = withoutZeros(number)
	}
	return v, true
}

// prefix is how the keys begin of all versions with the same first numbers.
func (v semantic) prefix(numbers int) []byte {
	key := append(make([]byte, 0, 16), semanticKind)
	for _, n := range v.numbers[:numbers] {
		key = appendNumber(key, n)
	}
	return key
}

// maxDigits is how many digits a number may have: its length is one byte of a key.
const maxDigits = 255

func appendNumber(key []byte, digits string) []byte {
	return append(append(key, byte(len(digits))), digits...) //nolint:gosec // maxDigits at most
}

// natural is the key of a text that is no semantic version.
func natural(text string) []byte {
	key := []byte{otherKind}
	for text != "" {
		end := strings.IndexFunc(text, func(r rune) bool { return !isDigit(r) })
		if end < 0 {
			end = len(text)
		}
		if end = min(end, maxDigits); end > 0 {
			key = appendNumber(append(key, '0'), withoutZeros(text[:end])) // sorts where digits sort
		} else {
			end = 1
			key = append(key, text[0])
		}
		text = text[end:]
	}
	return key
}

func all(texts []string, is func(string) bool) bool {
	return !slices.ContainsFunc(texts, func(s string) bool { return !is(s) })
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || '9' < s[i] {
			return false
		}
	}
	return s != "" && len(s) <= maxDigits
}

func isIdentifier(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !isDigit(r) && (r < 'a' || 'z' < r) && (r < 'A' || 'Z' < r) && r != '-'
	}) < 0
}

// isPreReleaseIdentifier is isIdentifier without numbers that begin with a zero.
func isPreReleaseIdentifier(s string) bool {
	return isIdentifier(s) && (len(s) == 1 || s[0] != '0' || !isNumber(s))
}

func withoutZeros(digits string) string {
	if s := strings.TrimLeft(digits, "0"); s != "" {
		return s
	}
	return "0"
}
