package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// putBy publishes a file with a header that says who.
func (s *server) putBy(header, p, path string) {
	s.t.Helper()
	s.do("PUT", generic(p, path), strings.NewReader("x"), header).must(s.t, 201)
}

// jobIn starts a job of a project, and returns its address and the header of its token.
func (s *server) jobIn(p string) (at, header string) {
	s.t.Helper()
	id, secret := s.job(rootToken, p)
	return v4 + "/projects/" + p + "/jobs/" + id, "JOB-TOKEN: " + secret
}

// draftsIn is what an answer says of the drafts of a job: "app 1.0.0 final".
func draftsIn(t *testing.T, ended map[string]any) string {
	t.Helper()
	var all []string
	list, _ := ended["drafts"].([]any)
	for _, d := range list {
		d := d.(map[string]any)
		all = append(all, strings.TrimSpace(fmt.Sprint(d["name"], " ", d["version"], " ", d["status"], " ", strings.TrimPrefix(fmt.Sprint(d["error"]), "<nil>"))))
	}
	return strings.Join(all, ", ")
}

// settle does what the upkeep does with drafts of jobs.
func (s *server) settleDrafts() {
	s.t.Helper()
	if err := s.registry.SettleLeftDrafts(s.t.Context(), s.users.ActorOfJob); err != nil {
		s.t.Fatal(err)
	}
}

// TestJobEndSettlesItsDrafts: success makes those final that are the job's alone, another end
// discards them; everything else stays as it is, and the answer names what others have put
// files into, too. A draft that was asked for waits for a POST.
func TestJobEndSettlesItsDrafts(t *testing.T) {
	const shared = "others have put files into it, too; POST makes it final"
	for end, want := range map[string]string{
		"success": "own 1.0.0 final, own 1.0.1 final", "failed": "own 1.0.0 discarded, own 1.0.1 discarded", "canceled": "own 1.0.0 discarded, own 1.0.1 discarded",
	} {
		t.Run(end, func(t *testing.T) {
			s := newServer(t)
			p := s.project("app", "private")
			s.root("PUT", generic(p, "open/1.0.0/f"), "x").must(t, 201)
			s.setting(p, given{"generic_package_drafts": "job"})
			at, first := s.jobIn(p)
			_, second := s.jobIn(p)
			person := "PRIVATE-TOKEN: " + rootToken
			s.putBy(first, p, "own/1.0.0/f")
			s.putBy(first, p, "own/1.0.0/g")
			s.putBy(first, p, "own/1.0.1/f")
			s.putBy(first, p, "asked/1.0.0/f?status=draft")
			s.putBy(first, p, "two/1.0.0/f")
			s.putBy(second, p, "two/1.0.0/g")
			s.putBy(first, p, "two/1.0.0/h")
			s.putBy(person, p, "late/1.0.0/f?status=draft")
			s.putBy(first, p, "late/1.0.0/g")
			s.putBy(first, p, "early/1.0.0/f")
			s.putBy(person, p, "early/1.0.0/g?status=draft")
			s.putBy(second, p, "other/1.0.0/f")
			s.putBy(first, p, "open/1.0.0/g")
			before := s.newest()
			for _, name := range []string{"two", "late", "early"} {
				want += ", " + name + " 1.0.0 draft " + shared
			}
			if got := draftsIn(t, s.root("PUT", at, given{"status": end}).must(t, 200)); got != want {
				t.Errorf("drafts %q, want %q", got, want)
			}
			var events []string
			for _, e := range s.since(before) {
				events = append(events, fmt.Sprint(e.Name, " ", e.Target.Details))
			}
			deed := map[bool]string{true: "package_registry_package_finalised", false: "package_registry_draft_discarded"}[end == "success"]
			if got, want := strings.Join(events, ", "), deed+" own/1.0.0, "+deed+" own/1.0.1, ci_job_finished job"; got != want {
				t.Errorf("events %q, want %q", got, want)
			}
			var got string
			for _, version := range []string{"own/1.0.0", "own/1.0.1", "two/1.0.0", "late/1.0.0", "early/1.0.0", "other/1.0.0", "asked/1.0.0", "open/1.0.0"} {
				got += s.state(p, version)
			}
			if want := map[bool]string{true: "ff", false: "--"}[end == "success"] + "dddddo"; got != want {
				t.Errorf("states %s, want %s", got, want)
			}
			if got := draftsIn(t, s.root("PUT", at, given{"status": end}).must(t, 200)); got != "" {
				t.Errorf("the second end did something: %s", got)
			}
			s.putBy(second, p, "own/2.0.0/f")
			s.settleDrafts()
			if got := s.state(p, "own/2.0.0") + s.state(p, "other/1.0.0"); got != "dd" {
				t.Errorf("drafts of a running job are %s", got)
			}
		})
	}
}

// TestJobEndsOnce: who ends a job otherwise than it has ended changes no draft.
func TestJobEndsOnce(t *testing.T) {
	s := newServer(t)
	p := s.project("app", "private")
	s.setting(p, given{"generic_package_drafts": "job"})
	at, job := s.jobIn(p)
	s.putBy(job, p, "app/1.0.0/f")
	s.exec(`UPDATE jobs SET status = 'canceled', finished_at = 1`) // its drafts were not settled: the server died
	s.root("PUT", at, given{"status": "success"}).is(t, 409, `{"message":"409 Conflict: the job has ended already"}`)
	if got := s.state(p, "app/1.0.0"); got != "d" {
		t.Errorf("a job that was canceled, and should then succeed, made its draft %s", got)
	}
	if got := draftsIn(t, s.root("PUT", at, given{"status": "canceled"}).must(t, 200)); got != "app 1.0.0 discarded" {
		t.Errorf("the same end again: %q", got)
	}
	late, job := s.jobIn(p)
	s.putBy(job, p, "app/1.0.0/f")
	s.skew = time.Hour // its timeout is ten minutes
	s.root("PUT", late, given{"status": "failed"}).status(t, 409)
	s.settleDrafts()
	if got := s.state(p, "app/1.0.0"); got != "d" {
		t.Errorf("a job that ran out of time made its draft %s", got)
	}
}

