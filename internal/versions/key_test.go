package versions

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
)

// Each is below the next; those of one line are equal.
func TestOrder(t *testing.T) {
	lines := []string{
		"", "-", "1.2.3.4", "1.2.3.10", "build-2", "build-10", "build-10a", "latest", "1.0.0-01",
		"0.0.0-0", "0 0.0 00.0.0",
		"1.0.0-1 v1-1", "1.0.0-2", "1.0.0-10", "1.0.0-99999999999999999999999999999999999999", "1.0.0-A", "1.0.0-a",
		"1.0.0-a.1 1.0.0-a.1+b.01", "1.0.0-a.1.1", "1.0.0-a.b", "1.0.0-aa", "1.0.0-rc", "1.0.0-rc-1",
		"1.0.0 1 1.0 v1.0.0 01.0.0 1.0.0+build", "1.0.1", "1.2.0", "1.10.0-a", "1.10.0",
		"9.0.0", "10.0.0", "18446744073709551615.0.0", "123456789012345678901234567890.0.0",
	}
	semantic := slices.Index(lines, "0.0.0-0")
	slices.SortStableFunc(lines[:semantic], func(a, b string) int { return bytes.Compare(Key(a), Key(b)) })
	if got, want := strings.Join(lines[:semantic], " "), " - 1.0.0-01 1.2.3.4 1.2.3.10 build-2 build-10 build-10a latest"; got != want {
		t.Errorf("no semantic versions: %q, want %q", got, want)
	}
	for i, line := range lines {
		for _, a := range strings.Split(line, " ") {
			if IsSemantic(a) != (i >= semantic) {
				t.Errorf("IsSemantic(%q) = %v", a, IsSemantic(a))
			}
			for j, other := range lines {
				for _, b := range strings.Split(other, " ") {
					if got := bytes.Compare(Key(a), Key(b)); got != cmp.Compare(i, j) {
						t.Errorf("%q against %q: %d, want %d", a, b, got, cmp.Compare(i, j))
					}
				}
			}
		}
	}
	for _, bad := range []string{"1.2.3-", "1.2.3+", "1..2", "1.x", "V1", " 1", "1.2.3-a..b", "1.2.3-a_b", "1.2.3-é", strings.Repeat("1", 256)} {
		if IsSemantic(bad) {
			t.Errorf("%q is taken for a semantic version", bad)
		}
	}
	if !IsPreRelease("1-a") || IsPreRelease("1+a-b") || IsPreRelease("a-b") {
		t.Error("pre-releases are mistaken")
	}
}

// Keys sort as Masterminds/semver does, which knows no number above 64 bits.
func FuzzKey(f *testing.F) {
	for _, s := range []string{"1.2.3", "v1.2", "1.2.3-a.1+b", "1.2.3-1", "01.2.3", "1.2.3.4", "1.2.3-01", "build-10", "1.2.3-a-b.c"} {
		f.Add(s, "1.2.3-a.2")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 256 || len(b) > 256 {
			t.Skip("Masterminds/semver reads no longer ones")
		}
		x, failed := semver.NewVersion(a)
		y, failedToo := semver.NewVersion(b)
		if IsSemantic(a) != (failed == nil) && !hasHugeNumber(a) {
			t.Errorf("IsSemantic(%q) = %v: %v", a, IsSemantic(a), failed)
		}
		got := bytes.Compare(Key(a), Key(b))
		if got != -bytes.Compare(Key(b), Key(a)) {
			t.Errorf("%q and %q have no order", a, b)
		}
		if failed == nil && failedToo == nil && got != x.Compare(y) {
			t.Errorf("%q against %q: %d, want %d", a, b, got, x.Compare(y))
		}
		if failed == nil && IsPreRelease(a) != (x.Prerelease() != "") {
			t.Errorf("IsPreRelease(%q) = %v", a, IsPreRelease(a))
		}
	})
}

// hasHugeNumber reports a run of digits that may be above what Masterminds/semver reads.
func hasHugeNumber(s string) bool {
	digits := len(fmt.Sprint(uint64(math.MaxUint64)))
	return slices.ContainsFunc(strings.FieldsFunc(s, func(r rune) bool { return !isDigit(r) }), func(run string) bool { return len(run) >= digits })
}
