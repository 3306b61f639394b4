package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/throttle"
)

// TestWhatCountsAsAWrite: every route that changes something is counted, but for
// what publishing needs. A new route is counted unless it is listed here.
func TestWhatCountsAsAWrite(t *testing.T) {
	s := newServer(t)
	free := []string{
		"/projects/{id}/packages/generic/", "/projects/{id}/packages/{package_id}", // publishing, and cleaning up after it
		"/projects/{id}/releases", "/projects/{id}/uploads", // what release tools do beside
	}
	families := []string{"/hooks", "tokens", "/members", "/jobs", "/variables", "/protection/rules", "/job_token_scope", "/users", "/features"}
	counted := 0
	for _, d := range s.api.Doors() {
		path := strings.TrimPrefix(d.Path, v4)
		want := d.Method != http.MethodGet && d.Method != http.MethodHead &&
			!slices.ContainsFunc(free, func(p string) bool { return strings.HasPrefix(path, p) })
		if d.Counted != want {
			t.Errorf("%s %s is counted: %v, want %v", d.Method, d.Path, d.Counted, want)
		}
		if d.Counted {
			counted++
		}
		inFamily := slices.ContainsFunc(families, func(p string) bool { return strings.Contains(path, p) })
		if inFamily && !d.Counted && d.Method != http.MethodGet {
			t.Errorf("%s %s is not counted", d.Method, d.Path)
		}
	}
	if counted < 50 {
		t.Errorf("%d routes are counted", counted)
	}
}

// TestRateOfWrites: one number for all routes that write, by user, whatever the
// token; told as GitLab tells the limits of endpoints (contract rest-api H).
func TestRateOfWrites(t *testing.T) {
	s := newServer(t)
	project := s.project("tool", "private")
	ada, token := s.user("ada")
	ben, other := s.user("ben")
	s.member(project, ada, 50)
	s.member(project, ben, 40)
	_, job := s.job(token, project)
	_, deploy := s.deployToken("projects/"+project, "write_package_registry")
	second := s.token(ada, "api")
	now := time.Unix(1_800_000_000, 0)
	s.api.Rates.Writes = throttle.New("throttle_writes", throttle.Rate{Requests: 5, Seconds: 60}, func() time.Time { return now })
	at := v4 + "/projects/" + project
	const refusal = `{"message":"429 Too Many Requests"}`

	hook := s.as(token, "POST", at+"/hooks", map[string]any{"url": "https://example.com"}).must(t, 201)
	s.as(token, "POST", at+"/hooks/"+id(hook)+"/test/push_events", nil).must(t, 422) // refused ones count, too
	s.as(token, "POST", at+"/variables", map[string]any{"key": "", "value": "x"}).must(t, 400)
	s.as(second, "POST", at+"/jobs", nil).must(t, 201)
	s.as(token, "PUT", at+"/members/"+itoa(ben), map[string]any{"access_level": 30}).must(t, 200)
	for _, request := range []struct{ method, path string }{
		{"POST", at + "/deploy_tokens"}, {"DELETE", at + "/hooks/" + id(hook)}, {"PATCH", at + "/job_token_scope"}, {"POST", v4 + "/projects"},
	} {
		s.as(second, request.method, request.path, nil).header(t, "Content-Type: application/json", "Retry-After: 60",
			"RateLimit-Name: throttle_writes", "RateLimit-Limit: 5", "RateLimit-Remaining: 0", "RateLimit-Reset: 1800000060").is(t, 429, refusal)
	}
	s.do("PUT", at+"/jobs/1?status=success", nil, "JOB-TOKEN: "+job).is(t, 429, refusal) // a job counts for its user
	wantValue(t, "hooks", s.count("hooks"), 1)

	// Reading and publishing go on.
	s.as(token, "GET", at+"/hooks", nil).must(t, 200)
	for range 6 {
		s.as(token, "PUT", generic(project, "tool/1.0.0/f"), "x").is(t, 201, created)
		s.do("PUT", generic(project, "tool/1.0.0/f"), strings.NewReader("x"), "DEPLOY-TOKEN: "+deploy).is(t, 201, created)
		s.upload(token, project, "x", nil).must(t, 201)
	}
	s.as(token, "POST", releasesOf(project), map[string]any{"tag_name": "v1"}).must(t, 201)

	// Others are not touched, and administrators are exempt, in whoever's name.
	s.as(other, "POST", at+"/jobs", nil).must(t, 201)
	for range 6 {
		s.root("POST", at+"/jobs", nil).must(t, 201)
		s.root("POST", at+"/jobs?sudo=ada", nil).must(t, 201)
		s.root("POST", at+"/jobs", map[string]any{"sudo": "ada"}).must(t, 201)
		s.do("POST", at+"/jobs", nil).is(t, 401, unauthorized) // nobody is no user
	}

	// Bots count for their place, however many there are.
	for i := range 7 {
		bot := s.root("POST", at+"/access_tokens", map[string]any{"name": "ci", "scopes": []string{"api"}}).must(t, 201)["token"].(string)
		if got := s.as(bot, "POST", at+"/jobs", nil); got.StatusCode == 201 != (i < 5) {
			t.Errorf("bot %d: %d %s", i, got.StatusCode, got.body)
		}
	}
	now = now.Add(time.Minute)
	s.as(token, "DELETE", at+"/hooks/"+id(hook), nil).must(t, 204)
	s.api.Rates.Writes = nil
	for range 6 {
		s.as(token, "POST", at+"/jobs", nil).must(t, 201)
	}
}
