package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/api"
	"granary/internal/eventually"
	"granary/internal/webhooks"
)

// fullLists is every route that answers with a list, with the list to ask for: a
// hundred of the largest rows that can be written. inside names the list where it
// is part of an object.
func fullLists(w *largest) map[string]struct{ path, inside string } {
	p, g := "/projects/"+w.project, "/groups/"+w.group
	return map[string]struct{ path, inside string }{
		"/users":                  {path: "/users?per_page=100"},
		"/users/{id}/projects":    {path: "/users/1/projects?per_page=100"},
		"/projects":               {path: "/projects?per_page=100"},
		"/projects keyset":        {path: "/projects?per_page=100&pagination=keyset&order_by=id"},
		"/groups":                 {path: "/groups?per_page=100"},
		"/groups/{id}":            {path: g, inside: "projects"},
		"/groups/{id}/subgroups":  {path: g + "/subgroups?per_page=100"},
		"/groups/{id}/projects":   {path: g + "/projects?per_page=100"},
		"/namespaces":             {path: "/namespaces?per_page=100"},
		"/personal_access_tokens": {path: "/personal_access_tokens?per_page=100"},
		"/personal_access_tokens/self/associations":          {path: "/personal_access_tokens/self/associations?per_page=100", inside: "projects"},
		"/projects/{id}/access_tokens":                       {path: p + "/access_tokens?per_page=100"},
		"/groups/{id}/access_tokens":                         {path: g + "/access_tokens?per_page=100"},
		"/deploy_tokens":                                     {path: "/deploy_tokens?per_page=100"},
		"/projects/{id}/deploy_tokens":                       {path: p + "/deploy_tokens?per_page=100"},
		"/groups/{id}/deploy_tokens":                         {path: g + "/deploy_tokens?per_page=100"},
		"/projects/{id}/jobs":                                {path: p + "/jobs?per_page=100"},
		"/projects/{id}/members":                             {path: p + "/members?per_page=100"},
		"/projects/{id}/members/all":                         {path: p + "/members/all?per_page=100"},
		"/groups/{id}/members":                               {path: g + "/members?per_page=100"},
		"/groups/{id}/members/all":                           {path: g + "/members/all?per_page=100"},
		"/admin/ci/variables":                                {path: "/admin/ci/variables?per_page=100"},
		"/projects/{id}/variables":                           {path: p + "/variables?per_page=100"},
		"/groups/{id}/variables":                             {path: g + "/variables?per_page=100"},
		"/projects/{id}/job_token_scope/allowlist":           {path: p + "/job_token_scope/allowlist?per_page=100"},
		"/projects/{id}/job_token_scope/groups_allowlist":    {path: p + "/job_token_scope/groups_allowlist?per_page=100"},
		"/projects/{id}/packages":                            {path: p + "/packages?per_page=100"},
		"/groups/{id}/packages":                              {path: g + "/packages?per_page=100"},
		"/projects/{id}/packages/{package_id}":               {path: p + "/packages/1000", inside: "versions"},
		"/projects/{id}/packages/{package_id}/package_files": {path: p + "/packages/1000/package_files?per_page=100"},
		"/projects/{id}/packages/protection/rules":           {path: p + "/packages/protection/rules?per_page=100"},
		"/projects/{id}/releases":                            {path: p + "/releases?per_page=100&include_html_description=true"},
		"/projects/{id}/releases/{tag}":                      {path: p + "/releases/links", inside: "assets.links"},
		"/projects/{id}/releases/{tag}/assets/links":         {path: p + "/releases/links/assets/links?per_page=100"},
		"/projects/{id}/repository/tags":                     {path: p + "/repository/tags?per_page=100"},
		"/projects/{id}/repository/tags version":             {path: p + "/repository/tags?per_page=100&order_by=version"},
		"/projects/{id}/uploads":                             {path: p + "/uploads?per_page=100"},
		"/projects/{id}/hooks":                               {path: p + "/hooks?per_page=100"},
		"/projects/{id}/hooks/{hook_id}/events":              {path: p + "/hooks/" + w.hook + "/events?per_page=100"},
		"/audit_events":                                      {path: "/audit_events?per_page=100"},
		"/audit_events keyset":                               {path: "/audit_events?per_page=100&pagination=keyset"},
		"/projects/{id}/audit_events":                        {path: p + "/audit_events?per_page=100"},
		"/groups/{id}/audit_events":                          {path: g + "/audit_events?per_page=100"},
		"/features":                                          {path: "/features"},
	}
}

