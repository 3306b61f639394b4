package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"granary/internal/audit"
)

const v4Audit = v4 + "/audit_events"

// TestAuditEventShape is the JSON of docs.gitlab.com/api/audit_events, with the
// credential and sudo beside it.
func TestAuditEventShape(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	s.root("PUT", generic(p, "tool/1.0.0/f"), "x").is(t, 201, created)
	s.root("POST", "/api/v4/projects/"+p+"/unarchive", nil).must(t, 201)
	s.root("POST", "/api/v4/projects/"+p+"/archive", nil).must(t, 201)
	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"description": "d"}).must(t, 200)

	rows := s.root("GET", "/api/v4/projects/"+p+"/audit_events", nil).list(t)
	if len(rows) != 4 {
		t.Fatalf("%d events: %v", len(rows), rows)
	}
	want := map[string]any{
		"id": rows[1]["id"], "author_id": 1.0, "entity_id": 1.0, "entity_type": "Project",
		"event_name": "project_archived", "event_type": "project_archived", "created_at": rows[1]["created_at"],
		"details": map[string]any{
			"event_name": "project_archived", "author_name": "Administrator", "author_class": "User", "author_username": "root",
			"target_id": 1.0, "target_type": "Project", "target_details": "root/tool", "custom_message": "Project archived",
			"ip_address": clientAddress, "entity_path": "root/tool", "credential_type": "personal_access_token", "credential_id": 1.0,
		},
	}
	if diff := cmp.Diff(want, rows[1]); diff != "" {
		t.Error(diff)
	}
	details := rows[0]["details"].(map[string]any)
	if details["change"] != "description" || details["from"] != "" || details["to"] != "d" {
		t.Errorf("a change: %v", details)
	}
	if at, err := time.Parse(time.RFC3339, rows[1]["created_at"].(string)); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("created_at %v", rows[1]["created_at"])
	}
	id := itoa(int64(rows[1]["id"].(float64)))
	for _, path := range []string{v4Audit + "/" + id, "/api/v4/projects/" + p + "/audit_events/" + id} {
		if diff := cmp.Diff(want, s.root("GET", path, nil).must(t, 200)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	first := s.root("GET", v4Audit+"?entity_type=User&entity_id=1&per_page=1&page=2", nil).list(t)[0] // the server made root
	author := first["details"].(map[string]any)
	if first["author_id"] != -1.0 || author["author_class"] != "Gitlab::Audit::UnauthenticatedAuthor" || author["ip_address"] != nil || first["event_name"] != "user_created" {
		t.Errorf("the first user: %v", first)
	}
}

// TestAuditAuthors: who did it is who is logged in, with the credential in use;
// behind sudo stand two.
func TestAuditAuthors(t *testing.T) {
	s := newServer(t)
	group := s.group("acme", 0)
	p := s.projectIn(group, "tool", "private")
	id, token := s.user("dev")
	s.member(p, id, 40)
	tokenID := ask[int64](s, `SELECT id FROM personal_access_tokens WHERE user_id = $1`, id)
	deployID, deploy := s.deployToken("groups/"+itoa(group), "write_package_registry")
	jobID, job := s.job(token, p)
	bot := s.root("POST", "/api/v4/projects/"+p+"/access_tokens", map[string]any{"name": "bot", "scopes": []string{"api"}, "access_level": 40}).must(t, 201)
	for _, tc := range []struct {
		name   string
		header []string
		author int64
		want   map[string]any // of details
	}{
		{"a user", []string{"PRIVATE-TOKEN: " + token}, id, map[string]any{
			"author_name": "dev", "author_username": "dev", "author_class": "User", "credential_type": "personal_access_token", "credential_id": float64(tokenID)}},
		{"a job", []string{"JOB-TOKEN: " + job}, id, map[string]any{
			"author_name": "dev", "author_username": "dev", "author_class": "User", "credential_type": "job_token", "credential_id": jobID}},
		{"a deploy token", []string{"DEPLOY-TOKEN: " + deploy}, -2, map[string]any{
			"author_name": "ci", "author_class": "DeployToken", "credential_type": "deploy_token", "credential_id": deployID}},
		{"a bot", []string{"PRIVATE-TOKEN: " + bot["token"].(string)}, int64(bot["user_id"].(float64)), map[string]any{
			"author_name": "bot", "author_class": "User", "credential_type": "resource_access_token", "credential_id": bot["id"]}},
	} {
		s.do("PUT", generic(p, "tool/1.0.0/f"), unsized("x"), tc.header...).is(t, 201, created)
		newest := s.root("GET", "/api/v4/projects/"+p+"/audit_events?per_page=1", nil).list(t)[0]
		details := newest["details"].(map[string]any)
		if newest["author_id"] != float64(tc.author) {
			t.Errorf("%s: author %v", tc.name, newest["author_id"])
		}
		for key, want := range tc.want {
			if fmt.Sprint(details[key]) != fmt.Sprint(want) {
				t.Errorf("%s: %s is %v, want %v", tc.name, key, details[key], want)
			}
		}
	}
	s.do("POST", "/api/v4/projects/"+p+"/releases", strings.NewReader("tag_name=v1&ref=main"), "PRIVATE-TOKEN: "+rootToken, "Sudo: dev",
		"Content-Type: application/x-www-form-urlencoded").must(t, 201)
	newest := s.root("GET", "/api/v4/projects/"+p+"/audit_events?per_page=1", nil).list(t)[0]
	details := newest["details"].(map[string]any)
	if newest["author_id"] != float64(id) || details["sudo_by_id"] != 1.0 || details["sudo_by_username"] != "root" || details["credential_id"] != 1.0 {
		t.Errorf("sudo: %v", newest)
	}
}

// TestAuditPermission: maintainers read a project's events, owners a group's,
// administrators all; an event is found only where it belongs.
func TestAuditPermission(t *testing.T) {
	s := newServer(t)
	group := s.group("acme", 0)
	s.root("PUT", "/api/v4/groups/acme", map[string]any{"visibility": "public"}).must(t, 200)
	private, public := s.projectIn(group, "private", "private"), s.projectIn(group, "public", "public")
	tokens := map[string]string{"anonymous": "", "root": rootToken}
	_, tokens["stranger"] = s.user("stranger")
	for name, level := range map[string]int{"developer": 30, "maintainer": 40, "owner": 50} {
		id, token := s.user(name)
		s.root("POST", "/api/v4/groups/acme/members", map[string]any{"user_id": id, "access_level": level}).must(t, 201)
		tokens[name] = token
	}
	id, _ := s.user("narrow")
	tokens["read_user"] = s.token(id, "read_user")
	eventOf := func(path string) string {
		return itoa(int64(s.root("GET", path+"?per_page=1", nil).list(t)[0]["id"].(float64)))
	}
	at := map[string]string{"private": "/api/v4/projects/" + private, "public": "/api/v4/projects/" + public, "group": "/api/v4/groups/acme", "instance": "/api/v4"}
	want := map[string]map[string]int{
		"private":  {"anonymous": 401, "stranger": 404, "read_user": 403, "developer": 403, "maintainer": 200, "owner": 200, "root": 200},
		"public":   {"anonymous": 401, "stranger": 403, "read_user": 403, "developer": 403, "maintainer": 200, "owner": 200, "root": 200},
		"group":    {"anonymous": 401, "stranger": 403, "read_user": 403, "developer": 403, "maintainer": 403, "owner": 200, "root": 200},
		"instance": {"anonymous": 401, "stranger": 403, "read_user": 403, "developer": 403, "maintainer": 403, "owner": 403, "root": 200},
	}
	for place, path := range at {
		id := eventOf(path + "/audit_events")
		for who, status := range want[place] {
			for _, suffix := range []string{"", "/" + id} {
				got := s.do("GET", path+"/audit_events"+suffix, nil, "PRIVATE-TOKEN: "+tokens[who])
				if tokens[who] == "" {
					got = s.do("GET", path+"/audit_events"+suffix, nil)
				}
				if got.StatusCode != status {
					t.Errorf("%s, %s%s: %d %s, want %d", who, place, suffix, got.StatusCode, got.body, status)
				}
			}
		}
	}
	elsewhere := eventOf(at["public"] + "/audit_events")
	for _, path := range []string{at["private"], at["group"]} {
		s.root("GET", path+"/audit_events/"+elsewhere, nil).is(t, 404, `{"message":"404 Audit Event Not Found"}`)
	}
	s.root("GET", v4Audit+"/1", nil).is(t, 404, `{"message":"404 Audit Event Not Found"}`)
	s.root("GET", v4Audit+"/x", nil).is(t, 400, `{"error":"audit_event_id is invalid"}`)
	s.root("GET", "/api/v4/projects/999999/audit_events", nil).is(t, 404, `{"message":"404 Project Not Found"}`)
	s.root("GET", "/api/v4/groups/none/audit_events", nil).is(t, 404, `{"message":"404 Group Not Found"}`)
}

// TestAuditPages: by number and by cursor the same events, newest first, each
// once.
func TestAuditPages(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	at := "/api/v4/projects/" + p + "/audit_events"
	for i := range 6 {
		s.root("PUT", "/api/v4/projects/"+p, map[string]any{"description": itoa(int64(i))}).must(t, 200)
	}
	var whole, byNumber, byCursor []any
	for _, row := range s.root("GET", at, nil).list(t) {
		whole = append(whole, row["id"])
	}
	if len(whole) != 7 {
		t.Fatalf("%d events", len(whole))
	}
	for i := 1; i < len(whole); i++ {
		if whole[i].(float64) >= whole[i-1].(float64) {
			t.Error("the newest does not come first")
		}
	}
	for number := 1; number <= 3; number++ {
		got := s.root("GET", at+"?per_page=3&page="+itoa(int64(number)), nil)
		got.header(t, "X-Total: 7", "X-Total-Pages: 3", "X-Per-Page: 3", "X-Page: "+itoa(int64(number)))
		for _, row := range got.list(t) {
			byNumber = append(byNumber, row["id"])
		}
	}
	for next := at + "?pagination=keyset&per_page=3&private_token=" + rootToken; next != ""; {
		got := s.do("GET", next, nil, "PRIVATE-TOKEN: "+rootToken)
		got.header(t, "X-Total:")
		for _, row := range got.list(t) {
			byCursor = append(byCursor, row["id"])
		}
		link := got.Header.Get("Link")
		if next = ""; link != "" {
			next = strings.TrimSuffix(strings.TrimPrefix(link, "<"+s.url), `>; rel="next"`)
		}
		if strings.Contains(next, rootToken) {
			t.Error("the link has the token in it")
		}
	}
	if diff := cmp.Diff(whole, byNumber) + cmp.Diff(whole, byCursor); diff != "" {
		t.Error(diff)
	}
	s.root("GET", at+"?page=501&per_page=100", nil).list(t)
	s.root("GET", at+"?page=502&per_page=100", nil).starts(t, 405, "Offset pagination has a maximum allowed offset of 50000")
}

// TestAuditFilters chooses by time and by entity, and refuses what it cannot
// read.
func TestAuditFilters(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	at := "/api/v4/projects/" + p
	edit := func(text string) {
		s.root("PUT", at, map[string]any{"description": text}).must(t, 200)
	}
	s.skew = -48 * time.Hour
	edit("then")
	s.skew = 0
	edit("now")
	yesterday := time.Now().Add(-24 * time.Hour).UTC().Format(time.RFC3339)
	descriptions := func(query string) (found []string) {
		for _, row := range s.root("GET", at+"/audit_events"+query, nil).list(t) {
			if d := row["details"].(map[string]any); d["change"] == "description" {
				found = append(found, d["to"].(string))
			}
		}
		return found
	}
	for query, want := range map[string][]string{
		"": {"now", "then"}, "?created_after=" + yesterday: {"now"}, "?created_before=" + yesterday: {"then"},
		"?created_after=" + yesterday + "&created_before=" + yesterday: nil, "?created_after=2200-01-01": nil,
		"?entity_type=User&entity_id=1": {"now", "then"}, // a project's list has no such filter
	} {
		if diff := cmp.Diff(want, descriptions(query)); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	s.root("POST", "/api/v4/features/flag", map[string]any{"value": true}).must(t, 201)
	s.group("acme", 0)
	id := s.projectID(p)
	for query, want := range map[string]string{
		"?entity_type=Group":                        "group_created",
		"?entity_type=Gitlab::Audit::InstanceScope": "feature_set",
		"?entity_type=Project&per_page=1":           "project_description_updated",
		"?entity_type=Project&entity_id=" + id:      "project_description_updated project_created project_description_updated",
		"?entity_type=Project&entity_id=999":        "",
		"?entity_type=User&entity_id=1":             "personal_access_token_created user_created",
	} {
		wantValue(t, query, s.root("GET", v4Audit+query, nil).column(t, "event_name"), want)
	}
	for query, want := range map[string]string{
		"?created_after=soon":              "created_after is invalid",
		"?created_before=2026-13-01":       "created_before is invalid",
		"?entity_type=project":             "entity_type does not have a valid value",
		"?entity_id=1":                     "entity_type is missing, entity_id goes with it",
		"?entity_type=Project&entity_id=x": "entity_id is invalid",
		"?entity_type=Project&entity_id=0": "entity_id is invalid",
		"?entity_type=User&entity_id=-1":   "entity_id is invalid",
		"?pagination=cursor":               "pagination does not have a valid value",
		"?pagination=keyset&cursor=x":      "cursor is invalid",
		"?page=0":                          "page does not have a valid value",
		"?per_page=0":                      "per_page has a value not allowed",
		"?created_after[]=2026-01-01":      "created_after is invalid",
	} {
		s.root("GET", v4Audit+query, nil).is(t, 400, `{"error":"`+want+`"}`)
	}
	for _, place := range []string{"groups/acme", "projects/" + id} {
		s.root("GET", "/api/v4/"+place+"/audit_events?pagination=keyset&cursor=x", nil).is(t, 400, `{"error":"cursor is invalid"}`)
	}
}

// TestRefusedDeedsLeaveNoEvents: neither a refusal nor a failed login is
// recorded, nor what is only read.
func TestRefusedDeedsLeaveNoEvents(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	_, stranger := s.user("stranger")
	s.root("PUT", generic(p, "tool/1.0.0/f"), "x").is(t, 201, created)
	before := s.count("audit_events")
	s.as(stranger, "PUT", generic(p, "tool/1.0.0/f"), "x").is(t, 404, notFound)
	s.as("wrong", "PUT", generic(p, "tool/1.0.0/f"), "x").must(t, 401)
	s.do("PUT", generic(p, "tool/1.0.0/f"), unsized("x")).must(t, 401)
	s.do("PUT", generic(p, "tool/1.0.0/f"), unsized("x"), "PRIVATE-TOKEN: "+rootToken, "X-Checksum-SHA256: "+strings.Repeat("0", 64)).must(t, 400)
	s.as(stranger, "DELETE", "/api/v4/projects/"+p, nil).must(t, 404)
	s.root("POST", "/api/v4/projects", map[string]any{"name": "tool"}).must(t, 400)
	s.root("POST", "/api/v4/projects/"+p+"/members", map[string]any{"user_id": 99999, "access_level": 30}).must(t, 404)
	s.root("GET", generic(p, "tool/1.0.0/f"), nil).is(t, 200, "x")
	s.root("GET", v4Audit, nil).list(t)
	if after := s.count("audit_events"); after != before {
		t.Errorf("%d events, want %d", after, before)
	}
}

// TestNoSecretInEvents makes one of every secret, and looks for it in all that
// is kept of events.
func TestNoSecretInEvents(t *testing.T) {
	s := newServer(t)
	group := s.group("acme", 0)
	p := s.projectIn(group, "tool", "private")
	id, token := s.user("dev")
	s.member(p, id, 40)
	secrets := []string{rootToken, token}
	_, deploy := s.deployToken("projects/"+p, "read_package_registry")
	_, job := s.job(token, p)
	secrets = append(secrets, deploy, job)
	for _, at := range []string{"/api/v4/projects/" + p, "/api/v4/groups/acme"} {
		const first, second = "first-Secret-Value", "second-Secret-Value"
		s.root("POST", at+"/variables", map[string]any{"key": "SECRET", "value": first, "masked": true, "description": "d"}).must(t, 201)
		s.root("PUT", at+"/variables/SECRET", map[string]any{"value": second}).must(t, 200)
		s.root("DELETE", at+"/variables/SECRET", nil).must(t, 204)
		made := s.root("POST", at+"/access_tokens", map[string]any{"name": "bot", "scopes": []string{"api"}, "access_level": 30}).must(t, 201)
		next := s.root("POST", at+"/access_tokens/"+number(made)+"/rotate", nil).must(t, 200)
		secrets = append(secrets, first, second, made["token"].(string), next["token"].(string))
	}
	upload := s.upload(rootToken, p, "notes.txt", []byte("x")).must(t, 201)["url"].(string)
	s.root("POST", "/api/v4/projects/"+p+"/releases", map[string]any{"tag_name": "v1", "ref": "main", "assets": map[string]any{
		"links": []map[string]any{{"name": "bin", "url": "https://user:link-Secret@example.com/bin"}}}}).must(t, 201)
	s.root("POST", "/api/v4/projects/"+p+"/releases/v1/assets/links", map[string]any{"name": "more", "url": "https://user:link-Secret@example.com/more"}).must(t, 201)
	hook := number(s.root("POST", "/api/v4/projects/"+p+"/hooks", map[string]any{"url": "https://example.com/url-Secret", "token": "hook-Secret"}).must(t, 201))
	s.root("PUT", "/api/v4/projects/"+p+"/hooks/"+hook+"/custom_headers/X-Key", map[string]any{"value": "header-Secret"}).must(t, 204)
	secrets = append(secrets, strings.Split(upload, "/")[2], "link-Secret", "url-Secret", "hook-Secret", "header-Secret")

	all := ""
	for _, row := range s.root("GET", v4Audit+"?per_page=100", nil).list(t) {
		all += fmt.Sprintln(row)
	}
	if strings.Count(all, "\n") < 20 || !strings.Contains(all, "SECRET") {
		t.Fatalf("too few events: %s", all)
	}
	for _, secret := range secrets {
		if len(secret) < 10 || strings.Contains(all, secret) {
			t.Errorf("%q stands in an event", secret)
		}
	}
}

// TestStolenTokenIsTold: rotating with a token that was rotated already ends its
// family, and each end is told, with the address of who tried.
func TestStolenTokenIsTold(t *testing.T) {
	s := newServer(t)
	id, token := s.user("dev")
	s.as(token, "POST", "/api/v4/personal_access_tokens/self/rotate", nil).must(t, 200)
	s.as(token, "POST", "/api/v4/personal_access_tokens/self/rotate", nil).must(t, 401)
	rows := s.root("GET", v4Audit+"?entity_type=User&entity_id="+itoa(id), nil).list(t)
	newest := rows[0]["details"].(map[string]any)
	if rows[0]["event_name"] != string(audit.PersonalTokenRevoked) || rows[0]["author_id"] != -1.0 || newest["ip_address"] != clientAddress || newest["to"] == "" {
		t.Errorf("%v", rows[0])
	}
	if len(rows) != 4 { // the user, the token, its rotation, its end
		t.Errorf("%d events", len(rows))
	}
}

// TestGitLabClientReadsEvents lets GitLab's own client read every list.
func TestGitLabClientReadsEvents(t *testing.T) {
	s := newServer(t)
	group := s.group("acme", 0)
	p := s.projectIn(group, "tool", "private")
	s.root("PUT", "/api/v4/groups/acme", map[string]any{"description": "d"}).must(t, 200)
	admin := gitlabClient(t, s, rootToken)
	after := time.Now().Add(-time.Hour)
	options := &gitlab.ListAuditEventsOptions{CreatedAfter: &after}

	instance, resp, err := admin.AuditEvents.ListInstanceAuditEvents(options)
	status(t, "instance", resp, err, http.StatusOK)
	ofGroup, resp, err := admin.AuditEvents.ListGroupAuditEvents("acme", options)
	status(t, "group", resp, err, http.StatusOK)
	ofProject, resp, err := admin.AuditEvents.ListProjectAuditEvents("acme/tool", options)
	status(t, "project", resp, err, http.StatusOK)
	if len(instance) != 5 || len(ofGroup) != 2 || len(ofProject) != 1 {
		t.Fatalf("%d, %d, %d events", len(instance), len(ofGroup), len(ofProject))
	}
	change := ofGroup[0].Details
	if change.Change != "description" || change.To != "d" || change.AuthorName != "Administrator" || change.IPAddress != clientAddress || change.EntityPath != "acme" {
		t.Errorf("%+v", change)
	}
	one, resp, err := admin.AuditEvents.GetProjectAuditEvent(p, ofProject[0].ID)
	status(t, "one", resp, err, http.StatusOK)
	if diff := cmp.Diff(ofProject[0], one); diff != "" || one.EventName != "project_created" {
		t.Errorf("%s %+v", diff, one)
	}
	_, resp, err = admin.AuditEvents.GetGroupAuditEvent("acme", ofProject[0].ID)
	status(t, "another's", resp, err, http.StatusNotFound)
}
