package api_test

import (
	"testing"
	"time"
)

func TestJobRecords(t *testing.T) {
	s := newServer(t)
	p := v4 + "/projects/" + s.project("tool", "private")
	dev, devToken := s.user("dev")
	reporter, reporterToken := s.user("reporter")
	s.memberAt("/projects/root%2Ftool", dev, 30)
	s.memberAt("/projects/root%2Ftool", reporter, 20)

	made := s.as(devToken, "POST", p+"/jobs", map[string]any{
		"name": "release", "stage": "deploy", "ref": "v1.0.0", "sha": "0123456789abcdef", "tag": true, "timeout": 60,
	}).must(t, 201)
	secret := made["token"].(string)
	want := map[string]string{
		"name": "release", "stage": "deploy", "ref": "v1.0.0", "tag": "true", "status": "running", "finished_at": "<nil>",
		"artifacts": "[]", "coverage": "<nil>", "allow_failure": "false",
	}
	fields(t, made, want)
	fields(t, made["commit"].(map[string]any), map[string]string{"id": "0123456789abcdef", "short_id": "01234567"})
	fields(t, made["user"].(map[string]any), map[string]string{"username": "dev", "id": itoa(dev)})
	has(t, made["pipeline"].(map[string]any), "id", "project_id", "ref", "sha", "status")

	job := func(header string) answer { return s.do("GET", v4+"/job", nil, header) }
	t.Run("GET /job", func(t *testing.T) {
		for _, header := range []string{"Job-Token: " + secret, "Authorization: Bearer " + secret} {
			got := job(header).must(t, 200)
			fields(t, got, want)
			has(t, got, "id", "created_at", "started_at", "erased_at", "duration", "queued_duration", "web_url", "archived",
				"artifacts_expire_at", "runner", "runner_manager", "pipeline", "project", "user", "commit")
			if got["token"] != nil {
				t.Error("the token is shown twice")
			}
		}
		s.do("GET", v4+"/job?job_token="+secret, nil).status(t, 200)
		s.do("GET", v4+"/job", nil).is(t, 401, `{"message":"401 Unauthorized"}`)
		job("Job-Token: wrong").is(t, 401, `{"message":"401 Unauthorized"}`)
		s.as(devToken, "GET", v4+"/job", nil).is(t, 404, `{"message":"404 Job Not Found"}`)
		s.do("GET", v4+"/user", nil, "Job-Token: "+secret).status(t, 401) // no credential elsewhere
		if got := s.do("GET", p, nil, "Job-Token: "+secret).must(t, 200); got["permissions"] != nil {
			t.Error("a job sees permissions")
		}
	})
	t.Run("it ends", func(t *testing.T) {
		at := p + "/jobs/" + id(made)
		s.as(reporterToken, "PUT", at, map[string]any{"status": "failed"}).is(t, 403, `{"message":"403 Forbidden"}`)
		s.as(devToken, "PUT", at, map[string]any{"status": "running"}).is(t, 400, `{"error":"status does not have a valid value"}`)
		s.as(devToken, "PUT", at, nil).is(t, 400, `{"error":"status is missing"}`)
		ended := s.do("PUT", at+"?status=success", nil, "Job-Token: "+secret).must(t, 200)
		fields(t, ended, map[string]string{"status": "success"})
		job("Job-Token: "+secret).status(t, 401)
		s.as(devToken, "PUT", at, map[string]any{"status": "failed"}).status(t, 409)
		fields(t, s.as(reporterToken, "GET", at, nil).must(t, 200), map[string]string{"status": "success"})
	})
	t.Run("or runs out of time", func(t *testing.T) {
		j := s.as(devToken, "POST", p+"/jobs", map[string]any{"timeout": 10}).must(t, 201)
		s.skew = 11 * time.Second
		defer func() { s.skew = 0 }()
		job("Job-Token: "+j["token"].(string)).status(t, 401)
		fields(t, s.root("GET", p+"/jobs/"+id(j), nil).must(t, 200), map[string]string{"status": "failed", "failure_reason": "job_execution_timeout"})
	})
	t.Run("refused", func(t *testing.T) {
		for _, test := range []struct {
			form   map[string]any
			status int
		}{
			{map[string]any{"timeout": 0}, 400}, {map[string]any{"timeout": 86401}, 400}, {map[string]any{"timeout": 1e15}, 400},
			{map[string]any{"timeout": "long"}, 400}, {map[string]any{"ref": "a\nb"}, 400}, {map[string]any{"user_id": 1}, 403},
			{map[string]any{"pipeline_id": -1}, 400}, {map[string]any{"pipeline_id": int64(1) << 62}, 400},
		} {
			s.as(devToken, "POST", p+"/jobs", test.form).status(t, test.status)
		}
		s.as(reporterToken, "POST", p+"/jobs", nil).is(t, 403, `{"message":"403 Forbidden"}`)
		s.do("POST", p+"/jobs", nil).status(t, 401)
		s.as(devToken, "GET", p+"/jobs/999", nil).status(t, 404)
		s.root("POST", p+"/jobs", map[string]any{"user_id": 999}).is(t, 404, `{"message":"404 User Not Found"}`)
	})
	t.Run("pipelines", func(t *testing.T) {
		other := v4 + "/projects/" + s.project("other", "private")
		s.root("POST", p+"/jobs", map[string]any{"pipeline_id": int64(1)<<53 - 1}).must(t, 201)
		s.root("POST", p+"/jobs", map[string]any{"pipeline_id": int64(1)<<53 - 1}).must(t, 201)
		s.root("POST", other+"/jobs", map[string]any{"pipeline_id": int64(1)<<53 - 1}).status(t, 400)
		next := s.root("POST", other+"/jobs", nil).must(t, 201) // which a chosen one does not move
		if n := next["pipeline"].(map[string]any)["id"].(float64); n > 100 {
			t.Errorf("the next pipeline is %v", n)
		}
		mine := s.root("POST", p+"/jobs", map[string]any{"user_id": dev}).must(t, 201)
		fields(t, mine["user"].(map[string]any), map[string]string{"username": "dev"})
		s.root("GET", other+"/jobs/"+id(mine), nil).status(t, 404)
		if n := len(s.as(reporterToken, "GET", p+"/jobs", nil).list(t)); n != 5 {
			t.Errorf("%d jobs, want 5", n)
		}
	})
	t.Run("a blocked user's job is refused at once", func(t *testing.T) {
		j := s.as(devToken, "POST", p+"/jobs", nil).must(t, 201)
		job("Job-Token: "+j["token"].(string)).status(t, 200)
		s.root("POST", v4+"/users/"+itoa(dev)+"/block", nil).must(t, 201)
		job("Job-Token: "+j["token"].(string)).status(t, 403)
	})
}
