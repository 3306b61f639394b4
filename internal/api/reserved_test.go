package api_test

import "testing"

// New users and new groups at the top may not have the paths of the program; those of older
// servers keep theirs, and can be edited.
func TestReservedPaths(t *testing.T) {
	s := newServer(t)
	const words = " is a reserved name"
	user := map[string]any{"name": "n", "email": "n@example.com", "force_random_password": true}
	s.groupAt("acme", "private")
	parent := s.root("GET", v4+"/groups/acme", nil).must(t, 200)["id"]
	for _, path := range []string{"api", "groups", "API", "Groups"} {
		s.root("POST", v4+"/groups", given{"name": "n", "path": path}).is(t, 400, `{"message":{"path":["`+path+words+`"]}}`)
		user["username"] = path
		s.root("POST", v4+"/users", user).is(t, 400, `{"message":{"username":["`+path+words+`"]}}`)
	}
	below := s.root("POST", v4+"/groups", given{"name": "n", "path": "api", "parent_id": parent}).must(t, 201)
	s.root("POST", v4+"/groups/"+id(below)+"/transfer", nil).is(t, 400, `{"message":{"path":["api`+words+`"]}}`)
	s.root("PUT", v4+"/groups/acme", given{"path": "groups"}).is(t, 400, `{"message":{"path":["groups`+words+`"]}}`)
	ada, _ := s.user("ada")
	s.root("PUT", v4+"/users/"+itoa(ada), given{"username": "Groups"}).is(t, 400, `{"message":{"username":["Groups`+words+`"]}}`)

	s.exec(`UPDATE namespaces SET path = 'api' WHERE path = 'acme'`)
	s.exec(`UPDATE routes SET path = 'api', path_key = 'api' WHERE path_key = 'acme'`)
	s.exec(`UPDATE users SET username = 'groups', username_key = 'groups' WHERE username = 'ada'`)
	s.root("PUT", v4+"/groups/api", given{"description": "d"}).status(t, 200)
	s.root("PUT", v4+"/users/"+itoa(ada), given{"name": "Ada"}).status(t, 200)
}
