package registry

import (
	"context"
	"sync"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
)

// Day counts days since 1970-01-01, in UTC.
type Day int64

// DayOf is the day of a time.
func DayOf(t time.Time) Day { return Day(t.Unix() / (24 * 60 * 60)) }

// Time is when the day begins.
func (d Day) Time() time.Time { return time.Unix(int64(d)*24*60*60, 0).UTC() }

// Month is the first day of the day's month.
func (d Day) Month() Day {
	t := d.Time()
	return DayOf(time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC))
}

// PackageDay is a version on a day.
type PackageDay struct {
	PackageID int64
	Day       Day
}

// Downloads are some of a version's.
type Downloads struct {
	Last  time.Time
	Count int64
}

// DayCount is the downloads of a day.
type DayCount struct {
	Day   Day
	Count int64
}

// daysKept is for how many days downloads are kept by day, and after them by month.
const daysKept = 400

// How many days back downloads are told: if nobody says, and at most.
const (
	usualDownloadDays = 30
	mostDownloadDays  = 3660
)

// daysFrom are the days from one on until today that have downloads of their own: the first of
// its month stands for a whole one that is long ago.
func daysFrom(from, today Day) (days []Day) {
	byDay := (today - daysKept).Month()
	for month := from.Month(); month < byDay; month = (month + 31).Month() {
		days = append(days, month)
	}
	for day := max(from, byDay); day <= today; day++ {
		days = append(days, day)
	}
	return days
}

// DownloadsOf are those of a project, of all versions of one name, or of one version.
type DownloadsOf struct {
	Name      Name  // "" for all
	PackageID int64 // 0 for all
}

// DownloadsByDay returns downloads since a day, nil for 30 days ago, the oldest first, without
// days that have none. What is long ago is told by month, at its first day. They are a few
// seconds old, and stay known if versions of a name are deleted.
func (r *Registry) DownloadsByDay(ctx context.Context, a access.Actor, project string, of DownloadsOf, since *Day) ([]DayCount, error) {
	place, err := r.enter(ctx, a, project, access.ListPackages, apiDoor())
	if err != nil {
		return nil, err
	}
	today := DayOf(r.Now())
	from := today - usualDownloadDays
	if since != nil {
		from = max(*since, today-mostDownloadDays)
	}
	days := daysFrom(from, today)
	if len(days) == 0 {
		return nil, nil
	}
	if of.PackageID == 0 {
		return r.Records.NameDownloads(ctx, place.ProjectID, of.Name, days)
	}
	p, err := r.Records.FindPackage(ctx, place.ProjectID, of.PackageID)
	if err != nil {
		return nil, err
	}
	if !r.sees(a, place, p, p.Status.Shown()) || of.Name != "" && of.Name != p.Name {
		return nil, fault.New(fault.Absent, "Package not found")
	}
	return r.Records.VersionDownloads(ctx, p.ID, days)
}

// SumDownloads makes months of days that are long ago, for the upkeep.
func (r *Registry) SumDownloads(ctx context.Context) error {
	before := (DayOf(r.Now()) - daysKept).Month()
	for n := summedAtOnce; n > 0 && ctx.Err() == nil; {
		var err error
		if n, err = r.Records.SumDownloads(ctx, before, summedAtOnce); err != nil {
			return err
		}
	}
	return nil
}

// summedAtOnce is how many rows one transaction makes months of.
const summedAtOnce = 1000

// downloadsMost is of how many versions downloads are noted between two flushes: a
// megabyte. Those of others are not counted.
const downloadsMost = 10000

// downloads notes which versions were downloaded, so that no download writes.
type downloads struct {
	mu    sync.Mutex
	noted map[PackageDay]Downloads
}

// Downloaded notes that the file was downloaded now.
func (r *Registry) Downloaded(f File) {
	now := r.Now()
	r.downloads.note(PackageDay{f.PackageID, DayOf(now)}, Downloads{Last: now, Count: 1})
}

func (d *downloads) note(of PackageDay, more Downloads) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.noted == nil {
		d.noted = map[PackageDay]Downloads{}
	}
	n, known := d.noted[of]
	if !known && len(d.noted) >= downloadsMost {
		return
	}
	if more.Last.After(n.Last) {
		n.Last = more.Last
	}
	n.Count += more.Count
	d.noted[of] = n
}

// lastDownload is the last download of a package that is not recorded yet; nil for none.
func (r *Registry) lastDownload(packageID int64) *time.Time {
	last, _ := r.unrecorded(packageID)
	return last
}

// unrecorded is what was noted of a version, today and yesterday, and is not recorded yet; nil
// if nothing was.
func (r *Registry) unrecorded(packageID int64) (last *time.Time, count int64) {
	today := DayOf(r.Now())
	r.downloads.mu.Lock()
	defer r.downloads.mu.Unlock()
	for _, day := range []Day{today - 1, today} {
		if n, known := r.downloads.noted[PackageDay{packageID, day}]; known {
			last, count = &n.Last, count+n.Count
		}
	}
	return last, count
}

// flushedAtOnce is how many versions are recorded in one transaction, so that publishers need
// not wait for all.
const flushedAtOnce = 500

// Flush records the downloads that were noted. The server calls it regularly; what is not
// recorded yet is lost in a crash. If it fails, the next flush tries again.
func (r *Registry) Flush(ctx context.Context) error {
	r.downloads.mu.Lock()
	all := r.downloads.noted
	r.downloads.noted = nil
	r.downloads.mu.Unlock()
	some := make(map[PackageDay]Downloads, min(len(all), flushedAtOnce))
	for of, n := range all {
		some[of] = n
		if len(some) < flushedAtOnce && len(some) < len(all) {
			continue
		}
		if err := r.Records.TouchDownloads(ctx, some); err != nil {
			for of, n := range all {
				r.downloads.note(of, n)
			}
			return err
		}
		for of := range some {
			delete(all, of)
		}
		clear(some)
	}
	return nil
}
