package api_test

import (
	"net/url"
	"strings"
	"testing"
)

const routeTooLong = `{"message":{"route.path":["is too long (maximum is 255 characters)"]}}`

// TestLongPaths: what could not be asked for is not made, nor moved to.
func TestLongPaths(t *testing.T) {
	s := newServer(t)
	long := strings.Repeat("a", 120)
	top := s.group(long, 0)
	sub := s.group(long, top) // 241 characters
	project := func(name string, visibility string) answer {
		return s.root("POST", v4+"/projects", map[string]any{"name": name, "namespace_id": sub, "visibility": visibility})
	}
	project(strings.Repeat("p", 15), "public").is(t, 400, routeTooLong)
	p := project(strings.Repeat("p", 13), "public").must(t, 201)
	if full := p["path_with_namespace"].(string); len(full) != 255 {
		t.Fatalf("%d characters", len(full))
	}
	project(strings.Repeat("q", 14), "public").is(t, 400, routeTooLong)
	s.root("GET", v4+"/projects/"+url.PathEscape(p["path_with_namespace"].(string)), nil).must(t, 200)

	newGroup := func(path string) answer {
		return s.root("POST", v4+"/groups", map[string]any{"name": "g", "path": path, "parent_id": sub})
	}
	newGroup(strings.Repeat("g", 14)).is(t, 400, routeTooLong)
	newGroup(strings.Repeat("g", 13)).must(t, 201)

	// Moving is held to the same, for what is below, too.
	s.root("PUT", v4+"/projects/"+id(p), map[string]any{"path": strings.Repeat("p", 14)}).is(t, 400, routeTooLong)
	s.root("PUT", v4+"/groups/"+itoa(sub), map[string]any{"path": strings.Repeat("a", 200)}).is(t, 400, routeTooLong)
	s.root("PUT", v4+"/groups/"+itoa(top), map[string]any{"path": long + "a"}).
		is(t, 400, `{"message":{"route.path":["is too long (maximum is 255 characters) of a group or project in this group"]}}`)
	wantValue(t, "projects", s.count("projects"), 1)
	fields(t, s.root("GET", v4+"/groups/"+itoa(sub), nil).must(t, 200), map[string]string{"full_path": long + "/" + long})
	s.root("PUT", v4+"/projects/"+id(p), map[string]any{"path": "p"}).must(t, 200)
	s.root("PUT", v4+"/projects/"+id(p), map[string]any{"path": strings.Repeat("p", 13)}).must(t, 200) // back to the old one
	s.root("PUT", v4+"/groups/"+itoa(top), map[string]any{"path": "short"}).must(t, 200)
	newGroup(strings.Repeat("h", 14)).must(t, 201)
}

// TestLongPathsThatAre: what an older server made goes on, by id and by path, and may
// become shorter but not longer.
func TestLongPathsThatAre(t *testing.T) {
	s := newServer(t)
	group := s.group("acme", 0)
	p := s.projectIn(group, "tool", "public")
	s.root("PUT", generic(p, "tool/1.0.0/f"), "x").is(t, 201, created)
	long := strings.Repeat("acme", 60)
	s.exec(`UPDATE namespaces SET path = $1 WHERE id = $2`, long, group)
	s.exec(`UPDATE routes SET path = $1, path_key = $1 WHERE namespace_id = $2`, long, group)
	s.exec(`UPDATE routes SET path = $1, path_key = $1 WHERE project_id = $2`, long+"/"+strings.Repeat("tool", 60), p)
	s.exec(`UPDATE projects SET path = $1 WHERE id = $2`, strings.Repeat("tool", 60), p)
	full := url.PathEscape(long + "/" + strings.Repeat("tool", 60))
	for _, ref := range []string{p, full} {
		s.root("GET", v4+"/projects/"+ref, nil).must(t, 200)
		s.root("GET", generic(ref, "tool/1.0.0/f"), nil).is(t, 200, "x")
		s.root("PUT", generic(ref, "tool/1.0.0/f"), "x").is(t, 201, created)
		s.root("PUT", v4+"/projects/"+ref, map[string]any{"description": "still " + ref[:1]}).must(t, 200)
	}
	s.root("PUT", v4+"/groups/"+itoa(group), map[string]any{"path": long + "x"}).must(t, 400)
	s.root("PUT", v4+"/groups/"+itoa(group), map[string]any{"path": long[1:]}).must(t, 200)
	s.root("PUT", v4+"/projects/"+p, map[string]any{"path": strings.Repeat("tool", 61)}).is(t, 400, routeTooLong)
	s.root("PUT", v4+"/projects/"+p, map[string]any{"path": "tool"}).must(t, 200)
}
