package api_test

import (
	"strings"
	"testing"
	"time"
)

// publishers is everybody who may publish to a private project or to a public one,
// and the credentials of those who may not.
type publishers struct {
	*server
	private, public     string // paths of files
	developer, readOnly string // personal access tokens
	expired, revoked    string
	writes, reads       string // deploy tokens
	deadWrites          string
	job, deadJob        string
}

func newPublishers(t *testing.T) *publishers {
	s := newServer(t)
	private, public := s.project("private", "private"), s.project("public", "public")
	c := &publishers{server: s, private: generic(private, "tool/1.0.0/f"), public: generic(public, "tool/1.0.0/f")}
	id, developer := s.user("developer")
	s.member(private, id, 30)
	s.member(public, id, 30)
	c.developer, c.readOnly = developer, s.token(id, "read_api")
	c.revoked = s.token(id, "api")
	s.as(c.revoked, "DELETE", "/api/v4/personal_access_tokens/self", nil).must(t, 204)
	c.expired = s.root("POST", "/api/v4/users/"+itoa(id)+"/personal_access_tokens",
		map[string]any{"name": "x", "scopes": []string{"api"}, "expires_at": "2020-01-01"}).must(t, 201)["token"].(string)
	_, c.writes = s.deployToken("projects/"+private, "write_package_registry")
	_, c.reads = s.deployToken("projects/"+private, "read_package_registry")
	var dead string
	dead, c.deadWrites = s.deployToken("projects/"+private, "write_package_registry")
	s.root("DELETE", "/api/v4/projects/"+private+"/deploy_tokens/"+dead, nil).must(t, 204)
	_, c.job = s.job(developer, private)
	var ended string
	ended, c.deadJob = s.job(developer, private)
	s.as(developer, "PUT", "/api/v4/projects/"+private+"/jobs/"+ended, map[string]any{"status": "success"}).must(t, 200)
	s.root("PUT", c.private, "x").is(t, 201, created)
	s.root("PUT", c.public, "x").is(t, 201, created)
	return c
}

// with sends a request whose credentials are "Name: value" lines, or
// "?name=value" for the query, with "|" between.
func (c *publishers) with(method, path, credentials string) answer {
	c.t.Helper()
	var header []string
	for line := range strings.SplitSeq(credentials, "|") {
		switch {
		case line == "":
		case line[0] == '?':
			path = withQuery(path, line[1:])
		default:
			header = append(header, line)
		}
	}
	return c.do(method, path, strings.NewReader("x"), header...)
}

// TestCarriers is contract generic-packages 4.1: which header, parameter or
// scheme carries which credential.
func TestCarriers(t *testing.T) {
	c := newPublishers(t)
	const any = "any user"
	for _, tc := range []struct {
		name, credentials string
		status            int
	}{
		{"personal, header", "PRIVATE-TOKEN: " + c.developer, 201},
		{"personal, header of another case", "private-token: " + c.developer, 201},
		{"personal, query", "?private_token=" + c.developer, 201},
		{"personal, bearer", "Authorization: Bearer " + c.developer, 201},
		{"personal, bearer of another case", "Authorization: bearer  " + c.developer, 201},
		{"personal, query for OAuth", "?access_token=" + c.developer, 201},
		{"personal, Basic", basic(any, c.developer), 201},
		{"personal, Basic without a user", basic("", c.developer), 201},
		{"personal, as a user name", basic(c.developer, ""), 401},
		{"personal, Basic as the job user", basic("gitlab-ci-token", c.developer), 201},
		{"personal, as a job's", "JOB-TOKEN: " + c.developer, 401},
		{"personal, as a deploy token", "DEPLOY-TOKEN: " + c.developer, 401},
		{"job, header", "JOB-TOKEN: " + c.job, 201},
		{"job, query", "?job_token=" + c.job, 201},
		{"job, short query", "?token=" + c.job, 201},
		{"job, bearer", "Authorization: Bearer " + c.job, 201},
		{"job, Basic", basic("gitlab-ci-token", c.job), 201},
		{"job, Basic as somebody else", basic(any, c.job), 401},
		{"job, as a personal one", "PRIVATE-TOKEN: " + c.job, 401},
		{"job, as a deploy token", "DEPLOY-TOKEN: " + c.job, 401},
		{"deploy, header", "DEPLOY-TOKEN: " + c.writes, 201},
		{"deploy, bearer", "Authorization: Bearer " + c.writes, 201},
		{"deploy, Basic", basic(any, c.writes), 201},
		{"deploy, as a personal one", "PRIVATE-TOKEN: " + c.writes, 401},
		{"deploy, as a job's", "JOB-TOKEN: " + c.writes, 401},
		{"nothing", "", 401},
		{"empty header", "PRIVATE-TOKEN: ", 401},
		{"Basic that is none", "Authorization: Basic !!!", 401},
		{"Basic without a colon", "Authorization: Basic YWJj", 401},
		{"bearer without a token", "Authorization: Bearer", 401},
		{"another scheme", "Authorization: Digest " + c.developer, 401},
		{"no scheme", "Authorization: " + c.developer, 401},
		{"far too long", "PRIVATE-TOKEN: " + strings.Repeat("x", 100_000), 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := c.with("PUT", c.private, tc.credentials)
			if tc.status == 201 {
				got.is(t, 201, created)
				c.with("GET", c.private, tc.credentials).is(t, 200, "x")
				return
			}
			got.header(t, `WWW-Authenticate: Basic realm="GitLab Packages Registry"`).is(t, 401, unauthorized)
		})
	}
}

