package registry

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
)

// JobDraft is what the end of a job did to a draft.
type JobDraft struct {
	ProjectID int64
	Name      Name
	Version   Version
	Outcome   JobOutcome
	Why       string // of JobDraftStays: the reason
}

// JobOutcome is what became of a draft when its job ended.
type JobOutcome string

// The outcomes.
const (
	JobDraftFinal     JobOutcome = "final"
	JobDraftDiscarded JobOutcome = "discarded"
	JobDraftStays     JobOutcome = "draft"
)

// JobDraftsMost is how many drafts the end of a job settles; the upkeep settles the rest.
const JobDraftsMost = 100

// errNotOfJob ends the look at a draft that another job has put files into since.
var errNotOfJob = errors.New("the draft is another job's")

// errShared is why a draft stays into which others have put files, too.
func errShared() error { return conflict("others have put files into it, too; POST makes it final") }

// EndJobDrafts makes the drafts final into which the job alone has put files, without asking
// for a draft, or discards them if it failed, in projects whose setting of drafts is
// DraftsAtJobEnd. It asks as the actor that ends the job; drafts of projects where it may
// not publish are left to the upkeep.
// What cannot become final, or be discarded, stays a draft. No other draft is the job's
// afterwards: a setting that is changed later does not make it final.
func (r *Registry) EndJobDrafts(ctx context.Context, a access.Actor, jobID int64, success bool) ([]JobDraft, error) {
	return r.endJobDrafts(ctx, a, jobID, success, func(Package) error { return nil })
}

// endJobDrafts is EndJobDrafts that calls unseen with the drafts of projects where the
// actor may not publish: it must not know of them.
func (r *Registry) endJobDrafts(ctx context.Context, a access.Actor, jobID int64, success bool, unseen func(Package) error) (done []JobDraft, err error) {
	found, err := r.Records.DraftsOfJob(ctx, jobID, JobDraftsMost)
	if err != nil {
		return nil, err
	}
	for _, k := range found {
		p, err := r.Records.FindPackageProject(ctx, strconv.FormatInt(k.ProjectID, 10), a)
		if fault.Is(err, fault.NotFound) || err == nil && !r.may(a, p, access.PublishPackage) {
			if err := unseen(k); err != nil {
				return done, err
			}
			continue
		}
		if err != nil {
			return done, err
		}
		d, err := r.endJobDraft(ctx, a, p, k, success)
		switch {
		case errors.Is(err, errNotOfJob), fault.Is(err, fault.NotFound):
			// somebody else has published into it, discarded it or made it final
		case err != nil:
			return done, err
		case d.Outcome != "":
			done = append(done, d)
		}
	}
	return done, nil
}

// endJobDraft does to one draft what the end of its job does. The outcome is empty if the
// project has another setting.
func (r *Registry) endJobDraft(ctx context.Context, a access.Actor, p Project, k Package, success bool) (JobDraft, error) {
	done := JobDraft{ProjectID: k.ProjectID, Name: k.Name, Version: k.Version}
	if r.draftMode(p) != DraftsAtJobEnd {
		return done, r.Records.UntieDraft(ctx, k.ID, k.JobID)
	}
	var err error
	if success {
		done.Outcome, err = JobDraftFinal, r.finaliseForJob(ctx, a, p, k)
	} else {
		done.Outcome, err = JobDraftDiscarded, r.discardForJob(ctx, a, p, k)
	}
	why, ok := refusalOf(err)
	if !ok {
		return done, err
	}
	done.Outcome, done.Why = JobDraftStays, why
	return done, r.Records.UntieDraft(ctx, k.ID, k.JobID)
}

func (r *Registry) finaliseForJob(ctx context.Context, a access.Actor, p Project, k Package) error {
	judge := r.judgeOf(a, p, FinaliseOptions{})
	_, _, err := r.Records.FinaliseVersion(ctx, p.ProjectID, k.Name, k.Version, func(v PackageVersion, files []VersionFile) (Final, error) {
		if v.Status != StatusDraft || v.JobID != k.JobID {
			return Final{}, errNotOfJob
		}
		if v.JobShared {
			return Final{}, errShared()
		}
		if err := r.maySettle(a, p, k.Name, access.FinalisePackage); err != nil {
			return Final{}, err
		}
		return judge(v, files)
	})
	return err
}

func (r *Registry) discardForJob(ctx context.Context, a access.Actor, p Project, k Package) error {
	now := r.Now()
	return r.Records.DiscardDraft(ctx, p.ProjectID, k.Name, k.Version, now, func(v Package) (audit.Event, error) {
		if v.JobID != k.JobID {
			return audit.Event{}, errNotOfJob
		}
		if v.JobShared {
			return audit.Event{}, errShared()
		}
		return audit.New(a, audit.DraftDiscarded, now, p.entity()).To("Package", v.ID, v.title()),
			r.maySettle(a, p, k.Name, access.PublishPackage)
	})
}

// maySettle checks that an actor may make a draft final, or with PublishPackage discard
// it, although it did not name the draft. The fault says why not.
func (r *Registry) maySettle(a access.Actor, p Project, name Name, action access.Action) error {
	if !p.FlagOn {
		return fault.New(fault.Denied, "generic packages are off in the project")
	}
	if r.may(a, p, action) {
		return checkProtection(p, a, name)
	}
	open := p.Standing
	open.Finalisers = access.Publishers
	if r.Rules.Check(a, open, action) == access.Allowed {
		return fault.New(fault.Denied, "generic_package_finalisers of the project is "+string(p.Standing.Finalisers))
	}
	return fault.New(fault.Denied, "you may not publish to the project")
}

// refusalOf is why a draft stays; not ok if err is no refusal of a rule.
func refusalOf(err error) (why string, ok bool) {
	e, is := errors.AsType[*fault.Error](err)
	if !is {
		return "", false
	}
	switch e.Kind {
	case fault.Denied, fault.Conflict, fault.Unprocessable:
		return strings.TrimPrefix(e.Msg, conflictWords), true
	}
	return "", false
}

// LeftJob is a job that has ended with an outcome, and has drafts yet: it published while it
// ended, or the server died.
type LeftJob struct {
	ID        int64
	ProjectID int64
	Success   bool
}

// leftJobs is how many jobs SettleLeftDrafts asks for at once.
const leftJobs = 100

// SettleLeftDrafts does what EndJobDrafts has left to do, as the jobs themselves. actorOf is
// the actor of a job; Denied if it cannot act any more.
func (r *Registry) SettleLeftDrafts(ctx context.Context, actorOf func(ctx context.Context, projectID, jobID int64) (access.Actor, error)) error {
	untie := func(k Package) error { return r.Records.UntieDraft(ctx, k.ID, k.JobID) }
	for {
		left, err := r.Records.LeftJobs(ctx, leftJobs)
		if err != nil || len(left) == 0 {
			return err
		}
		for _, j := range left {
			a, err := actorOf(ctx, j.ProjectID, j.ID)
			if err != nil && !fault.Is(err, fault.Denied) {
				return err
			}
			if _, err := r.endJobDrafts(ctx, a, j.ID, j.Success, untie); err != nil {
				return err
			}
		}
	}
}
