package ui

import (
	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
)

// jobTokenPage is the data of the page of whose jobs are let in.
type jobTokenPage struct {
	Form    *form
	Limited bool // only those of the lists are let in
	Rows    []letInRow
	Pager   pager
	At      string // the address of the page
	Can     bool
}

// letInRow is a project or group whose jobs are let in.
type letInRow struct {
	Kind, FullPath, URL string
	ID                  int64
	Own                 bool // the project itself, which cannot be removed
}

// letInOf is how many projects, and how many groups, a page shows.
const letInOf = 100

// showJobToken is the projects and groups whose jobs are let in.
func showJobToken(v *visit) error {
	ctx, ref := v.r.Context(), v.ref()
	p, err := v.numbered()
	if err != nil {
		return err
	}
	p.Size = letInOf
	groups, err := v.s.Projects.AllowedGroups(ctx, v.actor, ref, page.Request{Number: p.Number, Size: p.Size})
	if err != nil {
		return err
	}
	others, err := v.s.Projects.AllowedProjects(ctx, v.actor, ref, page.Request{Number: p.Number, Size: p.Size})
	if err != nil {
		return err
	}
	d := jobTokenPage{
		Form: v.form, Limited: v.project.JobTokenScope, Pager: v.pagerOf(p, max(groups.Total, others.Total), "", ""), At: v.s.in(v.full(), "settings", "job_token"),
		Can: v.can(access.AdminJobTokenScope),
	}
	d.Pager.Total = plural(int64(groups.Total), "group", "groups") + ", " + plural(int64(others.Total), "project", "projects")
	for _, g := range groups.Rows {
		d.Rows = append(d.Rows, letInRow{Kind: "group", FullPath: g.FullPath, URL: v.s.in(g.FullPath), ID: g.ID})
	}
	for _, o := range others.Rows {
		d.Rows = append(d.Rows, letInRow{Kind: "project", FullPath: o.FullPath, URL: v.s.in(o.FullPath), ID: o.ID, Own: o.ID == v.project.ID})
	}
	return v.show(v.settingsScreen("settings_job_token", "settings/job_token", "Job tokens", d))
}

// switchJobToken turns the list on or off.
func switchJobToken(v *visit) error {
	if err := v.s.Projects.SetJobTokenScope(v.r.Context(), v.actor, v.ref(), v.sent("limited") == "1"); err != nil {
		return v.again(showJobToken, err)
	}
	return v.see(v.s.in(v.full(), "settings", "job_token"), "saved")
}

// letJobsIn adds a project or group by its full path.
func letJobsIn(v *visit) error {
	source, err := v.source(v.sent("path"))
	if err == nil {
		_, err = v.s.Projects.AllowJobsOf(v.r.Context(), v.actor, v.ref(), source)
	}
	if err != nil {
		return v.again(showJobToken, err)
	}
	return v.see(v.s.in(v.full(), "settings", "job_token"), "added")
}

// source is the project or group with a full path.
func (v *visit) source(path string) (projects.Place, error) {
	p, err := v.s.Projects.Project(v.r.Context(), v.actor, path)
	if err == nil {
		return projects.Place{ProjectID: p.ID}, nil
	}
	if !absent(err) {
		return projects.Place{}, err
	}
	g, err := v.s.Projects.Group(v.r.Context(), v.actor, path)
	if absent(err) {
		err = fault.Field("path", "is no project or group that you can see: give its full path, such as acme/tools")
	}
	return projects.Place{GroupID: g.ID}, err
}

// keepJobsOut takes a project or group off the list.
func keepJobsOut(v *visit) error {
	id := v.formID("id")
	source := projects.Place{ProjectID: id}
	if v.sent("kind") == "group" {
		source = projects.Place{GroupID: id}
	}
	if err := v.s.Projects.DisallowJobsOf(v.r.Context(), v.actor, v.ref(), source); err != nil {
		return v.again(showJobToken, err)
	}
	return v.see(v.s.in(v.full(), "settings", "job_token"), "removed")
}
