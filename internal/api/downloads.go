package api

import (
	"time"

	"granary/internal/registry"
	"granary/internal/wire"
)

// listDownloads tells how often files of a project were downloaded, by day.
func listDownloads(c *call) error {
	p := c.params
	of := registry.DownloadsOf{Name: registry.Name(p.str("package_name")), PackageID: p.integer("package_id")}
	var since *registry.Day
	if at := p.day("since"); at != nil {
		day := registry.DayOf(*at)
		since = &day
	}
	if p.has("package_id") && of.PackageID <= 0 {
		p.fail("package_id is invalid")
	}
	if err := p.err(); err != nil {
		return err
	}
	found, err := c.s.Registry.DownloadsByDay(c.r.Context(), c.actor, c.path("id"), of, since)
	if err != nil {
		return err
	}
	days := make([]wire.DayDownloads, len(found))
	for i, d := range found {
		days[i] = wire.DayDownloads{Day: d.Day.Time().Format(time.DateOnly), Downloads: d.Count}
	}
	return c.ok(days)
}
