package api_test

import (
	"granary/internal/access"
)

// crowd is everybody who asks in every place: users with a role in each project
// or group, and their tokens.
type crowd struct {
	s      *server
	people []credential // who are the same in every place
	ids    map[string]int64
	other  string // a project that is none of the places
	friend string // a project whose jobs the places let in
}

func (s *server) newCrowd(places []permissionPlace) *crowd {
	s.t.Helper()
	c := &crowd{s: s, ids: map[string]int64{}, other: s.projectID(s.project("other", "private")), friend: s.projectID(s.project("friend", "private"))}
	c.people = append(c.people, credential{name: "anonymous"})
	for _, p := range places {
		s.root("POST", v4+"/projects/"+p.project+"/job_token_scope/allowlist", given{"target_project_id": c.friend}).must(s.t, 201)
	}
	c.strangers()
	c.members(places)
	c.dying(places)
	return c
}

// strangers are members of nothing.
func (c *crowd) strangers() {
	for _, scope := range []string{"api", "read_api", "read_user", "self_rotate", "read_repository", "write_registry"} {
		c.person("stranger", credential{}, scope)
	}
	c.person("external", credential{actor: access.Actor{External: true}}, "api")
	for _, scope := range []string{"api", "read_api", "read_user"} {
		c.person("administrator", credential{actor: access.Actor{Admin: true}}, scope)
	}
}

// person adds a token with the scope of a user, who is made the first time.
func (c *crowd) person(name string, as credential, scope string) string {
	userID, known := c.ids[name]
	if !known {
		var attributes []string
		if as.actor.External {
			attributes = append(attributes, "external")
		}
		if as.actor.Admin {
			attributes = append(attributes, "admin")
		}
		userID, _ = c.s.user(name, attributes...)
		c.ids[name] = userID
	}
	as.actor.MayGroup = !as.actor.External
	as.actor.Kind, as.actor.UserID, as.actor.Scopes = access.User, userID, []access.Scope{access.Scope(scope)}
	token := c.s.token(userID, scope)
	as.name, as.header = name+" with "+scope, "PRIVATE-TOKEN: "+token
	c.people = append(c.people, as)
	return token
}

// members have each role in each project, or in each group.
func (c *crowd) members(places []permissionPlace) {
	for _, row := range []struct {
		name     string
		role     access.Role
		external bool
	}{
		{"guest", access.Guest, false}, {"planner", access.Planner, false}, {"reporter", access.Reporter, false}, {"developer", access.Developer, false},
		{"maintainer", access.Maintainer, false}, {"owner", access.Owner, false}, {"external-reporter", access.Reporter, true},
	} {
		inProject := credential{inProject: row.role, inGroup: access.Minimal, actor: access.Actor{External: row.external}}
		inGroup := credential{inProject: row.role, inGroup: row.role, actor: access.Actor{External: row.external}}
		for _, as := range []credential{inProject, inGroup} {
			name := "group-" + row.name
			if as.inGroup == access.Minimal {
				name = "project-" + row.name
			}
			c.person(name, as, "api")
			if row.role == access.Owner {
				c.person(name, as, "read_api")
				c.person(name, as, "self_rotate")
			}
			for _, p := range places {
				at := "/projects/" + p.project
				if as.inGroup != access.Minimal {
					at = "/groups/" + p.group
				}
				c.s.memberAt(at, c.ids[name], int(row.role))
			}
		}
	}
}

