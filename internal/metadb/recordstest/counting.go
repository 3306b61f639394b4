package recordstest

import (
	"testing"
	"time"

	"granary/internal/registry"
)

func counting() []promise {
	return []promise{
		{"NameDownloads", "adds up the versions of a name, or of a project, by day", testNameDownloads},
		{"VersionDownloads", "is of one version", testVersionDownloads},
		{"SumDownloads", "makes months of days, and loses none", testSumDownloads},
	}
}

// downloaded is that versions were downloaded so often on a day.
func (s *suite) downloaded(t *testing.T, day registry.Day, counts map[int64]int64) {
	t.Helper()
	all := map[registry.PackageDay]registry.Downloads{}
	for id, n := range counts {
		all[registry.PackageDay{PackageID: id, Day: day}] = registry.Downloads{Last: day.Time(), Count: n}
	}
	must(t, 0, s.TouchDownloads(t.Context(), all))
}

func testTouchDownloads(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	one, two := s.version(t, p.ID, "tool", "1", registry.StatusDefault), s.version(t, p.ID, "tool", "2", registry.StatusDefault)
	late := now()
	early := late.Add(-time.Hour)
	of := func(id int64) registry.PackageDay { return registry.PackageDay{PackageID: id, Day: 20000} }
	must(t, 0, s.TouchDownloads(t.Context(), map[registry.PackageDay]registry.Downloads{of(one.ID): {Last: late, Count: 2}}))
	must(t, 0, s.TouchDownloads(t.Context(), map[registry.PackageDay]registry.Downloads{ // as another server saw it
		of(one.ID): {Last: early, Count: 1}, of(two.ID): {Last: early, Count: 5}, of(1 << 40): {Last: early, Count: 1},
	}))
	for id, want := range map[int64]registry.Downloads{one.ID: {Last: late, Count: 3}, two.ID: {Last: early, Count: 5}} {
		found, err := s.FindPackage(t.Context(), p.ID, id)
		must(t, 0, err)
		wantSame(t, "the last download", found.LastDownloadedAt, &want.Last)
		wantSame(t, "the number", found.Downloads, want.Count)
	}
}

func testNameDownloads(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	one, two := s.version(t, p.ID, "tool", "1", registry.StatusDefault), s.version(t, p.ID, "tool", "2", registry.StatusDefault)
	other := s.version(t, p.ID, "other", "1", registry.StatusDefault)
	s.downloaded(t, 20001, map[int64]int64{one.ID: 1, two.ID: 2, other.ID: 10})
	s.downloaded(t, 20003, map[int64]int64{two.ID: 4})
	s.drop(t, one)
	days := []registry.Day{20000, 20001, 20002, 20003}
	for name, want := range map[registry.Name][]registry.DayCount{
		"tool": {{Day: 20001, Count: 3}, {Day: 20003, Count: 4}}, "": {{Day: 20001, Count: 13}, {Day: 20003, Count: 4}}, "none": nil,
	} {
		found, err := s.NameDownloads(t.Context(), p.ID, name, days)
		wantSame(t, "downloads of "+string(name), must(t, found, err), want)
	}
	found, err := s.NameDownloads(t.Context(), p.ID, "tool", days[2:])
	wantSame(t, "of two days", must(t, found, err), []registry.DayCount{{Day: 20003, Count: 4}})
}

func testVersionDownloads(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	one, two := s.version(t, p.ID, "tool", "1", registry.StatusDefault), s.version(t, p.ID, "tool", "2", registry.StatusDefault)
	s.downloaded(t, 20001, map[int64]int64{one.ID: 1, two.ID: 2})
	s.downloaded(t, 20002, map[int64]int64{two.ID: 3})
	found, err := s.VersionDownloads(t.Context(), two.ID, []registry.Day{20001, 20002, 20003})
	wantSame(t, "downloads", must(t, found, err), []registry.DayCount{{Day: 20001, Count: 2}, {Day: 20002, Count: 3}})
}

func testSumDownloads(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	one, two := s.version(t, p.ID, "tool", "1", registry.StatusDefault), s.version(t, p.ID, "tool", "2", registry.StatusDefault)
	day := func(text string) registry.Day {
		at, err := time.Parse(time.DateOnly, text)
		return registry.DayOf(must(t, at, err))
	}
	january, february, march := day("2001-01-01"), day("2001-02-01"), day("2001-03-01")
	all := []registry.Day{january, january + 1, january + 30, february + 3, february + 27, march, march + 1}
	for _, d := range all {
		s.downloaded(t, d, map[int64]int64{one.ID: 1, two.ID: 2})
	}
	for n, left := 3, 100; n > 0; left-- {
		var err error
		if n, err = s.SumDownloads(t.Context(), march, 3); err != nil || left == 0 {
			t.Fatalf("%d rows are gone, %v", n, err)
		}
	}
	want := []registry.DayCount{{Day: january, Count: 3}, {Day: february, Count: 2}, {Day: march, Count: 1}, {Day: march + 1, Count: 1}}
	found, err := s.VersionDownloads(t.Context(), one.ID, append(all, february))
	wantSame(t, "months of a version", must(t, found, err), want)
	for i := range want {
		want[i].Count *= 3
	}
	found, err = s.NameDownloads(t.Context(), p.ID, "tool", append(all, february))
	wantSame(t, "months of a name", must(t, found, err), want)
}