// TestEveryListIsWhole asks for a hundred of the largest rows of each list: all
// are there, in steps of at most 1 MiB. A route that reads per_page and is not
// in fullLists fails it.
func TestEveryListIsWhole(t *testing.T) {
	var mu sync.Mutex
	largest, paged := 0, map[string]bool{}
	s := serveAnswers(t, 0, 0, func(a *api.Server) {
		a.OnStep(func(n int) {
			mu.Lock()
			defer mu.Unlock()
			largest = max(largest, n)
		})
		a.OnParam(func(r *http.Request, name string) {
			if _, path, ok := strings.Cut(r.Pattern, "/api/v4"); ok && name == "per_page" {
				mu.Lock()
				defer mu.Unlock()
				paged[path] = true
			}
		})
	})
	w := fillLargest(s)
	lists := fullLists(w)
	for _, route := range s.api.Described() {
		if route[0] == "GET" {
			s.root("GET", "/api/v4"+usual(route[1])+"?page=1", nil)
		}
	}
	mu.Lock()
	for at := range paged {
		// A page of pipelines has 20 at most, and so many groups may be above a project.
		if _, there := lists[at]; !there && !strings.HasSuffix(at, "/pipelines") && at != "/projects/{id}/groups" {
			t.Errorf("%s is a list, and not in fullLists", at)
		}
	}
	mu.Unlock()
	for _, at := range slices.Sorted(maps.Keys(lists)) {
		list := lists[at]
		got := s.root("GET", "/api/v4"+list.path, nil)
		if got.StatusCode != 200 {
			t.Errorf("%s: %d %.300s", at, got.StatusCode, got.body)
			continue
		}
		if n := rowsIn(t, got.body, list.inside); n < 100 {
			t.Errorf("%s: %d rows, want 100", at, n)
		}
		mu.Lock()
		if largest > 1<<20 {
			t.Errorf("%s: a step of %d bytes", at, largest)
		}
		t.Logf("%s: %d KiB, steps of at most %d KiB", at, len(got.body)>>10, largest>>10)
		largest = 0
		mu.Unlock()
		eventually.Holds(t, at+" gives back what it took", func() bool { // the client may be faster
			taken, waiting := s.api.Answers.Held()
			return taken == 0 && waiting == 0
		})
	}
}

// rowsIn counts the rows of a list, and holds each to being another.
func rowsIn(t *testing.T, body, inside string) int {
	t.Helper()
	text := json.RawMessage(body)
	for name := range strings.SplitSeq(inside, ".") {
		if name != "" {
			var object map[string]json.RawMessage
			if err := json.Unmarshal(text, &object); err != nil {
				t.Errorf("%v in %.300s", err, body)
			}
			text = object[name]
		}
	}
	var rows []json.RawMessage
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Errorf("%v in %.300s", err, text)
	}
	seen := map[string]bool{}
	for _, row := range rows {
		seen[string(row)] = true
	}
	if len(seen) != len(rows) {
		t.Errorf("%d of %d rows are the same", len(rows)-len(seen), len(rows))
	}
	return len(rows)
}

// largest is what fillLargest made.
type largest struct{ project, group, hook string }

// wide is a text of 255 characters of four bytes, another for each i.
func wide(i int) string { return fmt.Sprintf("%s%04d", strings.Repeat("𝔵", 251), i) }

// long is a path or a name of 255 ASCII characters, another for each i.
func long(i int) string { return fmt.Sprintf("%s%04d", strings.Repeat("p", 251), i) }

