package ui

import (
	"html/template"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
)

func TestAgo(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	for _, tc := range []struct {
		before time.Duration
		want   string
	}{
		{0, "just now"},
		{59 * time.Second, "just now"},
		{-59 * time.Second, "just now"},
		{time.Minute, "1 minute ago"},
		{59*time.Minute + 59*time.Second, "59 minutes ago"},
		{time.Hour, "1 hour ago"},
		{day - time.Second, "23 hours ago"},
		{day, "1 day ago"},
		{3*day + 5*time.Hour, "3 days ago"},
		{14*day - time.Second, "13 days ago"},
		{14 * day, "2 weeks ago"},
		{60*day - time.Second, "8 weeks ago"},
		{60 * day, "2 months ago"},
		{365*day - time.Second, "12 months ago"},
		{365 * day, "a year ago"},
		{730 * day, "2 years ago"},
		{-4*day - time.Hour, "in 4 days"},
		{-400 * day, "in a year"},
	} {
		if got := ago(now.Add(-tc.before), now); got != tc.want {
			t.Errorf("%v before: %q, want %q", tc.before, got, tc.want)
		}
	}
	if got := ago(time.Time{}, now); got != "never" {
		t.Errorf("the zero time: %q", got)
	}
}

func TestExactTimesAreUTC(t *testing.T) {
	at := time.Date(2026, 11, 26, 15, 2, 11, 0, time.FixedZone("", 3600))
	if got := exact(at) + "|" + iso(at); got != "26 Nov 2026, 14:02 UTC|2026-11-26T14:02:11Z" {
		t.Error(got)
	}
	if got := exact(time.Time{}) + iso(time.Time{}); got != "" {
		t.Error(got)
	}
}

func TestSize(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0 B", 1: "1 B", 412: "412 B", 1023: "1023 B", 1024: "1.0 KiB",
		11571: "11.3 KiB", 102348: "99.9 KiB", 102349: "100 KiB", 102400: "100 KiB",
		1048063: "1023 KiB", 1048064: "1.0 MiB", 1048576: "1.0 MiB",
		412 << 20: "412 MiB", 5261334938: "4.9 GiB", 38 << 40: "38.0 TiB", 1<<63 - 1: "8.0 EiB",
	} {
		if got := size(bytes); got != want {
			t.Errorf("%d: %q, want %q", bytes, got, want)
		}
	}
}

func TestCountAndPlural(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 files", 1: "1 file", 2: "2 files", 999: "999 files", 1000: "1,000 files", 2104: "2,104 files",
		1234567: "1,234,567 files", -1000: "-1,000 files", -1 << 63: "-9,223,372,036,854,775,808 files",
	} {
		if got := plural(n, "file", "files"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// Templates reach every function by its name.
func TestWordsInTemplates(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	page := template.Must(template.New("").Funcs(words(func() time.Time { return now })).Parse(
		`{{when .At}}, {{exact .At}}, {{size .N}}, {{count .N}}, {{plural (len "ab") "file" "files"}}, {{role .Role}}, {{visibility .Seen}}, {{scope .Scope}}`))
	var b strings.Builder
	err := page.Execute(&b, struct {
		At    time.Time
		N     int64
		Role  access.Role
		Seen  access.Visibility
		Scope access.Scope
	}{now.Add(-72 * time.Hour), 2048, access.Developer, access.Internal, "read_registry"})
	want := `<time datetime="2026-11-26T12:00:00Z" title="26 Nov 2026, 12:00 UTC">3 days ago</time>, 26 Nov 2026, 12:00 UTC, 2.0 KiB, 2,048, 2 files, Developer, internal, Has no effect here`
	if err != nil || b.String() != want {
		t.Errorf("%v: %s", err, b.String())
	}
}
