package proof

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// TestParseListing: a listing is read in any order, and what other systems write is
// refused with the line.
func TestParseListing(t *testing.T) {
	files := filesOf("a", "b/c", "z z")
	text := Manifest(files)
	lines := bytes.SplitAfter(text, []byte("\n"))
	got, err := ParseListing(slices.Concat(lines[2], lines[0], lines[1]))
	if err != nil || !bytes.Equal(Manifest(got), text) {
		t.Errorf("%v: %v", got, err)
	}
	if got, err := ParseListing(bytes.TrimSuffix(text, []byte("\n"))); err != nil || len(got) != 3 {
		t.Errorf("without the last line feed: %v, %v", got, err)
	}
	first := string(lines[0])
	for bad, want := range map[string]string{
		"": "is empty",
		strings.ReplaceAll(string(text), "\n", "\r\n"): "line 1 of the listing ends with CR LF",
		strings.Replace(first, "  ", " *", 1):          "the mark * of binary mode",
		first + first:                                  `line 2 of the listing has the path "a" of line 1`,
		`\` + first:                                    "escaped",
		first + "\n":                                   "line 2 of the listing is no line of sha256sum",
		strings.ToUpper(first):                         "lower case",
		strings.Replace(first, "  ", "\t ", 1):         "two blanks",
		first[:len(first)-2] + "../a\n":                `has a path that has the part ".."`,
		first[:len(first)-2] + "-\n":                   "standard input",
		first[:len(first)-2] + "\xff\n":                "is not UTF-8",
		strings.Repeat(first, MaxFiles+1):              "line 2 ",
	} {
		if got, err := ParseListing([]byte(bad)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v, %v; want %s", bad, got, err, want)
		}
	}
}
