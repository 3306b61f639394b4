package auth

import (
	"context"
	"slices"
	"strconv"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/gate"
	"granary/internal/page"
)

// JobStatus is the state of a CI job, in GitLab's words.
type JobStatus string

// The states that a job here can have.
const (
	JobRunning  JobStatus = "running"
	JobSuccess  JobStatus = "success"
	JobFailed   JobStatus = "failed"
	JobCanceled JobStatus = "canceled"
)

// Limits of a job's life.
const (
	DefaultJobTimeout = time.Hour
	MaxJobTimeout     = 24 * time.Hour
)

// maxPipelineID is the largest number that every client reads exactly from JSON. Ids that
// jobs choose do not affect those that the instance assigns.
const maxPipelineID = 1<<53 - 1

// Job is a run of a script. Its job token is valid until it ends.
type Job struct {
	ID          int64
	ProjectID   int64
	ProjectPath string // the last segment
	PipelineID  int64  // 0 in a new job: it gets a pipeline of its own
	User        User
	Name        string
	Stage       string
	Ref         string
	SHA         string
	Tag         bool
	Status      JobStatus
	CreatedAt   time.Time
	FinishedAt  *time.Time
	ExpiresAt   time.Time // from then on it counts as failed unless it has ended
}

// Running reports whether the job's token is valid.
func (j Job) Running(now time.Time) bool {
	return j.Status == JobRunning && now.Before(j.ExpiresAt)
}

// TimedOut reports whether the job exceeded its timeout.
func (j Job) TimedOut(now time.Time) bool {
	return j.Status == JobRunning && !now.Before(j.ExpiresAt)
}

// Jobs keeps jobs. Each method is one transaction.
type Jobs interface {
	FindJob(ctx context.Context, projectID, id int64) (Job, error)
	ListJobs(ctx context.Context, projectID int64, p page.Request) (page.Of[Job], error)
	// InsertJob makes the pipeline if it is new. It returns Conflict if the pipeline's
	// id belongs to another project, and Full if as many jobs of the project as the
	// limit are running.
	InsertJob(ctx context.Context, j Job, d SecretDigest, most fault.Limit, e audit.Event) (Job, error)
	// FinishJob ends a running job and records the event. It returns Conflict if the
	// job exceeded its timeout, or has ended with another status; if it has ended with
	// the same status, nothing happens.
	FinishJob(ctx context.Context, projectID, id int64, status JobStatus, now time.Time, e audit.Event) (Job, error)
}

// CreateJob starts a job that acts as the caller or, if an administrator asks, as the
// user with the id. It returns the job's token, which cannot be read again.
func (s *Service) CreateJob(ctx context.Context, a access.Actor, ref string, j Job, timeout time.Duration) (Job, string, error) {
	projectID, _, err := s.Places.ProjectStanding(ctx, a, ref, access.CreateJob)
	if err != nil {
		return Job{}, "", err
	}
	if j.User, err = s.jobUser(ctx, a, j.User.ID); err != nil {
		return Job{}, "", err
	}
	if err := checkJob(j, timeout); err != nil {
		return Job{}, "", err
	}
	now := s.Now()
	j.ProjectID, j.Status, j.CreatedAt, j.ExpiresAt = projectID, JobRunning, now, now.Add(timeout)
	secret := s.newSecret(jobPrefix)
	done := s.event(a, audit.JobCreated, audit.Place(projectID, 0)).With("user", "", j.User.Username)
	j, err = s.Records.InsertJob(ctx, j, DigestOf(secret), s.limits().RunningJobs, done)
	if fault.Is(err, fault.Conflict) {
		err = fault.New(fault.Invalid, "pipeline_id is invalid, it belongs to another project")
	}
	return j, secret, err
}

func (s *Service) jobUser(ctx context.Context, a access.Actor, id int64) (User, error) {
	switch {
	case id == 0 || id == a.UserID:
		return s.findUser(ctx, a.UserID)
	case !a.Admin:
		return User{}, fault.New(fault.Denied, "only an administrator may name another user_id")
	}
	return s.findUser(ctx, id)
}

