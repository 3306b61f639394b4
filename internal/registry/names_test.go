package registry_test

import (
	"slices"
	"strings"
	"testing"

	"granary/internal/registry"
)

// TestParseNameFilter: words are terms, a phrase in quotes between spaces is one term,
// any other quote is a character (contract rest-api A1).
func TestParseNameFilter(t *testing.T) {
	for text, want := range map[string][]string{
		"":                      nil,
		" \t ":                  nil,
		"tool":                  {"tool"},
		"tool x":                {"tool", "x"},
		" tool\t x ":            {"tool", "x"},
		`"tool x"`:              {"tool x"},
		`a "tool x" b`:          {"a", "b", "tool x"},
		`"a b" "c d"`:           {"a b", "c d"},
		`x"tool x"`:             {`x"tool`, `x"`},
		`"tool x"y`:             {`"tool`, `x"y`},
		`"tool`:                 {`"tool`},
		`""`:                    {`""`},
		"a a A":                 {"a", "A"},
		"100% under_score \\":   {"100%", "under_score", "\\"},
		"\u00a0tool\u2003x\x00": {"tool", "x\x00"},
	} {
		got, err := registry.ParseNameFilter(text)
		if err != nil || !slices.Equal(got.Terms, want) {
			t.Errorf("%q: %q %v, want %q", text, got.Terms, err, want)
		}
	}
	if _, err := registry.ParseNameFilter(manyWords(101)); err == nil {
		t.Error("101 terms pass")
	}
}

func manyWords(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("x", i+1) + " ")
	}
	return b.String()
}

// FuzzParseNameFilter: terms are parts of the text, none is empty or repeated, and
// only white space and quotes are lost.
func FuzzParseNameFilter(f *testing.F) {
	for _, seed := range []string{`tool "a b" x`, `"`, `""`, `" "`, "a\x00 \xff", `"a" "b`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := registry.ParseNameFilter(text)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, term := range filter.Terms {
			if term == "" || seen[term] {
				t.Errorf("%q: terms %q", text, filter.Terms)
			}
			seen[term] = true
		}
		for _, word := range strings.Fields(text) {
			bare := strings.Trim(word, `"`)
			if bare != "" && !slices.ContainsFunc(filter.Terms, func(term string) bool { return strings.Contains(term, bare) }) {
				t.Errorf("%q: %q is lost in %q", text, word, filter.Terms)
			}
		}
	})
}
