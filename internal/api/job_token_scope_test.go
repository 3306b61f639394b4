package api_test

import (
	"strings"
	"testing"
)

// jobScope is a project "target" and a project "source" in the group acme/ci,
// with a job of source that runs as a developer of both.
type jobScope struct {
	*server
	target, source, job string // paths, escaped; the job's token
	targetID, sourceID  int64
	groupID, parentID   int64
	developer           string
}

func newJobScope(t *testing.T) *jobScope {
	t.Helper()
	s := &jobScope{server: newServer(t), target: "root%2Ftarget", source: "acme%2Fci%2Fsource"}
	made := func(path string, body map[string]any) int64 {
		return int64(s.root("POST", path, body).must(t, 201)["id"].(float64))
	}
	s.parentID = made("/api/v4/groups", map[string]any{"name": "acme", "path": "acme"})
	s.groupID = made("/api/v4/groups", map[string]any{"name": "ci", "path": "ci", "parent_id": s.parentID})
	s.sourceID = made("/api/v4/projects", map[string]any{"name": "source", "namespace_id": s.groupID})
	s.targetID = made("/api/v4/projects", map[string]any{"name": "target"})
	id, token := s.user("developer")
	s.developer = token
	s.member(s.source, id, 30)
	s.member(s.target, id, 30)
	s.job = s.as(token, "POST", "/api/v4/projects/"+s.source+"/jobs", nil).must(t, 201)["token"].(string)
	return s
}

func (s *jobScope) scope(path string) string {
	return "/api/v4/projects/" + s.target + "/job_token_scope" + path
}

