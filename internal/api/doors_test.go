package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"granary/internal/access"
	"granary/internal/api"
	"granary/internal/audit"
	"granary/internal/page"
	"granary/internal/trail"
)

// address is a door with something real in place of the parts of its path.
type address struct {
	api.Door
	at string
}

var pathPart = regexp.MustCompile(`\{(\w+)(\.\.\.)?\}`)

// addresses are all doors of root/tool, the group acme and the first user. The
// project has the file tool/1.0.0/f and the release v1.0.0.
func (s *server) addresses(project, group string) []address {
	parts := map[string]string{
		"project": "root/tool", "version": "1.0.0", "file": "f", "filename": "f", "tag": "v1.0.0", "path": "f", "suffix": "f", "key": "K",
		"secret": strings.Repeat("0", 32), "sha": "abc", "name": "tool", "trigger": "package_events",
	}
	var found []address
	for _, d := range s.api.Doors() {
		owner := map[bool]string{true: group, false: project}[strings.Contains(d.Path, "/groups/")]
		if strings.Contains(d.Path, "/users/") {
			owner = "1"
		}
		at := pathPart.ReplaceAllStringFunc(d.Path, func(part string) string {
			name := strings.Trim(part, "{.}")
			if name == "id" {
				return owner
			}
			if text, ok := parts[name]; ok {
				return text
			}
			return "1"
		})
		found = append(found, address{d, at})
	}
	return found
}

// place is a project with something in it, and a group.
func (s *server) place() (project, group string) {
	s.t.Helper()
	group = itoa(s.group("acme", 0))
	project = s.projectID(s.project("tool", "private"))
	s.root("PUT", generic(project, "tool/1.0.0/f"), "x").is(s.t, 201, created)
	s.release(project, map[string]any{"assets": map[string]any{"links": []map[string]any{{"name": "f", "url": "https://example.com/f", "direct_asset_path": "/f"}}}})
	return project, group
}

// TestSudoIsRefusedOnEveryDoor: an impossible Sudo is never passed over, in header
// or query, so that nobody acts as somebody whom the request did not mean.
func TestSudoIsRefusedOnEveryDoor(t *testing.T) {
	s := newServer(t)
	project, group := s.place()
	_, ada := s.user("ada")
	eve, _ := s.user("eve")
	s.root("POST", v4+"/users/"+itoa(eve)+"/block", nil).must(t, 201)
	plain := s.token(1, "api")
	_, job := s.job(rootToken, project)
	before := s.count("audit_events")
	for _, d := range s.addresses(project, group) {
		for _, tc := range []struct {
			credential, as string
			status         int
			body           string
		}{
			{"PRIVATE-TOKEN: " + rootToken, "nobody", 404, `{"message":"404 User with ID or username 'nobody' Not Found"}`},
			{"PRIVATE-TOKEN: " + rootToken, "eve", 403, `{"message":"403 Forbidden - Your account has been blocked. Ask an administrator to unblock it."}`},
			{"PRIVATE-TOKEN: " + rootToken, strings.Repeat("x", 256), 400, `{"error":"sudo is too long (maximum is 255 characters)"}`},
			{"PRIVATE-TOKEN: " + ada, "root", 403, `{"message":"403 Forbidden - Must be admin to use sudo"}`},
			{"PRIVATE-TOKEN: " + plain, "ada", 403, `{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"sudo"}`},
		} {
			if d.Method == http.MethodHead {
				tc.body = ""
			}
			s.do(d.Method, d.at, nil, tc.credential, "Sudo: "+tc.as).is(t, tc.status, tc.body)
			s.do(d.Method, d.at+"?sudo="+tc.as, nil, tc.credential).is(t, tc.status, tc.body)
		}
		if got := s.do(d.Method, d.at, nil, "Sudo: root"); got.StatusCode != 401 {
			t.Errorf("%s %s without a credential: %d %s", d.Method, d.at, got.StatusCode, got.body)
		}
	}
	for _, form := range []string{"sudo[]=ada", "sudo[a]=ada", "sudo[0][a]=ada"} {
		s.root("GET", v4+"/user?"+form, nil).is(t, 400, `{"error":"sudo is invalid"}`)
		s.root("GET", generic(project, "tool/1.0.0/f?"+form), nil).is(t, 400, `{"error":"sudo is invalid"}`)
		s.do("POST", v4+"/projects", strings.NewReader("name=x&"+form), "PRIVATE-TOKEN: "+rootToken, "Content-Type: application/x-www-form-urlencoded").status(t, 400)
	}
	for _, as := range []any{map[string]any{"a": "ada"}, []string{"ada"}, []any{map[string]any{"a": "ada"}}} {
		s.root("POST", v4+"/projects", map[string]any{"name": "x", "sudo": as}).is(t, 400, `{"error":"sudo is invalid"}`)
	}
	if name := s.root("GET", v4+"/user?sudo=nobody&sudo=ada", nil).must(t, 200)["username"]; name != "ada" {
		t.Errorf("of two the first counts: %v", name)
	}
	for _, as := range []string{"%00", "%ff"} {
		s.root("GET", v4+"/user?sudo="+as, nil).is(t, 400, `{"error":"sudo is invalid"}`)
		s.root("GET", generic(project, "tool/1.0.0/f?sudo="+as), nil).is(t, 400, `{"error":"sudo is invalid"}`)
	}
	s.do("GET", generic(project, "tool/1.0.0/f"), nil, "JOB-TOKEN: "+job, "Sudo: ada").
		is(t, 403, `{"message":"403 Forbidden - Must be authenticated using an OAuth or personal access token to use sudo"}`)
	// Parameters come before credentials here, as ever.
	s.as(ada, "GET", generic(project, "tool/1..0/f?sudo=root"), nil).starts(t, 400, "package_version is invalid")
	wantValue(t, "audit events", s.count("audit_events"), before)
}

