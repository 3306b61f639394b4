package registry

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDownloadsBetweenFlushesAreBounded: of the noted downloads of a version all count, and
// the last is known.
func TestDownloadsBetweenFlushesAreBounded(t *testing.T) {
	now := time.Unix(1, 0)
	r := &Registry{Now: func() time.Time { return now }}
	for id := range int64(2 * downloadsMost) {
		r.Downloaded(File{PackageID: id})
	}
	now = now.Add(time.Second)
	r.Downloaded(File{PackageID: 7})
	noted := r.downloads.noted
	if want := (Downloads{now, 2}); len(noted) != downloadsMost || noted[PackageDay{7, 0}] != want {
		t.Errorf("%d versions were noted, the seventh as %v, want %v", len(noted), noted[PackageDay{7, 0}], want)
	}
}

// touched fails once after some calls, and adds up what it gets.
type touched struct {
	Records
	after int
	err   error
	all   map[PackageDay]Downloads
}

func (r *touched) TouchDownloads(_ context.Context, all map[PackageDay]Downloads) error {
	if r.after--; r.after == -1 {
		return r.err
	}
	for of, n := range all {
		n.Count += r.all[of].Count
		r.all[of] = n
	}
	return nil
}

// If a flush fails, the next one records what was not recorded, with what came since.
func TestDownloadsWaitForTheNextFlush(t *testing.T) {
	away := errors.New("away")
	records := &touched{after: 1, err: away, all: map[PackageDay]Downloads{}}
	now := time.Unix(1, 0)
	r := &Registry{Records: records, Now: func() time.Time { return now }}
	want := map[PackageDay]Downloads{}
	for id := range int64(2*flushedAtOnce + 7) {
		r.Downloaded(File{PackageID: id})
		want[PackageDay{id, 0}] = Downloads{now, 1}
	}
	if err := r.Flush(t.Context()); !errors.Is(err, away) || len(records.all) != flushedAtOnce {
		t.Fatalf("%d versions were recorded, %v", len(records.all), err)
	}
	now = time.Unix(2*24*60*60, 0)
	r.Downloaded(File{PackageID: 3})
	want[PackageDay{3, 2}] = Downloads{now, 1}
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, records.all); diff != "" {
		t.Errorf("-want +recorded:\n%s", diff)
	}
	if last, n := r.unrecorded(3); last != nil || n != 0 {
		t.Errorf("%d downloads are left, the last at %v", n, last)
	}
}

// Days that are long ago are those of whole months.
func TestDaysFrom(t *testing.T) {
	day := func(text string) Day {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return DayOf(at)
	}
	today := day("2026-12-01")
	if got := daysFrom(today-2, today); !slices.Equal(got, []Day{today - 2, today - 1, today}) {
		t.Errorf("%v", got)
	}
	if got := daysFrom(today+1, today); len(got) != 0 {
		t.Errorf("%v are after today", got)
	}
	got := daysFrom(day("2025-07-15"), today)
	months := []Day{day("2025-07-01"), day("2025-08-01"), day("2025-09-01")}
	if first := day("2025-10-01"); !slices.Equal(got[:3], months) || got[3] != first || len(got) != 3+int(today-first)+1 {
		t.Errorf("%v", got[:5])
	}
	all := map[Day]bool{}
	for _, d := range daysFrom(0, today) {
		all[d] = true
	}
	if len(all) != len(daysFrom(0, today)) || !slices.IsSorted(daysFrom(0, today)) {
		t.Errorf("a day is told twice: %v", slices.Sorted(maps.Keys(all)))
	}
}