// TestPrecedence is contract generic-packages 4.2: which of several credentials
// counts.
func TestPrecedence(t *testing.T) {
	c := newPublishers(t)
	ok, no, scope := answerOf{201, created}, answerOf{401, unauthorized}, answerOf{403, narrow("api")}
	denied := answerOf{403, forbidden}
	for _, tc := range []struct {
		credentials string
		want        answerOf
	}{
		{"PRIVATE-TOKEN: " + c.developer + "|JOB-TOKEN: bad", ok},
		{"PRIVATE-TOKEN: bad|JOB-TOKEN: " + c.job, no},
		{"PRIVATE-TOKEN: " + c.readOnly + "|JOB-TOKEN: " + c.job, scope},
		{"PRIVATE-TOKEN: glcbt-dead|JOB-TOKEN: " + c.job, ok}, // not looked up
		{"DEPLOY-TOKEN: " + c.reads + "|PRIVATE-TOKEN: " + c.developer, denied},
		{"DEPLOY-TOKEN: " + c.writes + "|PRIVATE-TOKEN: bad|JOB-TOKEN: bad", ok},
		{"DEPLOY-TOKEN: bad|PRIVATE-TOKEN: " + c.developer, ok},
		{"DEPLOY-TOKEN: " + c.deadWrites + "|PRIVATE-TOKEN: " + c.developer, ok},
		{"DEPLOY-TOKEN: " + c.writes + "|" + basic("any", "bad"), no}, // hidden by Basic
		{"DEPLOY-TOKEN: " + c.reads + "|" + basic("any", c.writes), ok},
		{"DEPLOY-TOKEN: " + c.reads + "|Authorization: Bearer " + c.writes, denied},
		{"Authorization: Bearer " + c.reads + "|PRIVATE-TOKEN: " + c.developer, denied},
		{"Authorization: Bearer " + c.job + "|PRIVATE-TOKEN: bad", ok},
		{"Authorization: Bearer " + c.deadJob + "|PRIVATE-TOKEN: " + c.developer, ok},
		{"Authorization: Bearer " + c.deadJob + "|JOB-TOKEN: " + c.job, ok}, // not tried as a personal token
		{"Authorization: Bearer bad|PRIVATE-TOKEN: " + c.developer, ok},
		{"Authorization: Bearer bad|JOB-TOKEN: " + c.job, no},
		{"Authorization: Bearer " + c.developer + "|PRIVATE-TOKEN: " + c.readOnly, scope},
		{"Authorization: Bearer " + c.developer + "|?access_token=bad", ok},
		{"?private_token=" + c.developer + "|PRIVATE-TOKEN: bad", ok},
		{"?private_token=bad|PRIVATE-TOKEN: " + c.developer, no},
		{basic("any", c.writes) + "|PRIVATE-TOKEN: bad", ok},
		{basic("any", "bad") + "|PRIVATE-TOKEN: " + c.developer, ok},
		{basic("any", c.developer) + "|PRIVATE-TOKEN: bad", no},
		{basic("any", c.readOnly) + "|JOB-TOKEN: " + c.job, scope},
		{basic("any", "bad") + "|JOB-TOKEN: " + c.job, ok},
		{basic("gitlab-ci-token", "bad") + "|JOB-TOKEN: " + c.job, no},
		{basic("gitlab-ci-token", c.job) + "|JOB-TOKEN: bad", ok},
		{"?job_token=" + c.job + "|JOB-TOKEN: bad", ok},
		{"?job_token=bad|JOB-TOKEN: " + c.job, no},
		{"?token=" + c.job + "|JOB-TOKEN: bad", ok},
		{"?job_token=" + c.job + "|?token=bad", ok},
	} {
		c.with("PUT", c.private, tc.credentials).is(t, tc.want.status, tc.want.body)
		if t.Failed() {
			t.Fatal(tc.credentials)
		}
	}
}

type answerOf struct {
	status int
	body   string
}

