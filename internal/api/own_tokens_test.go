package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestOwnTokens: everybody makes tokens for themselves that can do next to
// nothing (contract rest-api C1).
func TestOwnTokens(t *testing.T) {
	s := newServer(t)
	id, token := s.user("dev")
	const path = "/api/v4/user/personal_access_tokens"
	made := s.as(token, "POST", path, map[string]any{"name": "k", "scopes": []string{"self_rotate", "k8s_proxy"}, "description": "d"}).must(t, 201)
	if made["user_id"] != float64(id) || made["description"] != "d" || made["expires_at"] != time.Now().UTC().AddDate(0, 0, 1).Format("2006-01-02") {
		t.Errorf("made %v", made)
	}
	own := made["token"].(string)
	s.as(own, "GET", "/api/v4/user", nil).is(t, 403, narrow("api read_api read_user"))
	s.as(own, "POST", "/api/v4/personal_access_tokens/self/rotate", nil).must(t, 200)
	s.as(own, "GET", "/api/v4/personal_access_tokens/self", nil).is(t, 401, revoked)

	for _, tc := range []struct {
		name, token string
		body        map[string]any
		status      int
		want        string
	}{
		{"api", token, map[string]any{"name": "k", "scopes": []string{"api"}}, 400, `{"error":"scopes does not have a valid value"}`},
		{"one of two", token, map[string]any{"name": "k", "scopes": []string{"k8s_proxy", "sudo"}}, 400, `{"error":"scopes does not have a valid value"}`},
		{"an administrator", rootToken, map[string]any{"name": "k", "scopes": []string{"api"}}, 400, `{"error":"scopes does not have a valid value"}`},
		{"no scopes", token, map[string]any{"name": "k"}, 400, `{"error":"scopes is missing"}`},
		{"no name", token, map[string]any{"scopes": []string{"k8s_proxy"}}, 400, `{"error":"name is missing"}`},
		{"read_api", s.token(id, "read_api"), map[string]any{"name": "k", "scopes": []string{"k8s_proxy"}}, 403, narrow("api")},
		{"nobody", "nonsense", map[string]any{"name": "k", "scopes": []string{"k8s_proxy"}}, 401, unauthorized},
	} {
		t.Run(tc.name, func(t *testing.T) { s.as(tc.token, "POST", path, tc.body).is(t, tc.status, tc.want) })
	}
	project := "/api/v4/projects/" + s.project("tool", "private") + "/access_tokens"
	bot := s.root("POST", project, map[string]any{"name": "b", "scopes": []string{"api"}}).must(t, 201)["token"].(string)
	s.as(bot, "POST", path, map[string]any{"name": "k", "scopes": []string{"k8s_proxy"}}).is(t, 403, forbidden)
}

func TestTokenAssociations(t *testing.T) {
	s := newServer(t)
	group := s.root("POST", "/api/v4/groups", map[string]any{"name": "acme", "path": "acme"}).must(t, 201)["id"].(float64)
	s.root("POST", "/api/v4/projects", map[string]any{"name": "tool", "namespace_id": group}).must(t, 201)
	s.project("other", "public")
	id, token := s.user("dev")
	s.root("POST", "/api/v4/groups/acme/members", map[string]any{"user_id": id, "access_level": 20}).must(t, 201)
	s.member("acme%2Ftool", id, 30)
	type associations struct {
		Groups []struct {
			Name         string `json:"name"`
			AccessLevels int    `json:"access_levels"`
		} `json:"groups"`
		Projects []struct {
			Path         string         `json:"path_with_namespace"`
			AccessLevels map[string]any `json:"access_levels"`
		} `json:"projects"`
	}
	read := func(query string) (a associations, body string) {
		t.Helper()
		got := s.as(token, "GET", "/api/v4/personal_access_tokens/self/associations"+query, nil)
		if err := json.Unmarshal([]byte(got.body), &a); err != nil || got.StatusCode != 200 {
			t.Fatalf("%d %s", got.StatusCode, got.body)
		}
		return a, got.body
	}
	a, body := read("")
	if len(a.Groups) != 1 || a.Groups[0].Name != "acme" || a.Groups[0].AccessLevels != 20 ||
		len(a.Projects) != 1 || a.Projects[0].Path != "acme/tool" ||
		a.Projects[0].AccessLevels["project_access_level"] != 30.0 || a.Projects[0].AccessLevels["group_access_level"] != 20.0 {
		t.Error(body)
	}
	if a, body := read("?min_access_level=30"); len(a.Groups) != 0 || len(a.Projects) != 1 || !strings.Contains(body, `"groups":[]`) {
		t.Error(body)
	}
	if _, body := read("?min_access_level=40"); body != `{"groups":[],"projects":[]}` {
		t.Error(body)
	}
	s.as(token, "GET", "/api/v4/personal_access_tokens/self/associations?min_access_level=7", nil).
		is(t, 400, `{"error":"min_access_level does not have a valid value"}`)
	s.root("GET", "/api/v4/personal_access_tokens/self/associations?min_access_level=10", nil).must(t, 200)
}
