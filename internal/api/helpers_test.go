package api_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

const v4 = "/api/v4"

// list reads an answer that is a JSON array of objects.
func (a answer) list(t *testing.T) []map[string]any {
	t.Helper()
	var rows []map[string]any
	if err := json.Unmarshal([]byte(a.body), &rows); a.StatusCode != 200 || err != nil {
		t.Fatalf("%s %s: %d %s, want a list", a.Request.Method, a.Request.URL, a.StatusCode, a.body)
	}
	return rows
}

// column is one field of every row, in words.
func (a answer) column(t *testing.T, field string) string {
	t.Helper()
	words := []string{}
	for _, row := range a.list(t) {
		words = append(words, fmt.Sprint(row[field]))
	}
	return strings.Join(words, " ")
}

// status checks the status alone.
func (a answer) status(t *testing.T, want int) {
	t.Helper()
	if a.StatusCode != want {
		t.Errorf("%s %s: %d %s, want %d", a.Request.Method, a.Request.URL, a.StatusCode, a.body, want)
	}
}

// fields checks some fields of an object, each as Go prints it.
func fields(t *testing.T, object map[string]any, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := fmt.Sprint(object[name]); got != value {
			t.Errorf("%s is %s, want %s", name, got, value)
		}
	}
}

// has checks that an object has the fields, whatever their values.
func has(t *testing.T, object map[string]any, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, ok := object[name]; !ok {
			t.Errorf("there is no field %s in %v", name, object)
		}
	}
}

func id(object map[string]any) string { return fmt.Sprint(object["id"]) }

// groupAt makes a group of root's and returns its path, escaped.
func (s *server) groupAt(fullPath, visibility string) string {
	s.t.Helper()
	form := map[string]any{"name": fullPath, "path": fullPath, "visibility": visibility}
	if at := strings.LastIndex(fullPath, "/"); at >= 0 {
		parent := s.root("GET", v4+"/groups/"+url.PathEscape(fullPath[:at]), nil).must(s.t, 200)
		form["parent_id"], form["path"], form["name"] = parent["id"], fullPath[at+1:], fullPath[at+1:]
	}
	s.root("POST", v4+"/groups", form).must(s.t, 201)
	return url.PathEscape(fullPath)
}

// projectAt makes a project in a group and returns its path, escaped.
func (s *server) projectAt(group, name, visibility string) string {
	s.t.Helper()
	g := s.root("GET", v4+"/groups/"+group, nil).must(s.t, 200)
	s.root("POST", v4+"/projects", map[string]any{"name": name, "visibility": visibility, "namespace_id": g["id"]}).must(s.t, 201)
	return group + url.PathEscape("/"+name)
}

// memberAt gives a user a role in "/groups/x" or "/projects/x".
func (s *server) memberAt(place string, userID int64, role int) {
	s.t.Helper()
	s.root("POST", v4+place+"/members", map[string]any{"user_id": userID, "access_level": role}).must(s.t, 201)
}

// form is a request with a body of name=value pairs.
func (s *server) form(token, method, path, pairs string) answer {
	s.t.Helper()
	return s.do(method, path, strings.NewReader(pairs), "PRIVATE-TOKEN: "+token, "Content-Type: application/x-www-form-urlencoded")
}
