package api_test

import (
	"strings"
	"testing"
	"time"
)

// TestCarriers is contract generic-packages 4.1: every way to carry each
// credential, on publish and on install.
func TestCarriers(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	id, personal := s.user("dev")
	s.member(p, id, 30)
	_, job := s.job(personal, p)
	_, deploy := s.deployToken("projects/"+p, "read_package_registry", "write_package_registry")
	file := generic(p, "tool/1.0.0/f")
	for _, tc := range []struct {
		name, query, header string
		ok                  bool
	}{
		{"PRIVATE-TOKEN", "", "PRIVATE-TOKEN: " + personal, true},
		{"private_token", "?private_token=" + personal, "", true},
		{"access_token", "?access_token=" + personal, "", true},
		{"personal as Bearer", "", "Authorization: Bearer " + personal, true},
		{"bearer in lower case", "", "Authorization: bearer " + personal, true},
		{"personal in Basic, any user", "", basic("whoever", personal), true},
		{"JOB-TOKEN", "", "JOB-TOKEN: " + job, true},
		{"job_token", "?job_token=" + job, "", true},
		{"token", "?token=" + job, "", true},
		{"job as Bearer", "", "Authorization: Bearer " + job, true},
		{"job in Basic", "", basic("gitlab-ci-token", job), true},
		{"job in Basic, other user", "", basic("dev", job), false},
		{"DEPLOY-TOKEN", "", "DEPLOY-TOKEN: " + deploy, true},
		{"deploy as Bearer", "", "Authorization: Bearer " + deploy, true},
		{"deploy in Basic, any user", "", basic("whoever", deploy), true},
		{"personal as JOB-TOKEN", "", "JOB-TOKEN: " + personal, false},
		{"personal as DEPLOY-TOKEN", "", "DEPLOY-TOKEN: " + personal, false},
		{"job as PRIVATE-TOKEN", "", "PRIVATE-TOKEN: " + job, false},
		{"deploy as PRIVATE-TOKEN", "", "PRIVATE-TOKEN: " + deploy, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var header []string
			if tc.header != "" {
				header = append(header, tc.header)
			}
			put := s.do("PUT", file+tc.query, strings.NewReader("x"), header...)
			get := s.do("GET", file+tc.query, nil, header...)
			if tc.ok {
				put.is(t, 201, created)
				get.is(t, 200, "x")
			} else {
				put.is(t, 401, unauthorized)
				get.is(t, 401, unauthorized)
			}
		})
	}
}

// TestPrecedence is contract generic-packages 4.2: which of several
// credentials counts.
func TestPrecedence(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	id, personal := s.user("dev")
	s.member(p, id, 30)
	_, job := s.job(personal, p)
	_, deploy := s.deployToken("projects/"+p, "read_package_registry") // may not publish
	file := generic(p, "tool/1.0.0/f")
	for _, tc := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"good personal, bad job", []string{"PRIVATE-TOKEN: " + personal, "JOB-TOKEN: bad"}, 201},
		{"bad personal, good job", []string{"PRIVATE-TOKEN: bad", "JOB-TOKEN: " + job}, 401},
		{"deploy token beats personal", []string{"DEPLOY-TOKEN: " + deploy, "PRIVATE-TOKEN: " + personal}, 403},
		{"bad deploy token gives way", []string{"DEPLOY-TOKEN: bad", "PRIVATE-TOKEN: " + personal}, 201},
		{"Basic hides the DEPLOY-TOKEN header", []string{"DEPLOY-TOKEN: " + deploy, basic("u", personal)}, 201},
		{"personal beats Basic", []string{"PRIVATE-TOKEN: " + personal, basic("u", deploy+"x")}, 201},
		{"job as Bearer beats PRIVATE-TOKEN", []string{"Authorization: Bearer " + job, "PRIVATE-TOKEN: bad"}, 201},
		{"dead gitlab-ci-token", []string{basic("gitlab-ci-token", "bad")}, 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.do("PUT", file, strings.NewReader("x"), tc.headers...).must(t, tc.status)
		})
	}
}

