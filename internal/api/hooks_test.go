package api_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"granary/internal/eventually"
	"granary/internal/webhooks"
	"granary/internal/webhooks/deliver"
)

const signingKey = "0123456789abcdef0123456789abcdef"

// allowed lets hooks reach this machine, and sends what waits for them until
// the test ends.
func (s *server) allowed() {
	s.t.Helper()
	s.hooks.Guard = webhooks.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	sender := deliver.NewSender(s.hooks.Guard, "https://granary.example.com", "test", s.now)
	s.hooks.Sender = sender
	ctx, cancel := context.WithCancel(context.Background())
	w := deliver.Worker{Outbox: s.db, Sender: sender, Log: slog.New(slog.DiscardHandler), Now: s.now}
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	s.t.Cleanup(func() { cancel(); running.Wait() })
}

// delivered is a request that a receiver got.
type delivered struct {
	header http.Header
	body   string
}

// receive starts a receiver that answers with a status, and hands on what it is
// sent.
func receive(t *testing.T, status int) (url string, got chan delivered) {
	t.Helper()
	got = make(chan delivered, 100)
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost {
			t.Errorf("%s %v", r.Method, err)
		}
		got <- delivered{r.Header, string(body)}
		w.Header().Set("X-Answer", "header")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "the answer")
	}))
	t.Cleanup(r.Close)
	return r.URL, got
}

func next(t *testing.T, got chan delivered) delivered {
	t.Helper()
	select {
	case d := <-got:
		return d
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was delivered")
		return delivered{}
	}
}

// verify checks a signature as docs/webhooks.md tells receivers to.
func verify(t *testing.T, d delivered) {
	t.Helper()
	mac := hmac.New(sha256.New, []byte(signingKey))
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", d.header.Get("webhook-id"), d.header.Get("webhook-timestamp"), d.body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if got := d.header.Get("webhook-signature"); got != want {
		t.Errorf("signature %q, want %q", got, want)
	}
}

// logged waits for a hook's log to have so many entries.
func (s *server) logged(hook string, n int) (rows []map[string]any) {
	s.t.Helper()
	eventually.Holds(s.t, itoa(int64(n))+" entries in the log of the hook", func() bool {
		rows = s.root("GET", hook+"/events", nil).list(s.t)
		return len(rows) >= n
	})
	return rows
}

