package ui

import (
	"granary/internal/access"
	"granary/internal/auth"
)

// jobsPage is the data of a project's CI jobs.
type jobsPage struct {
	Rows  []jobRow
	Pager pager
}

// jobRow is one job.
type jobRow struct {
	auth.Job
	URL     string
	State   string // in words
	Running bool
}

func (v *visit) jobRow(j auth.Job) jobRow {
	row := jobRow{Job: j, URL: v.s.in(v.project.FullPath, "jobs", number(j.ID)), State: string(j.Status), Running: j.Running(v.began)}
	if j.TimedOut(v.began) {
		row.State = "timed out"
	}
	return row
}

func showJobs(v *visit) error {
	p, err := v.numbered()
	if err != nil {
		return err
	}
	found, err := v.s.Auth.ListJobs(v.r.Context(), v.actor, number(v.project.ID), p)
	if err != nil {
		return err
	}
	d := jobsPage{Pager: v.pagerOf(p, found.Total, "job", "jobs")}
	for _, j := range found.Rows {
		d.Rows = append(d.Rows, v.jobRow(j))
	}
	return v.show(screen{name: "jobs", title: "Jobs · " + v.project.FullPath, tab: "jobs", data: d})
}

// jobPage is the data of a job.
type jobPage struct {
	jobRow
	MayEnd bool
}

func showJob(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	j, err := v.s.Auth.Job(v.r.Context(), v.actor, number(v.project.ID), id)
	if err != nil {
		return err
	}
	return v.show(screen{
		name: "job", title: "Job #" + number(id) + " · " + v.project.FullPath, tab: "jobs",
		crumbs: []link{{"Jobs", v.s.in(v.project.FullPath, "jobs")}}, data: jobPage{v.jobRow(j), v.can(access.EndJob)},
	})
}

// cancelJob ends a job: its token is dead, and its drafts are settled as those of a
// job that failed.
func cancelJob(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	project := number(v.project.ID)
	_, err = v.s.Auth.FinishJob(v.r.Context(), v.actor, project, id, auth.JobCanceled, func(j auth.Job) error {
		_, err := v.s.Registry.EndJobDrafts(v.r.Context(), v.actor, j.ID, false)
		return err
	})
	if err != nil {
		return err
	}
	return v.see(v.s.in(v.project.FullPath, "jobs", number(id)), "ended-job")
}
