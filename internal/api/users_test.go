package api_test

import (
	"strings"
	"testing"
)

func TestUsers(t *testing.T) {
	s := newServer(t)
	ada, adaToken := s.user("ada")

	t.Run("POST /users", func(t *testing.T) {
		made := s.root("POST", v4+"/users", map[string]any{
			"email": "bob@example.com", "name": "Bob B.", "username": "bob", "reset_password": true,
			"external": true, "projects_limit": 3, "note": "from HR",
		}).must(t, 201)
		fields(t, made, map[string]string{
			"username": "bob", "name": "Bob B.", "email": "bob@example.com", "state": "active", "external": "true",
			"projects_limit": "0", "note": "from HR", "is_admin": "false", "can_create_group": "false", "can_create_project": "false",
		})
		has(t, made, "id", "avatar_url", "web_url", "created_at", "public_email", "two_factor_enabled", "namespace_id")
		fields(t, s.root("GET", v4+"/users/"+id(made), nil).must(t, 200), map[string]string{"username": "bob", "note": "from HR", "projects_limit": "0"})
	})

	t.Run("POST /users refuses", func(t *testing.T) {
		ok := func(change map[string]any) map[string]any {
			form := map[string]any{"email": "c@example.com", "name": "C", "username": "c", "password": "secret-secret"}
			for name, v := range change {
				form[name] = v
				if v == nil {
					delete(form, name)
				}
			}
			return form
		}
		for _, test := range []struct {
			change map[string]any
			status int
			body   string
		}{
			{map[string]any{"email": nil}, 400, `{"error":"email is missing"}`},
			{map[string]any{"name": nil, "username": nil}, 400, `{"error":"name is missing, username is missing"}`},
			{map[string]any{"password": nil}, 400, `{"error":"password, reset_password, force_random_password are missing, at least one parameter must be provided"}`},
			{map[string]any{"email": "ADA@example.com", "username": "ada"}, 409, `{"message":"Email has already been taken"}`},
			{map[string]any{"username": "ADA"}, 409, `{"message":"Username has already been taken"}`},
			{map[string]any{"email": "nobody"}, 400, `{"message":{"email":["is invalid"]}}`},
			{map[string]any{"email": "Eve <eve@example.com>"}, 400, `{"message":{"email":["is invalid"]}}`},
			{map[string]any{"projects_limit": "many"}, 400, `{"error":"projects_limit is invalid"}`},
			{map[string]any{"admin": "perhaps"}, 400, `{"error":"admin is invalid"}`},
			{map[string]any{"name": []string{"x"}}, 400, `{"error":"name is invalid"}`},
		} {
			s.root("POST", v4+"/users", ok(test.change)).is(t, test.status, test.body)
		}
		for _, name := range []string{"-a", ".a", "a.git", "a.atom", "a.", "a b", "a/b", "a\r\nSet-Cookie: x", "é", strings.Repeat("a", 256), ""} {
			s.root("POST", v4+"/users", ok(map[string]any{"username": name})).status(t, 400)
		}
		s.as(adaToken, "POST", v4+"/users", ok(nil)).is(t, 403, `{"message":"403 Forbidden"}`)
		s.do("POST", v4+"/users", nil).is(t, 401, `{"message":"401 Unauthorized"}`)
		s.root("POST", v4+"/users", ok(nil)).must(t, 201) // none of them left anything behind
	})

	t.Run("GET /user", func(t *testing.T) {
		me := s.as(adaToken, "GET", v4+"/user", nil).must(t, 200)
		fields(t, me, map[string]string{"username": "ada", "email": "ada@example.com", "is_admin": "<nil>", "can_create_group": "true"})
		fields(t, s.root("GET", v4+"/user", nil).must(t, 200), map[string]string{"is_admin": "true"})
		s.do("GET", v4+"/user", nil).is(t, 401, `{"message":"401 Unauthorized"}`)
		s.as(s.token(ada, "read_user"), "GET", v4+"/user", nil).status(t, 200)
		s.as(s.token(ada, "self_rotate"), "GET", v4+"/user", nil).status(t, 403)
	})

	t.Run("GET /users/:id is short for others", func(t *testing.T) {
		short := s.as(adaToken, "GET", v4+"/users/1", nil).must(t, 200)
		fields(t, short, map[string]string{"username": "root", "state": "active", "email": "<nil>"})
		s.root("GET", v4+"/users/999", nil).is(t, 404, `{"message":"404 User Not Found"}`)
		s.root("GET", v4+"/users/x", nil).status(t, 400)
		s.root("GET", v4+"/users/99999999999999999999", nil).status(t, 400)
		s.do("GET", v4+"/users/1", nil).status(t, 401)
	})

	t.Run("GET /users", func(t *testing.T) {
		for query, want := range map[string]string{
			"":                                  "c bob ada root",
			"?sort=asc":                         "root ada bob c",
			"?order_by=name&sort=asc":           "ada root bob c",
			"?username=ADA":                     "ada",
			"?username=a":                       "",
			"?search=o":                         "bob root",
			"?search=%25":                       "",
			"?search=_":                         "",
			"?search=Bob+B.":                    "bob",
			"?search=bob@example.com":           "bob",
			"?active=true&search=ada":           "ada",
			"?blocked=true":                     "",
			"?per_page=1&page=2":                "bob",
			"?page=2147483648":                  "",
			"?unknown=1&username=ada":           "ada",
			"?search=" + strings.Repeat("x", 9): "",
		} {
			if got := s.root("GET", v4+"/users"+query, nil).column(t, "username"); got != want {
				t.Errorf("GET /users%s: %q, want %q", query, got, want)
			}
		}
		if got := s.as(adaToken, "GET", v4+"/users?search=bob@example.com", nil).column(t, "username"); got != "" {
			t.Errorf("a user finds another by email: %s", got)
		}
		s.do("GET", v4+"/users", nil).status(t, 401)
	})
}

