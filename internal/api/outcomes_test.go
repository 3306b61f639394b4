package api_test

import (
	"strings"
	"testing"
)

const (
	unauthorized = `{"message":"401 Unauthorized"}`
	forbidden    = `{"message":"403 Forbidden"}`
	notFound     = `{"message":"404 Not Found"}`
	damaged      = `{"message":"500 Internal Server Error - the bytes of this file are lost or damaged, please tell the administrator"}`
	noRow        = `{"message":"404 Not found"}`
	created      = `{"message":"201 Created"}`
	tooNarrow    = `{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"SCOPES"}`
	expired      = `{"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}`
	revoked      = `{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}`
)

func narrow(scopes string) string { return strings.Replace(tooNarrow, "SCOPES", scopes, 1) }

// generic is the path of a file on the generic routes.
func generic(project, rest string) string {
	return "/api/v4/projects/" + project + "/packages/generic/" + rest
}

// TestPublishOutcomes is contract generic-packages 2.6, row by row.
func TestPublishOutcomes(t *testing.T) {
	s := newServer(t)
	private, public := s.project("private", "private"), s.project("public", "public")
	_, stranger := s.user("stranger")
	reporterID, reporter := s.user("reporter")
	developerID, developer := s.user("developer")
	for _, p := range []string{private, public} {
		s.member(p, reporterID, 20)
		s.member(p, developerID, 30)
	}
	readOnly, dead := s.token(developerID, "read_api"), s.token(developerID, "api")
	s.as(dead, "DELETE", "/api/v4/personal_access_tokens/self", nil).must(t, 204)
	old := s.root("POST", "/api/v4/users/"+itoa(developerID)+"/personal_access_tokens",
		map[string]any{"name": "x", "scopes": []string{"api"}, "expires_at": "2020-01-01"}).must(t, 201)["token"].(string)
	blockedID, blocked := s.user("blocked")
	s.root("POST", "/api/v4/users/"+itoa(blockedID)+"/block", nil).must(t, 201)

	file := "tool/1.0.0/tool.bin"
	for _, tc := range []struct {
		name, path string
		header     string
		status     int
		body       string
	}{
		{"developer", generic(private, file), "PRIVATE-TOKEN: " + developer, 201, created},
		{"no credentials", generic(public, file), "", 401, unauthorized},
		{"no credentials, unknown project", generic("no%2Fsuch", file), "", 401, unauthorized},
		{"unknown token", generic(public, file), "PRIVATE-TOKEN: nonsense", 401, unauthorized},
		{"expired token", generic(public, file), "PRIVATE-TOKEN: " + old, 401, expired},
		{"revoked token", generic(public, file), "PRIVATE-TOKEN: " + dead, 401, revoked},
		{"read_api only", generic(public, file), "PRIVATE-TOKEN: " + readOnly, 403, narrow("api")},
		{"unknown deploy token", generic(public, file), "DEPLOY-TOKEN: nonsense", 401, unauthorized},
		{"unknown job token", generic(public, file), "JOB-TOKEN: nonsense", 401, unauthorized},
		{"blocked user", generic(public, file), "PRIVATE-TOKEN: " + blocked, 403,
			`{"message":"403 Forbidden - Your account has been blocked. Ask an administrator to unblock it."}`},
		{"unknown project", generic("no%2Fsuch", file), "PRIVATE-TOKEN: " + developer, 404, notFound},
		{"project by name alone", generic("private", file), "PRIVATE-TOKEN: " + developer, 404, notFound},
		{"stranger, private", generic(private, file), "PRIVATE-TOKEN: " + stranger, 404, notFound},
		{"stranger, public", generic(public, file), "PRIVATE-TOKEN: " + stranger, 403, forbidden},
		{"reporter", generic(private, file), "PRIVATE-TOKEN: " + reporter, 403, forbidden},
		{"bad parameters after credentials", generic(private, "tool/x/tool.bin"), "PRIVATE-TOKEN: nonsense", 401, unauthorized},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var header []string
			if tc.header != "" {
				header = append(header, tc.header)
			}
			got := s.do("PUT", tc.path, strings.NewReader("x"), header...)
			got.is(t, tc.status, tc.body)
			challenge := got.Header.Get("WWW-Authenticate")
			switch {
			case tc.body == unauthorized && challenge != `Basic realm="GitLab Packages Registry"`:
				t.Errorf("challenge %q", challenge)
			case strings.Contains(tc.body, "invalid_token") && !strings.HasPrefix(challenge, "Bearer realm="):
				t.Errorf("challenge %q", challenge)
			case tc.status != 401 && challenge != "":
				t.Errorf("challenge %q with %d", challenge, tc.status)
			}
			for name, want := range map[string]string{
				"X-Frame-Options": "SAMEORIGIN", "X-Content-Type-Options": "nosniff", "Content-Type": "application/json",
			} {
				if v := got.Header.Get(name); v != want {
					t.Errorf("%s: %q, want %q", name, v, want)
				}
			}
		})
	}
}

