package ui

import (
	"fmt"
	"html/template"
	"reflect"
	"strconv"
	"time"

	"granary/internal/access"
)

// words are the functions with which templates write numbers, times and nouns.
func words(now func() time.Time) template.FuncMap {
	return template.FuncMap{
		"when":  func(t time.Time) template.HTML { return when(t, now()) },
		"exact": exact,
		"size":  func(bytes any) (string, error) { return write(bytes, size) },
		"count": func(n any) (string, error) { return write(n, count) },
		"plural": func(n any, one, many string) (string, error) {
			return write(n, func(n int64) string { return plural(n, one, many) })
		},
		"role":       access.Role.String,
		"visibility": visibilityWord,
		"scope":      scopeWords,
	}
}

// write writes an integer of any type, because templates do not convert them.
func write(n any, in func(int64) string) (string, error) {
	v := reflect.ValueOf(n)
	if !v.CanInt() {
		return "", fmt.Errorf("%v is a %T, not an integer", n, n)
	}
	return in(v.Int()), nil
}

// when is a time as pages show it: how long ago, with the exact time as a title. It is made
// here, since a list has one a row, and each value that a template writes costs it a
// microsecond.
func when(t, now time.Time) template.HTML {
	if t.IsZero() {
		return "never"
	}
	return template.HTML(`<time datetime="` + iso(t) + `" title="` + exact(t) + `">` + ago(t, now) + `</time>`) //nolint:gosec // of numbers and words of ours
}

// ago is the time between t and now in one unit, as "3 days ago" or "in 4 days". Days are
// of 24 hours, months of 30 days. A time within a minute is "just now" in both directions,
// because clocks differ; the zero time is "never".
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	before, after, gap := "", " ago", now.Sub(t)
	if gap < 0 {
		before, after, gap = "in ", "", -gap
	}
	const day = 24 * time.Hour
	for _, unit := range []struct {
		from, length time.Duration
		name         string
	}{
		{2 * 365 * day, 365 * day, "year"},
		{365 * day, 0, "a year"},
		{60 * day, 30 * day, "month"},
		{14 * day, 7 * day, "week"},
		{day, day, "day"},
		{time.Hour, time.Hour, "hour"},
		{time.Minute, time.Minute, "minute"},
	} {
		switch {
		case gap < unit.from:
		case unit.length == 0:
			return before + unit.name + after
		default:
			return before + plural(int64(gap/unit.length), unit.name, unit.name+"s") + after
		}
	}
	return "just now"
}

// exact is a time to the minute, in UTC; "" for the zero time.
func exact(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2 Jan 2006, 15:04 MST")
}

// iso is a time as the attribute datetime has it, in UTC; "" for the zero time.
func iso(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// size is a number of bytes with at most three digits: "412 B", "18.2 MiB", "412 GiB".
func size(bytes int64) string {
	const step = 1024
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	value, unit := float64(bytes), 0
	for value >= step-0.5 && unit < len(units)-1 { // 1023.5 would be rounded to 1024
		value, unit = value/step, unit+1
	}
	decimals := 0
	if unit > 0 && value < 99.95 {
		decimals = 1
	}
	return strconv.FormatFloat(value, 'f', decimals, 64) + " " + units[unit]
}

// count is a number with a comma between groups of three digits.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// plural is the number with the noun: "1 file", "2,104 files".
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// visibilityWord is GitLab's word.
func visibilityWord(v access.Visibility) string {
	switch v {
	case access.Public:
		return "public"
	case access.Internal:
		return "internal"
	}
	return "private"
}

// scopeWords says what a token of the scope can do. A scope that has no effect here says
// so.
func scopeWords(s access.Scope) string {
	switch s {
	case access.ScopeAPI:
		return "Publish, install, delete, administer"
	case access.ScopeReadAPI:
		return "Lists, packages and downloads of what its user can see"
	case access.ScopeReadUser:
		return "Its user's name and address, nothing else"
	case access.ScopeSelfRotate:
		return "Replaces itself before it expires"
	case access.ScopeSudo:
		return "Acts as any user, if its user is an administrator"
	case access.ScopeReadPackage:
		return "Installs packages"
	case access.ScopeWritePackage:
		return "Publishes packages"
	}
	return "Has no effect here"
}