func TestBlockedUserIsRefusedAtOnce(t *testing.T) {
	s := newServer(t)
	eve, token := s.user("eve")
	at := v4 + "/users/" + itoa(eve)
	s.as(token, "GET", v4+"/user", nil).status(t, 200) // and is remembered

	s.root("POST", at+"/unblock", nil).is(t, 201, "false")
	s.root("POST", at+"/block", nil).is(t, 201, "true")
	s.root("POST", at+"/block", nil).is(t, 201, "null")
	s.as(token, "GET", v4+"/user", nil).status(t, 403)
	s.as(token, "GET", v4+"/projects", nil).status(t, 403)
	fields(t, s.root("GET", at, nil).must(t, 200), map[string]string{"state": "blocked"})
	if got := s.root("GET", v4+"/users?blocked=true", nil).column(t, "username"); got != "eve" {
		t.Errorf("blocked users: %q", got)
	}
	if got := s.root("GET", v4+"/users?active=true", nil).column(t, "username"); got != "root" {
		t.Errorf("active users: %q", got)
	}

	s.root("POST", at+"/unblock", nil).is(t, 201, "true")
	s.as(token, "GET", v4+"/user", nil).status(t, 200)

	s.root("POST", v4+"/users/1/block", nil).status(t, 403) // nobody locks themselves out
	s.root("POST", v4+"/users/999/block", nil).is(t, 404, `{"message":"404 User Not Found"}`)
	s.as(token, "POST", v4+"/users/1/block", nil).status(t, 403)
}

func TestSudo(t *testing.T) {
	s := newServer(t)
	ada, adaToken := s.user("ada")
	s.user("boss", "admin")
	name := func(header string) string {
		return s.do("GET", v4+"/user", nil, "PRIVATE-TOKEN: "+rootToken, header).must(t, 200)["username"].(string)
	}
	if name("Sudo: ada") != "ada" || name("Sudo: ADA") != "ada" || name("Sudo: "+itoa(ada)) != "ada" {
		t.Error("Sudo does not act as ada")
	}
	s.root("GET", v4+"/user?sudo=ada", nil).must(t, 200)
	made := s.root("POST", v4+"/projects", map[string]any{"name": "hers", "sudo": "ada"}).must(t, 201)
	fields(t, made, map[string]string{"path_with_namespace": "ada/hers", "creator_id": itoa(ada)})

	s.root("GET", v4+"/user?sudo=nobody", nil).is(t, 404, `{"message":"404 User with ID or username 'nobody' Not Found"}`)
	s.as(adaToken, "GET", v4+"/user?sudo=root", nil).is(t, 403, `{"message":"403 Forbidden - Must be admin to use sudo"}`)
	s.do("GET", v4+"/projects?sudo=root", nil).status(t, 401)
	plain := s.token(1, "api")
	s.as(plain, "GET", v4+"/user?sudo=ada", nil).is(t, 403, `{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"sudo"}`)

	t.Run("it gives none of the administrator's rights", func(t *testing.T) {
		s.root("GET", v4+"/features?sudo=ada", nil).status(t, 403)
		if got := s.root("GET", v4+"/personal_access_tokens?sudo=ada", nil).column(t, "user_id"); got != itoa(ada) {
			t.Errorf("tokens of %s", got)
		}
	})
	t.Run("self is the token in use", func(t *testing.T) {
		s.root("GET", v4+"/personal_access_tokens/self?sudo=ada", nil).must(t, 200)
		throwaway := s.token(1, "api", "sudo")
		s.as(throwaway, "DELETE", v4+"/personal_access_tokens/self?sudo=ada", nil).status(t, 204)
		s.as(throwaway, "GET", v4+"/user", nil).status(t, 401)
	})
}

