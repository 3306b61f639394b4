package api_test

import (
	"testing"
	"time"

	"granary/internal/access"
)

// TestJobTokens is contract generic-packages 4.5 and the job rows of 2.6: what a
// job may do in its own project and in others.
func TestJobTokens(t *testing.T) {
	const path = "tool/1.0.0/f"
	s := newServer(t)
	group := s.group("acme", 0)
	home := s.projectIn(group, "home", "private")
	userID, token := s.user("developer")
	targets := map[string]string{}
	for _, v := range []string{"private", "internal", "public", "listed", "groupwise", "open", "members", "unscoped"} {
		visibility := map[string]string{"internal": "internal", "public": "public", "members": "public"}[v]
		if visibility == "" {
			visibility = "private"
		}
		targets[v] = s.project(v, visibility)
		s.member(targets[v], userID, 30)
		s.root("PUT", generic(targets[v], path), "x").is(t, 201, created)
	}
	s.member(home, userID, 30)
	s.root("PUT", generic(home, path), "x").is(t, 201, created)
	targets["home"] = home
	foreign := s.project("foreign", "private") // the user is no member there
	targets["foreign, listed"] = foreign
	s.root("PUT", "/api/v4/projects/"+targets["open"], map[string]any{"package_registry_access_level": "public"}).must(t, 200)
	s.root("PUT", "/api/v4/projects/"+targets["members"], map[string]any{"package_registry_access_level": "private"}).must(t, 200)
	s.exec(`INSERT INTO job_token_allowlist (project_id, source_project_id) VALUES ($1, $2), ($3, $2)`,
		s.projectID(targets["listed"]), home, s.projectID(foreign))
	s.exec(`INSERT INTO job_token_allowlist (project_id, source_namespace_id) VALUES ($1, $2)`, s.projectID(targets["groupwise"]), group)
	s.exec(`UPDATE projects SET job_token_scope = 0 WHERE id = $1`, s.projectID(targets["unscoped"]))

	jobID, job := s.job(token, home)
	can, hidden, denied := answerOf{201, created}, answerOf{404, notFound}, answerOf{403, forbidden}
	reads := answerOf{200, "x"}
	for _, tc := range []struct {
		project  string
		put, get answerOf
	}{
		{"home", can, reads},
		{"private", hidden, hidden},
		{"internal", denied, reads},
		{"public", denied, reads},
		{"members", denied, denied},
		{"open", hidden, reads},
		{"listed", can, reads},
		{"groupwise", can, reads},
		{"unscoped", can, reads},
		{"foreign, listed", hidden, hidden},
	} {
		t.Run(tc.project, func(t *testing.T) {
			file := generic(targets[tc.project], path)
			s.do("PUT", file, unsized("x"), "JOB-TOKEN: "+job).is(t, tc.put.status, tc.put.body)
			s.do("GET", file, nil, "JOB-TOKEN: "+job).is(t, tc.get.status, tc.get.body)
		})
	}
	// A job leaves its pipeline with the package, once, and with each file.
	pipelines := ask[int](s, `SELECT COUNT(*) FROM package_pipelines k JOIN jobs j ON j.pipeline_id = k.pipeline_id WHERE j.id = $1`, jobID)
	s.do("PUT", generic(home, path), unsized("x"), "JOB-TOKEN: "+job).is(t, 201, created)
	wantValue(t, "pipelines of packages", ask[int](s, `SELECT COUNT(*) FROM package_pipelines`), pipelines)
	wantValue(t, "pipelines of files", ask[int](s, `SELECT COUNT(*) FROM package_file_pipelines`), pipelines+1)

	// As its user: a role that shrinks counts at once.
	s.root("PUT", "/api/v4/projects/"+home+"/members/"+itoa(userID), map[string]any{"access_level": 20}).must(t, 200)
	s.do("PUT", generic(home, path), unsized("x"), "JOB-TOKEN: "+job).is(t, 403, forbidden)
	s.do("GET", generic(home, path), nil, "JOB-TOKEN: "+job).is(t, 200, "x")
	s.root("DELETE", "/api/v4/projects/"+home+"/members/"+itoa(userID), nil).must(t, 204)
	s.do("GET", generic(home, path), nil, "JOB-TOKEN: "+job).is(t, 404, notFound)
	s.root("POST", "/api/v4/users/"+itoa(userID)+"/block", nil).must(t, 201)
	s.do("GET", generic(home, path), nil, "JOB-TOKEN: "+job).starts(t, 403, "403 Forbidden - Your account")
	s.root("POST", "/api/v4/users/"+itoa(userID)+"/unblock", nil).must(t, 201)
	s.root("DELETE", "/api/v4/projects/"+home, nil).must(t, 202)
	s.do("GET", generic(targets["public"], path), nil, "JOB-TOKEN: "+job).is(t, 401, unauthorized)
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
	put := func(p string) answer { return s.do("PUT", generic(p, "tool/1.0.0/f"), unsized("x"), token) }
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
	s.do("PUT", "/api/v4/projects/"+home+"/jobs/"+jobID, unsized("status=success"), token,
		"Content-Type: application/x-www-form-urlencoded").must(t, 200)
	put(home).is(t, 401, unauthorized)
	get(public).is(t, 401, unauthorized)
	s.as(dev, "PUT", "/api/v4/projects/"+home+"/jobs/"+jobID, map[string]any{"status": "failed"}).must(t, 409)

	byID := s.root("POST", "/api/v4/projects/"+home+"/jobs", map[string]any{"user_id": reporterID}).must(t, 201)["token"].(string)
	s.do("PUT", generic(home, "tool/1.0.0/f"), unsized("x"), "JOB-TOKEN: "+byID).is(t, 403, forbidden)
	s.as(dev, "POST", "/api/v4/projects/"+home+"/jobs", map[string]any{"user_id": reporterID}).must(t, 403)
}

