package api_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"granary/internal/auth"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/releases"
)

// TestFull: whatever a caller can add to is full one day. The answer is 422 with
// the limit and what to do.
func TestFull(t *testing.T) {
	s := newServer(t)
	ada, _ := s.user("ada")
	s.user("ben")
	s.groupAt("acme", "private")
	group := s.root("GET", v4+"/groups/acme", nil).must(t, 200)["id"]
	s.project("tool", "private")
	s.projectAt("acme", "inside", "private")
	s.root("POST", v4+"/features/unused", map[string]any{"value": true}).must(t, 201)
	s.lowerLimits()
	const p = "/projects/root%2Ftool"
	token := map[string]any{"name": "t", "scopes": []string{"read_api"}, "access_level": 10}
	own := map[string]any{"name": "t", "scopes": []string{"self_rotate"}}
	deploy := map[string]any{"name": "d", "scopes": []string{"read_package_registry"}}
	made := 0
	for _, test := range []struct {
		path string
		body func() map[string]any // of one row
		room int                   // for so many more
		of   string
	}{
		{"/groups", func() map[string]any { return map[string]any{"name": "g", "path": fmt.Sprint("g", made)} }, 1, "top-level groups of an owner (2)"},
		{"/groups", func() map[string]any {
			return map[string]any{"name": "g", "path": fmt.Sprint("g", made), "parent_id": group}
		}, 2, "subgroups of a group (2)"},
		{"/projects", func() map[string]any { return map[string]any{"name": fmt.Sprint("p", made), "namespace_id": group} }, 1, "projects of a group (2)"},
		{p + "/members", func() map[string]any {
			n, _ := s.user(fmt.Sprint("member", made))
			return map[string]any{"user_id": n, "access_level": 10}
		}, 1, "members of a project (2)"},
		{"/groups/acme/members", func() map[string]any {
			n, _ := s.user(fmt.Sprint("member", made))
			return map[string]any{"user_id": n, "access_level": 10}
		}, 1, "members of a group (2)"},
		{p + "/releases", func() map[string]any { return map[string]any{"tag_name": fmt.Sprint("v", made)} }, 2, "releases of a project (2)"},
		{p + "/packages/protection/rules", func() map[string]any {
			return map[string]any{"package_name_pattern": fmt.Sprint("a", made), "package_type": "generic", "minimum_access_level_for_push": "owner"}
		}, 2, "package protection rules of a project (2)"},
		{"/users/" + itoa(ada) + "/personal_access_tokens", func() map[string]any { return token }, 1, "personal access tokens of a user (2)"},
		{"/user/personal_access_tokens", func() map[string]any { return own }, 1, "personal access tokens of a user (2)"},
		{p + "/access_tokens", func() map[string]any { return token }, 2, "access tokens ever made of a project (2)"},
		{"/groups/acme/access_tokens", func() map[string]any { return token }, 2, "access tokens ever made of a group (2)"},
		{p + "/deploy_tokens", func() map[string]any { return deploy }, 2, "deploy tokens of a project (2)"},
		{"/groups/acme/deploy_tokens", func() map[string]any { return deploy }, 2, "deploy tokens of a group (2)"},
		{p + "/jobs", func() map[string]any { return nil }, 2, "running jobs of a project (2)"},
		{p + "/hooks", func() map[string]any { return map[string]any{"url": "https://example.com/"} }, 2, "project hooks (2)"},
		{"/features/unused", func() map[string]any {
			return map[string]any{"value": true, "user": []string{"ada", "root", "ben"}[made%3]}
		}, 2, "targets of a feature flag (2)"},
	} {
		t.Run(test.path+" "+test.of, func(t *testing.T) {
			for range test.room {
				s.root("POST", v4+test.path, test.body()).must(t, 201)
				made++
			}
			got := s.root("POST", v4+test.path, test.body())
			made++
			if want := "Maximum number of " + test.of + " exceeded"; got.StatusCode != 422 || !strings.Contains(got.body, want) {
				t.Errorf("%d %s, want 422 and %q", got.StatusCode, got.body, want)
			}
		})
	}
	t.Run("a flag", func(t *testing.T) {
		s.root("POST", v4+"/features/two", map[string]any{"value": true}).must(t, 201)
		s.root("POST", v4+"/features/three", map[string]any{"value": true}).starts(t, 422, "")
		s.root("POST", v4+"/features/two", map[string]any{"value": false}).must(t, 201)
	})
	t.Run("uploads", func(t *testing.T) {
		const at = "root%2Ftool"
		s.upload(rootToken, at, "a", []byte("x")).must(t, 201)
		s.upload(rootToken, at, "a", []byte("x")).must(t, 201)
		s.upload(rootToken, at, "a", []byte("x")).is(t, 422, `{"message":{"base":["Maximum number of uploads of a project (2) exceeded: delete one first, or publish files as a package"]}}`)
	})
	t.Run("former paths", func(t *testing.T) {
		for table, what := range map[string]string{"project_id": "/projects/" + s.projectID("root%2Ftool"), "namespace_id": "/groups/" + fmt.Sprint(group)} {
			id := what[strings.LastIndex(what, "/")+1:]
			s.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
				INSERT INTO routes (path_key, path, ` + table + `, redirect) SELECT '` + table + `/' || i, '` + table + `/' || i, ` + id + `, 1 FROM n`)
			s.root("PUT", v4+what, map[string]any{"path": "last" + id}).must(t, 200)
			s.root("PUT", v4+what, map[string]any{"path": "late" + id}).is(t, 422,
				`{"message":{"base":["Maximum number of former paths of a project or group (1000) exceeded: leave its path as it is, or go back to a former one"]}}`)
			s.root("PUT", v4+what, map[string]any{"description": "all else goes on"}).must(t, 200)
		}
	})
}

// lowerLimits makes two of each kind the most there may be.
func (s *server) lowerLimits() {
	p, a, r, e, h := projects.DefaultLimits(), auth.DefaultLimits(), registry.DefaultLimits(), releases.DefaultLimits(), s.hooks.Limits
	h.Hooks.Of, h.Hooks.Most = "project hooks", 2
	for _, most := range []*int{
		&p.OwnGroups.Most, &p.Subgroups.Most, &p.GroupProjects.Most, &p.ProjectMembers.Most, &p.GroupMembers.Most, &p.Flags.Most, &p.FlagTargets.Most,
		&a.UserTokens.Most, &a.ProjectTokens.Most, &a.GroupTokens.Most, &a.ProjectDeployTokens.Most, &a.GroupDeployTokens.Most, &a.RunningJobs.Most,
		&r.Protections.Most, &r.Uploads.Most, &e.Releases.Most,
	} {
		*most = 2
	}
	s.api.Projects.Limits, s.users.Limits, s.registry.Limits, s.api.Releases.Limits, s.hooks.Limits = p, a, r, e, h
}

// TestProjectsLimitAtOnce: of 24 projects that somebody makes at once, who may
// have two, two are made.
func TestProjectsLimitAtOnce(t *testing.T) {
	s := newServer(t)
	form := map[string]any{"username": "ada", "name": "ada", "email": "ada@example.com", "force_random_password": true, "projects_limit": 2}
	ada := s.token(int64(s.root("POST", v4+"/users", form).must(t, 201)["id"].(float64)), "api")
	var all sync.WaitGroup
	var made atomic.Int64
	for i := range 24 {
		all.Go(func() {
			switch got := s.as(ada, "POST", v4+"/projects", map[string]any{"name": fmt.Sprint("p", i)}); {
			case got.StatusCode == 201:
				made.Add(1)
			case got.StatusCode != 403 || got.body != `{"error":"Your project limit is 2 projects! Please contact your administrator to increase it"}`:
				t.Errorf("%d %s", got.StatusCode, got.body)
			}
		})
	}
	all.Wait()
	if made.Load() != 2 {
		t.Errorf("%d projects were made, where 2 may be", made.Load())
	}
}

// TestProtectionRulesAreAPage as every other list.
func TestProtectionRulesAreAPage(t *testing.T) {
	s := newServer(t)
	rules := v4 + "/projects/" + s.project("tool", "private") + "/packages/protection/rules"
	for i := range 21 {
		s.root("POST", rules, map[string]any{"package_name_pattern": fmt.Sprint("a", i), "package_type": "generic", "minimum_access_level_for_push": "owner"}).must(t, 201)
	}
	first, second := s.root("GET", rules, nil), s.root("GET", rules+"?page=2", nil)
	if a, b := len(first.list(t)), second.column(t, "package_name_pattern"); a != 20 || b != "a20" {
		t.Errorf("%d rules on the first page, on the second %s", a, b)
	}
	checkHeaders(t, first, "1", "2", "", "next first last")
	checkHeaders(t, second, "2", "", "1", "prev first last")
	s.root("GET", rules+"?per_page=0", nil).is(t, 400, `{"error":"per_page has a value not allowed"}`)
}

// TestFullRecords: what is kept within one record ends too.
func TestFullRecords(t *testing.T) {
	s := newServer(t)
	p := v4 + "/projects/" + s.project("tool", "private")
	words := func(n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprint("w", i))
		}
		return list
	}
	s.root("POST", p+"/releases", map[string]any{"tag_name": "v1", "milestones": words(100)}).must(t, 201)
	s.root("PUT", p+"/releases/v1", map[string]any{"milestones": words(101)}).starts(t, 400, "")
	s.root("PUT", p, map[string]any{"topics": words(20)}).must(t, 200)
	s.root("PUT", p, map[string]any{"topics": words(21)}).starts(t, 400, "")

	s.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
		INSERT INTO release_links (release_id, name, url, path, link_type)
		SELECT e.id, 'l' || i, 'https://example.com/' || i, '', 'other' FROM releases e CROSS JOIN n`)
	link := func(name string) answer {
		return s.root("POST", p+"/releases/v1/assets/links", map[string]any{"name": name, "url": "https://example.com/" + name})
	}
	link("last").must(t, 201)
	link("late").is(t, 400, `{"message":{"links":["are too many (maximum is 1000 in a release)"]}}`)

	s.root("POST", p+"/hooks", map[string]any{"url": "https://example.com/"}).must(t, 201)
	for i := range 20 {
		s.root("PUT", p+"/hooks/1/custom_headers/h"+fmt.Sprint(i), map[string]any{"value": "x"}).must(t, 204)
	}
	s.root("PUT", p+"/hooks/1/custom_headers/late", map[string]any{"value": "x"}).is(t, 422, `{"error":"Custom headers validation failed: 20 at most"}`)
	s.root("PUT", p+"/hooks/1/custom_headers/h0", map[string]any{"value": "y"}).must(t, 204)
}
