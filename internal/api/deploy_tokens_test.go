package api_test

import (
	"strings"
	"testing"
)

func TestDeployTokenRecords(t *testing.T) {
	for _, kind := range []string{"/groups/acme", "/projects/acme%2Ftool"} {
		t.Run(kind, func(t *testing.T) {
			s := newServer(t)
			s.groupAt("acme", "private")
			s.projectAt("acme", "tool", "private")
			maintainer, maintainerToken := s.user("maintainer")
			dev, devToken := s.user("dev")
			_, strangerToken := s.user("stranger")
			s.memberAt(kind, maintainer, 40)
			s.memberAt(kind, dev, 30)
			at := v4 + kind + "/deploy_tokens"

			made := s.root("POST", at, map[string]any{"name": "ci", "scopes": []string{"read_package_registry", "write_package_registry"}}).must(t, 201)
			want := map[string]string{
				"name": "ci", "username": "gitlab+deploy-token-" + id(made), "expires_at": "<nil>", "revoked": "false",
				"expired": "false", "scopes": "[read_package_registry write_package_registry]",
			}
			fields(t, made, want)
			if secret, _ := made["token"].(string); !strings.HasPrefix(secret, "gndt-") {
				t.Errorf("the secret is %q", secret)
			}
			got := s.as(maintainerToken, "GET", at+"/"+id(made), nil).must(t, 200)
			fields(t, got, want)
			if got["token"] != nil {
				t.Error("the secret is shown twice")
			}
			for _, body := range []string{
				"name=a&scopes[]=read_package_registry&scopes[]=read_registry&expires_at=2099-02-03&username=robot",
				"name=a&scopes=read_package_registry,read_registry&expires_at=2099-02-03T00:00:00Z&username=robot",
				"name=a&scopes=read_package_registry,read_registry&expires_at=2099-02-03T02:00:00%2B02:00&username=robot",
			} {
				fields(t, s.form(rootToken, "POST", at, body).must(t, 201), map[string]string{
					"expires_at": "2099-02-03T00:00:00.000Z", "username": "robot", "scopes": "[read_package_registry read_registry]"})
			}
			old := s.form(rootToken, "POST", at, "name=old&scopes=read_package_registry&expires_at=2020-01-01").must(t, 201)
			fields(t, old, map[string]string{"expired": "true"})

			if n := len(s.as(maintainerToken, "GET", at, nil).list(t)); n != 5 {
				t.Errorf("%d tokens, want 5", n)
			}
			if n := len(s.as(maintainerToken, "GET", at+"?active=true", nil).list(t)); n != 4 {
				t.Errorf("%d active tokens, want 4", n)
			}
			if n := len(s.root("GET", v4+"/deploy_tokens?active=true", nil).list(t)); n != 4 {
				t.Errorf("the instance has %d active tokens, want 4", n)
			}

			for _, test := range []struct {
				body string
				want string
			}{
				{"scopes=read_package_registry", `{"error":"name is missing"}`},
				{"name=x", `{"error":"scopes is missing"}`},
				{"name=x&scopes=", `{"error":"scopes is missing"}`},
				{"name=x&scopes=api", `{"error":"scopes does not have a valid value"}`},
				{"name=x&scopes=read_package_registry&expires_at=x", `{"error":"expires_at is invalid"}`},
				{"name=x%0d%0ay&scopes=read_package_registry", `{"message":{"name":["can't be blank, longer than 255 characters, or more than one line"]}}`},
			} {
				s.form(rootToken, "POST", at, test.body).is(t, 400, test.want)
			}
			s.root("GET", v4+kind+"/deploy_tokens/999", nil).is(t, 404, `{"message":"404 DeployToken Not Found"}`)
			s.root("DELETE", v4+kind+"/deploy_tokens/999", nil).status(t, 404)
			s.root("GET", v4+kind+"/deploy_tokens/x", nil).status(t, 400)
			s.as(devToken, "GET", at, nil).is(t, 403, `{"message":"403 Forbidden"}`)
			s.as(devToken, "DELETE", at+"/"+id(made), nil).status(t, 403)
			s.as(strangerToken, "GET", at, nil).status(t, 404)
			s.do("GET", at, nil).status(t, 401)

			mayCreate := 201 // a maintainer in a project, an owner in a group
			if kind == "/groups/acme" {
				mayCreate = 403
			}
			s.form(maintainerToken, "POST", at, "name=x&scopes=read_package_registry").status(t, mayCreate)

			s.root("DELETE", at+"/"+id(made), nil).status(t, 204)
			s.root("GET", at+"/"+id(made), nil).status(t, 404)
			s.root("DELETE", at+"/"+id(made), nil).status(t, 404)
			file := v4 + "/projects/acme%2Ftool/packages/generic/a/1.0.0/f"
			s.do("GET", file, nil, "Deploy-Token: "+made["token"].(string)).status(t, 401)
		})
	}
}

// A token of one place is not found under another.
func TestForeignDeployToken(t *testing.T) {
	s := newServer(t)
	s.project("a", "private")
	s.project("b", "private")
	made := s.form(rootToken, "POST", v4+"/projects/root%2Fa/deploy_tokens", "name=x&scopes=read_package_registry").must(t, 201)
	s.root("GET", v4+"/projects/root%2Fb/deploy_tokens/"+id(made), nil).status(t, 404)
	s.root("DELETE", v4+"/projects/root%2Fb/deploy_tokens/"+id(made), nil).status(t, 404)
	s.root("GET", v4+"/projects/root%2Fa/deploy_tokens/"+id(made), nil).status(t, 200)

	_, token := s.user("ada")
	s.as(token, "GET", v4+"/deploy_tokens", nil).is(t, 403, `{"message":"403 Forbidden"}`)
	s.do("GET", v4+"/deploy_tokens", nil).status(t, 401)
	s.do("GET", v4+"/projects/root%2Fa", nil, "Deploy-Token: "+made["token"].(string)).status(t, 404) // no credential here
}
