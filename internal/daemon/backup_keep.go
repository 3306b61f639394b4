package daemon

import (
	"slices"
	"time"
)

// keepBackups says how many days, weeks and months of backups are kept. The last of them
// that have a backup count, whether they follow each other or not.
type keepBackups struct{ daily, weekly, monthly int }

// choose returns which of the backups of these times are kept: the newest of each of the
// last days, weeks and months, in UTC, and the newest of all. Weeks begin on Monday.
func (k keepBackups) choose(times []time.Time) (keep []bool) {
	keep = make([]bool, len(times))
	newest := make([]int, len(times)) // indexes, the newest first
	for i := range newest {
		newest[i] = i
	}
	slices.SortStableFunc(newest, func(a, b int) int { return times[b].Compare(times[a]) })
	for i, at := range newest {
		keep[at] = i == 0
	}
	for _, rule := range []struct {
		most int
		of   func(time.Time) int
	}{{k.daily, dayOf}, {k.weekly, weekOf}, {k.monthly, monthOf}} {
		last, taken := 0, 0
		for _, at := range newest {
			if taken == rule.most {
				break
			}
			if span := rule.of(times[at].UTC()); taken == 0 || span != last {
				last, taken, keep[at] = span, taken+1, true
			}
		}
	}
	return keep
}

// Numbers that are the same for times of the same day, week or month.
func dayOf(t time.Time) int   { return t.Year()*1000 + t.YearDay() }
func monthOf(t time.Time) int { return t.Year()*100 + int(t.Month()) }
func weekOf(t time.Time) int {
	year, week := t.ISOWeek()
	return year*100 + week
}
