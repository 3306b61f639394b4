package api_test

import (
	"strings"
	"testing"
	"time"
)

// botPlaces is a project and a group, with a member of each role, to try the
// same on both.
func botPlaces(s *server) (places []string, members map[string]string) {
	s.t.Helper()
	group := s.root("POST", "/api/v4/groups", map[string]any{"name": "acme", "path": "acme"}).must(s.t, 201)["id"].(float64)
	s.root("POST", "/api/v4/projects", map[string]any{"name": "tool", "namespace_id": group}).must(s.t, 201)
	members = map[string]string{}
	for level, name := range map[int]string{30: "developer", 40: "maintainer", 50: "owner"} {
		id, token := s.user(name)
		s.root("POST", "/api/v4/groups/acme/members", map[string]any{"user_id": id, "access_level": level}).must(s.t, 201)
		members[name] = token
	}
	return []string{"/api/v4/projects/acme%2Ftool", "/api/v4/groups/acme"}, members
}

// TestBotTokenLife is contract rest-api C2 and C3: what a token of a project or
// group can do from its making to its end.
func TestBotTokenLife(t *testing.T) {
	s := newServer(t)
	places, _ := botPlaces(s)
	for _, place := range places {
		t.Run(place, func(t *testing.T) {
			all := place + "/access_tokens"
			made := s.root("POST", all, map[string]any{"name": "ci", "scopes": []string{"api", "self_rotate"}, "description": "d", "access_level": 30}).must(t, 201)
			secret, id, bot := made["token"].(string), itoa(int64(made["id"].(float64))), itoa(int64(made["user_id"].(float64)))
			if made["access_level"] != 30.0 || made["description"] != "d" || made["active"] != true ||
				made["expires_at"] != time.Now().UTC().AddDate(0, 0, 365).Format("2006-01-02") {
				t.Errorf("made %v", made)
			}
			got := s.root("GET", all+"/"+id, nil).must(t, 200)
			if got["access_level"] != 30.0 || got["name"] != "ci" || got["token"] != nil {
				t.Errorf("got %v", got)
			}
			if list := s.root("GET", all, nil); list.Header.Get("X-Total") != "1" || strings.Contains(list.body, secret) {
				t.Errorf("list %s", list.body)
			}
			if member := s.root("GET", place+"/members/"+bot, nil).must(t, 200); member["access_level"] != 30.0 {
				t.Errorf("the bot is no member: %v", member)
			}
			s.as(secret, "PUT", generic("acme%2Ftool", "t/1.0.0/t"), "x").must(t, 201)
			s.as(secret, "GET", place+"/variables", nil).is(t, 403, forbidden)
			s.as(secret, "GET", "/api/v4/personal_access_tokens/self", nil).must(t, 200)

			rotated := s.as(secret, "POST", all+"/self/rotate", nil).must(t, 200)
			second, id2 := rotated["token"].(string), itoa(int64(rotated["id"].(float64)))
			if rotated["user_id"] != made["user_id"] || rotated["access_level"] != 30.0 || id2 == id {
				t.Errorf("rotated %v", rotated)
			}
			s.as(secret, "GET", place, nil).is(t, 401, revoked)
			third := s.root("POST", all+"/"+id2+"/rotate", map[string]any{"expires_at": "2999-01-01"}).must(t, 200)
			if third["expires_at"] != "2999-01-01" {
				t.Errorf("rotated %v", third)
			}
			s.as(second, "GET", place, nil).is(t, 401, revoked)
			s.as(third["token"].(string), "GET", place, nil).must(t, 200)
			s.root("DELETE", all+"/"+itoa(int64(third["id"].(float64))), nil).must(t, 204)
			s.as(third["token"].(string), "GET", place, nil).is(t, 401, revoked)
			s.root("GET", place+"/members/"+bot, nil).is(t, 404, noRow)
			if active := s.root("GET", all+"?state=active", nil); active.body != "[]" {
				t.Errorf("active: %s", active.body)
			}
			if dead := s.root("GET", all+"?state=inactive", nil); dead.Header.Get("X-Total") != "3" {
				t.Errorf("inactive: %s", dead.body)
			}
		})
	}
}

