package api_test

import (
	"strings"
	"testing"
)

// TestReleaseTools sends what release tools were seen to send, in their order
// (contract clients, "Whole releases"). The tools themselves are run by the
// scripts in examples/.
func TestReleaseTools(t *testing.T) {
	const generic = "/packages/generic/tool/1.4.0/"
	type step struct {
		method, path, body string
		status             int
		want               string // in the answer
	}
	link := `{"name":"tool.tar.gz","url":"http://x/api/v4/projects/root%2Ftool/packages/generic/tool/1%2E4%2E0/tool.tar.gz","direct_asset_path":"/tool.tar.gz"}`
	goreleaser := []step{
		{"GET", "/api/v4/version", "", 200, `"version":"18.`},
		{"GET", "/releases/v1%2E4%2E0", "", 404, `404 Not Found`},
		{"POST", "/releases", `{"name":"v1.4.0","tag_name":"v1.4.0","description":"## Changelog","ref":"` + strings.Repeat("ab", 20) + `"}`, 201, `"short_id":"abababab"`},
		{"PUT", generic + "tool.tar.gz", "bytes", 201, `201 Created`},
		{"POST", "/releases/v1%2E4%2E0/assets/links", link, 201, `/root/tool/-/releases/v1.4.0/downloads/tool.tar.gz`},
	}
	again := []step{
		{"GET", "/releases/v1%2E4%2E0", "", 200, `"count":1`},
		{"PUT", "/releases/v1%2E4%2E0", `{"name":"v1.4.0","description":"## Changelog"}`, 200, `"count":1`},
		{"PUT", generic + "tool.tar.gz", "bytes", 201, `201 Created`},
		{"POST", "/releases/v1%2E4%2E0/assets/links", link, 400, `{"message":{"name":["has already been taken"]}}`},
		{"GET", "/releases/v1%2E4%2E0/assets/links", "", 200, `"id":1,`},
		{"DELETE", "/releases/v1%2E4%2E0/assets/links/1", "", 200, `"name":"tool.tar.gz"`},
		{"POST", "/releases/v1%2E4%2E0/assets/links", link, 201, `"id":2,`},
	}
	semanticRelease := []step{
		{"GET", "", "", 200, `"permissions":{"project_access":`},
		{"PUT", generic + "tool.tar.gz?select=package_file", "bytes", 200, `"file":{"url":"http`},
		{"POST", "/releases", `{"tag_name":"v1.4.0","description":"# 1.4.0","assets":{"links":[{"name":"tool.tar.gz","url":"http://x/y","link_type":"package","filepath":"/tool.tar.gz"}]}}`, 201, `"link_type":"package"`},
		{"GET", "/repository/commits/" + strings.Repeat("ab", 20) + "/merge_requests", "", 200, `[]`},
	}
	releaseIt := []step{
		{"GET", "/api/v4/user", "", 200, `"id":1,`},
		{"GET", "/members/all/1", "", 200, `"access_level":50`},
		{"PUT", generic + "tool.tar.gz", "bytes", 201, `{"message":"201 Created"}`},
		{"POST", "/releases", `{"name":"Release 1.4.0","tag_name":"1.4.0","description":"* x","assets":{"links":[{"name":"tool.tar.gz","url":"http://x/y"}]}}`, 201, `"self":"http`},
	}
	for _, tool := range []struct {
		name  string
		job   bool // with a job token too
		steps []step
	}{
		{"GoReleaser", false, goreleaser},
		{"GoReleaser, the same tag again", true, append(goreleaser, again...)},
		{"semantic-release", false, semanticRelease},
		{"release-it", false, releaseIt},
	} {
		for _, header := range []string{"PRIVATE-TOKEN", "JOB-TOKEN"} {
			if header == "JOB-TOKEN" && !tool.job {
				continue
			}
			t.Run(tool.name+" with "+header, func(t *testing.T) {
				s := newServer(t)
				s.project("tool", "private")
				token := rootToken
				if header == "JOB-TOKEN" {
					token = s.root("POST", "/api/v4/projects/1/jobs", nil).must(t, 201)["token"].(string)
				}
				for _, step := range tool.steps {
					path := step.path
					if header == "JOB-TOKEN" && path == "/api/v4/version" { // GoReleaser has CI_SERVER_VERSION there
						continue
					}
					if !strings.HasPrefix(path, "/api/") {
						path = "/api/v4/projects/root%2Ftool" + path
					}
					got := s.do(step.method, path, strings.NewReader(step.body), header+": "+token, "Content-Type: application/json")
					if got.must(t, step.status); !strings.Contains(got.body, step.want) {
						t.Fatalf("%s %s: %s, want %s", step.method, path, got.body, step.want)
					}
				}
			})
		}
	}
}
