package versions

import (
	"bytes"
	"strings"
)

// Selector chooses one of the versions of a package. Exactly one of its parts is set.
type Selector struct {
	Latest  bool   // the highest stable version, or else the highest pre-release
	Channel string // the version of a channel of this name
	Range   *Range // the highest stable version in it
}

// Range is the stable versions whose Key is From or above, and below Below.
type Range struct{ From, Below []byte }

// Semantic is the range of all semantic versions, if pre-releases are taken for stable.
func Semantic() Range { return Range{[]byte{semanticKind}, []byte{semanticKind + 1}} }

// ParseSelector reads one of
//
//	latest
//	^1.4.2  ^1.4  ^1  ^0.3    compatible versions: the first number above zero stays
//	~1.4.2  ~1.4  ~1          the second number stays, or the first if it is the only one
//	1.x  1.4.x                versions that begin so
//	@stable                   a channel: a letter, then up to 62 letters, digits and hyphens
//
// Letters are lower case, and numbers of any length. It reports false for any other text.
func ParseSelector(text string) (s Selector, ok bool) {
	if text == "latest" {
		return Selector{Latest: true}, true
	}
	if name, is := strings.CutPrefix(text, "@"); is {
		return Selector{Channel: name}, IsChannel(name)
	}
	begins, isPrefix := strings.CutSuffix(text, ".x")
	caret := strings.HasPrefix(text, "^")
	if !isPrefix && !caret && !strings.HasPrefix(text, "~") {
		return Selector{}, false
	}
	if !isPrefix {
		begins = strings.TrimLeft(text, "^~")
	}
	v, ok := parse(begins)
	switch {
	case !ok, len(v.pre) > 0, strings.ContainsAny(begins, "v+"):
		return Selector{}, false
	case isPrefix && v.given < 3:
		return ranging(v, v.given), true
	case isPrefix || len(text) != len(begins)+1:
		return Selector{}, false
	case caret:
		return ranging(v, min(v.firstAboveZero()+1, v.given)), true
	}
	return ranging(v, min(2, v.given)), true
}

// IsChannel reports whether a channel may have this name.
func IsChannel(name string) bool {
	for i, c := range []byte(name) {
		if (c < 'a' || 'z' < c) && (i == 0 || c != '-' && (c < '0' || '9' < c)) {
			return false
		}
	}
	return name != "" && len(name) <= 63
}

// ranging selects versions from v on in which the first numbers stay as they are.
func ranging(v semantic, stay int) Selector {
	from := append(v.prefix(len(v.numbers)), release)
	next := v
	next.numbers[stay-1] = increment(v.numbers[stay-1])
	return Selector{Range: &Range{from, next.prefix(stay)}}
}

func (v semantic) firstAboveZero() int {
	for i, n := range v.numbers {
		if n != "0" {
			return i
		}
	}
	return len(v.numbers) - 1
}

// increment adds one to a number of any length.
func increment(digits string) string {
	nines := len(digits) - len(strings.TrimRight(digits, "9"))
	zeros := strings.Repeat("0", nines)
	if nines == len(digits) {
		return "1" + zeros
	}
	last := len(digits) - nines - 1
	return digits[:last] + string(digits[last]+1) + zeros
}

// Contains reports whether a version is a stable one in the range.
func (r Range) Contains(version string) bool { return !IsPreRelease(version) && r.Has(Key(version)) }

// Has reports whether a key is in the range.
func (r Range) Has(key []byte) bool {
	return bytes.Compare(r.From, key) <= 0 && bytes.Compare(key, r.Below) < 0
}
