package daemon

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Which backups are kept, by their times.
func TestKeepBackups(t *testing.T) {
	for name, c := range map[string]struct {
		keep  keepBackups
		there string // times, in any order
		want  string // the kept ones, in the order of there
	}{
		"none":                          {keepBackups{7, 5, 12}, "", ""},
		"the newest always":             {keepBackups{}, "01-02T03 01-03T03 01-01T03", "01-03T03"},
		"the newest of each day":        {keepBackups{daily: 2}, "01-01T05 01-02T01 01-02T23 01-03T04 01-03T03", "01-02T23 01-03T04"},
		"days without one do not count": {keepBackups{daily: 2}, "01-01T05 02-01T05 03-01T05", "02-01T05 03-01T05"},
		"a week begins on Monday":       {keepBackups{weekly: 2}, "01-11T05 01-12T05 01-18T23 01-19T00", "01-18T23 01-19T00"},
		"a week over the new year":      {keepBackups{weekly: 1}, "2025-12-29T05 2025-12-31T05 2026-01-01T05 2026-01-04T05", "2026-01-04T05"},
		"weeks of two years":            {keepBackups{weekly: 2}, "2025-12-28T05 2025-12-29T05 2026-01-04T05", "2025-12-28T05 2026-01-04T05"},
		"months":                        {keepBackups{monthly: 2}, "01-31T05 02-01T05 02-28T05 03-01T05", "02-28T05 03-01T05"},
		"the same month of two years":   {keepBackups{monthly: 3}, "2025-03-01T05 2026-03-01T05", "2025-03-01T05 2026-03-01T05"},
		"each rule by itself":           {keepBackups{2, 2, 2}, "01-15T05 02-27T05 03-02T05 03-03T05 03-08T05 03-09T05 03-10T05", "02-27T05 03-08T05 03-09T05 03-10T05"},
		"two of one moment":             {keepBackups{daily: 5}, "01-01T05 01-01T05", "01-01T05"},
		"by UTC":                        {keepBackups{daily: 2}, "2026-01-01T23:30:00-02:00 2026-01-02T05", "2026-01-02T05"},
	} {
		t.Run(name, func(t *testing.T) {
			there := strings.Fields(c.there)
			var times []time.Time
			for _, text := range there {
				times = append(times, whenOf(t, text))
			}
			var kept []string
			for i, keep := range c.keep.choose(times) {
				if keep {
					kept = append(kept, there[i])
				}
			}
			if want := strings.Fields(c.want); !slices.Equal(kept, want) {
				t.Errorf("kept %v, want %v", kept, want)
			}
		})
	}
}

// Each day a backup comes, and what is not kept goes: in the end there are those of the last
// days, weeks and months. A choice never brings less than the numbers say.
func TestKeepBackupsForYears(t *testing.T) {
	keep := keepBackups{7, 5, 12}
	var times []time.Time
	for day := range 1000 {
		times = append(times, whenOf(t, "2024-01-01T02").AddDate(0, 0, day))
		var left []time.Time
		for i, kept := range keep.choose(times) {
			if kept {
				left = append(left, times[i])
			}
		}
		times = left
	}
	months, days := map[int]bool{}, map[int]bool{}
	for _, at := range times {
		months[monthOf(at)], days[dayOf(at)] = true, true
	}
	for back := range 7 {
		if !days[dayOf(whenOf(t, "2024-01-01T02").AddDate(0, 0, 999-back))] {
			t.Errorf("the backup of %d days ago is gone", back)
		}
	}
	if len(months) != 12 || len(times) > 7+5+12 {
		t.Errorf("%d backups of %d months, want at most 24 of 12: %v", len(times), len(months), times)
	}
}

// whenOf is a time like 01-02T03, of 2026 unless it says the year, or a whole one.
func whenOf(t *testing.T, text string) time.Time {
	t.Helper()
	for _, layout := range []string{"01-02T15", "2006-01-02T15", time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			if at.Year() == 0 {
				at = at.AddDate(2026, 0, 0)
			}
			return at
		}
	}
	t.Fatal(text)
	return time.Time{}
}
