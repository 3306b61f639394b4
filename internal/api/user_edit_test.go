package api_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestEditUser(t *testing.T) {
	s := newServer(t)
	ada, token := s.user("ada")
	bob, _ := s.user("bob")
	at := v4 + "/users/" + itoa(ada)
	own := s.as(token, "POST", v4+"/projects", map[string]any{"name": "tool"}).must(t, 201)
	s.as(token, "GET", v4+"/projects/ada%2Ftool", nil).must(t, 200) // and is remembered

	changed := s.root("PUT", at, map[string]any{
		"name": "Ada L.", "username": "Lovelace", "email": "ada@new.example", "note": "moved", "projects_limit": 7, "can_create_group": false,
		"password": "none here", "skip_reconfirmation": true,
	}).must(t, 200)
	fields(t, changed, map[string]string{"id": itoa(ada), "name": "Ada L.", "username": "Lovelace", "email": "ada@new.example",
		"note": "moved", "projects_limit": "7", "can_create_group": "false", "is_admin": "false", "external": "false"})
	fields(t, s.root("PUT", at, nil).must(t, 200), map[string]string{"username": "Lovelace", "note": "moved"}) // nothing asked, nothing changed

	t.Run("a new user name moves what is the user's, and old paths lead on", func(t *testing.T) {
		fields(t, s.as(token, "GET", v4+"/projects/"+id(own), nil).must(t, 200), map[string]string{"path_with_namespace": "Lovelace/tool"})
		s.as(token, "GET", v4+"/projects/ada%2Ftool", nil).status(t, 301)
		s.as(token, "GET", v4+"/user", nil).must(t, 200)
		s.root("PUT", at, map[string]any{"username": "ada"}).must(t, 200) // and back
		s.as(token, "GET", v4+"/projects/ada%2Ftool", nil).must(t, 200)
	})
	t.Run("refused, and nothing changed", func(t *testing.T) {
		s.groupAt("acme", "private")
		for _, test := range []struct {
			form   map[string]any
			status int
			body   string
		}{
			{map[string]any{"email": "BOB@example.com", "name": "x"}, 409, `{"message":"Email has already been taken"}`},
			{map[string]any{"username": "BOB", "name": "x"}, 409, `{"message":"Username has already been taken"}`},
			{map[string]any{"username": "acme", "name": "x"}, 409, `{"message":"Username has already been taken"}`},
			{map[string]any{"email": "nobody", "name": "x"}, 400, `{"message":{"email":["is invalid"]}}`},
			{map[string]any{"admin": "perhaps"}, 400, `{"error":"admin is invalid"}`},
			{map[string]any{"projects_limit": -1}, 400, `{"message":{"projects_limit":["must be greater than or equal to 0"]}}`},
		} {
			s.root("PUT", at, test.form).is(t, test.status, test.body)
		}
		fields(t, s.root("GET", at, nil).must(t, 200), map[string]string{"name": "Ada L.", "username": "ada", "email": "ada@new.example"})
		s.as(token, "PUT", at, map[string]any{"admin": true}).is(t, 403, forbidden)
		s.root("PUT", v4+"/users/999", map[string]any{"name": "x"}).is(t, 404, `{"message":"404 User Not Found"}`)
	})
	t.Run("who is external has nothing of its own until it is no more", func(t *testing.T) {
		bob := v4 + "/users/" + itoa(bob)
		fields(t, s.root("PUT", bob, map[string]any{"external": true, "projects_limit": 5}).must(t, 200), map[string]string{"projects_limit": "0", "can_create_group": "false"})
		fields(t, s.root("PUT", bob, map[string]any{"external": false}).must(t, 200), map[string]string{"projects_limit": "100000", "can_create_group": "true"})
	})
	t.Run("an administrator at once", func(t *testing.T) {
		s.as(token, "GET", v4+"/features", nil).status(t, 403)
		s.root("PUT", at, map[string]any{"admin": true}).must(t, 200)
		s.as(token, "GET", v4+"/features", nil).status(t, 200)
		s.as(token, "PUT", at, map[string]any{"admin": false}).must(t, 200)
		s.as(token, "GET", v4+"/features", nil).status(t, 403)
	})
	t.Run("a bot belongs to its token", func(t *testing.T) {
		s.root("POST", v4+"/projects/ada%2Ftool/access_tokens", map[string]any{"name": "bot", "scopes": []string{"api"}, "access_level": 30}).must(t, 201)
		bot := v4 + "/users/" + itoa(ask[int64](s, `SELECT MAX(user_id) FROM bots`))
		s.root("PUT", bot, map[string]any{"admin": true}).starts(t, 403, "403 Forbidden - This user is the bot")
		s.root("DELETE", bot, nil).starts(t, 403, "403 Forbidden - This user is the bot")
	})
}