// TestDeployTokens: of the project, of a group above, and of others.
func TestDeployTokens(t *testing.T) {
	const path = "tool/1.0.0/f"
	s := newServer(t)
	top := s.group("acme", 0)
	sub := s.group("sub", top)
	other := s.group("other", 0)
	private, public := s.projectIn(sub, "private", "private"), s.projectIn(sub, "public", "public")
	internal := s.projectIn(sub, "internal", "internal")
	for _, p := range []string{private, public, internal} {
		s.root("PUT", generic(p, path), "x").is(t, 201, created)
	}
	token := func(of string, scopes ...string) string {
		_, secret := s.deployToken(of, scopes...)
		return "DEPLOY-TOKEN: " + secret
	}
	const read, write = "read_package_registry", "write_package_registry"
	can, reads, hidden, denied := answerOf{201, created}, answerOf{200, "x"}, answerOf{404, notFound}, answerOf{403, forbidden}
	for _, tc := range []struct {
		name, token, project string
		put, get             answerOf
	}{
		{"of the project, write", token("projects/"+private, write), private, can, reads},
		{"of the project, read", token("projects/"+private, read), private, denied, reads},
		{"of the project, both", token("projects/"+private, read, write), private, can, reads},
		{"of the project, neither", token("projects/"+private, "read_repository"), private, denied, denied},
		{"of the group, write", token("groups/"+itoa(sub), write), private, can, reads},
		{"of the group above, write", token("groups/"+itoa(top), write), private, can, reads},
		{"of the group above, read", token("groups/"+itoa(top), read), internal, denied, reads},
		{"of another group", token("groups/"+itoa(other), write), private, hidden, hidden},
		{"of another group, internal", token("groups/"+itoa(other), write), internal, hidden, hidden},
		{"of another group, public", token("groups/"+itoa(other), write), public, denied, reads},
		{"of another project", token("projects/"+public, write), private, hidden, hidden},
		{"of another project, public", token("projects/"+private, write), public, denied, reads},
		{"of another project, none there", token("projects/"+private, write), "999999", hidden, hidden},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.do("PUT", generic(tc.project, path), unsized("x"), tc.token).is(t, tc.put.status, tc.put.body)
			s.do("GET", generic(tc.project, path), nil, tc.token).is(t, tc.get.status, tc.get.body)
		})
	}
	s.do("GET", "/api/v4/projects/"+private, nil, token("projects/"+private, write)).must(t, 404) // not taken by the general API
	// A package that a deploy token made has no creator.
	s.do("PUT", generic(private, "bot/1.0.0/f"), unsized("x"), token("projects/"+private, write)).is(t, 201, created)
	wantValue(t, "packages without a creator", ask[int](s, `SELECT COUNT(*) FROM packages WHERE creator_id IS NULL`), 1)

	// The token of a group that is gone opens nothing.
	gone := token("groups/"+itoa(other), write)
	s.do("PUT", generic(public, path), unsized("x"), gone).is(t, 403, forbidden)
	s.root("DELETE", "/api/v4/groups/"+itoa(other), nil).must(t, 202)
	s.do("PUT", generic(public, path), unsized("x"), gone).is(t, 401, unauthorized)
}

