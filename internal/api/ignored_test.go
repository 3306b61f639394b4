package api_test

import (
	"os"
	"strings"
	"testing"

	"granary/internal/api"
	"granary/internal/page"
	"granary/internal/trail"
)

// TestOtherSettings: settings that only GitLab has are taken, and change nothing.
func TestOtherSettings(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	before := s.root("GET", v4+"/projects/"+p, nil).body
	events := func() int {
		found, err := s.db.ListEvents(t.Context(), trail.Filter{}, page.Request{Number: 1, Size: 1})
		if err != nil {
			t.Fatal(err)
		}
		return found.Total
	}
	had := events()
	for _, body := range []string{
		`{"merge_method":"ff"}`,
		`{"issues_enabled":false,"wiki_access_level":"disabled","ci_config_path":null}`,
		`{"container_expiration_policy_attributes":{"cadence":"1month","enabled":true}}`,
		`{"issues_template":"` + strings.Repeat("é", 100_000) + `"}`,
		`{"ci_id_token_sub_claim_components":["project_path","ref_type"]}`,
	} {
		s.root("PUT", v4+"/projects/"+p, body).must(t, 200)
	}
	s.form(rootToken, "PUT", v4+"/projects/"+p, "merge_method=ff&squash_option=never").must(t, 200)
	s.form(rootToken, "PUT", v4+"/projects/"+p+"?lfs_enabled=true", "").must(t, 200)
	const picture = "--b\r\nContent-Disposition: form-data; name=\"avatar\"; filename=\"a.png\"\r\n\r\nx\r\n--b--\r\n"
	s.do("PUT", v4+"/projects/"+p, strings.NewReader(picture), "PRIVATE-TOKEN: "+rootToken, "Content-Type: multipart/form-data; boundary=b").must(t, 200)
	if after := s.root("GET", v4+"/projects/"+p, nil).body; after != before || events() != had {
		t.Errorf("%d events more; the project was %s\nand is %s", events()-had, before, after)
	}
	s.root("PUT", v4+"/projects/"+p, `{"merge_method":"ff","description":"d"}`).must(t, 200)
	fields(t, s.root("GET", v4+"/projects/"+p, nil).must(t, 200), map[string]string{"description": "d"})

	s.root("PUT", v4+"/projects/"+p, `{"merge_methods":"ff"}`).starts(t, 400, "name, path, description")
	s.root("PUT", v4+"/projects/"+p, `{"merge_method":"a\u0000"}`).starts(t, 400, "")
	s.root("PUT", v4+"/projects/"+p, `{"merge_method":"`+strings.Repeat("x", 1<<20)+`"}`).starts(t, 400, "")
	_, dev := s.user("dev")
	s.as(dev, "PUT", v4+"/projects/"+p, `{"merge_method":"ff"}`).is(t, 404, `{"message":"404 Project Not Found"}`)

	made := s.root("POST", v4+"/projects", `{"name":"new","merge_method":"ff","initialize_with_readme":true,"tag_list":["a","b"]}`).must(t, 201)
	fields(t, made, map[string]string{"topics": "[a b]"})
	s.root("PUT", v4+"/projects/"+id(made), `{"tag_list":"c"}`).must(t, 200)
	s.root("POST", v4+"/groups", `{"name":"g","path":"g","request_access_enabled":true,"project_creation_level":"maintainer"}`).must(t, 201)
	had = events()
	s.root("PUT", v4+"/groups/g", `{"membership_lock":true,"default_branch_protection_defaults":{"allow_force_push":true}}`).must(t, 200)
	if events() != had {
		t.Error("an edit of nothing left an event")
	}
}

// TestOtherSettingsAreDocumented where people look for them.
func TestOtherSettingsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.FieldsFunc(string(text), func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
	known := map[string]bool{}
	for _, word := range words {
		known[word] = true
	}
	for _, name := range api.OtherSettings() {
		if !known[name] {
			t.Errorf("%s is ignored, and docs/compatibility.md does not say so", name)
		}
	}
}

// TestSearchInPaths: search_namespaces finds a project by a part of its full path.
func TestSearchInPaths(t *testing.T) {
	s := newServer(t)
	acme := s.group("acme", 0)
	sub := s.group("sub", acme)
	s.projectIn(sub, "tool", "private")
	s.projectIn(acme, "tool", "private")
	for query, want := range map[string]int{
		"search=acme/tool": 0, "search=acme/tool&search_namespaces=true": 1, "search=acme%2FSub%2Ftool&search_namespaces=true": 1,
		"search=acme&search_namespaces=true": 2, "search=acme": 0, "search=tool": 2, "search=a_me&search_namespaces=true": 0,
		"search=tool&search_namespaces=false": 2,
	} {
		if rows := s.root("GET", v4+"/projects?"+query, nil).list(t); len(rows) != want {
			t.Errorf("%s: %d projects, want %d", query, len(rows), want)
		}
	}
	_, stranger := s.user("stranger")
	if rows := s.as(stranger, "GET", v4+"/projects?search=acme/tool&search_namespaces=true", nil).list(t); len(rows) != 0 {
		t.Errorf("a stranger found %v", rows)
	}
}
