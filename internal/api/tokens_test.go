package api_test

import (
	"strings"
	"testing"
	"time"
)

func TestPersonalTokenCreate(t *testing.T) {
	s := newServer(t)
	ada, adaToken := s.user("ada")
	at := v4 + "/users/" + itoa(ada) + "/personal_access_tokens"

	made := s.root("POST", at, map[string]any{
		"name": "ci", "description": "for the robots", "scopes": []string{"api", "read_user"}, "expires_at": "2099-01-31",
	}).must(t, 201)
	fields(t, made, map[string]string{
		"name": "ci", "description": "for the robots", "scopes": "[api read_user]", "expires_at": "2099-01-31",
		"revoked": "false", "active": "true", "user_id": itoa(ada), "last_used_at": "<nil>",
	})
	got := s.as(made["token"].(string), "GET", v4+"/personal_access_tokens/"+id(made), nil).must(t, 200)
	if _, shown := got["token"]; shown {
		t.Error("the secret is shown twice")
	}
	fields(t, s.root("POST", at, map[string]any{"name": "x", "scopes": "api,read_api"}).must(t, 201),
		map[string]string{"scopes": "[api read_api]", "expires_at": "<nil>"})

	for _, test := range []struct {
		path   string
		form   map[string]any
		status int
		body   string
	}{
		{at, map[string]any{"name": "x"}, 400, `{"error":"scopes is missing"}`},
		{at, map[string]any{"scopes": []string{"api"}}, 400, `{"error":"name is missing"}`},
		{at, map[string]any{"name": "x", "scopes": []string{}}, 400, `{"error":"scopes is missing"}`},
		{at, map[string]any{"name": "x", "scopes": []string{"api", "root"}}, 400, `{"error":"scopes does not have a valid value"}`},
		{at, map[string]any{"name": "x", "scopes": []any{map[string]any{"a": 1}}}, 400, `{"error":"scopes is missing"}`},
		{at, map[string]any{"name": "x", "scopes": []string{"api"}, "expires_at": "soon"}, 400, `{"error":"expires_at is invalid"}`},
		{at, map[string]any{"name": "x", "scopes": []string{"api"}, "description": strings.Repeat("é", 256)}, 400,
			`{"message":{"description":["is too long (maximum is 255 characters)"]}}`},
		{v4 + "/users/999/personal_access_tokens", map[string]any{"name": "x", "scopes": []string{"api"}}, 404, `{"message":"404 User Not Found"}`},
	} {
		s.root("POST", test.path, test.form).is(t, test.status, test.body)
	}
	s.root("POST", at, map[string]any{"name": "x", "scopes": []string{"api"}, "description": strings.Repeat("é", 255)}).status(t, 201)
	s.as(adaToken, "POST", at, map[string]any{"name": "x", "scopes": []string{"api"}}).is(t, 403, `{"message":"403 Forbidden"}`)
	s.do("POST", at, nil).status(t, 401)
}

func TestPersonalTokenGetAndRevoke(t *testing.T) {
	s := newServer(t)
	ada, adaToken := s.user("ada")
	_, bobToken := s.user("bob")
	at := v4 + "/personal_access_tokens/"
	hers := id(s.as(adaToken, "GET", at+"self", nil).must(t, 200))

	s.as(adaToken, "GET", at+hers, nil).status(t, 200)
	s.root("GET", at+hers, nil).status(t, 200)
	t.Run("unknown and foreign look alike", func(t *testing.T) {
		for _, token := range []string{"999", hers} {
			s.as(bobToken, "GET", at+token, nil).is(t, 401, `{"message":"401 Unauthorized"}`)
			s.as(bobToken, "DELETE", at+token, nil).is(t, 401, `{"message":"401 Unauthorized"}`)
			s.as(bobToken, "POST", at+token+"/rotate", nil).is(t, 401, `{"message":"401 Unauthorized"}`)
		}
		s.root("GET", at+"999", nil).status(t, 404)
		s.root("DELETE", at+"999", nil).status(t, 404)
		s.root("POST", at+"999/rotate", nil).status(t, 404)
		s.root("GET", at+"none", nil).status(t, 400)
	})
	t.Run("any token may look at and revoke itself", func(t *testing.T) {
		small := s.token(ada, "read_registry")
		s.as(small, "GET", at+"self", nil).status(t, 200)
		s.as(small, "DELETE", at+hers, nil).status(t, 403)
		s.as(small, "DELETE", at+"self", nil).status(t, 204)
		s.as(small, "GET", at+"self", nil).is(t, 401,
			`{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}`)
	})
	t.Run("expired", func(t *testing.T) {
		made := s.root("POST", v4+"/users/"+itoa(ada)+"/personal_access_tokens",
			map[string]any{"name": "old", "scopes": []string{"api"}, "expires_at": "2020-01-01"}).must(t, 201)
		fields(t, made, map[string]string{"active": "false"})
		s.as(made["token"].(string), "GET", v4+"/user", nil).is(t, 401,
			`{"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}`)
	})
	s.root("DELETE", at+hers, nil).status(t, 204)
	s.as(adaToken, "GET", v4+"/user", nil).status(t, 401)
	fields(t, s.root("GET", at+hers, nil).must(t, 200), map[string]string{"revoked": "true", "active": "false"})
	s.do("GET", at+"self", nil).status(t, 401)
}