// TestProtectedPackages is contract generic-packages 6.
func TestProtectedPackages(t *testing.T) {
	const refusal = `{"message":"403 Forbidden - Package protected."}`
	s := newServer(t)
	group := s.group("acme", 0)
	p := s.projectIn(group, "tool", "private")
	tokens := map[string]string{"admin": "PRIVATE-TOKEN: " + rootToken}
	for name, level := range map[string]int{"developer": 30, "maintainer": 40, "owner": 50} {
		id, token := s.user(name)
		s.root("POST", "/api/v4/groups/"+itoa(group)+"/members", map[string]any{"user_id": id, "access_level": level}).must(t, 201)
		tokens[name] = "PRIVATE-TOKEN: " + token
		if name == "developer" {
			_, job := s.job(token, p)
			tokens["job"] = "JOB-TOKEN: " + job
		}
	}
	_, deploy := s.deployToken("projects/"+p, "write_package_registry")
	tokens["deploy"] = "DEPLOY-TOKEN: " + deploy
	for _, rule := range []struct {
		pattern, kind string
		push, del     access.Role
	}{
		{"Firm*ware", "generic", access.Maintainer, access.NoRole},
		{"firmware", "generic", access.Owner, access.NoRole},
		{"vault", "generic", access.Admin, access.NoRole},
		{"kept", "generic", access.NoRole, access.Owner},
		{"*", "npm", access.Admin, access.Admin},
	} {
		s.exec(`INSERT INTO package_protection_rules (project_id, pattern, package_type, push_level, delete_level) VALUES ($1, $2, $3, $4, $5)`,
			p, rule.pattern, rule.kind, int(rule.push), int(rule.del))
	}
	for _, tc := range []struct {
		name string
		may  []string // of those who could publish without rules
	}{
		{"free", []string{"developer", "job", "maintainer", "owner", "admin", "deploy"}},
		{"firm-ware", []string{"maintainer", "owner", "admin"}},
		{"FIRMWARE", []string{"owner", "admin"}}, // two rules match: the stricter one counts
		{"vault", []string{"admin"}},
		{"vaults", []string{"developer", "job", "maintainer", "owner", "admin", "deploy"}},
		{"kept", []string{"developer", "job", "maintainer", "owner", "admin"}},
	} {
		for who, token := range tokens {
			want := answerOf{403, refusal}
			for _, name := range tc.may {
				if name == who {
					want = answerOf{201, created}
				}
			}
			got := s.do("PUT", generic(p, tc.name+"/1.0.0/f"), unsized("x"), token)
			if got.StatusCode != want.status || got.body != want.body {
				t.Errorf("%s by %s: %d %s, want %d", tc.name, who, got.StatusCode, got.body, want.status)
			}
		}
	}
	s.do("GET", generic(p, "vault/1.0.0/f"), nil, tokens["developer"]).is(t, 200, "x") // reading stays
}

// TestServerSwitches: whether guests read private packages, and whether projects
// may let anyone pull (contract generic-packages 3.4).
func TestServerSwitches(t *testing.T) {
	s := newServer(t)
	p, open := s.project("tool", "private"), s.project("open", "private")
	s.root("PUT", "/api/v4/projects/"+open, map[string]any{"package_registry_access_level": "public"}).must(t, 200)
	guestID, guest := s.user("guest")
	reporterID, reporter := s.user("reporter")
	for _, project := range []string{p, open} {
		s.member(project, guestID, 10)
		s.member(project, reporterID, 20)
		s.root("PUT", generic(project, "tool/1.0.0/f"), "x").is(t, 201, created)
	}
	file, anyone := generic(p, "tool/1.0.0/f"), generic(open, "tool/1.0.0/f")
	s.as(guest, "GET", file, nil).is(t, 200, "x")
	s.do("GET", anyone, nil).is(t, 200, "x")
	s.do("PUT", anyone, unsized("x")).is(t, 401, unauthorized)
	s.do("GET", generic(open, "tool/1.0.0/none"), nil).is(t, 404, noRow)

	s.registry.Rules = access.Rules{}
	s.as(guest, "GET", file, nil).is(t, 403, forbidden)
	s.as(guest, "GET", generic(p, "tool/1.0.0/none"), nil).is(t, 403, forbidden)
	s.as(reporter, "GET", file, nil).is(t, 200, "x")
	s.do("GET", anyone, nil).is(t, 401, unauthorized)
	s.as(guest, "GET", anyone, nil).is(t, 403, forbidden)
	s.as(reporter, "GET", anyone, nil).is(t, 200, "x")
}

// TestFlagOff: a 404 after login and visibility (design, section 1): whoever can
// see the project need not log in to learn it.
func TestFlagOff(t *testing.T) {
	s := newServer(t)
	private, public := s.project("private", "private"), s.project("public", "public")
	_, stranger := s.user("stranger")
	file := "tool/1.0.0/f"
	s.root("PUT", generic(public, file), "x").is(t, 201, created)
	s.root("POST", "/api/v4/features/generic_packages", map[string]any{"value": false}).must(t, 201)
	s.root("GET", generic(public, file), nil).is(t, 404, notFound)
	s.root("PUT", generic(public, file), "x").is(t, 404, notFound)
	s.as(stranger, "PUT", generic(public, file), "x").is(t, 404, notFound)
	s.do("GET", generic(public, file), nil).header(t, "WWW-Authenticate:").is(t, 404, notFound)
	s.do("PUT", generic(public, file), unsized("x")).is(t, 401, unauthorized)
	s.do("GET", generic(private, file), nil).is(t, 401, unauthorized)
	s.as(stranger, "GET", generic(private, file), nil).is(t, 404, notFound)
	s.as(stranger, "GET", generic(private, "tool/1..0/f"), nil).must(t, 400)
}