// What a deleted user published stays, by nobody. Nothing lets the user in any more.
func TestDeleteUser(t *testing.T) {
	s := newServer(t)
	ada, token := s.user("ada")
	at := v4 + "/users/" + itoa(ada)
	s.groupAt("acme", "public")
	s.memberAt("/groups/acme", ada, 40)
	tool := s.projectAt("acme", "tool", "public")
	file := v4 + "/projects/" + tool + "/packages/generic/app/1.0.0/a.txt"
	s.as(token, "PUT", file, "bytes").status(t, 201)
	s.as(token, "POST", v4+"/projects/"+tool+"/releases", map[string]any{"tag_name": "v1", "ref": "main"}).must(t, 201)
	_, job := s.job(token, tool)

	t.Run("refused", func(t *testing.T) {
		s.as(token, "POST", v4+"/groups", map[string]any{"name": "hers", "path": "hers"}).must(t, 201)
		for _, ask := range []string{"", "?hard_delete=true"} {
			s.root("DELETE", at+ask, nil).starts(t, 409, "User cannot be removed while is the sole-owner of a group: hers.")
		}
		s.memberAt("/groups/hers", 1, 50)
		s.as(token, "POST", v4+"/projects", map[string]any{"name": "own"}).must(t, 201)
		s.as(token, "PUT", v4+"/projects/ada%2Fown/packages/generic/app/1.0.0/a.txt", "own").status(t, 201)
		s.root("DELETE", at, nil).starts(t, 409, "User cannot be removed while projects are in their namespace: ada/own. ")
		s.root("DELETE", at+"?hard_delete=perhaps", nil).is(t, 400, `{"error":"hard_delete is invalid"}`)
		s.root("PUT", v4+"/users/1", map[string]any{"admin": false}).starts(t, 403, "403 Forbidden - The last administrator cannot be")
		s.root("DELETE", v4+"/users/999", nil).is(t, 404, `{"message":"404 User Not Found"}`)
		s.as(token, "DELETE", v4+"/users/1", nil).is(t, 403, forbidden)
		s.as(token, "GET", v4+"/user", nil).must(t, 200)
	})

	s.root("DELETE", at+"?hard_delete=true", nil).status(t, 204)
	s.root("DELETE", at, nil).is(t, 404, `{"message":"404 User Not Found"}`)
	s.root("GET", at, nil).is(t, 404, `{"message":"404 User Not Found"}`)
	for _, credential := range []string{"PRIVATE-TOKEN: " + token, "JOB-TOKEN: " + job} {
		if got := s.do("GET", file, nil, credential).StatusCode; got != 401 && got != 403 {
			t.Errorf("%s: %d", credential, got)
		}
	}
	s.root("GET", v4+"/user?sudo=ada", nil).status(t, 404)
	s.root("POST", at+"/personal_access_tokens", map[string]any{"name": "t", "scopes": []string{"api"}}).status(t, 404)
	s.root("POST", v4+"/groups/acme/members", map[string]any{"user_id": ada, "access_level": 30}).status(t, 404)
	s.root("GET", v4+"/projects/ada%2Fown", nil).status(t, 404)
	if got := s.root("GET", v4+"/users", nil).column(t, "username"); got != "root" {
		t.Errorf("users: %s", got)
	}
	if got := s.root("GET", v4+"/groups/acme/members", nil).column(t, "username"); strings.Contains(got, "ada") || strings.Contains(got, "ghost") {
		t.Errorf("members: %s", got)
	}

	s.do("GET", file, nil).is(t, 200, "bytes")
	release := s.root("GET", v4+"/projects/"+tool+"/releases/v1", nil).must(t, 200)
	fields(t, release["author"].(map[string]any), map[string]string{"username": "ghost", "name": "Ghost User", "id": itoa(ada)})
	if left := ask[int](s, `SELECT COUNT(*) FROM users WHERE id = $1 AND (name LIKE '%ada%' OR email LIKE '%ada%' OR note <> '')`, ada); left != 0 {
		t.Error("something of the user's is left")
	}

	again, _ := s.user("ada") // name and email are free
	if again == ada {
		t.Error("the id was given again")
	}
}