// TestBotTokenRefusals: who may not, and what may not be asked for.
func TestBotTokenRefusals(t *testing.T) {
	s := newServer(t)
	places, as := botPlaces(s)
	_, as["stranger"] = s.user("stranger")
	for i, place := range places {
		all, isGroup := place+"/access_tokens", i == 1
		noun := []string{"project", "group"}[i]
		owners := s.root("POST", all, map[string]any{"name": "o", "scopes": []string{"api"}, "access_level": 50}).must(t, 201)
		as["bot"] = owners["token"].(string)
		ownersID := itoa(int64(owners["id"].(float64)))
		maintainers := map[bool]int{false: 201, true: 403}[isGroup]
		const ask = `{"name":"x","scopes":["api"],"access_level":LEVEL}`
		for _, tc := range []struct {
			name, who, method, path, body string
			status                        int
			want                          string // part of the body
		}{
			{"anonymous", "", "GET", "", "", 401, unauthorized},
			{"stranger", "stranger", "GET", "", "", 404, "Not Found"},
			{"developer", "developer", "GET", "", "", 403, forbidden},
			{"developer makes", "developer", "POST", "", strings.Replace(ask, "LEVEL", "10", 1), 403, forbidden},
			{"maintainer makes", "maintainer", "POST", "", strings.Replace(ask, "LEVEL", "40", 1), maintainers, ""},
			{"owner makes an owner", "owner", "POST", "", strings.Replace(ask, "LEVEL", "50", 1), 201, `"access_level":50`},
			{"a bot makes another", "bot", "POST", "", strings.Replace(ask, "LEVEL", "10", 1), 403, forbidden},
			{"a bot reads", "bot", "GET", "", "", 200, ownersID},
			{"no name", "owner", "POST", "", `{"scopes":["api"]}`, 400, `{"error":"name is missing"}`},
			{"no scopes", "owner", "POST", "", `{"name":"x"}`, 400, `{"error":"scopes is missing"}`},
			{"unknown scope", "owner", "POST", "", `{"name":"x","scopes":["root"]}`, 400, `{"error":"scopes does not have a valid value"}`},
			{"sudo", "owner", "POST", "", `{"name":"x","scopes":["sudo"]}`, 400, `{"error":"scopes does not have a valid value"}`},
			{"no such level", "owner", "POST", "", strings.Replace(ask, "LEVEL", "31", 1), 400, `{"error":"access_level does not have a valid value"}`},
			{"admin level", "owner", "POST", "", strings.Replace(ask, "LEVEL", "60", 1), 400, `{"error":"access_level does not have a valid value"}`},
			{"unknown", "owner", "GET", "/999999", "", 404, `{"message":"404 Could not find ` + noun + ` access token with token_id: 999999 Not Found"}`},
			{"unknown to revoke", "owner", "DELETE", "/999999", "", 404, "Could not find"},
			{"a person rotates itself", "owner", "POST", "/self/rotate", "", 405, `{"message":"405 Method Not Allowed"}`},
		} {
			t.Run(noun+"/"+tc.name, func(t *testing.T) {
				header := []string{"Content-Type: application/json"}
				if tc.who != "" {
					header = append(header, "PRIVATE-TOKEN: "+as[tc.who])
				}
				got := s.do(tc.method, all+tc.path, strings.NewReader(tc.body), header...)
				if got.StatusCode != tc.status || !strings.Contains(got.body, tc.want) {
					t.Errorf("%d %s, want %d %s", got.StatusCode, got.body, tc.status, tc.want)
				}
			})
		}
		// Nobody gets hold of a role above their own.
		if !isGroup {
			for _, tc := range []struct{ method, path, body string }{
				{"POST", "", strings.Replace(ask, "LEVEL", "50", 1)}, {"POST", "/" + ownersID + "/rotate", ""}, {"DELETE", "/" + ownersID, ""},
			} {
				got := s.do(tc.method, all+tc.path, strings.NewReader(tc.body), "Content-Type: application/json", "PRIVATE-TOKEN: "+as["maintainer"])
				if tc.path == "" {
					got.is(t, 400, `{"message":"400 Bad request - Access level of the token can't be greater the access level of the user who created the token"}`)
				} else {
					got.is(t, 403, forbidden)
				}
			}
		}
		s.as(as["bot"], "POST", "/api/v4/personal_access_tokens/self/rotate", nil).is(t, 405, `{"message":"405 Method Not Allowed"}`)
		// A token of another place is none of this one.
		s.root("GET", places[1-i]+"/access_tokens/"+ownersID, nil).must(t, 404)
	}
	// A stolen token, rotated once more, takes its family with it.
	all := places[0] + "/access_tokens"
	made := s.root("POST", all, map[string]any{"name": "x", "scopes": []string{"api"}}).must(t, 201)
	path := all + "/" + itoa(int64(made["id"].(float64))) + "/rotate"
	fresh := s.root("POST", path, nil).must(t, 200)["token"].(string)
	s.root("POST", path, nil).is(t, 401, unauthorized)
	s.as(fresh, "GET", places[0], nil).is(t, 401, revoked)

	// A bot is gone with its project.
	last := s.root("POST", all, map[string]any{"name": "x", "scopes": []string{"api"}}).must(t, 201)["token"].(string)
	s.as(last, "GET", "/api/v4/user", nil).must(t, 200)
	s.root("DELETE", places[0], nil).must(t, 202)
	s.as(last, "GET", "/api/v4/user", nil).is(t, 401, unauthorized)
}

