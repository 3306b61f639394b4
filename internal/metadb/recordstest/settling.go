package recordstest

import (
	"slices"
	"testing"

	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/releases"
)

func settling() []promise {
	return []promise{
		{"HasRelease", "is true if the project has a release of one of the tags", testHasRelease},
		{"DraftsOfJob", "returns those of the job, the oldest first, and whether they are its alone", testDraftsOfJob},
		{"UntieDraft", "makes it not this job's any more", testUntieDraft},
		{"LeftJobs", "returns jobs with an outcome that have drafts yet", testLeftJobs},
	}
}

// draftBy publishes a file into a draft, by a job unless that is 0.
func (s *suite) draftBy(t *testing.T, projectID int64, name, version string, jobID int64) registry.File {
	t.Helper()
	pub := publication(projectID, name, version, s.name("file"))
	pub.Into, pub.JobID = registry.IntoDraft, jobID
	return s.publish(t, pub)
}

// statusOf is the status of a file's package.
func (s *suite) statusOf(t *testing.T, f registry.File) registry.Status {
	t.Helper()
	k, err := s.FindPackage(t.Context(), f.ProjectID, f.PackageID)
	return must(t, k, err).Status
}

func testHasRelease(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	s.release(t, newRelease(p.ID, u.ID, "v1"))
	s.release(t, newRelease(s.project(t, g.ID, u).ID, u.ID, "v2"))
	for tag, want := range map[string]bool{"v1": true, "V1": false, "1": false, "v2": false, "": false} {
		found, err := s.HasRelease(t.Context(), p.ID, registry.ReleaseTags{"none", tag})
		wantSame(t, "release "+tag, must(t, found, err), want)
	}
}

func testDraftsOfJob(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	j, _ := s.job(t, p.ID, u)
	other, _ := s.job(t, p.ID, u)
	var want []int64
	for _, name := range []string{"b", "a"} {
		want = append(want, s.draftBy(t, p.ID, name, "1", j.ID).PackageID)
		s.draftBy(t, p.ID, name, "1", j.ID)
	}
	for name, by := range map[string][]int64{"then another job": {j.ID, other.ID}, "first nobody's": {0, other.ID}} {
		for _, job := range by {
			s.draftBy(t, p.ID, name, "1", job)
		}
	}
	var shared []int64
	for i, by := range [][]int64{{j.ID, 0}, {0, j.ID}, {other.ID, j.ID}, {j.ID, other.ID, j.ID}} {
		for n, job := range by {
			if f := s.draftBy(t, p.ID, "shared"+id(int64(i)), "1", job); n == 0 {
				shared = append(shared, f.PackageID)
			}
		}
	}
	pub := publication(p.ID, "open", "1", "f")
	pub.JobID = j.ID
	s.publish(t, pub)
	s.draftBy(t, p.ID, "gone", "1", j.ID)
	discard := func(registry.Package) (audit.Event, error) { return quiet(), nil }
	must(t, 0, s.DiscardDraft(t.Context(), p.ID, "gone", "1", now(), discard))
	s.draftBy(t, p.ID, "final", "1", j.ID)
	_, _, err := s.FinaliseVersion(t.Context(), p.ID, "final", "1", allowFinal("m", quiet()))
	must(t, 0, err)

	found, err := s.DraftsOfJob(t.Context(), j.ID, 10)
	must(t, 0, err)
	wantSame(t, "drafts", idsOf(found, func(k registry.Package) int64 { return k.ID }), append(slices.Clone(want), shared...))
	for _, k := range found {
		wantSame(t, "others have put files into "+string(k.Name), k.JobShared, slices.Contains(shared, k.ID))
	}
	wantSame(t, "the job of one", found[0].JobID, j.ID)
	found, err = s.DraftsOfJob(t.Context(), j.ID, 1)
	wantSame(t, "limited", idsOf(must(t, found, err), func(k registry.Package) int64 { return k.ID }), want[:1])
}

func testUntieDraft(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	j, _ := s.job(t, p.ID, u)
	f := s.draftBy(t, p.ID, "tool", "1", j.ID)
	for _, step := range []struct {
		job  int64
		left int
	}{{j.ID + 1, 1}, {j.ID, 0}, {j.ID, 0}} {
		must(t, 0, s.UntieDraft(t.Context(), f.PackageID, step.job))
		found, err := s.DraftsOfJob(t.Context(), j.ID, 10)
		wantSame(t, "drafts", len(must(t, found, err)), step.left)
	}
	wantSame(t, "the status", s.statusOf(t, f), registry.StatusDraft)
}

