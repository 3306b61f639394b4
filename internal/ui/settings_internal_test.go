package ui

import (
	"math"
	"strings"
	"testing"

	"granary/internal/naming"
)

// TestNamingExamples: what the page says of each naming is so.
func TestNamingExamples(t *testing.T) {
	for i, example := range namingExamples() {
		parts := strings.SplitN(example.File, "/", 3)
		raw := naming.Raw{Name: parts[0], Version: parts[1], File: parts[2]}
		for _, grammar := range []naming.Grammar{naming.Strict, naming.Relaxed} {
			_, err := naming.Parse(grammar, raw)
			if want := i == 0 || grammar == naming.Relaxed; (err == nil) != want {
				t.Errorf("%s takes %s: %v, want %v", grammar, example.File, err, want)
			}
		}
	}
}

// TestSizes: a limit is read as it is shown, to the byte.
func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "1": 1, "500 MiB": 500 << 20, "2GiB": 2 << 30, "3 tib": 3 << 40, "1023 B": 1023, "7 KiB": 7 << 10} {
		if got, ok := parseSize(text); !ok || got != want {
			t.Errorf("%q: %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5 GiB", "9223372036854775808", "9223372036854775807 KiB", "1 GB", "1 G i B", "0x10"} {
		if got, ok := parseSize(text); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
	for _, n := range []int64{0, 1, 1023, 1024, 1025, 500 << 20, 5<<30 + 1, 1 << 50, math.MaxInt64} {
		if got, ok := parseSize(limitText(&n)); !ok || got != n {
			t.Errorf("%d is shown as %q, which is %d", n, limitText(&n), got)
		}
	}
}
