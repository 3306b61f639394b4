package api_test

import (
	"fmt"
	"testing"
	"time"
)

func day(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) }

func TestMembersOfBoth(t *testing.T) {
	for _, kind := range []string{"/groups/acme", "/projects/acme%2Ftool"} {
		t.Run(kind, func(t *testing.T) {
			s := newServer(t)
			s.groupAt("acme", "private")
			s.projectAt("acme", "tool", "private")
			ada, adaToken := s.user("ada")
			bob, bobToken := s.user("bob")
			_, strangerToken := s.user("stranger")
			at := v4 + kind + "/members"

			made := s.root("POST", at, map[string]any{"user_id": ada, "access_level": 30, "expires_at": day(3)}).must(t, 201)
			want := map[string]string{
				"id": itoa(ada), "username": "ada", "name": "ada", "state": "active", "access_level": "30",
				"expires_at": day(3), "web_url": s.url + "/ada", "avatar_url": "<nil>",
			}
			fields(t, made, want)
			fields(t, made["created_by"].(map[string]any), map[string]string{"id": "1", "username": "root"})
			has(t, made, "created_at")
			fields(t, s.as(adaToken, "GET", at+"/"+itoa(ada), nil).must(t, 200), want)
			fields(t, s.as(adaToken, "GET", at+"/all/"+itoa(ada), nil).must(t, 200), want)

			fields(t, s.form(rootToken, "POST", at, "username=BOB&access_level=10").must(t, 201), map[string]string{"username": "bob", "expires_at": "<nil>"})
			fields(t, s.root("PUT", at+"/"+itoa(bob), map[string]any{"access_level": 20, "expires_at": day(9)}).must(t, 200),
				map[string]string{"access_level": "20", "expires_at": day(9)})
			fields(t, s.root("PUT", at+"/"+itoa(bob), map[string]any{"access_level": 20}).must(t, 200), map[string]string{"expires_at": day(9)})
			fields(t, s.form(rootToken, "PUT", at+"/"+itoa(bob), "access_level=20&expires_at=").must(t, 200), map[string]string{"expires_at": "<nil>"})
			s.root("PUT", at+"/"+itoa(bob), map[string]any{"access_level": 20, "expires_at": day(1)}).must(t, 200)
			fields(t, s.root("PUT", at+"/"+itoa(bob), map[string]any{"access_level": 20, "expires_at": nil}).must(t, 200), map[string]string{"expires_at": "<nil>"})

			for _, test := range []struct {
				token, method, path string
				form                map[string]any
				status              int
				body                string
			}{
				{rootToken, "POST", at, map[string]any{"user_id": ada, "access_level": 30}, 409, `{"message":"Member already exists"}`},
				{rootToken, "POST", at, map[string]any{"user_id": 999, "access_level": 30}, 404, `{"message":"404 User Not Found"}`},
				{rootToken, "POST", at, map[string]any{"username": "nobody", "access_level": 30}, 404, `{"message":"404 User Not Found"}`},
				{rootToken, "POST", at, map[string]any{"user_id": 3}, 400, `{"error":"access_level is missing"}`},
				{rootToken, "POST", at, map[string]any{"access_level": 30}, 400, `{"error":"user_id, username are missing, exactly one parameter must be provided"}`},
				{rootToken, "POST", at, map[string]any{"user_id": 3, "username": "x", "access_level": 30}, 400, `{"error":"user_id, username are mutually exclusive"}`},
				{rootToken, "POST", at, map[string]any{"user_id": 4, "access_level": 35}, 400, `{"error":"access_level does not have a valid value"}`},
				{rootToken, "POST", at, map[string]any{"user_id": 4, "access_level": 60}, 400, `{"error":"access_level does not have a valid value"}`},
				{rootToken, "POST", at, map[string]any{"user_id": 4, "access_level": 0}, 400, `{"error":"access_level does not have a valid value"}`},
				{rootToken, "POST", at, map[string]any{"user_id": 4, "access_level": "dev"}, 400, `{"error":"access_level is invalid"}`},
				{rootToken, "POST", at, map[string]any{"user_id": 4, "access_level": 30, "expires_at": "x"}, 400, `{"error":"expires_at is invalid"}`},
				{rootToken, "POST", at, map[string]any{"user_id": 4, "access_level": 30, "expires_at": day(-1)}, 400, `{"message":{"expires_at":["cannot be a date in the past"]}}`},
				{rootToken, "PUT", at + "/" + itoa(ada), map[string]any{"access_level": 30, "expires_at": day(-1)}, 400, `{"message":{"expires_at":["cannot be a date in the past"]}}`},
				{rootToken, "PUT", at + "/999", map[string]any{"access_level": 30}, 404, `{"message":"404 Not found"}`},
				{rootToken, "GET", at + "/999", nil, 404, `{"message":"404 Not found"}`},
				{rootToken, "DELETE", at + "/999", nil, 404, `{"message":"404 Not found"}`},
				{rootToken, "GET", at + "/ada", nil, 400, `{"error":"user_id is invalid"}`},
				{rootToken, "GET", at + "/01", nil, 400, `{"error":"user_id is invalid"}`},
				{rootToken, "GET", at + "/+1", nil, 400, `{"error":"user_id is invalid"}`},
				{adaToken, "POST", at, map[string]any{"user_id": 4, "access_level": 10}, 403, `{"message":"403 Forbidden"}`},
				{adaToken, "PUT", at + "/" + itoa(bob), map[string]any{"access_level": 10}, 403, `{"message":"403 Forbidden"}`},
				{adaToken, "DELETE", at + "/" + itoa(bob), nil, 403, `{"message":"403 Forbidden"}`},
			} {
				s.as(test.token, test.method, test.path, test.form).is(t, test.status, test.body)
			}
			s.as(strangerToken, "GET", at, nil).status(t, 404)
			s.as(strangerToken, "POST", at, map[string]any{"user_id": 4, "access_level": 50}).status(t, 404)
			s.do("GET", at, nil).status(t, 401)

			s.as(bobToken, "DELETE", at+"/"+itoa(bob), nil).status(t, 204) // one may leave
			s.as(bobToken, "GET", v4+kind, nil).status(t, 404)
			s.root("DELETE", at+"/"+itoa(ada), nil).status(t, 204)
			s.as(adaToken, "GET", v4+kind, nil).status(t, 404)
		})
	}
}

