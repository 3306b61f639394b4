package ui

import (
	"time"

	"granary/internal/page"
	"granary/internal/registry"
)

// groupPackagesPage is the data of the packages of a group's projects, and of those below.
type groupPackagesPage struct {
	Rows    []groupPackageRow
	Pager   pager
	Search  string
	Clear   string
	Subject string
}

// groupPackageRow is a version in one of the projects.
type groupPackageRow struct {
	Name, Version, URL string
	Project            link
	By                 string
	At                 time.Time
}

// showGroupPackages is what was published last in a group's projects.
func showGroupPackages(v *visit) error {
	p, err := v.numbered()
	if err != nil {
		return err
	}
	p.OrderBy, p.Desc = "created_at", true
	var f registry.PackageFilter
	if f.Name, err = registry.ParseNameFilter(v.query("search")); err != nil {
		return err
	}
	found, err := v.s.Registry.GroupPackages(v.r.Context(), v.actor, number(v.group.ID), true, f, page.Request{Number: p.Number, Size: p.Size, OrderBy: p.OrderBy, Desc: true})
	if err != nil {
		return err
	}
	d := groupPackagesPage{
		Search: v.query("search"), Clear: v.s.in(v.group.FullPath, "packages"), Subject: v.group.FullPath,
		Pager: v.pagerOf(p, found.Total, "version", "versions"),
	}
	if found.Total > groupTotalMost {
		d.Pager.Total = "more than " + count(groupTotalMost) + " versions"
	}
	for _, k := range found.Rows {
		row := groupPackageRow{
			Name: string(k.Name), Version: string(k.Version), At: k.CreatedAt, Project: link{k.ProjectPath, v.s.in(k.ProjectPath)},
			URL: v.s.in(k.ProjectPath, "packages", "generic", string(k.Name), string(k.Version)),
		}
		if k.Pipeline != nil {
			row.By = "pipeline #" + number(k.Pipeline.ID)
		}
		d.Rows = append(d.Rows, row)
	}
	return v.show(screen{name: "group_packages", title: "Packages · " + v.group.FullPath, tab: "packages", data: d})
}

// groupTotalMost is up to how many versions a list of several projects counts.
const groupTotalMost = 10_000