// fillLargest fills every list with a hundred of the largest rows, those of
// older servers too: their paths were up to 20 segments of 255 letters.
func fillLargest(s *server) *largest {
	t := s.t
	control, quotes := strings.Repeat("\x01", 2000), strings.Repeat(`"`, 255)
	s.rows(20, `INSERT INTO namespaces (id, parent_id, name, path, description, visibility, duplicate_exception, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, 20, $6, 1, 1)`, func(i int) []any {
		var parent any
		if i > 0 {
			parent = 999 + i
		}
		return []any{1000 + i, parent, wide(i), long(i), control, quotes}
	})
	var paths []string
	path := ""
	for i := range 20 {
		path = strings.TrimPrefix(path+"/"+long(i), "/")
		paths = append(paths, path)
	}
	route := `INSERT INTO routes (path_key, path, namespace_id, project_id, redirect) VALUES ($1, $1, $2, $3, 0)`
	s.rows(20, route, func(i int) []any { return []any{paths[i], 1000 + i, nil} })
	w := &largest{project: "5000", group: "1018"}
	w.groups(s, paths, control, quotes)
	w.people(s)
	w.things(s)
	w.told(t, s)
	return w
}

// groups fills the lists of groups and projects.
func (w *largest) groups(s *server, paths []string, control, quotes string) {
	s.rows(100, `INSERT INTO namespaces (id, parent_id, name, path, description, visibility, duplicate_exception, created_at, updated_at)
		VALUES ($1, 1018, $2, $3, $4, 20, $5, 1, 1)`, func(i int) []any { return []any{2000 + i, wide(i), long(i + 100), control, quotes} })
	route := `INSERT INTO routes (path_key, path, namespace_id, project_id, redirect) VALUES ($1, $1, $2, $3, 0)`
	s.rows(100, route, func(i int) []any { return []any{paths[18] + "/" + long(i+100), 2000 + i, nil} })
	var topics []string
	for i := range 20 {
		topics = append(topics, strings.Repeat(`"`, 253)+fmt.Sprintf("%02d", i))
	}
	project := `INSERT INTO projects (id, namespace_id, name, path, description, visibility, default_branch, topics, package_access, archived,
			creator_id, duplicate_exception, job_token_scope, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, 20, $6, $7, 20, 0, 1, $6, 1, 1, 1)`
	personal := ask[int64](s, "SELECT id FROM namespaces WHERE owner_id = 1")
	for _, at := range []struct {
		namespace, id int64
		path          string
	}{{1018, 5000, paths[18]}, {personal, 6000, "root"}} {
		s.rows(100, project, func(i int) []any {
			return []any{at.id + int64(i), at.namespace, wide(i), long(i + 300), control, quotes, strings.Join(topics, ",")}
		})
		s.rows(100, route, func(i int) []any { return []any{at.path + "/" + long(i+300), nil, at.id + int64(i)} })
	}
	s.rows(99, `INSERT INTO job_token_allowlist (project_id, source_project_id) VALUES (5000, $1)`, func(i int) []any { return []any{5001 + i} })
	s.rows(100, `INSERT INTO job_token_allowlist (project_id, source_namespace_id) VALUES (5000, $1)`, func(i int) []any { return []any{2000 + i} })
	s.rows(100, `INSERT INTO package_protection_rules (project_id, pattern, package_type, push_level, delete_level) VALUES (5000, $1, 'generic', 40, 50)`,
		func(i int) []any { return []any{wide(i)} })
	s.rows(100, `INSERT INTO features (name, percentage_of_time, percentage_of_actors) VALUES ($1, 0, 0)`, func(i int) []any { return []any{long(i)} })
}

