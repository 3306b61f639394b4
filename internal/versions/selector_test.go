package versions

import (
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
)

func TestSelectors(t *testing.T) {
	for _, tt := range []struct{ text, in, out string }{
		{"^1.4.2", "1.4.2 v1.4.3 1.5 1.99.0 1.4.2+b", "1.4.1 2.0.0 2.0.0-a 1.5.0-a 1.4.2-a 0.1 build-1"},
		{"^1.4", "1.4 1.4.0 1.9", "1.3.9 2"},
		{"^1", "1 1.0.0 1.9.9", "0.9 2.0.0 2-a"},
		{"^0.3", "0.3 0.3.9", "0.4 0.2.9 1"},
		{"^0.3.1", "0.3.1 0.3.9", "0.3 0.4"},
		{"^0.0.3", "0.0.3", "0.0.4 0.0.2"},
		{"^0.0", "0.0.0 0.0.9", "0.1"},
		{"^0", "0 0.9.9", "1"},
		{"~1.4.2", "1.4.2 1.4.9", "1.4.1 1.5"},
		{"~1.4", "1.4 1.4.9", "1.3.9 1.5"},
		{"~1", "1 1.9", "2 0.9"},
		{"1.x", "1 1.9.9", "0.9 2 2.0.0-a 1.0.0-a"},
		{"1.4.x", "1.4.0 1.4.9", "1.5 1.3.9"},
		{"9.x", "9.0.0 9.99", "10.0.0"},
		{"^99999999999999999999999999999", "99999999999999999999999999999.1", "100000000000000000000000000000"},
		{"^01.2", "1.2 1.3", "1.1 2"},
	} {
		s, ok := ParseSelector(tt.text)
		if !ok || s.Range == nil || s.Latest || s.Channel != "" {
			t.Errorf("%q: %+v, %v", tt.text, s, ok)
			continue
		}
		for _, v := range strings.Fields(tt.in) {
			if !s.Range.Contains(v) {
				t.Errorf("%s is not in %s", v, tt.text)
			}
		}
		for _, v := range strings.Fields(tt.out) {
			if s.Range.Contains(v) {
				t.Errorf("%s is in %s", v, tt.text)
			}
		}
	}
	if s, ok := ParseSelector("latest"); !ok || s != (Selector{Latest: true}) {
		t.Errorf("latest: %+v, %v", s, ok)
	}
	longest := "a" + strings.Repeat("9", 62)
	for _, name := range []string{"stable", "a", "a-1", longest} {
		if s, ok := ParseSelector("@" + name); !ok || s != (Selector{Channel: name}) {
			t.Errorf("@%s: %+v, %v", name, s, ok)
		}
	}
	for _, bad := range []string{
		"", "1.4", "1.4.2", "v1.x", "^v1", "^", "~", "x", "1.x.x", "1.4.2.x", "1.X", "1.*", "^1.x", "~1.x", "^^1", "~~1", "^~1", ">=1", "^1.4.2.3", "^1-a", "^1+b", "^ 1",
		"Latest", "@", "@1", "@Stable", "@a_b", "@a\n", "@" + longest + "a", "^" + strings.Repeat("1", 256),
	} {
		if s, ok := ParseSelector(bad); ok {
			t.Errorf("%q: %+v", bad, s)
		}
	}
}

// Ranges contain what those of Masterminds/semver contain: all selectors and versions of
// small numbers.
func TestRangesAgainstMasterminds(t *testing.T) {
	small := []string{"0", "1", "2", "3"}
	selectors, texts := []string{}, []string{}
	for _, a := range small {
		selectors = append(selectors, "^"+a, "~"+a, a+".x")
		for _, b := range small {
			selectors = append(selectors, "^"+a+"."+b, "~"+a+"."+b, a+"."+b+".x")
			for _, c := range small {
				v := a + "." + b + "." + c
				selectors, texts = append(selectors, "^"+v, "~"+v), append(texts, v, v+"-a", v+"+b")
			}
		}
	}
	for _, text := range selectors {
		if text == "~0.0.0" {
			continue // Masterminds/semver takes it for any version, npm for those below 0.1.0
		}
		s, ok := ParseSelector(text)
		rule, err := semver.NewConstraint(text)
		if !ok || err != nil {
			t.Fatalf("%q: %v, %v", text, ok, err)
		}
		for _, version := range texts {
			if got, want := s.Range.Contains(version), rule.Check(semver.MustParse(version)); got != want {
				t.Errorf("%s in %s: %v, want %v", version, text, got, want)
			}
		}
	}
}