func TestGroupMembersTakeAnOwner(t *testing.T) {
	s := newServer(t)
	s.groupAt("acme", "private")
	owner, ownerToken := s.user("owner")
	maintainer, maintainerToken := s.user("maintainer")
	s.memberAt("/groups/acme", owner, 50)
	s.memberAt("/groups/acme", maintainer, 40)
	at := v4 + "/groups/acme/members"
	s.as(maintainerToken, "POST", at, map[string]any{"username": "root", "access_level": 10}).status(t, 403)
	s.as(maintainerToken, "DELETE", at+"/"+itoa(owner), nil).status(t, 403)
	s.as(ownerToken, "PUT", at+"/"+itoa(maintainer), map[string]any{"access_level": 50}).must(t, 200)

	t.Run("the last owner stays", func(t *testing.T) {
		s.as(ownerToken, "DELETE", at+"/1", nil).status(t, 204)
		s.as(ownerToken, "DELETE", at+"/"+itoa(maintainer), nil).status(t, 204)
		s.as(ownerToken, "DELETE", at+"/"+itoa(owner), nil).status(t, 403)
		s.as(ownerToken, "PUT", at+"/"+itoa(owner), map[string]any{"access_level": 40}).status(t, 403)
		s.root("DELETE", at+"/"+itoa(owner), nil).status(t, 403)
		s.as(ownerToken, "PUT", at+"/"+itoa(owner), map[string]any{"access_level": 50}).must(t, 200)
		s.as(ownerToken, "PUT", at+"/"+itoa(owner), map[string]any{"access_level": 50, "expires_at": day(0)}).status(t, 403)
		s.as(ownerToken, "PUT", at+"/"+itoa(owner), map[string]any{"access_level": 50, "expires_at": day(400)}).is(t, 403,
			`{"message":"403 Forbidden - a group keeps its last owner: first make another user an owner, without expires_at, who is neither blocked nor the user of an access token"}`)
		s.memberAt("/groups/acme", maintainer, 50)
		s.as(ownerToken, "PUT", at+"/"+itoa(maintainer), map[string]any{"access_level": 50, "expires_at": day(400)}).must(t, 200)
		s.as(ownerToken, "DELETE", at+"/"+itoa(owner), nil).status(t, 403) // who will leave is not enough
		s.as(ownerToken, "DELETE", at+"/"+itoa(maintainer), nil).status(t, 204)
	})
	t.Run("a subgroup may lose its own: the parent's count", func(t *testing.T) {
		s.groupAt("acme/sub", "private")
		s.root("DELETE", v4+"/groups/acme%2Fsub/members/1", nil).status(t, 204)
		s.as(ownerToken, "PUT", v4+"/groups/acme%2Fsub", map[string]any{"description": "x"}).must(t, 200)
	})
}