// people fills the lists of users, members and tokens.
func (w *largest) people(s *server) {
	s.rows(300, `INSERT INTO users (id, username, username_key, name, email, email_key, admin, external, blocked, can_create_group, projects_limit, note, created_at)
		VALUES ($1, $2, $2, $3, $4, $4, 0, 0, 0, 0, 0, $3, 1)`, func(i int) []any { return []any{3000 + i, long(i), wide(i), "e" + long(i)[1:]} })
	for _, place := range []string{"project_id", "namespace_id"} {
		id, bots := 5000, 3100
		if place == "namespace_id" {
			id, bots = 1018, 3200
		}
		s.rows(100, `INSERT INTO members (user_id, `+place+`, access_level, created_by, created_at) VALUES ($1, $2, 30, 3000, 1)`,
			func(i int) []any { return []any{3000 + i, id} })
		s.rows(1, `INSERT INTO members (user_id, `+place+`, access_level, created_by, created_at) VALUES (1, $1, 50, 3000, 1)`, func(int) []any { return []any{id} })
		s.rows(100, `INSERT INTO deploy_tokens (`+place+`, name, username, scopes, digest, revoked, creator_id, created_at)
			VALUES ($1, $2, $2, 'read_package_registry', $3, 0, 1, 1)`, func(i int) []any { return []any{id, wide(i), []byte(fmt.Sprint(place, i))} })
		s.rows(100, `INSERT INTO bots (user_id, `+place+`, access_level) VALUES ($1, $2, 40)`, func(i int) []any { return []any{bots + i, id} })
	}
	s.rows(200, `INSERT INTO personal_access_tokens (user_id, name, description, scopes, digest, revoked, created_at, family) VALUES ($1, $2, $3, 'api', $4, 0, 1, $5)`,
		func(i int) []any {
			return []any{3100 + i, wide(i), strings.Repeat("\x01", 255), []byte(fmt.Sprint("pat", i)), 1000 + i}
		})
}

// things fills the lists of packages, files, jobs and releases.
func (w *largest) things(s *server) {
	s.rows(101, `INSERT INTO pipelines (id, project_id, user_id, ref, sha, created_at) VALUES ($1, 5000, 3000, $2, $2, 1)`,
		func(i int) []any { return []any{1000 + i, strings.Repeat(`"`, 255)} })
	s.rows(100, `INSERT INTO jobs (project_id, pipeline_id, user_id, name, stage, ref, sha, tag, status, digest, created_at, expires_at)
		VALUES (5000, 1000, 3000, $1, $1, $1, $1, 0, 'success', $2, 1, 1)`, func(i int) []any { return []any{strings.Repeat(`"`, 255), []byte(fmt.Sprint("job", i))} })
	s.rows(101, `INSERT INTO packages (id, project_id, name, version, status, creator_id, created_at, updated_at) VALUES ($1, 5000, $2, $3, 'default', 1, 1, 1)`,
		func(i int) []any { return []any{1000 + i, long(0), long(i)} })
	s.rows(101, `INSERT INTO package_pipelines (package_id, pipeline_id) VALUES ($1, $1)`, func(i int) []any { return []any{1000 + i} })
	s.rows(1, `INSERT INTO blobs (id, digest, size, files, touched_at) VALUES (1000, $1, 1, 100, 1)`, func(int) []any { return []any{make([]byte, 32)} })
	s.rows(100, `INSERT INTO package_files (id, package_id, blob_id, file_name, status, created_at) VALUES ($1, 1000, 1000, $2, 'default', 1)`,
		func(i int) []any { return []any{1000 + i, strings.Repeat(long(0)+"/", 4) + long(i)} })
	s.rows(100, `INSERT INTO uploads (project_id, secret, file_name, blob_id, creator_id, created_at) VALUES (5000, $1, $2, 1000, 3000, 1)`,
		func(i int) []any { return []any{fmt.Sprintf("%032x", i), long(i)} })
	s.rows(100, `INSERT INTO package_file_pipelines (package_file_id, pipeline_id) VALUES ($1, $1)`, func(i int) []any { return []any{1000 + i} })

	for _, some := range []struct {
		count int
		text  string
		tag   string
	}{{60, strings.Repeat("\x01", 30_000), "small"}, {35, strings.Repeat("é", 100_000), "large"}, {4, strings.Repeat("\x01", 1_000_000), "huge"}, {1, strings.Repeat(`"`, 1_000_000), ""}} {
		s.rows(some.count, `INSERT INTO releases (project_id, tag, name, description, ref, milestones, author_id, created_at, updated_at, released_at)
			VALUES (5000, $1, $2, $3, $2, $4, 3000, 1, 1, 1)`, func(i int) []any {
			tag := some.tag + fmt.Sprint(i)
			if some.tag == "" {
				tag = "links"
			}
			return []any{tag, strings.Repeat(`"`, 255), some.text, strings.TrimSuffix(strings.Repeat(strings.Repeat(`"`, 255)+"\n", 100), "\n")}
		})
	}
	release := ask[int64](s, `SELECT id FROM releases WHERE tag = 'links'`)
	s.rows(1000, `INSERT INTO release_links (release_id, name, url, path, link_type) VALUES ($1, $2, $3, $4, 'other')`, func(i int) []any {
		url := "https://example.com/" + strings.Repeat("u", 4000) + long(i)
		return []any{release, strings.Repeat(`"`, 251) + fmt.Sprintf("%04d", i), url[:4092] + fmt.Sprintf("%04d", i), "/" + long(i)[1:]}
	})
}