// TestSudoActsOnEveryDoor: an administrator who acts as somebody else gets what that
// user would get, on every door.
func TestSudoActsOnEveryDoor(t *testing.T) {
	s := newServer(t)
	project, group := s.place()
	_, ada := s.user("ada")
	seen := 0
	for _, d := range s.addresses(project, group) {
		if strings.Contains(d.Path, "personal_access_tokens") || strings.Contains(d.Path, "sign_in_links") || strings.HasSuffix(d.Path, "/rotate") {
			continue // there the token in use counts: TestSudo
		}
		want := s.as(ada, d.Method, d.at, nil)
		for _, got := range []answer{
			s.do(d.Method, d.at, nil, "PRIVATE-TOKEN: "+rootToken, "Sudo: ada"),
			s.do(d.Method, d.at+"?sudo=ada", nil, "PRIVATE-TOKEN: "+rootToken),
		} {
			if got.StatusCode != want.StatusCode || got.body != want.body {
				t.Errorf("%s %s: %d %s, as ada herself %d %s", d.Method, d.at, got.StatusCode, got.body, want.StatusCode, want.body)
			}
		}
		if d.Method == http.MethodGet && s.root(d.Method, d.at, nil).StatusCode != want.StatusCode {
			seen++
		}
	}
	if seen < 40 {
		t.Errorf("only %d doors answer an administrator and ada differently", seen)
	}
}