// TestBotsBelongToOnePlace: no route of members gives a bot another place or
// another role, or takes it away while its token lives, whoever asks.
func TestBotsBelongToOnePlace(t *testing.T) {
	s := newServer(t)
	places, as := botPlaces(s)
	far := "/api/v4/projects/" + s.projectIn(s.group("far", 0), "away", "private")
	for i, place := range places {
		made := s.root("POST", place+"/access_tokens", map[string]any{"name": "ci", "scopes": []string{"api"}, "access_level": 30}).must(t, 201)
		secret, token, bot := made["token"].(string), itoa(int64(made["id"].(float64))), itoa(int64(made["user_id"].(float64)))
		name := s.root("GET", "/api/v4/users/"+bot, nil).must(t, 200)["username"].(string)
		const elsewhere = `{"message":{"user_id":["project bots cannot be added to other groups / projects"]}}`
		for _, other := range []string{places[1-i], far, "/api/v4/groups/far"} {
			s.root("POST", other+"/members", map[string]any{"user_id": bot, "access_level": 10}).is(t, 400, elsewhere)
			s.root("POST", other+"/members", map[string]any{"username": name, "access_level": 50}).is(t, 400, elsewhere)
		}
		s.as(as["owner"], "POST", places[1-i]+"/members", map[string]any{"user_id": bot, "access_level": 10}).is(t, 400, elsewhere)
		s.root("POST", place+"/members", map[string]any{"user_id": bot, "access_level": 10}).is(t, 409, `{"message":"Member already exists"}`)
		for who, key := range map[string]string{"root": rootToken, "owner": as["owner"], "the bot": secret} {
			if who != "the bot" {
				s.as(key, "PUT", place+"/members/"+bot, map[string]any{"access_level": 40}).is(t, 403,
					`{"message":"403 Forbidden - `+name+` is the user of an access token, whose role cannot change: make a token with the other role, and revoke this one"}`)
			}
			s.as(key, "DELETE", place+"/members/"+bot, nil).is(t, 403,
				`{"message":"403 Forbidden - `+name+` is the user of an access token: revoke the token to remove it"}`)
		}
		fields(t, s.root("GET", place+"/members/"+bot, nil).must(t, 200), map[string]string{"access_level": "30"})

		s.root("DELETE", place+"/access_tokens/"+token, nil).must(t, 204)
		s.root("GET", place+"/members/"+bot, nil).is(t, 404, noRow)
		s.root("POST", place+"/members", map[string]any{"user_id": bot, "access_level": 10}).is(t, 400, elsewhere)
	}
}

