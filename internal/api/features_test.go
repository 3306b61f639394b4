package api_test

import (
	"encoding/json"
	"testing"
)

func TestFeatures(t *testing.T) {
	s := newServer(t)
	p, q := s.project("tool", "public"), s.project("other", "public")
	pid := id(s.root("GET", v4+"/projects/"+p, nil).must(t, 200))
	s.groupAt("acme", "private")
	_, adaToken := s.user("ada")
	at := v4 + "/features/generic_packages"
	file := func(project string) string { return v4 + "/projects/" + project + "/packages/generic/a/1.0.0/f" }
	for _, project := range []string{p, q} {
		s.root("PUT", file(project), "x").must(t, 201)
	}
	opens := func(project string, status int) {
		t.Helper()
		s.root("GET", file(project), nil).status(t, status)
	}
	flag := func(body, state, gates string) {
		t.Helper()
		got := s.form(rootToken, "POST", at, body).must(t, 201)
		text, err := json.Marshal(got["gates"])
		if err != nil {
			t.Fatal(err)
		}
		if got["state"] != state || string(text) != gates || got["name"] != "generic_packages" {
			t.Errorf("%s: %s %s, want %s %s", body, got["state"], text, state, gates)
		}
	}

	s.root("GET", v4+"/features", nil).is(t, 200, `[]`)
	flag("value=false", "off", `[{"key":"boolean","value":false}]`)
	opens(p, 404)
	s.root("PUT", file(p), "x").is(t, 404, `{"message":"404 Not Found"}`)
	flag("value=true&project=root%2Ftool", "conditional", `[{"key":"boolean","value":false},{"key":"actors","value":["Project:`+pid+`"]}]`)
	opens(p, 200)
	opens(q, 404)
	flag("value=true", "conditional", `[{"key":"boolean","value":true},{"key":"actors","value":["Project:`+pid+`"]}]`)
	flag("value=0&project=root%2Ftool&force=true", "conditional", `[{"key":"boolean","value":true},{"key":"disabled_actors","value":["Project:`+pid+`"]}]`)
	opens(p, 404)
	opens(q, 200)
	s.root("DELETE", at, nil).status(t, 204)
	opens(p, 200)
	s.root("DELETE", at, nil).status(t, 204) // whether or not it is there
	s.root("GET", v4+"/features", nil).is(t, 200, `[]`)

	t.Run("percentages", func(t *testing.T) {
		flag("value=25", "conditional", `[{"key":"percentage_of_time","value":25}]`)
		flag("value=100", "on", `[{"key":"percentage_of_time","value":100}]`)
		opens(p, 200)
		flag("value=0.5&key=percentage_of_actors", "on", `[{"key":"percentage_of_time","value":100},{"key":"percentage_of_actors","value":1}]`)
		flag("value=0", "off", `[{"key":"boolean","value":false}]`)
		flag("value=100&key=percentage_of_actors", "on", `[{"key":"percentage_of_actors","value":100}]`)
		opens(p, 200)
		flag("value=true", "on", `[{"key":"boolean","value":true}]`)
		s.root("DELETE", at, nil).status(t, 204)
	})
	t.Run("targets of every kind", func(t *testing.T) {
		s.form(rootToken, "POST", at, "value=true&user=ada,root&group=acme&namespace=root&project=root%2Ftool,root%2Fother").must(t, 201)
		got := s.root("GET", v4+"/features", nil).list(t)[0]["gates"].([]any)[0].(map[string]any)["value"].([]any)
		if len(got) != 6 {
			t.Errorf("actors: %v", got)
		}
		s.root("DELETE", at, nil).status(t, 204)
	})
	t.Run("bad requests", func(t *testing.T) {
		for body, want := range map[string]string{
			"":                               `{"error":"value is missing"}`,
			"value=maybe":                    `{"message":"400 Bad request - Value must be boolean or numeric, got maybe"}`,
			"value=NaN":                      `{"message":"400 Bad request - Value must be boolean or numeric, got NaN"}`,
			"value=":                         `{"message":"400 Bad request - Value must be boolean or numeric, got "}`,
			"value=101":                      `{"message":"400 Bad request - Value must be a percentage from 0 to 100, got 101"}`,
			"value=-1":                       `{"message":"400 Bad request - Value must be a percentage from 0 to 100, got -1"}`,
			"value=50&project=root%2Ftool":   `{"message":"400 Bad request - Value must be boolean for a single target, got 50"}`,
			"value=true&project=root%2Fnone": `{"message":"400 Bad request - root/none is not found!"}`,
			"value=true&group=root":          `{"message":"400 Bad request - root is not found!"}`,
			"value=true&user=nobody":         `{"message":"400 Bad request - nobody is not found!"}`,
			"value=5&key=percentage_of_x":    `{"error":"key does not have a valid value"}`,
			"value=5&key=percentage_of_time&project=a/b": `{"error":"key, project are mutually exclusive"}`,
		} {
			s.form(rootToken, "POST", at, body).is(t, 400, want)
		}
		s.root("POST", v4+"/features/a%0d%0ab", map[string]any{"value": true}).status(t, 400)
		s.root("GET", v4+"/features", nil).is(t, 200, `[]`) // nothing of these stuck
	})
	t.Run("any name", func(t *testing.T) {
		made := s.root("POST", v4+"/features/my_flag", map[string]any{"value": true}).must(t, 201)
		fields(t, made, map[string]string{"state": "on", "definition": "<nil>"})
		s.root("DELETE", v4+"/features/my_flag", nil).status(t, 204)
	})
	t.Run("definitions", func(t *testing.T) {
		rows := s.root("GET", v4+"/features/definitions", nil).list(t)
		if len(rows) != 1 {
			t.Fatalf("%v", rows)
		}
		fields(t, rows[0], map[string]string{"name": "generic_packages", "default_enabled": "true"})
		has(t, rows[0], "introduced_by_url", "rollout_issue_url", "milestone", "log_state_changes", "type", "group")
	})
	t.Run("administrators only", func(t *testing.T) {
		for _, call := range [][2]string{{"GET", "/features"}, {"GET", "/features/definitions"}, {"POST", "/features/x"}, {"DELETE", "/features/x"}} {
			s.as(adaToken, call[0], v4+call[1], nil).is(t, 403, `{"message":"403 Forbidden"}`)
			s.do(call[0], v4+call[1], nil).is(t, 401, `{"message":"401 Unauthorized"}`)
		}
	})
}