// Two administrators who end one another at once: one is left.
func TestLastAdministratorStays(t *testing.T) {
	s := newServer(t)
	demote := func(query string) {
		db := s.beside("?_pragma=busy_timeout(10000)")
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	for i, end := range []func(user string) (method, path string, form map[string]any){
		func(user string) (string, string, map[string]any) { return "POST", "/users/" + user + "/block", nil },
		func(user string) (string, string, map[string]any) { return "DELETE", "/users/" + user, nil },
		func(user string) (string, string, map[string]any) {
			return "PUT", "/users/" + user, map[string]any{"admin": false}
		},
	} {
		first, firstToken := s.user(fmt.Sprint("first", i), "admin")
		second, secondToken := s.user(fmt.Sprint("second", i), "admin")
		demote(`UPDATE users SET admin = 0 WHERE username = 'root' OR username NOT LIKE '%` + itoa(int64(i)) + `'`)
		statuses := make([]int, 2)
		var both sync.WaitGroup
		for n, who := range []struct {
			token string
			ends  int64
		}{{firstToken, second}, {secondToken, first}} {
			both.Go(func() {
				method, path, form := end(itoa(who.ends))
				statuses[n] = s.as(who.token, method, v4+path, form).StatusCode
			})
		}
		both.Wait()
		left := ask[int](s, `SELECT COUNT(*) FROM users WHERE admin = 1 AND blocked = 0`)
		if left != 1 || (statuses[0] < 300) == (statuses[1] < 300) {
			t.Errorf("%d administrators are left, %v", left, statuses)
		}
		demote(`UPDATE users SET admin = 1 WHERE username = 'root'`)
		s.root("POST", v4+"/features/unused", map[string]any{"value": true}).must(t, 201) // what was remembered is forgotten
	}
}

func TestInstanceVariables(t *testing.T) {
	s := newServer(t)
	const all = v4 + "/admin/ci/variables"
	const plain = `{"variable_type":"env_var","key":"KEY","value":"one","hidden":false,"protected":false,"masked":false,"raw":false,"description":null}`
	s.form(rootToken, "POST", all, "key=KEY&value=one&environment_scope=left+out").is(t, 201, plain)
	s.form(rootToken, "POST", all, "key=KEY&value=two").is(t, 400, `{"message":{"key":["(KEY) has already been taken"]}}`)
	s.root("GET", all, nil).is(t, 200, "["+plain+"]")
	s.root("GET", all+"/KEY", nil).is(t, 200, plain)
	s.form(rootToken, "PUT", all+"/KEY", "value=two&protected=true&description=d").is(t, 200,
		strings.NewReplacer("one", "two", `"protected":false`, `"protected":true`, "null", `"d"`).Replace(plain))
	s.form(rootToken, "PUT", all+"/KEY", "masked=true").is(t, 400, `{"message":{"value":["is invalid"]}}`)
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		s.root(method, all+"/ABSENT", nil).is(t, 404, `{"message":"404 InstanceVariable Not Found"}`)
	}
	if sealed := ask[[]byte](s, `SELECT value FROM variables WHERE key = 'KEY'`); strings.Contains(string(sealed), "two") {
		t.Error("the value is kept unsealed")
	}
	_, token := s.user("ada")
	s.as(token, "GET", all, nil).is(t, 403, forbidden)
	s.do("GET", all, nil).status(t, 401)

	// A project's and a group's of the same key are others.
	project := s.project("tool", "private")
	s.form(rootToken, "POST", v4+"/projects/"+project+"/variables", "key=KEY&value=three").must(t, 201)
	fields(t, s.root("GET", all+"/KEY", nil).must(t, 200), map[string]string{"value": "two"})
	s.root("DELETE", all+"/KEY", nil).status(t, 204)
	fields(t, s.root("GET", v4+"/projects/"+project+"/variables/KEY", nil).must(t, 200), map[string]string{"value": "three"})
	s.root("GET", all, nil).is(t, 200, "[]")
}