// TestJobTokenScopeRoutes is contract rest-api C5, row by row.
func TestJobTokenScopeRoutes(t *testing.T) {
	s := newJobScope(t)
	_, stranger := s.user("stranger")
	source, group := itoa(s.sourceID), itoa(s.groupID)
	hidden := itoa(int64(s.as(stranger, "POST", "/api/v4/projects", map[string]any{"name": "hidden"}).must(t, 201)["id"].(float64)))
	maintainerID, maintainer := s.user("maintainer")
	s.member(s.target, maintainerID, 40)
	s.member(s.source, maintainerID, 10)
	personal := itoa(int64(s.as(maintainer, "GET", "/api/v4/user", nil).must(t, 200)["namespace_id"].(float64)))
	bad := func(detail string) string { return `{"message":"400 Bad request - ` + detail + `"}` }
	for _, tc := range []struct {
		name, token, method, path, form string
		status                          int
		body                            string
	}{
		{"at first", maintainer, "GET", "", "", 200, `{"inbound_enabled":true,"outbound_enabled":false}`},
		{"off", maintainer, "PATCH", "", "enabled=false", 204, ""},
		{"is off", maintainer, "GET", "", "", 200, `{"inbound_enabled":false,"outbound_enabled":false}`},
		{"on", maintainer, "PATCH", "", "enabled=true", 204, ""},
		{"is on", maintainer, "GET", "", "", 200, `{"inbound_enabled":true,"outbound_enabled":false}`},
		{"nothing said", maintainer, "PATCH", "", "", 400, `{"error":"enabled is missing"}`},
		{"nothing meant", maintainer, "PATCH", "", "enabled=", 400, `{"error":"enabled is empty"}`},
		{"nonsense", maintainer, "PATCH", "", "enabled=perhaps", 400, `{"error":"enabled is invalid"}`},

		{"list a project", maintainer, "POST", "/allowlist", "target_project_id=" + source, 201, `{"source_project_id":` + itoa(s.targetID) + `,"target_project_id":` + source + `}`},
		{"twice", maintainer, "POST", "/allowlist", "target_project_id=" + source, 400, bad("This project is already in the job token allowlist.")},
		{"itself", maintainer, "POST", "/allowlist", "target_project_id=" + itoa(s.targetID), 400, bad("This project is already in the job token allowlist.")},
		{"unknown", maintainer, "POST", "/allowlist", "target_project_id=9999", 404, `{"message":"404 target_project_id Not Found"}`},
		{"not visible", maintainer, "POST", "/allowlist", "target_project_id=" + hidden, 404, `{"message":"404 target_project_id Not Found"}`},
		{"none", maintainer, "POST", "/allowlist", "", 400, `{"error":"target_project_id is missing"}`},
		{"no number", maintainer, "POST", "/allowlist", "target_project_id=a/b", 400, `{"error":"target_project_id is invalid"}`},
		{"take it off", maintainer, "DELETE", "/allowlist/" + source, "", 204, ""},
		{"take it off twice", maintainer, "DELETE", "/allowlist/" + source, "", 404, `{"message":"404 target_project_id Not Found"}`},
		{"take itself off", maintainer, "DELETE", "/allowlist/" + itoa(s.targetID), "", 400, bad("A project always lets its own jobs in.")},

		{"no groups", maintainer, "GET", "/groups_allowlist", "", 200, `[]`},
		{"list a group", maintainer, "POST", "/groups_allowlist", "target_group_id=" + group, 201, `{"source_project_id":` + itoa(s.targetID) + `,"target_group_id":` + group + `}`},
		{"a group twice", maintainer, "POST", "/groups_allowlist", "target_group_id=" + group, 400, bad("This group is already in the job token allowlist.")},
		{"a person's namespace", maintainer, "POST", "/groups_allowlist", "target_group_id=" + personal, 404, `{"message":"404 target_group_id Not Found"}`},
		{"groups", maintainer, "GET", "/groups_allowlist", "", 200, `[{"id":` + group + `,"web_url":"` + s.url + `/groups/acme/ci","name":"ci"}]`},
		{"take a group off", maintainer, "DELETE", "/groups_allowlist/" + group, "", 204, ""},
		{"take a group off twice", maintainer, "DELETE", "/groups_allowlist/" + group, "", 404, `{"message":"404 target_group_id Not Found"}`},

		{"developer", s.developer, "GET", "", "", 403, forbidden},
		{"developer lists", s.developer, "POST", "/allowlist", "target_project_id=" + source, 403, forbidden},
		{"stranger", stranger, "GET", "", "", 404, `{"message":"404 Project Not Found"}`},
		{"nobody", "nonsense", "GET", "", "", 401, unauthorized},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.do(tc.method, s.scope(tc.path), strings.NewReader(tc.form), "PRIVATE-TOKEN: "+tc.token,
				"Content-Type: application/x-www-form-urlencoded").is(t, tc.status, tc.body)
		})
	}
	if got := s.as(maintainer, "GET", s.scope("/allowlist"), nil); got.Header.Get("X-Total") != "1" || !strings.Contains(got.body, `"path_with_namespace":"root/target"`) {
		t.Errorf("the allowlist: X-Total %s, %s", got.Header.Get("X-Total"), got.body)
	}
	s.do("GET", s.scope(""), nil, "JOB-TOKEN: "+s.job).is(t, 401, unauthorized)
}

