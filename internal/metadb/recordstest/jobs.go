package recordstest

import (
	"testing"
	"time"

	"granary/internal/auth"
	"granary/internal/fault"
)

func jobs() []promise {
	return []promise{
		{"FindJob", "finds a job of the project, and is NotFound without", testFindJob},
		{"ListJobs", "returns the jobs of the project", testListJobs},
		{"InsertJob", "makes the pipeline if it is new", testInsertJob},
		{"InsertJob", "is a Conflict if the pipeline belongs to another project", testInsertJobElsewhere},
		{"InsertJob", "is Full with as many running as the limit", testInsertJobFull},
		{"FinishJob", "gives a running job its end, and tells once", testFinishJob},
		{"FinishJob", "is a Conflict if the job has another end, or ran out of its time", testFinishJobTwice},
	}
}

func newJob(projectID int64, u auth.User) auth.Job {
	return auth.Job{
		ProjectID: projectID, User: u, Name: "build", Stage: "test", Ref: "main", SHA: "abc", Status: auth.JobRunning,
		CreatedAt: now(), ExpiresAt: now().Add(time.Hour),
	}
}

func (s *suite) job(t *testing.T, projectID int64, u auth.User) (auth.Job, auth.SecretDigest) {
	t.Helper()
	d := s.secret()
	made, err := s.InsertJob(t.Context(), newJob(projectID, u), d, roomy(), quiet())
	return must(t, made, err), d
}

func testFindJob(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	want := newJob(p.ID, u)
	made, err := s.InsertJob(t.Context(), want, s.secret(), roomy(), quiet())
	must(t, 0, err)
	want.ID, want.PipelineID, want.ProjectPath = made.ID, made.PipelineID, p.Path
	found, err := s.FindJob(t.Context(), p.ID, made.ID)
	wantSame(t, "the job's user", must(t, found, err).User.ID, u.ID)
	found.User = want.User
	wantSame(t, "the job", found, want)
	_, err = s.FindJob(t.Context(), p.ID, 999999)
	wantKind(t, err, fault.NotFound)
	_, err = s.FindJob(t.Context(), s.project(t, g.ID, u).ID, made.ID)
	wantKind(t, err, fault.NotFound)
}

func testListJobs(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	one, _ := s.job(t, p.ID, u)
	two, _ := s.job(t, p.ID, u)
	s.job(t, s.project(t, g.ID, u).ID, u)
	for desc, want := range map[bool][]int64{false: {one.ID, two.ID}, true: {two.ID, one.ID}} {
		ask := all()
		ask.Desc = desc
		found, err := s.ListJobs(t.Context(), p.ID, ask)
		wantSame(t, "jobs", idsOf(rows(t, found, err), func(j auth.Job) int64 { return j.ID }), want)
	}
}

func testInsertJob(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	e := s.event()
	first, err := s.InsertJob(t.Context(), newJob(p.ID, u), s.secret(), roomy(), e)
	if must(t, first, err); first.PipelineID == 0 {
		t.Fatal("the job has no pipeline")
	}
	wantSame(t, "the target", s.wantTold(t, e, 1).Target.ID, first.ID)
	for _, pipeline := range []int64{first.PipelineID, 777_001, 777_001} { // there, new, there
		j := newJob(p.ID, u)
		j.PipelineID = pipeline
		made, err := s.InsertJob(t.Context(), j, s.secret(), roomy(), quiet())
		wantSame(t, "the pipeline", must(t, made, err).PipelineID, pipeline)
	}
	another, _ := s.job(t, p.ID, u)
	if another.PipelineID == first.PipelineID || another.PipelineID > 777_000 {
		t.Errorf("pipeline %d, want the next after %d", another.PipelineID, first.PipelineID)
	}
}

func testInsertJobElsewhere(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	there, _ := s.job(t, p.ID, u)
	j, e, d := newJob(s.project(t, g.ID, u).ID, u), s.event(), s.secret()
	j.PipelineID = there.PipelineID
	_, err := s.InsertJob(t.Context(), j, d, roomy(), e)
	wantKind(t, err, fault.Conflict)
	_, err = s.FindToken(t.Context(), d)
	wantKind(t, err, fault.NotFound)
	s.wantTold(t, e, 0)
}

func testInsertJobFull(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	ended, _ := s.job(t, p.ID, u)
	_, err := s.FinishJob(t.Context(), p.ID, ended.ID, auth.JobSuccess, now(), quiet())
	must(t, 0, err)
	late := newJob(p.ID, u)
	late.CreatedAt, late.ExpiresAt = now().Add(-time.Hour), now().Add(-time.Minute)
	_, err = s.InsertJob(t.Context(), late, s.secret(), roomy(), quiet())
	must(t, 0, err)
	_, err = s.InsertJob(t.Context(), newJob(p.ID, u), s.secret(), most(1), quiet()) // none is running
	must(t, 0, err)
	e := s.event()
	_, err = s.InsertJob(t.Context(), newJob(p.ID, u), s.secret(), most(1), e)
	wantFull(t, err, 1)
	s.wantTold(t, e, 0)
}

func testFinishJob(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	j, _ := s.job(t, p.ID, u)
	e, at := s.event(), now()
	for range 2 { // the same end twice is told once
		ended, err := s.FinishJob(t.Context(), p.ID, j.ID, auth.JobFailed, at, e)
		must(t, 0, err)
		if ended.Status != auth.JobFailed || ended.FinishedAt == nil || !ended.FinishedAt.Equal(at) {
			t.Errorf("%s at %v, want failed at %v", ended.Status, ended.FinishedAt, at)
		}
		s.wantTold(t, e, 1)
	}
	_, err := s.FinishJob(t.Context(), p.ID, 999999, auth.JobFailed, at, e)
	wantKind(t, err, fault.NotFound)
}

func testFinishJobTwice(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	j, _ := s.job(t, p.ID, u)
	_, err := s.FinishJob(t.Context(), p.ID, j.ID, auth.JobSuccess, now(), quiet())
	must(t, 0, err)
	e := s.event()
	_, err = s.FinishJob(t.Context(), p.ID, j.ID, auth.JobCanceled, now(), e)
	wantKind(t, err, fault.Conflict)
	found, err := s.FindJob(t.Context(), p.ID, j.ID)
	wantSame(t, "the end", must(t, found, err).Status, auth.JobSuccess)
	late := newJob(p.ID, u)
	late.ExpiresAt = now().Add(-time.Minute)
	late, err = s.InsertJob(t.Context(), late, s.secret(), roomy(), quiet())
	must(t, 0, err)
	_, err = s.FinishJob(t.Context(), p.ID, late.ID, auth.JobSuccess, now(), e)
	wantKind(t, err, fault.Conflict)
	s.wantTold(t, e, 0)
}
