package releases

import (
	"slices"
	"testing"
)

// TestCompareVersions holds the order of pairs, both ways, and of a whole list.
func TestCompareVersions(t *testing.T) {
	sorted := []string{
		"0.9", "v1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-rc.2", "1.0.0-rc.10", "1.0.0", "v1.0.0", "v1.0.0+build", "1.0.0.1",
		"1.0.1-rc", "v1.0.1", "v1.2", "1.9.0", "v1.10.0-rc1", "1.10.0", "v01.11", "1.99999999999999999999999", "1.100000000000000000000000",
		"2", "app/v1.9", "app/v1.10", "nightly-2", "nightly-10", "nightly", "version",
	}
	got := slices.Clone(sorted)
	slices.Reverse(got)
	slices.SortFunc(got, CompareVersions)
	if !slices.Equal(got, sorted) {
		t.Errorf("got  %q\nwant %q", got, sorted)
	}
	for i, a := range sorted {
		for j, b := range sorted {
			if c := CompareVersions(a, b); (c < 0) != (i < j) || (c == 0) != (i == j) {
				t.Errorf("CompareVersions(%q, %q) = %d", a, b, c)
			}
		}
	}
}
