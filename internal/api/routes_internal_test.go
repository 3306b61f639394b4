package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"granary/internal/auth"
	"granary/internal/openapi"
	"granary/internal/projects"
)

// table is the rows of a server that answers its probes.
func table() []route {
	nothing, places := http.NotFoundHandler(), &projects.Service{}
	s := &Server{Auth: &auth.Service{Places: places}, Projects: places, Probes: Probes{nothing, nothing, nothing}}
	return s.routes()
}

// TestRowsAreWhole: each row has a deed and an address of its own.
func TestRowsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range table() {
		at := r.method + " " + r.path
		if r.do == nil || seen[at] {
			t.Errorf("%s has no deed, or two rows", at)
		}
		seen[at] = true
		if web := strings.HasPrefix(r.path, "/{project...}"); web != (r.way.match != nil) {
			t.Errorf("%s: ServeMux cannot match what begins with a full path, and matches all else", at)
		}
	}
}

// TestBodiesAreDescribed: the kind of a route's body is that of the OpenAPI document.
func TestBodiesAreDescribed(t *testing.T) {
	doc, err := openapi.Read()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range table() {
		if !strings.HasPrefix(r.path, prefix) {
			continue
		}
		request, _ := doc.Operation(r.method, describedPath(r.path))["requestBody"].(map[string]any)
		content, _ := request["content"].(map[string]any)
		want := fileBody
		switch {
		case content == nil && r.way.body == noBody:
			want = noBody
		case content["text/plain"] != nil:
			want = listingBody
		case content == nil || content["application/json"] != nil:
			want = parameters
		case content["multipart/form-data"] != nil:
			want = formBody
		}
		if r.way.body != want {
			t.Errorf("%s %s has a body of kind %d, the document says %d", r.method, r.path, r.way.body, want)
		}
	}
}

// TestOpenRoutes: no other route is served without a look at credentials, limits and
// rights; and no route below the API's prefix leaves its order to the deed, but for
// generic packages.
func TestOpenRoutes(t *testing.T) {
	var open []string
	for _, r := range table() {
		switch {
		case r.way.order == noCredential:
			open = append(open, r.path)
		case r.way.order != rightFirst && strings.HasPrefix(r.path, prefix) && !strings.HasPrefix(r.path, prefix+genericName):
			t.Errorf("%s %s leaves the order of the checks to its deed", r.method, r.path)
		}
	}
	if want := []string{prefix + documentPath, "/-/liveness", "/-/readiness", "/-/metrics"}; !slices.Equal(open, want) {
		t.Errorf("open routes are %q, want %q", open, want)
	}
}