// TestUpkeepSettlesLeftDrafts: what a job published while it ended, or a server that died did
// not settle, is settled as the job, once.
func TestUpkeepSettlesLeftDrafts(t *testing.T) {
	s := newServer(t)
	p := s.project("app", "private")
	s.setting(p, given{"generic_package_drafts": "job"})
	user, token := s.user("ci")
	s.member(p, user, 40)
	left := func(version, status string) {
		id, secret := s.job(token, p)
		s.putBy("JOB-TOKEN: "+secret, p, "app/"+version+"/f")
		s.exec(`UPDATE jobs SET status = '` + status + `', finished_at = 1 WHERE id = ` + id)
	}
	left("1.0.0", "success")
	left("1.0.1", "failed")
	s.settleDrafts()
	if got := s.state(p, "app/1.0.0") + s.state(p, "app/1.0.1"); got != "f-" {
		t.Errorf("success and failure are %s", got)
	}
	by := ask[string](s, `SELECT author_username FROM audit_events WHERE name = 'package_registry_package_finalised'`)
	if by != "ci" {
		t.Errorf("it was final by %q", by)
	}
	for _, refused := range []struct {
		name     string
		spoil    func()
		restored func()
	}{
		{"another setting", func() { s.setting(p, given{"generic_package_drafts": "always"}) }, func() { s.setting(p, given{"generic_package_drafts": "job"}) }},
		{"finalisers", func() { s.setting(p, given{"generic_package_finalisers": "people"}) }, func() { s.setting(p, given{"generic_package_finalisers": nil}) }},
		{"a blocked user", func() { s.root("POST", v4+"/users/"+itoa(user)+"/block", nil).must(t, 201) },
			func() { s.root("POST", v4+"/users/"+itoa(user)+"/unblock", nil).must(t, 201) }},
		{"no member any more", func() { s.root("DELETE", v4+"/projects/"+p+"/members/"+itoa(user), nil).must(t, 204) },
			func() { s.member(p, user, 40) }},
	} {
		left("2.0.0", "success")
		refused.spoil()
		s.settleDrafts()
		refused.restored()
		s.settleDrafts() // it is no job's any more
		if got := s.state(p, "app/2.0.0"); got != "d" {
			t.Errorf("%s: the draft is %s", refused.name, got)
		}
		s.root("DELETE", generic(p, "app/2.0.0?status=draft"), nil).must(t, 204)
	}
}

// TestJobEndElsewhere: drafts in another project are settled there, by its setting; those of
// a project where the caller may not publish are not named, and the upkeep settles them.
func TestJobEndElsewhere(t *testing.T) {
	s := newServer(t)
	p, there, hidden := s.project("app", "private"), s.project("there", "private"), s.project("hidden", "private")
	dev, devToken := s.user("dev")
	other, otherToken := s.user("other")
	for _, project := range []string{there, hidden} {
		s.root("PATCH", v4+"/projects/"+project+"/job_token_scope", given{"enabled": false}).must(t, 204)
		s.setting(project, given{"generic_package_drafts": "job"})
		s.member(project, dev, 30)
	}
	s.member(p, dev, 30)
	s.member(p, other, 40)
	s.member(there, other, 20)
	id, secret := s.job(devToken, p)
	job := "JOB-TOKEN: " + secret
	s.putBy(job, p, "app/1.0.0/f?status=draft") // this project has no such setting
	s.putBy(job, there, "app/1.0.0/f")
	s.putBy(job, hidden, "app/1.0.0/f")
	ended := s.as(otherToken, "PUT", v4+"/projects/"+p+"/jobs/"+id, given{"status": "success"}).must(t, 200)
	if got := draftsIn(t, ended); got != "" {
		t.Errorf("drafts %q", got)
	}
	if got := s.state(p, "app/1.0.0") + s.state(there, "app/1.0.0") + s.state(hidden, "app/1.0.0"); got != "ddd" {
		t.Errorf("states %s", got)
	}
	s.settleDrafts() // as the job, which may
	if got := s.state(p, "app/1.0.0") + s.state(there, "app/1.0.0") + s.state(hidden, "app/1.0.0"); got != "dff" {
		t.Errorf("after the upkeep: states %s, want those final that were not named", got)
	}
}

// TestJobOfManyDrafts: the answer is bounded, and the upkeep does the rest.
func TestJobOfManyDrafts(t *testing.T) {
	s := newServer(t)
	p := s.project("app", "private")
	s.setting(p, given{"generic_package_drafts": "job"})
	at, job := s.jobIn(p)
	for i := range 103 {
		s.putBy(job, p, fmt.Sprintf("app%d/1.0.0/f", i))
	}
	drafts := s.root("PUT", at, given{"status": "success"}).must(t, 200)["drafts"].([]any)
	if n := ask[int](s, `SELECT COUNT(*) FROM packages WHERE final_at IS NOT NULL`); len(drafts) != 100 || n != 100 {
		t.Errorf("%d in the answer, %d are final, want 100", len(drafts), n)
	}
	s.settleDrafts()
	if n := ask[int](s, `SELECT COUNT(*) FROM packages WHERE final_at IS NOT NULL`); n != 103 {
		t.Errorf("%d are final after the upkeep, want 103", n)
	}
}
