package daemon

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// KeepBackups says how many days, weeks and months of backups are kept. The last of them
// that have a backup count, whether they follow each other or not.
type KeepBackups struct{ Daily, Weekly, Monthly int }

// choose returns which of the backups of these times are kept: the newest of each of the
// last days, weeks and months, in UTC, and the newest of all. Weeks begin on Monday.
func (k KeepBackups) choose(times []time.Time) (keep []bool) {
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
	}{{k.Daily, dayOf}, {k.Weekly, weekOf}, {k.Monthly, monthOf}} {
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

// mayForget reports whether Keep may forget other snapshots, and says in Unfinished why not.
func (b *backup) mayForget() bool {
	switch {
	case b.done.Foreign != "": // which older ones are its own, nobody knows
		b.done.Unfinished = "no older snapshot is forgotten, because this database has not made the newest of them"
	case len(b.done.Damaged) > 0:
		s := b.done.Damaged[0]
		b.done.Unfinished = fmt.Sprintf("no older snapshot is forgotten: %v; %s", needsUnknown(s), s.Cure)
	}
	return b.done.Unfinished == ""
}

// forgetOthers removes the snapshots that Keep does not keep.
func (b *backup) forgetOthers(ctx context.Context, lock *placeLock) error {
	all, err := snapshotsIn(ctx, b.place.read)
	if err != nil {
		return err
	}
	gone := b.others(all)
	if len(gone) == 0 {
		return nil
	}
	if b.done.Gone, err = b.place.forget(ctx, lock, gone); err != nil {
		return fmt.Errorf("the snapshot %s is complete, but older ones are not all removed: %w", b.done.Manifest.ID, err)
	}
	return nil
}

// others are those of all snapshots that Keep does not keep. The one that was just made
// stays, also if the clock was ahead when older ones were made; and so does the newest of
// which no file was lost, for all that are newer lack some.
func (b *backup) others(all []Snapshot) (gone []string) {
	var there []Snapshot
	var times []time.Time
	newest := -1 // of those that lost nothing
	for _, s := range all {
		if s.Damage != "" {
			continue
		}
		if m := s.Manifest; m.Lost.Count == 0 && (newest < 0 || !m.Began.Before(times[newest])) {
			newest = len(there)
		}
		there, times = append(there, s), append(times, s.Manifest.Began)
	}
	for i, kept := range b.o.Keep.choose(times) {
		switch id := there[i].ID; {
		case kept || id == b.done.Manifest.ID:
		case i == newest:
			b.done.KeptWhole = id
		default:
			gone = append(gone, id)
		}
	}
	return gone
}