func TestJobTokenScopeIsFull(t *testing.T) {
	s := newJobScope(t)
	s.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
		INSERT INTO projects (id, namespace_id, name, path, description, visibility, default_branch, topics, package_access, archived, creator_id,
			job_token_scope, created_at, updated_at)
		SELECT 1000 + n.i, p.namespace_id, p.name, p.path, '', 0, '', '', 20, 0, p.creator_id, 1, 0, 0
		FROM n, projects p WHERE p.id = ` + itoa(s.targetID))
	s.exec(`INSERT INTO job_token_allowlist (project_id, source_project_id) SELECT ` + itoa(s.targetID) + `, id FROM projects WHERE id > 1000`)
	s.root("POST", s.scope("/allowlist"), map[string]any{"target_project_id": s.sourceID}).is(t, 400,
		`{"message":"400 Bad request - The job token allowlist is full: it may have 200 projects and groups."}`)
	s.root("DELETE", s.scope("/allowlist/1001"), nil).must(t, 204)
	s.root("POST", s.scope("/groups_allowlist"), map[string]any{"target_group_id": s.groupID}).must(t, 201)
}

// TestJobTokenScopeHolds: what a job of another project may do, on every route
// that takes job tokens, before it is let in, while it is, and afterwards.
func TestJobTokenScopeHolds(t *testing.T) {
	s := newJobScope(t)
	target := "/api/v4/projects/" + s.target
	file := generic(s.target, "tool/1.0.0/tool")
	s.root("PUT", file, "x").must(t, 201)
	other := itoa(int64(s.root("POST", target+"/jobs", nil).must(t, 201)["id"].(float64)))
	const refusal = `{"message":"403 Forbidden - Authentication by CI/CD job token not allowed from source to target."}`
	const noProject = `{"message":"404 Project Not Found"}`
	outcome := func(when string, project, read, publish, endJob int) {
		t.Helper()
		for _, tc := range []struct {
			method, path, body string
			status             int
		}{
			{"GET", target, "", project}, {"GET", file, "", read}, {"PUT", file, "x", publish},
			{"PUT", target + "/jobs/" + other, "status=failed", endJob}, {"DELETE", target + "/releases/v1", "", endJob},
			{"GET", "/api/v4/job", "", 200},
		} {
			got := s.do(tc.method, tc.path, strings.NewReader(tc.body), "JOB-TOKEN: "+s.job, "Content-Type: application/x-www-form-urlencoded")
			if got.StatusCode != tc.status {
				t.Errorf("%s, %s %s: %d %s, want %d", when, tc.method, tc.path, got.StatusCode, got.body, tc.status)
			}
			words := refusal
			if tc.path == file || strings.Contains(when, "let in") {
				words = forbidden // the generic routes name nothing (contract generic-packages 2.6)
			}
			if got.StatusCode == 403 && got.body != words {
				t.Errorf("%s, %s %s: %s, want %s", when, tc.method, tc.path, got.body, words)
			}
			if got.StatusCode == 404 && tc.path == target && got.body != noProject {
				t.Errorf("%s, %s %s: %s", when, tc.method, tc.path, got.body)
			}
		}
	}
	source, group, parent := map[string]any{"target_project_id": s.sourceID}, map[string]any{"target_group_id": s.groupID}, map[string]any{"target_group_id": s.parentID}
	outcome("private, not listed", 404, 404, 404, 404)
	s.root("POST", s.scope("/allowlist"), source).must(t, 201)
	outcome("private, let in", 200, 200, 201, 403)
	s.root("DELETE", s.scope("/allowlist/"+itoa(s.sourceID)), nil).must(t, 204)
	outcome("private, no longer listed", 404, 404, 404, 404)
	s.root("POST", s.scope("/groups_allowlist"), group).must(t, 201)
	outcome("private, let in by its group", 200, 200, 201, 403)
	s.root("DELETE", s.scope("/groups_allowlist/"+itoa(s.groupID)), nil).must(t, 204)
	s.root("POST", s.scope("/groups_allowlist"), parent).must(t, 201)
	outcome("private, let in by the group above", 200, 200, 201, 403)
	s.root("DELETE", s.scope("/groups_allowlist/"+itoa(s.parentID)), nil).must(t, 204)
	s.root("PATCH", s.scope(""), map[string]any{"enabled": false}).must(t, 204)
	outcome("private, all let in", 200, 200, 201, 403)
	s.root("PATCH", s.scope(""), map[string]any{"enabled": true}).must(t, 204)

	s.root("PUT", target, map[string]any{"visibility": "public"}).must(t, 200)
	outcome("public, not listed", 200, 200, 403, 403)
	s.root("PUT", target, map[string]any{"package_registry_access_level": "private"}).must(t, 200)
	outcome("public, packages for members", 200, 403, 403, 403)
	// Being let in gives nothing that the user does not have.
	s.root("PUT", target, map[string]any{"package_registry_access_level": "enabled"}).must(t, 200)
	s.root("POST", s.scope("/allowlist"), source).must(t, 201)
	id := itoa(int64(s.as(s.developer, "GET", "/api/v4/user", nil).must(t, 200)["id"].(float64)))
	s.root("DELETE", target+"/members/"+id, nil).must(t, 204)
	s.do("PUT", file, strings.NewReader("x"), "JOB-TOKEN: "+s.job).is(t, 403, forbidden)
}