func testLeftJobs(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	want := map[int64]registry.LeftJob{}
	for _, status := range []auth.JobStatus{auth.JobRunning, auth.JobSuccess, auth.JobFailed, auth.JobCanceled} {
		j, _ := s.job(t, p.ID, u)
		s.draftBy(t, p.ID, "one", id(j.ID), j.ID)
		s.draftBy(t, p.ID, "two", id(j.ID), j.ID)
		if status == auth.JobRunning {
			continue
		}
		_, err := s.FinishJob(t.Context(), p.ID, j.ID, status, now(), quiet())
		must(t, 0, err)
		want[j.ID] = registry.LeftJob{ID: j.ID, ProjectID: p.ID, Success: status == auth.JobSuccess}
	}
	gone := s.project(t, g.ID, u)
	orphan, _ := s.job(t, gone.ID, u)
	s.draftBy(t, p.ID, "of a project that is gone", "1", orphan.ID)
	_, err := s.FinishJob(t.Context(), gone.ID, orphan.ID, auth.JobSuccess, now(), quiet())
	must(t, 0, err)
	must(t, 0, s.DeleteProject(t.Context(), gone.ID, now(), quiet()))
	without, _ := s.job(t, p.ID, u)
	_, err = s.FinishJob(t.Context(), p.ID, without.ID, auth.JobSuccess, now(), quiet())
	must(t, 0, err)
	found, err := s.LeftJobs(t.Context(), 100)
	must(t, 0, err)
	got := map[int64]registry.LeftJob{}
	for _, j := range found {
		if j.ProjectID == p.ID || j.ProjectID == gone.ID { // the suite's other tests leave jobs, too
			got[j.ID] = j
		}
	}
	wantSame(t, "jobs", got, want)
	found, err = s.LeftJobs(t.Context(), 1)
	wantSame(t, "limited", len(must(t, found, err)), 1)
}

func testAddFileUnreleased(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	s.release(t, newRelease(p.ID, u.ID, "v1"))
	for version, want := range map[string]registry.Status{"1": registry.StatusDefault, "2": registry.StatusDraft} {
		for range 2 {
			pub := publication(p.ID, "tool", version, s.name("file"))
			pub.Into, pub.Unreleased = registry.IntoEither, registry.ReleaseTags{version, "v" + version}
			f := s.publish(t, pub)
			wantSame(t, "the status of "+version, s.statusOf(t, f), want)
			wantSame(t, "whether it is a draft's", f.Draft, want == registry.StatusDraft)
		}
	}
	s.draftBy(t, p.ID, "draft", "1", 0) // the release came first: nobody will make this one final
	pub := publication(p.ID, "draft", "1", "f")
	pub.Into, pub.Unreleased = registry.IntoEither, registry.ReleaseTags{"1", "v1"}
	_, err := s.AddFile(t.Context(), pub)
	wantKind(t, err, fault.Conflict)
}

func testInsertReleaseFinals(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	elsewhere := s.project(t, g.ID, u)
	e := s.event()
	both := []registry.File{s.draftBy(t, p.ID, "a", "1", 0), s.draftBy(t, p.ID, "b", "v1", 0)}
	others := []registry.File{s.draftBy(t, p.ID, "a", "2", 0), s.draftBy(t, elsewhere.ID, "a", "1", 0)}
	open := s.publish(t, publication(p.ID, "open", "1", "f"))
	_, err := s.InsertRelease(t.Context(), newRelease(p.ID, u.ID, "v1"), &registry.Finals{Versions: []registry.Version{"v1", "1"}, Judge: allowFinal("m", e)}, roomy(), quiet())
	must(t, 0, err)
	for _, f := range both {
		wantSame(t, "the status", s.statusOf(t, f), registry.StatusDefault)
	}
	for _, f := range others {
		wantSame(t, "the status of another", s.statusOf(t, f), registry.StatusDraft)
	}
	k, err := s.FindPackage(t.Context(), p.ID, open.PackageID)
	if must(t, k, err).FinalAt != nil {
		t.Error("an open version is final")
	}
	s.wantTold(t, e, 2)
}

func testInsertReleaseFinalsRefused(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	e := s.event()
	first, second := s.draftBy(t, p.ID, "a", "1", 0), s.draftBy(t, p.ID, "b", "1", 0)
	judge := func(v registry.PackageVersion, files []registry.VersionFile) (registry.Final, error) {
		if v.Name == "b" {
			return registry.Final{}, fault.New(fault.Denied, "no")
		}
		return allowFinal("m", e)(v, files)
	}
	for with, want := range map[releases.Alongside]fault.Kind{
		&registry.Finals{Versions: []registry.Version{"1"}, Judge: judge}: fault.Denied, "something else": fault.Internal,
	} {
		_, err := s.InsertRelease(t.Context(), newRelease(p.ID, u.ID, "1"), with, roomy(), e)
		wantKind(t, err, want)
	}
	s.wantTold(t, e, 0)
	wantSame(t, "releases", len(s.releasesAt(t, p.ID, releases.Filter{})), 0)
	for _, f := range []registry.File{first, second} {
		wantSame(t, "the status", s.statusOf(t, f), registry.StatusDraft)
	}
}
