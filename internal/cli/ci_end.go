package cli

import (
	"context"
	"errors"
	"time"

	"granary/internal/client"
	"granary/internal/wire"
)

// tellDrafts says when the project publishes what the job puts into drafts.
func (r *ciRun) tellDrafts(p wire.Project) {
	if p.GenericPackageDrafts == nil {
		return
	}
	r.drafts = *p.GenericPackageDrafts
	when := map[string]string{
		"always":  "new versions are drafts until granary finalise",
		"release": "new versions are drafts until a release of their tag is created",
		"job":     "new versions are drafts until the job succeeds",
	}[r.drafts]
	if when != "" && !r.quiet {
		r.env.notice("%s has generic_package_drafts=%s: %s", p.PathWithNamespace, r.drafts, when)
	}
}

// finish ends the job, and its token with it, also after Ctrl-C. It returns a refusal if
// a draft is left that the end of the job should have published.
func (r *ciRun) finish(ctx context.Context, c *client.Client, project string, job wire.Job, status string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	drafts, err := c.FinishJob(ctx, project, job.ID, status)
	if err != nil {
		r.env.notice("job %d could not be ended: %v; its token is valid until %s",
			job.ID, err, time.Time(job.ExpiresAt).UTC().Format(time.RFC3339))
		if r.drafts == "job" {
			return exitError{errors.New(""), exitFailure} // they stay drafts
		}
	}
	left := error(nil)
	for _, d := range drafts {
		switch {
		case d.Status == "draft":
			r.env.notice("%s %s stays a draft: %s", d.Name, d.Version, d.Error)
			left = exitError{errors.New(""), exitRefused}
		case !r.quiet:
			r.env.notice("%s %s is %s", d.Name, d.Version, d.Status)
		}
	}
	return left
}