// TestPublishRefusedParameters: GitLab's words come first, then what was wrong.
func TestPublishRefusedParameters(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	for _, tc := range []struct{ rest, prefix string }{
		{"tool/1.0/f", "package_version is invalid"},
		{"tool/v1.0.0/f", "package_version is invalid"},
		{"tool/1.0.0-rc1/f", "package_version is invalid"},
		{"tool/%2e%2e/f", "package_version is invalid"},
		{"tool/../f", "package_version is invalid"},
		{"to%20ol/1.0.0/f", "package_name is invalid"},
		{"t+l/1.0.0/f", "package_name is invalid"},
		{"%2e%2e/1.0.0/f", "package_name should be a valid file path"},
		{"..%2F..%2Ffoo/1.0.0/f", "package_name is invalid, package_name should be a valid file path"},
		{"%20/1.0.0/f", "package_name is invalid"},
		{"tool/1.0.0/f%20g", "file_name is invalid"},
		{"tool/1.0.0/f%2Fg", "file_name is invalid"},
		{"tool/1.0.0/..%2F..%2Fetc%2Fpasswd", "file_name is invalid, file_name should be a valid file path"},
		{"tool/1.0.0/%252e%252e%252ff", "file_name is invalid, file_name should be a valid file path"},
		{"tool/1.0.0/f%0Ag", "file_name is invalid"},
		{"tool/1.0.0/f%00g", "file_name is invalid"},
		{"tool/1.0.0/dir/f", "path is invalid"},
		{"tool/1.0.0/dir//f", "path is invalid"},
		{"tool/1.0.0/" + strings.Repeat("f", 256), "file_name is invalid"},
		{"t!/x/f%20g", "package_name is invalid, package_version is invalid, file_name is invalid"},
		{"tool/1.0.0/f?status=processing", "status does not have a valid value"},
		{"tool/1.0.0/f?select=everything", "select does not have a valid value"},
		{"tool/x/f?status=no&select=no", "package_version is invalid"},
	} {
		got := s.root("PUT", generic(p, tc.rest), "x").must(t, 400)
		if text, _ := got["error"].(string); !strings.HasPrefix(text, tc.prefix) {
			t.Errorf("%s: %v, want %q first", tc.rest, got, tc.prefix)
		}
	}
	if n := s.count("packages"); n != 0 {
		t.Errorf("%d packages after refusals", n)
	}
	hinted := s.root("PUT", generic(p, "tool/1.0.0-rc1/f"), "x").must(t, 400)["error"].(string)
	if !strings.Contains(hinted, "generic_package_naming") {
		t.Errorf("%q does not say how to relax the rule", hinted)
	}
}

// TestInstallOutcomes is contract generic-packages 3.2 and 3.4.
func TestInstallOutcomes(t *testing.T) { onEachStore(t, testInstallOutcomes) }