// TestDeployTokens: where they reach, what their scopes allow, when they are
// dead.
func TestDeployTokens(t *testing.T) {
	s := newServer(t)
	s.root("POST", "/api/v4/groups", map[string]any{"name": "acme", "path": "acme"}).must(t, 201)
	group := int64(s.root("GET", "/api/v4/groups/acme", nil).must(t, 200)["id"].(float64))
	s.root("POST", "/api/v4/groups", map[string]any{"name": "sub", "path": "sub", "parent_id": group}).must(t, 201)
	sub := int64(s.root("GET", "/api/v4/groups/acme%2Fsub", nil).must(t, 200)["id"].(float64))
	s.root("POST", "/api/v4/projects", map[string]any{"name": "tool", "namespace_id": sub}).must(t, 201)
	inside, elsewhere, public := "acme%2Fsub%2Ftool", s.project("elsewhere", "private"), s.project("public", "public")
	for _, p := range []string{inside, elsewhere, public} {
		s.root("PUT", generic(p, "tool/1.0.0/f"), "x").must(t, 201)
	}
	readID, read := s.deployToken("groups/acme", "read_package_registry")
	_, write := s.deployToken("groups/acme", "write_package_registry")
	for _, tc := range []struct {
		name, token, project string
		put, get             int
	}{
		{"read, inside", read, inside, 403, 200},
		{"write, inside", write, inside, 201, 200},
		{"write, elsewhere", write, elsewhere, 404, 404},
		{"write, public elsewhere", write, public, 403, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := generic(tc.project, "tool/1.0.0/f")
			s.do("PUT", file, strings.NewReader("x"), "DEPLOY-TOKEN: "+tc.token).must(t, tc.put)
			s.do("GET", file, nil, "DEPLOY-TOKEN: "+tc.token).must(t, tc.get)
		})
	}
	file := generic(inside, "tool/1.0.0/f")
	soon := s.root("POST", "/api/v4/groups/acme/deploy_tokens", map[string]any{
		"name": "soon", "scopes": []string{"write_package_registry"}, "expires_at": time.Now().Add(time.Hour).Format(time.RFC3339),
	}).must(t, 201)["token"].(string)
	s.do("PUT", file, strings.NewReader("x"), "DEPLOY-TOKEN: "+soon).must(t, 201)
	s.skew = 2 * time.Hour
	s.do("PUT", file, strings.NewReader("x"), "DEPLOY-TOKEN: "+soon).is(t, 401, unauthorized)
	s.skew = 0
	s.root("DELETE", "/api/v4/groups/acme/deploy_tokens/"+readID, nil).must(t, 204)
	s.do("GET", file, nil, "DEPLOY-TOKEN: "+read).is(t, 401, unauthorized)
	s.do("GET", "/api/v4/projects/"+inside, nil, "DEPLOY-TOKEN: "+write).must(t, 404) // not taken by the general API
}

// TestJobs: a job token lives as long as its job and acts as its user.
func TestJobs(t *testing.T) {
	s := newServer(t)
	home, other, public := s.project("home", "private"), s.project("other", "private"), s.project("public", "public")
	id, dev := s.user("dev")
	reporterID, reporter := s.user("reporter")
	for _, p := range []string{home, other, public} {
		s.member(p, id, 30)
		s.member(p, reporterID, 20)
		s.root("PUT", generic(p, "tool/1.0.0/f"), "x").must(t, 201)
	}
	s.as(reporter, "POST", "/api/v4/projects/"+home+"/jobs", nil).must(t, 403)
	made := s.as(dev, "POST", "/api/v4/projects/"+home+"/jobs", map[string]any{"name": "build", "ref": "main", "sha": "0123456789abcdef", "timeout": 600}).must(t, 201)
	token, jobID := "JOB-TOKEN: "+made["token"].(string), itoa(int64(made["id"].(float64)))
	if made["status"] != "running" || made["user"].(map[string]any)["username"] != "dev" {
		t.Errorf("job %v", made)
	}
	put := func(p string) answer { return s.do("PUT", generic(p, "tool/1.0.0/f"), strings.NewReader("x"), token) }
	get := func(p string) answer { return s.do("GET", generic(p, "tool/1.0.0/f"), nil, token) }
	put(home).is(t, 201, created)
	put(other).is(t, 404, notFound)
	get(other).is(t, 404, notFound)
	put(public).is(t, 403, forbidden)
	get(public).is(t, 200, "x")
	s.do("GET", "/api/v4/job", nil, token).must(t, 200)
	s.root("GET", "/api/v4/job", nil).is(t, 404, `{"message":"404 Job Not Found"}`)
	s.do("GET", "/api/v4/job", nil).is(t, 401, unauthorized)
	shown := s.as(reporter, "GET", "/api/v4/projects/"+home+"/jobs/"+jobID, nil).must(t, 200)
	if _, told := shown["token"]; told {
		t.Error("a token is shown twice")
	}
	if n := s.count("package_file_pipelines"); n != 1 {
		t.Errorf("%d files know their pipeline, want 1", n)
	}
	s.skew = 601 * time.Second
	put(home).is(t, 401, unauthorized)
	s.skew = 0
	s.do("PUT", "/api/v4/projects/"+home+"/jobs/"+jobID, strings.NewReader("status=success"), token,
		"Content-Type: application/x-www-form-urlencoded").must(t, 200)
	put(home).is(t, 401, unauthorized)
	get(public).is(t, 401, unauthorized)
	s.as(dev, "PUT", "/api/v4/projects/"+home+"/jobs/"+jobID, map[string]any{"status": "failed"}).must(t, 409)

	byID := s.root("POST", "/api/v4/projects/"+home+"/jobs", map[string]any{"user_id": reporterID}).must(t, 201)["token"].(string)
	s.do("PUT", generic(home, "tool/1.0.0/f"), strings.NewReader("x"), "JOB-TOKEN: "+byID).is(t, 403, forbidden)
	s.as(dev, "POST", "/api/v4/projects/"+home+"/jobs", map[string]any{"user_id": reporterID}).must(t, 403)
}