func TestVersionAndMetadata(t *testing.T) {
	s := newServer(t)
	_, token := s.user("ada")
	fields(t, s.as(token, "GET", v4+"/version", nil).must(t, 200), map[string]string{"version": "18.4.0", "revision": "granary"})
	meta := s.as(token, "GET", v4+"/metadata", nil).must(t, 200)
	fields(t, meta, map[string]string{"version": "18.4.0", "enterprise": "false"})
	has(t, meta["kas"].(map[string]any), "enabled", "externalUrl", "externalK8sProxyUrl", "version")
	s.do("GET", v4+"/version", nil).is(t, 401, `{"message":"401 Unauthorized"}`)
	s.do("GET", v4+"/metadata", nil).status(t, 401)
	s.as("wrong", "GET", v4+"/version", nil).status(t, 401)
}

// TestExternalUsersOwnNothing: what an external user may not have is not asked
// for when it is made, and does not count where it was given before.
func TestExternalUsersOwnNothing(t *testing.T) {
	s := newServer(t)
	made := s.root("POST", v4+"/users", map[string]any{
		"email": "new@example.com", "name": "new", "username": "new", "force_random_password": true,
		"external": true, "projects_limit": 10, "can_create_group": true,
	}).must(t, 201)
	if n := ask[int](s, `SELECT projects_limit + can_create_group FROM users WHERE username = 'new'`); n != 0 {
		t.Errorf("kept for %v: %d", made, n)
	}
	old, token := s.user("old")
	s.as(token, "POST", v4+"/projects", map[string]any{"name": "before"}).must(t, 201)
	_, admin := s.user("chief", "admin")
	for _, name := range []string{"old", "chief"} {
		s.exec(`UPDATE users SET external = 1, projects_limit = 10, can_create_group = 1 WHERE username = '` + name + `'`)
	}
	fields(t, s.as(token, "GET", v4+"/user", nil).must(t, 200), map[string]string{
		"external": "true", "projects_limit": "0", "can_create_project": "false", "can_create_group": "false",
	})
	const limit = `{"error":"Your project limit is 0 projects! Please contact your administrator to increase it"}`
	s.as(token, "POST", v4+"/projects", map[string]any{"name": "tool"}).is(t, 403, limit)
	s.as(token, "POST", v4+"/groups", map[string]any{"name": "acme", "path": "acme"}).is(t, 403, forbidden)
	namespace := s.root("GET", v4+"/users/"+itoa(old), nil).must(t, 200)["namespace_id"]
	s.root("POST", v4+"/projects", map[string]any{"name": "tool", "namespace_id": namespace}).is(t, 403, limit)
	s.as(token, "PUT", v4+"/projects/old%2Fbefore", map[string]any{"description": "mine still"}).must(t, 200)

	// In a group it is a member like others; an administrator stays one.
	s.groupAt("acme", "private")
	s.memberAt("/groups/acme", old, 40)
	group := s.root("GET", v4+"/groups/acme", nil).must(t, 200)["id"]
	s.as(token, "POST", v4+"/projects", map[string]any{"name": "tool", "namespace_id": group}).must(t, 201)
	s.as(token, "POST", v4+"/groups", map[string]any{"name": "sub", "path": "sub", "parent_id": group}).must(t, 201)
	s.as(admin, "POST", v4+"/groups", map[string]any{"name": "top", "path": "top"}).must(t, 201)
	s.as(admin, "POST", v4+"/projects", map[string]any{"name": "tool"}).is(t, 403, limit)
}
