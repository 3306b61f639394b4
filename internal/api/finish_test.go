package api_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// refusal is a reason to refuse a file, as every door words it.
type refusal struct {
	name   string
	set    func(at string) (undo func()) // for a version
	status int
	words  string
}

func (s *server) refusals(p, query string) []refusal {
	project, rules := v4+"/projects/"+p, v4+"/projects/"+p+"/packages/protection/rules"
	setting := func(name string, value, before any) func(string) func() {
		return func(string) func() {
			s.root("PUT", project, map[string]any{name: value}).must(s.t, 200)
			return func() { s.root("PUT", project, map[string]any{name: before}).must(s.t, 200) }
		}
	}
	return []refusal{
		{"permission", setting("package_registry_access_level", "disabled", "enabled"), 403, "403 Forbidden"},
		{"size", setting("generic_packages_max_file_size", 3, nil), 400, "File is too large"},
		{"archived", func(string) func() {
			s.root("POST", project+"/archive", nil).must(s.t, 201)
			return func() { s.root("POST", project+"/unarchive", nil).must(s.t, 201) }
		}, 403, "403 Forbidden"},
		{"protection", func(string) func() {
			made := s.root("POST", rules, map[string]any{"package_name_pattern": "app", "package_type": "generic", "minimum_access_level_for_push": "owner"}).must(s.t, 201)
			return func() { s.root("DELETE", rules+"/"+id(made), nil).status(s.t, 204) }
		}, 403, "403 Forbidden - Package protected."},
		{"flag", func(string) func() {
			s.root("POST", v4+"/features/generic_packages", map[string]any{"value": false, "project": "root/tool"}).must(s.t, 201)
			return func() { s.root("DELETE", v4+"/features/generic_packages", nil).status(s.t, 204) }
		}, 404, "404 Not Found"},
		{"final", func(at string) func() {
			s.root("PUT", at+"/other"+query, "x") // as the door does, which may find it before it is final
			s.root("POST", at, nil).must(s.t, 201)
			return func() {}
		}, 409, "is final; publish a new version"},
		{"reserved", func(at string) func() {
			number := strings.Split(at, "/")
			s.exec(`INSERT INTO reserved_versions (project_id, name, version, at) VALUES (CAST($1 AS BIGINT), 'app', $2, 1)`, p, number[len(number)-1])
			return func() {}
		}, 409, "is removed; its number stays reserved"},
	}
}

// TestEveryDoorRefusesAlike: each way that bytes come into a package ends in one function:
// it refuses the same, before the body and after one that took long (design-operations,
// law 1).
func TestEveryDoorRefusesAlike(t *testing.T) {
	s := newServer(t)
	s.registry.RecheckAfter = time.Nanosecond
	p := s.projectID(s.project("tool", "private"))
	user, token := s.user("maintainer")
	s.member(p, user, 40)
	n := 0
	for door, query := range map[string]string{"PUT": "", "PUT into a draft": drafted} {
		for _, r := range s.refusals(p, query) {
			for _, late := range []bool{false, true} {
				n++
				at := generic(p, fmt.Sprintf("app/%d.0.0", n))
				var body io.Reader = strings.NewReader("bytes")
				undo := func() {}
				if late {
					body = io.MultiReader(body, atEnd(func() { undo = r.set(at) }))
				} else {
					undo = r.set(at)
				}
				got := s.do("PUT", at+"/f"+query, body, "PRIVATE-TOKEN: "+token)
				if got.StatusCode != r.status || !strings.Contains(got.body, r.words) {
					t.Errorf("%s, %s, late %v: %d %s, want %d %s", r.name, door, late, got.StatusCode, got.body, r.status, r.words)
				}
				undo()
				if got := s.root("GET", at+"/f"+query, nil); got.StatusCode != http.StatusNotFound {
					t.Errorf("%s, %s, late %v: %d, the file is there", r.name, door, late, got.StatusCode)
				}
			}
		}
	}
}