func testInstallOutcomes(t *testing.T, s *server) {
	_, stranger := s.user("stranger")
	_, external := s.user("external", "external")
	guestID, guest := s.user("guest")
	file := "tool/1.0.0/tool.bin"
	at := map[string]string{}
	for _, v := range []string{"private", "internal", "public"} {
		at[v] = s.project(v, v)
		s.member(at[v], guestID, 10)
		s.root("PUT", generic(at[v], file), "x").must(t, 201)
	}
	open := s.project("open", "private")
	s.root("PUT", generic(open, file), "x").must(t, 201)
	s.root("PUT", "/api/v4/projects/"+open, map[string]any{"package_registry_access_level": "public"}).must(t, 200)
	at["open"] = open
	for _, tc := range []struct {
		project, who, token string
		status              int
		body                string
	}{
		{"public", "anonymous", "", 200, "x"}, {"public", "stranger", stranger, 200, "x"},
		{"public", "external", external, 200, "x"}, {"public", "guest", guest, 200, "x"},
		{"internal", "anonymous", "", 401, unauthorized}, {"internal", "stranger", stranger, 200, "x"},
		{"internal", "external", external, 404, notFound}, {"internal", "guest", guest, 200, "x"},
		{"private", "anonymous", "", 401, unauthorized}, {"private", "stranger", stranger, 404, notFound},
		{"private", "external", external, 404, notFound}, {"private", "guest", guest, 200, "x"},
		{"open", "anonymous", "", 200, "x"}, {"open", "stranger", stranger, 200, "x"},
		{"open", "external", external, 200, "x"},
	} {
		t.Run(tc.project+"/"+tc.who, func(t *testing.T) {
			var header []string
			if tc.token != "" {
				header = append(header, "PRIVATE-TOKEN: "+tc.token)
			}
			s.do("GET", generic(at[tc.project], file), nil, header...).is(t, tc.status, tc.body)
		})
	}
	s.do("GET", generic(at["public"], "tool/1.0.0/none"), nil).is(t, 404, noRow)
	s.do("GET", generic(at["public"], "tool/x/none"), nil, "PRIVATE-TOKEN: nonsense").must(t, 400) // parameters first
	s.do("GET", generic(at["public"], file), nil, "PRIVATE-TOKEN: nonsense").is(t, 401, unauthorized)
	s.do("GET", generic(at["public"], file), nil, "JOB-TOKEN: nonsense").is(t, 401, unauthorized)
	s.do("GET", generic(at["public"], file), nil, "Authorization: Bearer nonsense").is(t, 401, unauthorized)
	s.do("GET", generic(at["public"], file), nil, "Authorization: Bearer glcbt-dead").is(t, 200, "x")
	s.do("GET", generic(at["public"], file), nil, "DEPLOY-TOKEN: nonsense").is(t, 200, "x")
	s.do("GET", generic(at["public"], file), nil, basic("any", "nonsense")).is(t, 200, "x")
	s.do("GET", generic(at["private"], file), nil, basic("any", "nonsense")).is(t, 401, unauthorized)
}

// TestProjectSwitches: registry off, members only, archived, flag off.
func TestProjectSwitches(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	file, project := generic(p, "tool/1.0.0/tool.bin"), "/api/v4/projects/"+p
	guestID, guest := s.user("guest")
	s.member(p, guestID, 10)
	s.root("PUT", file, "x").must(t, 201)

	s.root("PUT", project, map[string]any{"package_registry_access_level": "private"}).must(t, 200)
	s.do("GET", file, nil).is(t, 403, forbidden)
	s.as(guest, "GET", file, nil).is(t, 403, forbidden)
	s.root("GET", file, nil).is(t, 200, "x")

	s.root("PUT", project, map[string]any{"packages_enabled": false}).must(t, 200)
	s.do("GET", file, nil).is(t, 403, forbidden)
	s.root("PUT", file, "x").is(t, 403, forbidden)
	s.root("PUT", project, map[string]any{"packages_enabled": true}).must(t, 200)

	s.root("POST", project+"/archive", nil).must(t, 201)
	s.root("PUT", file, "x").is(t, 403, forbidden)
	s.do("GET", file, nil).is(t, 200, "x")
	s.root("POST", project+"/unarchive", nil).must(t, 201)
	s.root("PUT", file, "x").is(t, 201, created)

	s.root("POST", "/api/v4/features/generic_packages", map[string]any{"value": false}).must(t, 201)
	s.root("PUT", file, "x").is(t, 404, notFound)
	s.root("GET", file, nil).is(t, 404, notFound)
	s.do("PUT", file, strings.NewReader("x")).is(t, 401, unauthorized)
	s.root("POST", "/api/v4/features/generic_packages", map[string]any{"value": true, "project": "root/tool"}).must(t, 201)
	s.root("PUT", file, "x").is(t, 201, created)
	s.root("DELETE", "/api/v4/features/generic_packages", nil).must(t, 204)
	s.root("GET", file, nil).is(t, 200, "x")
}