// told fills the lists of variables, hooks, what these were sent, and events.
func (w *largest) told(t *testing.T, s *server) {
	for i := range 100 {
		for _, of := range []string{"projects/5000", "groups/1018", "admin/ci"} {
			s.root("POST", "/api/v4/"+of+"/variables", map[string]any{
				"key": fmt.Sprintf("V%d", i), "value": strings.Repeat("𝔵", 10_000), "description": strings.Repeat("\x01", 255),
			}).must(t, 201)
		}
		var headers []map[string]string
		for n := range 20 {
			headers = append(headers, map[string]string{"key": fmt.Sprintf("%s%02d", strings.Repeat("k", 253), n), "value": strings.Repeat("v", 2048)})
		}
		made := s.root("POST", "/api/v4/projects/5000/hooks", map[string]any{
			"url": "https://example.com/" + strings.Repeat("u", 2000), "name": strings.Repeat("\x01", 255), "description": strings.Repeat("\x01", 255),
			"custom_headers": headers,
		}).must(t, 201)
		w.hook = itoa(int64(made["id"].(float64)))
	}
	hook := ask[int64](s, `SELECT MAX(id) FROM hooks`)
	for i := range 100 {
		sent := map[string]string{}
		for n := range 8 {
			sent[fmt.Sprint("H", n)] = strings.Repeat(`"`, 1000)
		}
		err := s.db.RecordAttempt(t.Context(), webhooks.Attempt{
			HookID: hook, Key: "k", URL: strings.Repeat("u", 2048), RequestHeaders: sent, ResponseHeaders: sent,
			RequestBody: `{"a":"` + strings.Repeat("𝔵", 4000) + `"}`, ResponseBody: strings.Repeat("\x01", 8<<10), Status: 200, CreatedAt: time.Unix(int64(i), 0),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for n, entity := range []struct {
		kind string
		id   int
	}{{"Project", 5000}, {"Group", 1018}} {
		s.rows(100, `INSERT INTO audit_events (id, name, entity_type, entity_id, entity_path, author_id, author_username, author_name, credential,
				credential_id, address, sudo_id, sudo_username, target_type, target_id, target_details, change, change_from, change_to)
			VALUES ($1, 'project_created', $2, $3, $4, 3000, $5, $5, 'personal_access_token', 1, $5, 1, $5, $5, 1, $5, $5, $5, $5)`,
			func(i int) []any {
				return []any{4_000_000_000_000_000 + 1000*n + i, entity.kind, entity.id, strings.Repeat("𝔵", 1024), wide(i)}
			})
	}
	s.root("POST", "/api/v4/features/unused", map[string]any{"value": true}).must(t, 201) // what was remembered is forgotten
}
