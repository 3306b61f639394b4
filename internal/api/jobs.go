package api

import (
	"cmp"
	"strconv"
	"time"

	"granary/internal/auth"
	"granary/internal/registry"
	"granary/internal/wire"
)

func createJob(c *call) error {
	p := c.params
	j := auth.Job{
		Name: cmp.Or(p.str("name"), "job"), Stage: cmp.Or(p.str("stage"), "test"), Ref: p.str("ref"), SHA: p.str("sha"),
		Tag: p.boolean("tag"), PipelineID: p.integer("pipeline_id"), User: auth.User{ID: p.integer("user_id")},
	}
	timeout := auth.DefaultJobTimeout
	if seconds := p.optionalInteger("timeout"); seconds != nil {
		timeout = time.Duration(min(max(*seconds, 0), int64(2*auth.MaxJobTimeout/time.Second))) * time.Second
	}
	if err := p.err(); err != nil {
		return err
	}
	j, secret, err := c.s.Auth.CreateJob(c.r.Context(), c.actor, c.path("id"), j, timeout)
	if err != nil {
		return err
	}
	w := c.job(j)
	w.Token = secret
	return c.created(w)
}

func listJobs(c *call) error {
	ask := c.page(true)
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Auth.ListJobs(c.r.Context(), c.actor, c.path("id"), ask)
	return listed(c, ask, found, err, c.job)
}

func getJob(c *call) error {
	id, err := c.id("job_id")
	if err != nil {
		return err
	}
	j, err := c.s.Auth.Job(c.r.Context(), c.actor, c.path("id"), id)
	if err != nil {
		return err
	}
	return c.ok(c.job(j))
}

func getOwnJob(c *call) error {
	j, err := c.s.Auth.OwnJob(c.r.Context(), c.actor)
	if err != nil {
		return err
	}
	return c.ok(c.job(j))
}

func finishJob(c *call) error {
	id, err := c.id("job_id")
	if err != nil {
		return err
	}
	status := auth.JobStatus(c.params.required("status"))
	if err := c.params.err(); err != nil {
		return err
	}
	var drafts []registry.JobDraft
	j, err := c.s.Auth.FinishJob(c.r.Context(), c.actor, c.path("id"), id, status, func(j auth.Job) (err error) {
		drafts, err = c.s.Registry.EndJobDrafts(c.r.Context(), c.actor, j.ID, status == auth.JobSuccess)
		return err
	})
	if err != nil {
		return err
	}
	w := c.job(j)
	for _, d := range drafts {
		w.Drafts = append(w.Drafts, wire.JobDraft{
			ProjectID: d.ProjectID, Name: string(d.Name), Version: string(d.Version), Status: string(d.Outcome), Error: d.Why,
		})
	}
	return c.ok(w)
}

func (c *call) job(j auth.Job) wire.Job {
	now := c.s.Auth.Now()
	w := wire.Job{
		ID: j.ID, Name: j.Name, Stage: j.Stage, Status: string(j.Status), Ref: j.Ref, Tag: j.Tag,
		CreatedAt: wire.Time(j.CreatedAt), StartedAt: wire.Time(j.CreatedAt), FinishedAt: wire.OptionalTime(j.FinishedAt),
		WebURL:    c.base() + prefix + "/projects/" + strconv.FormatInt(j.ProjectID, 10) + "/jobs/" + strconv.FormatInt(j.ID, 10),
		Artifacts: []struct{}{}, User: c.userBasic(j.User), ExpiresAt: wire.Time(j.ExpiresAt),
		Pipeline: wire.Pipeline{ID: j.PipelineID, ProjectID: j.ProjectID, Ref: j.Ref, SHA: j.SHA, Status: string(j.Status)},
		Project:  map[string]any{"ci_job_token_scope_enabled": false},
	}
	if j.TimedOut(now) {
		w.Status, w.FailureReason, w.FinishedAt = string(auth.JobFailed), "job_execution_timeout", wire.OptionalTime(&j.ExpiresAt)
		w.Pipeline.Status = w.Status
	}
	if j.SHA != "" {
		w.Commit = &wire.JobCommit{ID: j.SHA, ShortID: j.SHA[:min(8, len(j.SHA))]}
	}
	end := now
	if j.FinishedAt != nil {
		end = *j.FinishedAt
	}
	w.Duration = new(end.Sub(j.CreatedAt).Seconds())
	return w
}
