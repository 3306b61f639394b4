package api_test

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"granary/internal/api"
)

// TestDocumentHasEveryRoute, and nothing that is no route.
func TestDocumentHasEveryRoute(t *testing.T) {
	s := newServer(t)
	routes := map[string]bool{}
	for _, route := range s.api.Described() {
		routes[route[0]+" "+route[1]] = true
	}
	for at := range described().operations {
		if !routes[at] {
			t.Errorf("%s is described in internal/openapi, but is no route: remove it there, or add a row to routes.go", at)
		}
		delete(routes, at)
	}
	for at := range routes {
		t.Errorf("%s is a route, but not described: add it under paths in the file of internal/openapi for its resource", at)
	}
}

// TestDocument is what a client gets: an address that it can call, and a tag.
func TestDocument(t *testing.T) {
	s := newServer(t)
	got := s.do("GET", "/api/v4/openapi.json", nil)
	doc := got.header(t, "Content-Type: application/json", "X-Content-Type-Options: nosniff").must(t, 200)
	if diff := cmp.Diff([]any{map[string]any{"url": s.url + "/api/v4"}}, doc["servers"]); diff != "" {
		t.Error(diff)
	}
	tag := got.Header.Get("ETag")
	s.do("GET", "/api/v4/openapi.json", nil, "If-None-Match: "+tag).is(t, 304, "")
	s.do("HEAD", "/api/v4/openapi.json", nil).header(t, "ETag: "+tag).is(t, 200, "")
	s.root("POST", "/api/v4/openapi.json", nil).must(t, 405)

	external := httptest.NewRecorder()
	(&api.Server{Auth: s.api.Auth, Projects: s.api.Projects, ExternalURL: "https://packages.example.com/granary"}).
		Handler().ServeHTTP(external, httptest.NewRequest("GET", "/granary/api/v4/openapi.json", nil))
	if text := external.Body.String(); !strings.Contains(text, `"servers":[{"url":"https://packages.example.com/granary/api/v4"}]`) {
		t.Errorf("servers of an external URL: %s", text[:min(len(text), 300)])
	}
	if external.Header().Get("ETag") == tag {
		t.Error("the documents for two addresses have the same tag")
	}
}

// TestDocumentSecurity: the credentials come from the table of routes.
func TestDocumentSecurity(t *testing.T) {
	for at, want := range map[string]string{
		"GET /projects/{id}/packages/generic/{name}/{version}/{file}":  "- PrivateToken PrivateTokenInQuery Bearer JobToken JobTokenInQuery DeployToken Basic",
		"HEAD /projects/{id}/packages/generic/{name}/{version}/{file}": "- PrivateToken PrivateTokenInQuery Bearer JobToken JobTokenInQuery DeployToken Basic",
		"PUT /projects/{id}/packages/generic/{name}/{version}/{file}":  "PrivateToken PrivateTokenInQuery Bearer JobToken JobTokenInQuery DeployToken Basic",
		"GET /projects/{id}/packages":                                  "- PrivateToken PrivateTokenInQuery Bearer JobToken JobTokenInQuery",
		"GET /user":                                                    "PrivateToken PrivateTokenInQuery Bearer",
		"GET /openapi.json":                                            "",
	} {
		var got []string
		list, _ := described().operations[at]["security"].([]any)
		for _, one := range list {
			names := slices.Sorted(maps.Keys(one.(map[string]any)))
			got = append(got, strings.Join(append(names, "-")[:1], ""))
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %s, want %s", at, text, want)
		}
	}
	schemes, err := json.Marshal(described().at("components", "securitySchemes"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields("PrivateToken PrivateTokenInQuery Bearer JobToken JobTokenInQuery DeployToken Basic") {
		if !strings.Contains(string(schemes), `"`+name+`":`) {
			t.Errorf("no security scheme %s", name)
		}
	}
}