// TestSudoIsRecorded: what was done by Sudo is told of whom it was done as, and of the
// administrator; on each door that takes bytes, and on every other that works here.
func TestSudoIsRecorded(t *testing.T) {
	s := newServer(t)
	id, _ := s.user("ada")
	project, group := s.place()
	s.member(project, id, 50)
	s.memberAt("/groups/"+group, id, 50)
	last := s.newest()
	names := map[audit.Name]bool{}
	as := func(method, path string, body any) {
		t.Helper()
		got := s.as(rootToken, method, path+"?sudo=ada", body)
		for _, e := range s.since(last) {
			last = e.ID
			names[e.Name] = true
			if e.Author.UserID != id || e.Author.SudoUsername != "root" || e.Author.SudoID != 1 {
				t.Errorf("%s %s: %s was done by %+v", method, path, e.Name, e.Author)
			}
		}
		if got.StatusCode >= 500 {
			t.Errorf("%s %s: %d", method, path, got.StatusCode)
		}
	}
	as("PUT", generic(project, "hers/1.0.0/f"), "x")
	wantValue(t, "whose package it is", ask[int64](s, `SELECT creator_id FROM packages WHERE name = 'hers'`), id)
	form := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nx\r\n--b--\r\n"
	s.do("POST", v4+"/projects/"+project+"/uploads", strings.NewReader(form), "PRIVATE-TOKEN: "+rootToken, "Sudo: ada", "Content-Type: multipart/form-data; boundary=b").must(t, 201)
	wantValue(t, "whose upload it is", ask[int64](s, `SELECT creator_id FROM uploads`), id)
	form = "--b\r\nContent-Disposition: form-data; name=\"sudo\"\r\n\r\nada\r\n" + form
	s.do("POST", v4+"/projects/"+project+"/uploads", strings.NewReader(form), "PRIVATE-TOKEN: "+rootToken, "Content-Type: multipart/form-data; boundary=b").
		is(t, 400, `{"error":"sudo is invalid: uploads take it in the header Sudo or in the query"}`)
	var ends []address // of the project and the group
	for _, d := range s.addresses(project, group) {
		end := d.Method == "DELETE" && (strings.HasSuffix(d.Path, "/projects/{id}") || strings.HasSuffix(d.Path, "/groups/{id}"))
		switch {
		case end || d.Action == access.OwnProject:
			ends = append(ends, d)
		case d.Method != http.MethodGet && d.Method != http.MethodHead:
			as(d.Method, d.at, nil)
		}
	}
	for _, d := range ends {
		as(d.Method, d.at, nil)
	}
	for _, want := range []audit.Name{audit.PackagePublished, audit.UploadCreated, audit.JobCreated, audit.ProjectDestroyed, audit.GroupDestroyed} {
		if !names[want] {
			t.Errorf("there is no event %s: this test has not done it", want)
		}
	}
}

// newest is the id of the last event.
func (s *server) newest() int64 { return ask[int64](s, `SELECT MAX(id) FROM audit_events`) }

// since are the events after the one with the id, the oldest first.
func (s *server) since(id int64) []audit.Event {
	s.t.Helper()
	found, err := s.db.ListEvents(s.t.Context(), trail.Filter{}, page.Request{Number: 1, Size: 100})
	if err != nil {
		s.t.Fatal(err)
	}
	slices.Reverse(found.Rows)
	return slices.DeleteFunc(found.Rows, func(e audit.Event) bool { return e.ID <= id })
}

// TestReadAPIReachesEveryGet: the scope read_api opens whatever is only read
// (contract rest-api 1.2), for who may read it at all.
func TestReadAPIReachesEveryGet(t *testing.T) {
	s := newServer(t)
	project, group := s.place()
	reader := s.token(1, "read_api")
	for _, d := range s.addresses(project, group) {
		if d.Method != http.MethodGet && d.Method != http.MethodHead {
			continue
		}
		if got := s.as(reader, d.Method, d.at, nil); got.StatusCode == 401 || got.StatusCode == 403 {
			t.Errorf("%s %s with read_api: %d %s", d.Method, d.at, got.StatusCode, got.body)
		}
		if v := access.CheckToken(access.Actor{Kind: access.User, Scopes: []access.Scope{access.ScopeReadAPI}}, d.Action); v != access.Allowed {
			t.Errorf("%s %s: its action does not take read_api", d.Method, d.Path)
		}
	}
	var definitions []map[string]any
	got := s.as(reader, "GET", v4+"/features/definitions", nil)
	if err := json.Unmarshal([]byte(got.body), &definitions); err != nil || len(definitions) == 0 {
		t.Errorf("definitions: %d %s", got.StatusCode, got.body)
	}
	s.as(reader, "POST", v4+"/features/x", map[string]any{"value": true}).must(t, 403)
}

// TestOnePlaceSaysWhoAsks: a door that would look credentials up by itself could
// forget Sudo, and the rate limits.
func TestOnePlaceSaysWhoAsks(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range []string{".Auth.Authenticate(", ".Auth.Sudo(", ".sender("} {
			if !strings.HasSuffix(file, "_test.go") {
				calls[call+" in "+file] += strings.Count(string(text), call)
			}
		}
	}
	maps.DeleteFunc(calls, func(_ string, n int) bool { return n == 0 })
	want := map[string]int{".Auth.Authenticate( in limits.go": 1, ".Auth.Sudo( in limits.go": 1, ".sender( in limits.go": 1}
	if !maps.Equal(calls, want) {
		t.Errorf("calls %v, want %v", calls, want)
	}
}