// TestPackageHook: publishing and deleting are told, signed, and logged.
func TestPackageHook(t *testing.T) {
	s := newServer(t)
	s.allowed()
	project := s.project("tool", "private")
	url, got := receive(t, 200)
	all := v4 + "/projects/" + project + "/hooks"
	made := s.root("POST", all, map[string]any{
		"url": strings.Replace(url, "http://", "http://user:url-secret@", 1) + "/in", "token": "token-secret",
		"signing_token":  "whsec_" + base64.StdEncoding.EncodeToString([]byte(signingKey)),
		"custom_headers": []map[string]any{{"key": "X-Custom", "value": "header-secret"}},
	}).must(t, 201)
	hook := all + "/" + id(made)
	fields(t, made, map[string]string{"package_events": "true", "push_events": "false", "alert_status": "executable", "disabled_until": "<nil>",
		"token_present": "true", "signing_token_present": "true", "custom_headers": "[map[key:X-Custom]]", "enable_ssl_verification": "true"})

	s.do("PUT", "/api/v4/projects/"+project+"/packages/generic/tool/1.0.0/tool.bin", strings.NewReader("bytes"), "PRIVATE-TOKEN: "+rootToken).status(t, 201)
	published := next(t, got)
	verify(t, published)
	for name, want := range map[string]string{
		"X-Gitlab-Event": "Package Hook", "X-Gitlab-Token": "token-secret", "X-Custom": "header-secret", "Content-Type": "application/json",
		"X-Gitlab-Instance": "https://granary.example.com", "User-Agent": "granary/test", "Idempotency-Key": published.header.Get("webhook-id"),
		"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("user:url-secret")),
	} {
		if value := published.header.Get(name); value != want || value == "" {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	files := s.root("GET", v4+"/projects/"+project+"/packages", nil).list(t)
	packageID := id(files[0])
	event := decode(t, published.body)
	fields(t, event, map[string]string{"object_kind": "package", "event_name": "package_file_published"})
	fields(t, event["user"].(map[string]any), map[string]string{"username": "root", "email": "[REDACTED]"})
	fields(t, event["project"].(map[string]any), map[string]string{"path_with_namespace": "root/tool", "web_url": "https://granary.example.com/root/tool"})
	about := event["object_attributes"].(map[string]any)
	fields(t, about, map[string]string{"name": "tool", "version": "1.0.0", "package_type": "generic", "status": "default", "action": "publish", "id": packageID})
	file := about["package_files"].([]any)[0].(map[string]any)
	fields(t, file, map[string]string{"file_name": "tool.bin", "size": "5", "file_sha256": fmt.Sprintf("%x", sha256.Sum256([]byte("bytes")))})
	if want := fmt.Sprint("https://granary.example.com/api/v4/projects/", about["project_id"], "/packages/generic/tool/1.0.0/tool.bin"); file["url"] != want {
		t.Errorf("%v, want %s", file["url"], want)
	}

	s.root("DELETE", v4+"/projects/"+project+"/packages/"+packageID+"/package_files/"+id(file), nil).status(t, 204)
	fields(t, decode(t, next(t, got).body), map[string]string{"event_name": "package_file_deleted"})
	s.root("DELETE", v4+"/projects/"+project+"/packages/"+packageID, nil).status(t, 204)
	gone := decode(t, next(t, got).body)
	fields(t, gone, map[string]string{"event_name": "package_deleted"})
	fields(t, gone["object_attributes"].(map[string]any), map[string]string{"package_files": "[]", "action": "delete"})

	var first map[string]any
	for _, row := range s.logged(hook, 3) {
		if row["request_data"].(map[string]any)["event_name"] == "package_file_published" {
			first = row
		}
	}
	fields(t, first, map[string]string{"trigger": "package_hooks", "response_status": "200", "response_body": "the answer", "url": url + "/in"})
	fields(t, first["request_headers"].(map[string]any), map[string]string{"X-Gitlab-Token": "[REDACTED]", "X-Custom": "[REDACTED]",
		"Idempotency-Key": published.header.Get("Idempotency-Key"), "Authorization": "<nil>"})
	fields(t, first["response_headers"].(map[string]any), map[string]string{"X-Answer": "header"})

	s.root("POST", hook+"/events/"+id(first)+"/resend", nil).is(t, 201, `{"response_status":200}`)
	again := next(t, got)
	verify(t, again)
	if again.body != published.body || again.header.Get("Idempotency-Key") != published.header.Get("Idempotency-Key") {
		t.Errorf("resent %s\n%v", again.body, again.header)
	}
	reaches := s.hooks.Sender
	s.hooks.Sender = deliver.NewSender(webhooks.Guard{}, "https://granary.example.com", "test", s.now)
	s.root("POST", hook+"/events/"+id(first)+"/resend", nil).must(t, 422)
	s.hooks.Sender = reaches
	s.root("POST", hook+"/test/package_events", nil).is(t, 201, `{"message":"201 Created"}`)
	fields(t, decode(t, next(t, got).body)["object_attributes"].(map[string]any), map[string]string{"name": "sample", "id": "0"})

	for _, path := range []string{all, hook, hook + "/events"} {
		body := s.root("GET", path, nil).body
		for _, secret := range []string{"token-secret", "header-secret", signingKey, base64.StdEncoding.EncodeToString([]byte(signingKey))} {
			if strings.Contains(body, secret) {
				t.Errorf("%s shows %s: %s", path, secret, body)
			}
		}
	}
	if body := s.root("GET", hook+"/events", nil).body; strings.Contains(body, "url-secret") {
		t.Errorf("the log shows the URL's password: %s", body)
	}
}

func decode(t *testing.T, body string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(body), &object); err != nil {
		t.Fatal(body, err)
	}
	return object
}

// TestHookOutcomes is what hooks may be, row by row.
func TestHookOutcomes(t *testing.T) {
	s := newServer(t)
	all := v4 + "/projects/" + s.project("tool", "private") + "/hooks"
	one := all + "/" + id(s.root("POST", all, map[string]any{"url": "https://example.com/a"}).must(t, 201))
	blocked := func(detail string) string { return `{"error":"Invalid url given: Url is blocked: ` + detail + `"}` }
	for _, tc := range []struct {
		name, method, path, form string
		status                   int
		body                     string // its beginning
	}{
		{"no url", "POST", all, "", 400, `{"error":"url is missing"}`},
		{"loopback", "POST", all, "url=http://127.0.0.1:9/", 422, blocked("Requests to localhost are not allowed")},
		{"private", "POST", all, "url=http://192.168.0.1/", 422, blocked("Requests to the local network are not allowed")},
		{"metadata", "PUT", one, "url=http://169.254.169.254/latest", 422, blocked("Requests to the local network are not allowed")},
		{"a number", "PUT", one, "url=http://2130706433/", 422, blocked("Hostname or IP address invalid")},
		{"scheme", "POST", all, "url=file:///etc/passwd", 422, blocked("Only allowed schemes are http, https")},
		{"line break in the url", "POST", all, "url=https://example.com/%0d%0aX:1", 422, blocked("URI is invalid")},
		{"line break in the token", "PUT", one, "token=a%0d%0aX-Evil:+1", 422, `{"message":{"token":["is invalid`},
		{"line break in a header", "PUT", one, "custom_headers[][key]=X-A&custom_headers[][value]=a%0d%0aX-Evil:+1", 422, `{"error":"Custom headers validation failed`},
		{"line break in a key", "PUT", one, "custom_headers[][key]=X-A:1%0d%0aX&custom_headers[][value]=a", 422, `{"error":"Custom headers validation failed`},
		{"a header of ours", "PUT", one, "custom_headers[][key]=X-Gitlab-Token&custom_headers[][value]=a", 422, `{"error":"Custom headers validation failed: X-Gitlab-Token is set by the server"}`},
		{"host", "PUT", one, "custom_headers[][key]=Host&custom_headers[][value]=a", 422, `{"error":"Custom headers validation failed`},
		{"short signing token", "PUT", one, "signing_token=whsec_YWJj", 422, `{"message":{"signing_token":["is invalid`},
		{"a template", "PUT", one, "custom_webhook_template={}", 400, `{"error":"custom_webhook_template is not supported"}`},
		{"URL variables", "POST", all, "url=https://example.com/{a}&url_variables[][key]=a&url_variables[][value]=b", 400, `{"error":"url_variables is not supported"}`},
		{"not true or false", "PUT", one, "package_events=perhaps", 400, `{"error":"package_events is invalid"}`},
		{"long name", "PUT", one, "name=" + strings.Repeat("n", 256), 422, `{"message":{"name":["is too long`},
		{"what granary does not send", "PUT", one, "push_events=true&tag_push_events=1&push_events_branch_filter=main", 200, `{"id":`},
		{"header", "PUT", one + "/custom_headers/X-Key", "value=v", 204, ""},
		{"header of the server", "PUT", one + "/custom_headers/Host", "value=v", 422, `{"error":"Custom headers validation failed`},
		{"header without value", "PUT", one + "/custom_headers/X-Key", "", 400, `{"error":"value is missing"}`},
		{"header gone", "DELETE", one + "/custom_headers/x-key", "", 204, ""},
		{"no such header", "DELETE", one + "/custom_headers/x-key", "", 404, `{"message":"404 Not found"}`},
		{"test of what there is not", "POST", one + "/test/push_events", "", 422, `{"message":"There are no push_events here`},
		{"test of nothing", "POST", one + "/test/nothing", "", 400, `{"error":"trigger does not have a valid value"}`},
		{"empty log", "GET", one + "/events", "", 200, "[]"},
		{"log by status", "GET", one + "/events?status=successful,404,server_failure", "", 200, "[]"},
		{"log by no status", "GET", one + "/events?status=fine", "", 400, `{"error":"status does not have a valid value"}`},
		{"no such event", "POST", one + "/events/99/resend", "", 404, `{"message":"404 Not found"}`},
		{"no such hook", "GET", all + "/99", "", 404, `{"message":"404 Not found"}`},
		{"no such hook to change", "PUT", all + "/99", "name=n", 404, `{"message":"404 Not found"}`},
		{"no number", "GET", all + "/x", "", 400, `{"error":"hook_id is invalid"}`},
		{"delete", "DELETE", one, "", 204, ""},
		{"deleted", "DELETE", one, "", 404, `{"message":"404 Not found"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := s.form(rootToken, tc.method, tc.path, tc.form)
			if got.StatusCode != tc.status || !strings.HasPrefix(got.body, tc.body) {
				t.Errorf("%d %s, want %d %s", got.StatusCode, got.body, tc.status, tc.body)
			}
		})
	}
}

// TestHookEdit: another URL takes the secrets away, unless they come with it.
func TestHookEdit(t *testing.T) {
	s := newServer(t)
	all := v4 + "/projects/" + s.project("tool", "private") + "/hooks"
	one := all + "/" + id(s.root("POST", all, map[string]any{"url": "https://example.com/a", "token": "t", "description": "d"}).must(t, 201))
	s.form(rootToken, "PUT", one+"/custom_headers/X-Key", "value=v").status(t, 204)
	got := s.root("PUT", one, map[string]any{"name": "n", "push_events": true, "url": "https://example.com/a"}).must(t, 200)
	fields(t, got, map[string]string{"name": "n", "description": "d", "push_events": "true", "token_present": "true", "custom_headers": "[map[key:X-Key]]"})
	got = s.root("PUT", one, map[string]any{"url": "https://example.com/b", "push_events": false}).must(t, 200)
	fields(t, got, map[string]string{"url": "https://example.com/b", "push_events": "false", "token_present": "false", "custom_headers": "[]"})
	got = s.root("PUT", one, map[string]any{"url": "https://example.com/c", "token": "new"}).must(t, 200)
	fields(t, got, map[string]string{"token_present": "true"})

	for i := range 99 {
		s.root("POST", all, map[string]any{"url": fmt.Sprint("https://example.com/", i)}).must(t, 201)
	}
	s.root("POST", all, map[string]any{"url": "https://example.com"}).is(t, 422, `{"message":{"base":["Maximum number of project hooks (100) exceeded"]}}`)
	if got := s.root("GET", all+"?per_page=30&page=4", nil); len(got.list(t)) != 10 || got.Header.Get("X-Total") != "100" {
		t.Errorf("%s %s", got.Header.Get("X-Total"), got.body)
	}
}

// TestHookRoles: Maintainer; no job and no deploy token.
func TestHookRoles(t *testing.T) {
	s := newServer(t)
	project := s.projectAt(s.groupAt("acme", "public"), "tool", "public")
	one := v4 + "/projects/" + project + "/hooks"
	hook := one + "/" + id(s.root("POST", one, map[string]any{"url": "https://example.com"}).must(t, 201))
	_, job := s.job(rootToken, project)
	as := map[string]string{"anonymous": "", "job": "JOB-TOKEN: " + job}
	for level, name := range map[int]string{30: "developer", 40: "maintainer"} {
		userID, token := s.user(name)
		s.memberAt("/projects/"+project, userID, level)
		as[name], as[name+", read_api"] = "PRIVATE-TOKEN: "+token, "PRIVATE-TOKEN: "+s.token(userID, "read_api")
	}
	for who, want := range map[string][2]int{
		"anonymous": {401, 401}, "job": {401, 401}, "developer": {403, 403}, "developer, read_api": {403, 403},
		"maintainer": {200, 200}, "maintainer, read_api": {200, 403},
	} {
		var header []string
		if as[who] != "" {
			header = []string{as[who]}
		}
		for path, method := range map[string]string{one: "GET", hook: "GET", hook + "/events": "GET", hook + "?name=n": "PUT"} {
			wanted := want[0]
			if method == "PUT" {
				wanted = want[1]
			}
			if got := s.do(method, path, nil, header...); got.StatusCode != wanted {
				t.Errorf("%s: %s %s: %d %s, want %d", who, method, path, got.StatusCode, got.body, wanted)
			}
		}
	}
}

// TestHookThatFails is disabled for a while, and a test that arrives enables
// it again.
func TestHookThatFails(t *testing.T) {
	s := newServer(t)
	s.allowed()
	all := v4 + "/projects/" + s.project("tool", "private") + "/hooks"
	bad, got := receive(t, 503)
	hook := all + "/" + id(s.root("POST", all, map[string]any{"url": bad}).must(t, 201))
	for range 4 {
		s.root("POST", hook+"/test/package_events", nil).is(t, 422, `{"message":"the receiver answered 503"}`)
		next(t, got)
	}
	state := s.root("GET", hook, nil).must(t, 200)
	if state["alert_status"] != "temporarily_disabled" || state["disabled_until"] == nil {
		t.Errorf("%v", state)
	}
	log := s.root("GET", hook+"/events?status=server_failure", nil).list(t)
	if len(log) != 4 || log[0]["response_status"] != "503" {
		t.Errorf("%v", log)
	}
	good, got := receive(t, 204)
	s.root("PUT", hook, map[string]any{"url": good}).must(t, 200)
	s.root("POST", hook+"/test/package_events", nil).status(t, 201)
	next(t, got)
	fields(t, s.root("GET", hook, nil).must(t, 200), map[string]string{"alert_status": "executable", "disabled_until": "<nil>"})

	s.root("PUT", hook, map[string]any{"url": "http://127.0.0.1:1/"}).must(t, 200)
	s.root("POST", hook+"/test/package_events", nil).is(t, 422, `{"message":"Failed to open TCP connection: Connection refused"}`)
	fields(t, s.logged(hook, 6)[0], map[string]string{"response_status": "internal error", "internal_error_message": "Failed to open TCP connection: Connection refused"})
}

// TestGitLabsClientHooks drives hooks with GitLab's own Go client.
func TestGitLabsClientHooks(t *testing.T) {
	s := newServer(t)
	s.allowed()
	s.project("tool", "private")
	url, got := receive(t, 200)
	client, err := gitlab.NewClient(rootToken, gitlab.WithBaseURL(s.url), gitlab.WithoutRetries())
	if err != nil {
		t.Fatal(err)
	}
	const pid = "root/tool"
	made, _, err := client.Projects.AddProjectHook(pid, &gitlab.AddProjectHookOptions{
		URL: &url, Name: gitlab.Ptr("n"), Token: gitlab.Ptr("t"), PushEvents: gitlab.Ptr(true), EnableSSLVerification: gitlab.Ptr(true),
		CustomHeaders: &[]*gitlab.HookCustomHeader{{Key: "X-A", Value: "v"}},
	})
	if err != nil || made.URL != url || !made.PushEvents || made.IssuesEvents || !made.TokenPresent || made.CreatedAt == nil || made.AlertStatus != "executable" ||
		len(made.CustomHeaders) != 1 || made.CustomHeaders[0].Value != "" {
		t.Fatalf("%+v %v", made, err)
	}
	if _, err := client.Projects.SetProjectCustomHeader(pid, made.ID, "X-B", &gitlab.SetHookCustomHeaderOptions{Value: gitlab.Ptr("b")}); err != nil {
		t.Error(err)
	}
	if _, err := client.Projects.DeleteProjectCustomHeader(pid, made.ID, "X-A"); err != nil {
		t.Error(err)
	}
	edited, _, err := client.Projects.EditProjectHook(pid, made.ID, &gitlab.EditProjectHookOptions{URL: &url, Description: gitlab.Ptr("d"), PushEvents: gitlab.Ptr(false)})
	if err != nil || edited.Description != "d" || edited.PushEvents || edited.Name != "n" {
		t.Errorf("%+v %v", edited, err)
	}
	if resp, err := client.Projects.TriggerTestProjectHook(pid, made.ID, "package_events"); err != nil || resp.StatusCode != 201 {
		t.Error(err)
	}
	if d := next(t, got); d.header.Get("X-B") != "b" || d.header.Get("X-A") != "" || d.header.Get("X-Gitlab-Token") != "t" {
		t.Errorf("%v", d.header)
	}
	listed, _, err := client.Projects.ListProjectHooks(pid, nil)
	if err != nil || len(listed) != 1 || listed[0].ID != made.ID {
		t.Errorf("%v %v", listed, err)
	}
	if _, err := client.Projects.DeleteProjectHook(pid, made.ID); err != nil {
		t.Error(err)
	}
	if _, resp, _ := client.Projects.GetProjectHook(pid, made.ID); resp == nil || resp.StatusCode != 404 {
		t.Error("it is still there")
	}
}