// TestPublicInstallWithBadCredentials: which are ignored where nobody need log
// in (contract generic-packages 0.7, 3.2).
func TestPublicInstallWithBadCredentials(t *testing.T) {
	c := newPublishers(t)
	const dead = `Bearer realm="Protected by OAuth 2.0", error="invalid_token", error_description="Token `
	for _, tc := range []struct {
		credentials string
		status      int
		body        string
		challenge   string
	}{
		{"", 200, "x", ""},
		{basic("any", "bad"), 200, "x", ""},
		{basic("any", c.deadWrites), 200, "x", ""},
		{"DEPLOY-TOKEN: bad", 200, "x", ""},
		{"DEPLOY-TOKEN: " + c.deadWrites, 200, "x", ""},
		{"Authorization: Bearer glcbt-dead", 200, "x", ""},
		{"Authorization: Bearer " + c.deadJob, 200, "x", ""},
		{"Authorization: Basic !!!", 200, "x", ""},
		{"Authorization: Digest x", 200, "x", ""},
		{"PRIVATE-TOKEN: glcbt-dead", 200, "x", ""},
		{"PRIVATE-TOKEN: bad", 401, unauthorized, basicRealm},
		{"?private_token=bad", 401, unauthorized, basicRealm},
		{"Authorization: Bearer bad", 401, unauthorized, basicRealm},
		{"Authorization: Bearer " + c.deadWrites, 401, unauthorized, basicRealm},
		{"JOB-TOKEN: bad", 401, unauthorized, basicRealm},
		{"JOB-TOKEN: " + c.deadJob, 401, unauthorized, basicRealm},
		{basic("gitlab-ci-token", c.deadJob), 401, unauthorized, basicRealm},
		{"PRIVATE-TOKEN: " + c.expired, 401, expired, dead + `is expired. You can either do re-authorization or token refresh."`},
		{"?private_token=" + c.expired, 401, expired, dead + `is expired. You can either do re-authorization or token refresh."`},
		{"Authorization: Bearer " + c.revoked, 401, revoked, dead + `was revoked. You have to re-authorize from the user."`},
		{basic("any", c.revoked), 401, revoked, dead + `was revoked. You have to re-authorize from the user."`},
	} {
		c.with("GET", c.public, tc.credentials).header(t, "WWW-Authenticate: "+tc.challenge).is(t, tc.status, tc.body)
		if tc.status == 200 { // and on a private project they are nobody's
			c.with("GET", c.private, tc.credentials).header(t, "WWW-Authenticate: "+basicRealm).is(t, 401, unauthorized)
			c.with("PUT", c.public, tc.credentials).header(t, "WWW-Authenticate: "+basicRealm).is(t, 401, unauthorized)
		}
	}
}

const basicRealm = `Basic realm="GitLab Packages Registry"`

// TestScopes is contract generic-packages 4.3, and 2.6 for the words.
func TestScopes(t *testing.T) {
	c := newPublishers(t)
	user := int64(c.as(c.developer, "GET", "/api/v4/user", nil).must(t, 200)["id"].(float64))
	for _, tc := range []struct {
		scopes   []string
		put, get answerOf
	}{
		{[]string{"api"}, answerOf{201, created}, answerOf{200, "x"}},
		{[]string{"api", "read_user"}, answerOf{201, created}, answerOf{200, "x"}},
		{[]string{"read_api"}, answerOf{403, narrow("api")}, answerOf{200, "x"}},
		{[]string{"read_user"}, answerOf{403, narrow("api")}, answerOf{403, narrow("api read_api")}},
		{[]string{"write_registry", "read_repository"}, answerOf{403, narrow("api")}, answerOf{403, narrow("api read_api")}},
	} {
		token := "PRIVATE-TOKEN: " + c.token(user, tc.scopes...)
		for _, file := range []string{c.private, c.public} {
			c.with("PUT", file, token).header(t, "WWW-Authenticate:").is(t, tc.put.status, tc.put.body)
			c.with("GET", file, token).header(t, "WWW-Authenticate:").is(t, tc.get.status, tc.get.body)
		}
	}
	id, token := c.user("blocked")
	c.root("POST", "/api/v4/users/"+itoa(id)+"/block", nil).must(t, 201)
	const text = `{"message":"403 Forbidden - Your account has been blocked. Ask an administrator to unblock it."}`
	for _, how := range []string{"PRIVATE-TOKEN: " + token, "Authorization: Bearer " + token, basic("x", token)} {
		c.with("PUT", c.public, how).is(t, 403, text)
		c.with("GET", c.public, how).is(t, 403, text)
	}
}

// TestTokensDieInTime: what was good when the server saw it first is dead from
// its moment on.
func TestTokensDieInTime(t *testing.T) {
	c := newPublishers(t)
	user := int64(c.as(c.developer, "GET", "/api/v4/user", nil).must(t, 200)["id"].(float64))
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Format("2006-01-02")
	personal := c.root("POST", "/api/v4/users/"+itoa(user)+"/personal_access_tokens",
		map[string]any{"name": "x", "scopes": []string{"api"}, "expires_at": tomorrow}).must(t, 201)["token"].(string)
	deploy := c.root("POST", "/api/v4/projects/root%2Fprivate/deploy_tokens",
		map[string]any{"name": "x", "scopes": []string{"write_package_registry"}, "expires_at": tomorrow}).must(t, 201)["token"].(string)
	tokens := []string{"PRIVATE-TOKEN: " + personal, "DEPLOY-TOKEN: " + deploy, "JOB-TOKEN: " + c.job}
	for _, how := range tokens {
		c.with("PUT", c.private, how).is(t, 201, created)
	}
	c.skew = 25 * time.Hour
	for i, body := range []string{expired, unauthorized, unauthorized} {
		c.with("PUT", c.private, tokens[i]).is(t, 401, body)
		c.with("GET", c.private, tokens[i]).is(t, 401, body)
	}
}
