package ui

import (
	"math"
	"regexp"
	"strconv"
	"testing"
)

// TestContrast holds the colours of the stylesheet to WCAG 2.2: 4.5 to 1 for words, 3 to 1
// for the edges of fields, for focus and for data.
func TestContrast(t *testing.T) {
	css, err := assetFiles.ReadFile("assets/granary.css")
	if err != nil {
		t.Fatal(err)
	}
	themes := []map[string]float64{{}, {}} // luminance by token, light and dark
	for _, m := range regexp.MustCompile(`--([a-z0-9-]+):\s*light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)`).FindAllStringSubmatch(string(css), -1) {
		themes[0][m[1]], themes[1][m[1]] = luminance(t, m[2]), luminance(t, m[3])
	}
	const words, shapes = 4.5, 3
	for _, tc := range []struct {
		least float64
		front string
		backs []string
	}{
		{words, "ink", []string{"paper", "raised", "sunk", "leaf-bg", "bad-bg", "warn-bg"}},
		{words, "soft", []string{"paper", "raised", "sunk", "leaf-bg"}},
		{words, "leaf", []string{"paper", "raised", "sunk", "leaf-bg", "bad-bg"}},
		{words, "leaf-on", []string{"leaf"}},
		{words, "warn", []string{"paper", "raised", "warn-bg"}},
		{words, "bad", []string{"paper", "raised", "sunk", "bad-bg"}},
		{shapes, "edge", []string{"paper", "raised"}},
		{shapes, "leaf", []string{"paper", "raised", "sunk"}},
		{shapes, "grain", []string{"paper", "raised", "sunk"}},
		{shapes, "bad", []string{"paper"}},
	} {
		for theme, colours := range themes {
			for _, back := range tc.backs {
				a, known := colours[tc.front]
				b, knownToo := colours[back]
				if !known || !knownToo {
					t.Fatalf("the stylesheet has no --%s or --%s", tc.front, back)
				}
				if got := (math.Max(a, b) + 0.05) / (math.Min(a, b) + 0.05); got < tc.least {
					t.Errorf("%s: --%s on --%s is %.2f to 1, want %.1f", []string{"light", "dark"}[theme], tc.front, back, got, tc.least)
				}
			}
		}
	}
}

// luminance is WCAG's relative luminance of #rrggbb.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(colour[1:], 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(n>>(16-8*i)&0xff) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