func TestProjectMaintainerAndOwners(t *testing.T) {
	s := newServer(t)
	s.groupAt("acme", "private")
	s.projectAt("acme", "tool", "private")
	owner, ownerToken := s.user("owner")
	maintainer, maintainerToken := s.user("maintainer")
	other, _ := s.user("other")
	s.memberAt("/projects/acme%2Ftool", owner, 50)
	s.memberAt("/projects/acme%2Ftool", maintainer, 40)
	at := v4 + "/projects/acme%2Ftool/members"

	s.as(maintainerToken, "POST", at, map[string]any{"user_id": other, "access_level": 50}).is(t, 403, `{"message":"403 Forbidden"}`)
	s.as(maintainerToken, "POST", at, map[string]any{"user_id": other, "access_level": 40}).status(t, 201)
	s.as(maintainerToken, "PUT", at+"/"+itoa(other), map[string]any{"access_level": 50}).status(t, 403)
	s.as(maintainerToken, "PUT", at+"/"+itoa(maintainer), map[string]any{"access_level": 50}).status(t, 403)
	s.as(maintainerToken, "PUT", at+"/"+itoa(owner), map[string]any{"access_level": 30}).status(t, 403)
	s.as(maintainerToken, "DELETE", at+"/"+itoa(owner), nil).status(t, 403)
	s.as(maintainerToken, "DELETE", at+"/"+itoa(other), nil).status(t, 204)
	s.as(ownerToken, "POST", at, map[string]any{"user_id": other, "access_level": 50}).status(t, 201)
	s.as(ownerToken, "DELETE", at+"/"+itoa(owner), nil).status(t, 204)
}

func TestInheritedMembers(t *testing.T) {
	s := newServer(t)
	s.groupAt("acme", "private")
	s.groupAt("acme/sub", "private")
	s.projectAt("acme%2Fsub", "tool", "private")
	ada, _ := s.user("ada")
	s.memberAt("/groups/acme", ada, 30)
	s.memberAt("/groups/acme%2Fsub", ada, 20)
	s.memberAt("/projects/acme%2Fsub%2Ftool", ada, 40)

	levels := func(path string) string {
		words := ""
		for _, m := range s.root("GET", v4+path, nil).list(t) {
			words += fmt.Sprint(m["username"], ":", m["access_level"], " ")
		}
		return words
	}
	for path, want := range map[string]string{
		"/groups/acme/members/all":                           "root:50 ada:30 ",
		"/groups/acme%2Fsub/members":                         "root:50 ada:20 ",
		"/groups/acme%2Fsub/members/all":                     "root:50 ada:30 ",
		"/projects/acme%2Fsub%2Ftool/members":                "ada:40 ",
		"/projects/acme%2Fsub%2Ftool/members/all":            "root:50 ada:40 ",
		"/groups/acme/members?query=DA":                      "ada:30 ",
		"/groups/acme/members?query=%25":                     "",
		"/groups/acme/members?user_ids[]=" + itoa(ada):       "ada:30 ",
		"/groups/acme/members?user_ids=1,999":                "root:50 ",
		"/groups/acme/members?skip_users[]=1":                "ada:30 ",
		"/groups/acme/members/all?per_page=1&page=2":         "ada:30 ",
		"/projects/acme%2Fsub%2Ftool/members/all?query=root": "root:50 ",
	} {
		if got := levels(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	fields(t, s.root("GET", v4+"/projects/acme%2Fsub%2Ftool/members/all/1", nil).must(t, 200), map[string]string{"access_level": "50"})
	s.root("GET", v4+"/projects/acme%2Fsub%2Ftool/members/1", nil).status(t, 404)
	s.root("GET", v4+"/groups/acme/members?user_ids=x", nil).status(t, 400)
}

func TestMembershipEnds(t *testing.T) {
	s := newServer(t)
	s.groupAt("acme", "private")
	s.groupAt("acme/sub", "private")
	s.projectAt("acme%2Fsub", "tool", "private")
	ada, token := s.user("ada")
	p := v4 + "/projects/acme%2Fsub%2Ftool"
	s.memberAt("/groups/acme", ada, 20)
	s.memberAt("/groups/acme%2Fsub", ada, 40)
	role := func() string {
		return fmt.Sprint(s.root("GET", p+"/members/all/"+itoa(ada), nil).must(t, 200)["access_level"])
	}
	if role() != "40" {
		t.Errorf("role %s, want 40", role())
	}
	// expires_at is the first day without.
	s.root("PUT", v4+"/groups/acme%2Fsub/members/"+itoa(ada), map[string]any{"access_level": 40, "expires_at": day(0)}).must(t, 200)
	if role() != "20" {
		t.Errorf("role %s, want 20: what is over hides what is not", role())
	}
	s.as(token, "PUT", p, map[string]any{"description": "x"}).status(t, 403)
	s.as(token, "GET", p, nil).status(t, 200)
	s.root("GET", v4+"/groups/acme%2Fsub/members/"+itoa(ada), nil).status(t, 404)
	s.memberAt("/groups/acme%2Fsub", ada, 30) // makes room for a new one
	if role() != "30" {
		t.Errorf("role %s, want 30", role())
	}
}