// TestDuplicates is the table of contract generic-packages 2.5.
func TestDuplicates(t *testing.T) {
	const refusal = `{"message":"400 Bad request - Duplicate package is not allowed"}`
	s := newServer(t)
	s.root("POST", "/api/v4/groups", map[string]any{"name": "acme", "path": "acme"}).must(t, 201)
	group := int64(s.root("GET", "/api/v4/groups/acme", nil).must(t, 200)["id"].(float64))
	s.root("POST", "/api/v4/groups", map[string]any{"name": "sub", "path": "sub", "parent_id": group}).must(t, 201)
	sub := int64(s.root("GET", "/api/v4/groups/acme%2Fsub", nil).must(t, 200)["id"].(float64))
	s.root("POST", "/api/v4/projects", map[string]any{"name": "tool", "namespace_id": sub}).must(t, 201)
	p := "acme%2Fsub%2Ftool"
	n := 0
	for _, tc := range []struct {
		allowed   bool
		exception string
		status    int
	}{{true, "", 201}, {true, "to.l", 400}, {false, "", 400}, {false, "to.l", 201}, {false, "to", 400}, {false, `\d+\.0\.0`, 201}} {
		n++
		s.root("PUT", "/api/v4/groups/acme", map[string]any{
			"generic_duplicates_allowed": tc.allowed, "generic_duplicate_exception_regex": tc.exception,
		}).must(t, 200)
		file := generic(p, "tool/"+itoa(int64(n))+".0.0/f")
		s.root("PUT", file, "one").must(t, 201)
		got := s.root("PUT", file, "two")
		if got.must(t, tc.status); tc.status == 400 {
			got.is(t, 400, refusal)
			s.root("GET", file, nil).is(t, 200, "one")
		} else {
			s.root("GET", file, nil).is(t, 200, "two")
		}
		s.root("PUT", file+"2", "other name").must(t, 201)
	}
	// The project's own value beats the group's; null inherits again.
	s.root("PUT", "/api/v4/groups/acme", map[string]any{"generic_duplicates_allowed": false, "generic_duplicate_exception_regex": nil}).must(t, 200)
	file := generic(p, "tool/9.0.0/f")
	s.root("PUT", file, "one").must(t, 201)
	s.root("PUT", file, "two").is(t, 400, refusal)
	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"generic_duplicates_allowed": true}).must(t, 200)
	s.root("PUT", file, "two").is(t, 201, created)
	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"generic_duplicates_allowed": nil}).must(t, 200)
	s.root("PUT", file, "three").is(t, 400, refusal)
}

// TestSizeLimits: the project's limit beats the server's, which is 1 MiB here.
func TestSizeLimits(t *testing.T) {
	const refusal = `{"message":"400 Bad request - File is too large"}`
	s := newServer(t)
	p := s.project("tool", "private")
	file := generic(p, "tool/1.0.0/f")
	over := strings.Repeat("x", 1<<20+1)
	s.root("PUT", file, over).is(t, 400, refusal)
	s.do("PUT", file, unsized(over), "PRIVATE-TOKEN: "+rootToken).is(t, 400, refusal)
	s.root("PUT", file, over[1:]).is(t, 201, created)
	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"generic_packages_max_file_size": 10}).must(t, 200)
	s.root("PUT", file, "12345678901").is(t, 400, refusal)
	s.root("PUT", file, "1234567890").is(t, 201, created)
	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"generic_packages_max_file_size": 0}).must(t, 200)
	s.root("PUT", file, over).is(t, 201, created)
}

// TestChangesCountAtOnce: nothing that permission depends on is remembered
// beyond the answer to the change.
func TestChangesCountAtOnce(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	file := generic(p, "tool/1.0.0/f")
	id, token := s.user("dev")
	s.as(token, "PUT", file, "x").is(t, 404, notFound)
	s.member(p, id, 30)
	s.as(token, "PUT", file, "x").is(t, 201, created)
	s.root("PUT", "/api/v4/projects/"+p+"/members/"+itoa(id), map[string]any{"access_level": 20}).must(t, 200)
	s.as(token, "PUT", file, "x").is(t, 403, forbidden)
	s.root("DELETE", "/api/v4/projects/"+p+"/members/"+itoa(id), nil).must(t, 204)
	s.as(token, "GET", file, nil).is(t, 404, notFound)
	s.root("POST", "/api/v4/users/"+itoa(id)+"/block", nil).must(t, 201)
	s.as(token, "GET", file, nil).must(t, 403)
	s.root("DELETE", "/api/v4/projects/"+p, nil).must(t, 202)
	s.root("GET", file, nil).is(t, 404, notFound)
	s.project("tool", "private")
	s.root("GET", file, nil).is(t, 404, noRow)
}