// dying are the tokens that open nothing, of somebody who could do everything.
func (c *crowd) dying(places []permissionPlace) {
	owner := credential{inProject: access.Owner, inGroup: access.Owner}
	for _, name := range []string{"blocked", "dead"} {
		c.person(name, owner, "api")
		for _, p := range places {
			c.s.memberAt("/groups/"+p.group, c.ids[name], int(access.Owner))
		}
		c.people[len(c.people)-1].dead = 403
	}
	s, last := c.s, &c.people[len(c.people)-1]
	s.root("POST", v4+"/users/"+itoa(c.ids["blocked"])+"/block", nil).must(s.t, 201)
	s.do("DELETE", v4+"/personal_access_tokens/self", nil, last.header).must(s.t, 204)
	last.name, last.dead = "revoked token", 401
	old := s.root("POST", v4+"/users/"+itoa(c.ids["dead"])+"/personal_access_tokens",
		given{"name": "x", "scopes": []string{"api"}, "expires_at": "2020-01-01"}).must(s.t, 201)["token"].(string)
	c.people = append(c.people, credential{name: "expired token", header: "PRIVATE-TOKEN: " + old, dead: 401},
		credential{name: "unknown token", header: "PRIVATE-TOKEN: nobody's", dead: 401})
}

// in is everybody in one place: the people, and what belongs to the place.
func (c *crowd) in(p permissionPlace) []credential {
	all := append([]credential{}, c.people...)
	all = append(all, c.bots(p)...)
	all = append(all, c.jobs(p)...)
	return append(all, c.deployTokens(p)...)
}

func (c *crowd) bots(p permissionPlace) []credential {
	bot := func(name, of string, role access.Role, inProject, inGroup access.Role) credential {
		made := c.s.root("POST", v4+of+"/access_tokens", given{"name": "bot", "scopes": []string{"api"}, "access_level": int(role)}).must(c.s.t, 201)
		return credential{name: name, header: "PRIVATE-TOKEN: " + made["token"].(string), inProject: inProject, inGroup: inGroup,
			actor: access.Actor{Kind: access.User, UserID: int64(made["user_id"].(float64)), Bot: true, Scopes: []access.Scope{access.ScopeAPI}}}
	}
	return []credential{
		bot("bot of the project", "/projects/"+p.project, access.Maintainer, access.Maintainer, access.Minimal),
		bot("bot of the group", "/groups/"+p.group, access.Owner, access.Owner, access.Owner),
		bot("bot of elsewhere", "/projects/"+c.other, access.Owner, access.NoRole, access.NoRole),
	}
}

// jobs act as developers of the project.
func (c *crowd) jobs(p permissionPlace) []credential {
	job := func(name, in, user string, role access.Role, listed bool) credential {
		made := c.s.root("POST", v4+"/projects/"+in+"/jobs", given{"user_id": c.ids[user]}).must(c.s.t, 201)
		return credential{name: name, header: "JOB-TOKEN: " + made["token"].(string), kind: "jobs", listed: listed,
			actor: access.Actor{Kind: access.Job, UserID: c.ids[user]}, inProject: role}
	}
	return []credential{
		job("job at home", p.project, "project-developer", access.Developer, true),
		job("maintainer's job at home", p.project, "group-maintainer", access.Maintainer, true),
		job("job that is let in", c.friend, "project-developer", access.Developer, true),
		job("stranger's job that is let in", c.friend, "stranger", access.NoRole, true),
		job("job of elsewhere", c.other, "group-maintainer", access.Maintainer, false),
	}
}

func (c *crowd) deployTokens(p permissionPlace) []credential {
	var all []credential
	for _, row := range []struct {
		name, of string
		covered  bool
		scope    access.Scope
	}{
		{"deploy token, read", "projects/" + p.project, true, access.ScopeReadPackage},
		{"deploy token, write", "projects/" + p.project, true, access.ScopeWritePackage},
		{"deploy token, other scope", "projects/" + p.project, true, "read_repository"},
		{"deploy token of the group", "groups/" + p.group, true, access.ScopeWritePackage},
		{"deploy token of elsewhere", "projects/" + c.other, false, access.ScopeWritePackage},
	} {
		_, secret := c.s.deployToken(row.of, string(row.scope))
		all = append(all, credential{name: row.name, header: "DEPLOY-TOKEN: " + secret, kind: "deploy", covered: row.covered,
			actor: access.Actor{Kind: access.DeployToken, TokenID: 1, Scopes: []access.Scope{row.scope}}})
	}
	return all
}