// TestBotsGainNothingElsewhere: what a bot was given elsewhere, as older servers
// let it, is worth nothing to whoever gets hold of its token. It can be taken away.
func TestBotsGainNothingElsewhere(t *testing.T) {
	s := newServer(t)
	places, as := botPlaces(s)
	far := s.projectIn(s.group("far", 0), "away", "private")
	made := s.root("POST", places[0]+"/access_tokens", map[string]any{"name": "ci", "scopes": []string{"api"}, "access_level": 40}).must(t, 201)
	bot := int64(made["user_id"].(float64))
	s.exec(`INSERT INTO members (user_id, project_id, access_level, created_by, created_at) VALUES (` + itoa(bot) + `, ` + far + `, 50, 1, 1)`)
	rotated := s.as(as["maintainer"], "POST", places[0]+"/access_tokens/"+itoa(int64(made["id"].(float64)))+"/rotate", nil).must(t, 200)
	secret := rotated["token"].(string)
	s.as(secret, "GET", places[0], nil).must(t, 200)
	s.as(secret, "GET", "/api/v4/projects/"+far, nil).is(t, 404, `{"message":"404 Project Not Found"}`)
	s.as(secret, "PUT", generic(far, "t/1.0.0/t"), "x").status(t, 404)
	if found := s.as(secret, "GET", "/api/v4/projects?membership=true", nil).column(t, "path"); found != "tool" {
		t.Errorf("a member of %q", found)
	}
	at := "/api/v4/projects/" + far + "/members/" + itoa(bot)
	s.root("GET", at, nil).is(t, 404, noRow)
	s.root("PUT", at, map[string]any{"access_level": 10}).status(t, 403)
	s.root("DELETE", at, nil).must(t, 204)
	if n := s.count("members WHERE user_id = " + itoa(bot)); n != 1 {
		t.Errorf("%d memberships, want 1", n)
	}
}

// TestRotatedBotsSeeWhatTheirHolderSees: an external user who rotates somebody's
// token gets no view of internal projects with it, and the other way round.
func TestRotatedBotsSeeWhatTheirHolderSees(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	inside := s.project("inside", "internal")
	s.root("PUT", generic(inside, "a/1.0.0/a"), "x").is(t, 201, created)
	eve, external := s.user("eve", "external")
	ann, plain := s.user("ann")
	s.member(p, eve, 40)
	s.member(p, ann, 40)
	tokens := "/api/v4/projects/" + p + "/access_tokens"
	made := s.as(plain, "POST", tokens, map[string]any{"name": "ci", "scopes": []string{"api"}, "access_level": 30}).must(t, 201)
	for _, tc := range []struct {
		token  string
		status int
	}{{external, 404}, {plain, 200}} {
		made = s.as(tc.token, "POST", tokens+"/"+id(made)+"/rotate", nil).must(t, 200)
		secret := made["token"].(string)
		s.as(secret, "GET", generic(inside, "a/1.0.0/a"), nil).status(t, tc.status)
		made = s.as(secret, "POST", tokens+"/self/rotate", nil).must(t, 200)
		s.as(made["token"].(string), "GET", generic(inside, "a/1.0.0/a"), nil).status(t, tc.status)
	}
}

// TestBotsMakeNoPlaceTheirOwn: what a bot makes in its group it does not become a
// member of; by sudo, too, it is a bot.
func TestBotsMakeNoPlaceTheirOwn(t *testing.T) {
	s := newServer(t)
	places, _ := botPlaces(s)
	group := s.root("GET", places[1], nil).must(t, 200)["id"]
	made := s.root("POST", places[1]+"/access_tokens", map[string]any{"name": "ci", "scopes": []string{"api"}, "access_level": 40}).must(t, 201)
	secret, bot := made["token"].(string), itoa(int64(made["user_id"].(float64)))
	s.as(secret, "POST", "/api/v4/groups", map[string]any{"name": "sub", "path": "sub", "parent_id": group}).must(t, 201)
	s.as(secret, "POST", "/api/v4/projects", map[string]any{"name": "made", "namespace_id": group}).must(t, 201)
	s.as(secret, "POST", "/api/v4/groups", map[string]any{"name": "top", "path": "top"}).is(t, 403, forbidden)
	if n := s.count("members WHERE user_id = " + bot); n != 1 {
		t.Errorf("%d memberships, want 1", n)
	}
	s.as(secret, "PUT", "/api/v4/projects/acme%2Fmade", map[string]any{"description": "x"}).must(t, 200)
	s.as(secret, "PUT", "/api/v4/groups/acme%2Fsub", map[string]any{"description": "x"}).is(t, 403, forbidden)

	sudo := s.token(1, "api", "sudo")
	s.do("POST", places[1]+"/access_tokens?sudo="+bot, strings.NewReader(`{"name":"x","scopes":["api"],"access_level":10}`),
		"PRIVATE-TOKEN: "+sudo, "Content-Type: application/json").is(t, 403, forbidden)
	s.do("POST", places[1]+"/access_tokens/self/rotate?sudo="+bot, nil, "PRIVATE-TOKEN: "+sudo).is(t, 405, `{"message":"405 Method Not Allowed"}`)
}
