package client

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// RangeError is a range of versions that cannot be parsed: the user's mistake.
type RangeError struct {
	Range string
	Err   error // what is wrong with it
}

// Error names the range, and what is wrong with it.
func (e *RangeError) Error() string {
	return fmt.Sprintf("%q is not a range of versions: %v", e.Range, e.Err)
}

// Unwrap is what is wrong with the range.
func (e *RangeError) Unwrap() error { return e.Err }

// constraint reads a range.
func constraint(version string, pre bool) (*semver.Constraints, error) {
	for either := range strings.SplitSeq(version, "||") {
		if err := checkBounds(either); err != nil {
			return nil, &RangeError{version, err}
		}
	}
	rule, err := semver.NewConstraint(boundZero(version))
	if err != nil {
		return nil, &RangeError{version, err}
	}
	rule.IncludePrerelease = pre
	return rule, nil
}

// boundZero writes ~0.0.0 in other words. The library takes it for any version, 9.9.9 as
// well (findings/semver-tilde-zero.sh).
func boundZero(text string) string {
	return regexp.MustCompile(`~>?\s*(v?0+\.0+\.0+(?:[-+][0-9A-Za-z.+-]+)?)`).ReplaceAllString(text, ">=$1 <0.1.0")
}

// checkBounds wants a version, full or partial, behind every operator, and between "or"
// something at all. The library takes x and nothing for any version: with a slip of the
// finger a range would have every version in it, and all of them may be about to be
// deleted. The one way to say all is * alone.
func checkBounds(text string) error {
	const (
		operator = `(?:!=|>=|=>|<=|=<|~>|[=<>~^])\s*`
		number   = `v?\d+(?:\.\d+){0,2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?`
		open     = `v?\d+(?:\.\d+)?(?:\.[xX*]){1,2}` // 1.x, 1.2.*
		version  = `(?:` + open + `|` + number + `)`
		bound    = `(?:` + version + `\s+-\s+` + version + `|(?:` + operator + `)?` + version + `)`
		bounds   = `\A\s*(?:\*|` + bound + `(?:(?:\s*,\s*|\s+)` + bound + `)*)\s*\z`
	)
	switch {
	case strings.TrimSpace(text) == "":
		return fmt.Errorf("one side of || is empty")
	case !regexp.MustCompile(bounds).MatchString(text):
		return fmt.Errorf("%q lacks a version; want such as >=1.2 <2, ^1.4, ~1.4.2, 1.x, or * for all", strings.TrimSpace(text))
	}
	return nil
}