func checkJob(j Job, timeout time.Duration) error {
	if timeout < time.Second || timeout > MaxJobTimeout {
		return fault.New(fault.Invalid, "timeout does not have a valid value, it must be a number of seconds from 1 to "+
			strconv.Itoa(int(MaxJobTimeout/time.Second)))
	}
	for _, f := range []struct{ name, value string }{{"name", j.Name}, {"stage", j.Stage}, {"ref", j.Ref}, {"sha", j.SHA}} {
		if len(f.value) > 255 || hasControl(f.value) {
			return fault.New(fault.Invalid, f.name+" is invalid, it must be one line of at most 255 bytes")
		}
	}
	if j.PipelineID < 0 || j.PipelineID > maxPipelineID {
		return fault.New(fault.Invalid, "pipeline_id is invalid, it must be a positive number below 2^53")
	}
	return nil
}

// Job returns one job of a project.
func (s *Service) Job(ctx context.Context, a access.Actor, ref string, id int64) (Job, error) {
	projectID, _, err := s.Places.ProjectStanding(ctx, a, ref, access.ReadJobs)
	if err != nil {
		return Job{}, err
	}
	return s.Records.FindJob(ctx, projectID, id)
}

// ListJobs returns a project's jobs, newest first.
func (s *Service) ListJobs(ctx context.Context, a access.Actor, ref string, p page.Request) (page.Of[Job], error) {
	projectID, _, err := s.Places.ProjectStanding(ctx, a, ref, access.ReadJobs)
	if err != nil {
		return page.Of[Job]{}, err
	}
	return s.Records.ListJobs(ctx, projectID, p)
}

// OwnJob is the job that the actor's token belongs to (GET /job).
func (s *Service) OwnJob(ctx context.Context, a access.Actor) (Job, error) {
	switch a.Kind {
	case access.Job:
		return s.Records.FindJob(ctx, a.JobProjectID, a.JobID)
	case access.Anonymous:
		return Job{}, fault.New(fault.Unauthenticated, "")
	}
	return Job{}, fault.New(fault.Hidden, "Job")
}

// FinishJob ends a job, and its token with it. The job's user, a maintainer and the job
// itself may call it. If the job can have that end, first is called with it before: if the
// server dies in between, ending the job again calls first again.
func (s *Service) FinishJob(ctx context.Context, a access.Actor, ref string, id int64, status JobStatus, first func(Job) error) (Job, error) {
	if err := gate.Token(a, access.EndJob, ""); err != nil {
		return Job{}, err
	}
	if !slices.Contains([]JobStatus{JobSuccess, JobFailed, JobCanceled}, status) {
		return Job{}, fault.New(fault.Invalid, "status does not have a valid value")
	}
	projectID, standing, err := s.Places.ProjectStanding(ctx, a, ref, access.ReadProject)
	if err != nil {
		return Job{}, err
	}
	j, err := s.Records.FindJob(ctx, projectID, id)
	if err != nil {
		return Job{}, err
	}
	if standing.Own = a.Kind == access.Job && a.JobID == id || a.Kind == access.User && a.UserID == j.User.ID; standing.Own {
		err = gate.Check(s.Rules, a, standing, access.EndJob, "Job")
	} else {
		_, _, err = s.Places.ProjectStanding(ctx, a, ref, access.EndJob)
	}
	if err != nil {
		return Job{}, err
	}
	if j.TimedOut(s.Now()) || j.Status != JobRunning && j.Status != status {
		return Job{}, hasEnded()
	}
	if err := first(j); err != nil {
		return Job{}, err
	}
	done := s.event(a, audit.JobFinished, audit.Place(projectID, 0)).To("Job", id, j.Name).With("status", string(JobRunning), string(status))
	j, err = s.Records.FinishJob(ctx, projectID, id, status, done.At, done)
	if fault.Is(err, fault.Conflict) {
		err = hasEnded()
	}
	return j, err
}

func hasEnded() error { return fault.New(fault.Conflict, "409 Conflict: the job has ended already") }