func TestPersonalTokenRotate(t *testing.T) {
	s := newServer(t)
	ada, first := s.user("ada")
	at := v4 + "/personal_access_tokens/"
	rotate := func(token, which, body string) map[string]any {
		t.Helper()
		return s.form(token, "POST", at+which+"/rotate", body).must(t, 200)
	}

	second := rotate(first, "self", "")
	fields(t, second, map[string]string{
		"name": "t", "scopes": "[api]", "user_id": itoa(ada), "active": "true", "last_used_at": "<nil>",
		"expires_at": time.Now().UTC().AddDate(0, 0, 7).Format(time.DateOnly),
	})
	s.as(first, "GET", v4+"/user", nil).status(t, 401)
	secret := second["token"].(string)
	s.as(secret, "GET", v4+"/user", nil).status(t, 200)
	third := rotate(rootToken, id(second), "expires_at=2099-05-06")
	fields(t, third, map[string]string{"expires_at": "2099-05-06"})

	t.Run("a revoked one condemns the family", func(t *testing.T) {
		living := third["token"].(string)
		s.as(living, "GET", v4+"/user", nil).status(t, 200)
		s.as(secret, "GET", v4+"/user", nil).status(t, 401) // elsewhere it is only dead
		s.as(living, "GET", v4+"/user", nil).status(t, 200)
		s.as(secret, "POST", at+"self/rotate", nil).status(t, 401)
		s.as(living, "GET", v4+"/user", nil).status(t, 401)
	})
	t.Run("so does somebody else who rotates it", func(t *testing.T) {
		old := s.token(ada, "api")
		next := rotate(old, "self", "")
		s.root("POST", at+id(s.as(next["token"].(string), "GET", at+"self", nil).must(t, 200))+"/rotate", nil).must(t, 200)
		s.root("POST", at+id(next)+"/rotate", nil).status(t, 401)
		if got := s.root("GET", v4+"/personal_access_tokens?state=active&user_id="+itoa(ada), nil).column(t, "id"); got != "" {
			t.Errorf("still alive: %s", got)
		}
	})
	t.Run("scopes", func(t *testing.T) {
		s.as(s.token(ada, "read_api"), "POST", at+"self/rotate", nil).status(t, 403)
		rotate(s.token(ada, "self_rotate"), "self", "")
		other := id(s.as(s.token(ada, "api"), "GET", at+"self", nil).must(t, 200))
		s.as(s.token(ada, "self_rotate"), "POST", at+other+"/rotate", nil).status(t, 403)
	})
	s.form(rootToken, "POST", at+"self/rotate", "expires_at=x").is(t, 400, `{"error":"expires_at is invalid"}`)
	s.as(rootToken, "GET", v4+"/user", nil).status(t, 200)
}

func TestPersonalTokenList(t *testing.T) {
	s := newServer(t)
	ada, _ := s.user("ada")
	make := func(name, expires string) string {
		form := map[string]any{"name": name, "scopes": []string{"api"}}
		if expires != "" {
			form["expires_at"] = expires
		}
		return s.root("POST", v4+"/users/"+itoa(ada)+"/personal_access_tokens", form).must(t, 201)["token"].(string)
	}
	reader := make("Alpha", "2098-01-01")
	make("beta%", "2099-01-01")
	make("gamma", "2020-01-01")
	gone := make("delta", "")
	s.as(gone, "DELETE", v4+"/personal_access_tokens/self", nil).status(t, 204)

	for query, want := range map[string]string{
		"":                            "t Alpha beta% gamma delta",
		"?search=ALPH":                "Alpha",
		"?search=%25":                 "beta%",
		"?revoked=true":               "delta",
		"?revoked=false&search=a":     "Alpha beta% gamma",
		"?state=active":               "t Alpha beta%",
		"?state=inactive":             "gamma delta",
		"?expires_before=2021-01-01":  "gamma",
		"?expires_after=2098-06-01":   "beta%",
		"?created_after=2090-01-01":   "",
		"?created_before=2090-01-01":  "t Alpha beta% gamma delta",
		"?last_used_after=2090-01-01": "",
		"?sort=name_asc":              "Alpha beta% delta gamma t",
		"?sort=name_desc":             "t gamma delta beta% Alpha",
		"?sort=expires_asc":           "gamma Alpha beta% t delta",
		"?sort=expires_desc":          "t delta beta% Alpha gamma",
		"?sort=created_desc":          "delta gamma beta% Alpha t",
		"?per_page=2&page=2":          "beta% gamma",
		"?user_id=" + itoa(ada):       "t Alpha beta% gamma delta",
		"?created_after=2020-01-01T00:00:00Z&search=t": "t beta% delta",
	} {
		if got := s.as(reader, "GET", v4+"/personal_access_tokens"+query, nil).column(t, "name"); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	for query, body := range map[string]string{
		"?state=dead":        `{"error":"state does not have a valid value"}`,
		"?sort=up":           `{"error":"sort does not have a valid value"}`,
		"?created_after=x":   `{"error":"created_after is invalid"}`,
		"?revoked=maybe":     `{"error":"revoked is invalid"}`,
		"?user_id=ada":       `{"error":"user_id is invalid"}`,
		"?state=x&revoked=y": `{"error":"revoked is invalid, state does not have a valid value"}`,
	} {
		s.as(reader, "GET", v4+"/personal_access_tokens"+query, nil).is(t, 400, body)
	}
	s.as(reader, "GET", v4+"/personal_access_tokens?user_id=1", nil).is(t, 401, `{"message":"401 Unauthorized"}`)
	if got := s.root("GET", v4+"/personal_access_tokens?user_id=1", nil).column(t, "name"); got != "root" {
		t.Errorf("root's: %q", got)
	}
	if n := len(s.root("GET", v4+"/personal_access_tokens", nil).list(t)); n != 6 {
		t.Errorf("an administrator sees %d, want all 6", n)
	}
	s.do("GET", v4+"/personal_access_tokens", nil).status(t, 401)
}
