package daemon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"granary/internal/eventually"
)

// filler puts something of everything into a server of an old build, over HTTP
// and by its granary admin: see testdata/upgrade/README.md.
type filler struct {
	t       *testing.T
	url     string
	binary  string
	environ []string // with which it serves
	admin   []string // flags of granary admin that name the database
	tokens  map[string]credential
}

// credential is a token of the fixture.
type credential struct {
	Header string
	Secret string
}

// form is what a request sends as JSON.
type form map[string]any

// send makes a request as somebody, "" for nobody, and returns the answer.
func send(t *testing.T, url string, c credential, method, path, contentType string, body io.Reader) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if c.Header != "" {
		req.Header.Set(c.Header, c.Secret)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // redirects are answers, too
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, said
}

func (f *filler) done(resp *http.Response, said []byte) map[string]any {
	f.t.Helper()
	if resp.StatusCode >= 300 {
		f.t.Fatalf("%s %s: %s %s", resp.Request.Method, resp.Request.URL, resp.Status, said)
	}
	made := map[string]any{}
	_ = json.Unmarshal(said, &made) // of some there is no object
	return made
}

// as does a deed with a token, and returns what it made.
func (f *filler) as(who, method, path string, fields form) map[string]any {
	f.t.Helper()
	text, err := json.Marshal(fields)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.done(send(f.t, f.url, f.tokens[who], method, "/api/v4"+path, "application/json", bytes.NewReader(text)))
}

// make posts as root and returns the id of what it made.
func (f *filler) make(path string, fields form) int {
	f.t.Helper()
	made := f.as("root", "POST", path, fields)
	id, _ := made["id"].(float64)
	return int(id)
}

// token makes a token and keeps it by a name; header is what it is sent in.
func (f *filler) token(name, header, path string, fields form) (made map[string]any) {
	f.t.Helper()
	made = f.as("root", "POST", path, fields)
	f.tokens[name] = credential{header, made["token"].(string)}
	return made
}

// publish puts a file of a package.
func (f *filler) publish(who, project, file, body string) {
	f.t.Helper()
	f.done(send(f.t, f.url, f.tokens[who], "PUT", "/api/v4/projects/"+url.PathEscape(project)+"/packages/generic/"+file, "", strings.NewReader(body)))
}

// console runs granary admin.
func (f *filler) console(args ...string) {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), f.binary, slices.Concat([]string{"admin"}, args, f.admin)...)
	cmd.Env = bare(f.environ...)
	if said, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("admin %q: %v\n%s", args, err, said)
	}
}

func (f *filler) user(name string, fields form) int {
	f.t.Helper()
	all := form{"username": name, "name": strings.ToUpper(name[:1]) + name[1:], "email": name + "@example.com", "force_random_password": true}
	maps.Copy(all, fields)
	id := f.make("/users", all)
	f.token(name, "Private-Token", fmt.Sprintf("/users/%d/personal_access_tokens", id), form{"name": name + "'s", "scopes": []string{"api"}})
	return id
}

const far = "2099-12-31" // when what ends in the fixture ends

// fill does it all. What it makes is found again by the requests of questions.
func (f *filler) fill(receiver string) {
	f.places()
	f.people()
	f.robots()
	f.packages()
	f.releases()
	f.settings(receiver)
	f.goners()
}

func (f *filler) places() {
	acme := f.make("/groups", form{"name": "Acme", "path": "acme", "visibility": "public", "description": "Tools and tests"})
	inner := f.make("/groups", form{"name": "Inner", "path": "inner", "parent_id": acme, "visibility": "private"})
	elsewhere := f.make("/groups", form{"name": "Elsewhere", "path": "elsewhere", "visibility": "private"})
	for _, p := range []form{
		{"name": "tools", "namespace_id": acme, "visibility": "public", "topics": []string{"go", "deb"}, "description": "Ünïcode \"quoted\" 'text' \\ and\nlines"},
		{"name": "secret", "namespace_id": inner, "visibility": "private", "default_branch": "trunk"},
		{"name": "theirs", "namespace_id": elsewhere, "visibility": "private"},
		{"name": "old name", "path": "old-name", "namespace_id": acme, "visibility": "internal"},
		{"name": "archived", "namespace_id": acme, "visibility": "public"},
		{"name": "last", "namespace_id": elsewhere, "visibility": "private"},
	} {
		f.make("/projects", p)
	}
	f.as("root", "PUT", "/projects/acme%2Fold-name", form{"path": "new-name", "name": "new name"})
	f.as("root", "PUT", "/groups/acme%2Finner", form{"path": "within"})
	f.as("root", "PUT", "/groups/elsewhere", form{"generic_duplicates_allowed": false, "generic_duplicate_exception_regex": ""})
	f.as("root", "PUT", "/groups/acme", form{"generic_duplicate_exception_regex": "once-[0-9]+"})
	f.as("root", "PUT", "/projects/acme%2Ftools", form{"generic_packages_max_file_size": 1 << 20})
	f.as("root", "POST", "/projects/acme%2Farchived/archive", nil)
	f.console("group", "create", "console", "--name", "By hand")
	f.console("project", "create", "console/made")
}

func (f *filler) people() {
	ada, bob := f.user("ada", nil), f.user("bob", form{"note": "left in May"})
	cy, dan := f.user("cy", form{"external": true, "projects_limit": 7}), f.user("dan", form{"can_create_group": false, "projects_limit": 0})
	eve, lea := f.user("eve", form{"admin": true}), f.user("lea", nil)
	f.as("root", "POST", fmt.Sprintf("/users/%d/block", bob), nil)
	f.as("eve", "POST", "/groups", form{"name": "Eve's", "path": "eves"})
	for path, members := range map[string][]form{
		"/groups/acme/members":              {{"user_id": ada, "access_level": 50}, {"user_id": bob, "access_level": 40}, {"user_id": lea, "access_level": 10}},
		"/groups/acme%2Fwithin/members":     {{"user_id": dan, "access_level": 20, "expires_at": far}},
		"/projects/acme%2Ftools/members":    {{"user_id": cy, "access_level": 30}, {"user_id": lea, "access_level": 40, "expires_at": far}},
		"/projects/acme%2Fnew-name/members": {{"user_id": dan, "access_level": 40}, {"user_id": cy, "access_level": 15}},
		"/groups/elsewhere/members":         {{"user_id": eve, "access_level": 50}},
	} {
		for _, m := range members {
			f.make(path, m)
		}
	}
	f.token("ada reads", "Private-Token", fmt.Sprintf("/users/%d/personal_access_tokens", ada), form{"name": "reads", "description": "", "scopes": []string{"read_api", "read_user"}, "expires_at": far})
	revoked := f.token("ada revoked", "Private-Token", fmt.Sprintf("/users/%d/personal_access_tokens", ada), form{"name": "gone", "scopes": []string{"api"}})
	f.as("root", "DELETE", fmt.Sprintf("/personal_access_tokens/%v", revoked["id"]), nil)
	rotated := f.token("ada before", "Private-Token", fmt.Sprintf("/users/%d/personal_access_tokens", ada), form{"name": "turns", "scopes": []string{"api"}, "expires_at": far})
	f.token("ada after", "Private-Token", fmt.Sprintf("/personal_access_tokens/%v/rotate", rotated["id"]), form{"expires_at": far})
	f.as("ada", "POST", "/projects", form{"name": "own"})
	f.console("member", "add", "console/made", "ada", "developer")
}

// robots are bots, deploy tokens and jobs. Each bot is a member of a second
// project and a second group, which builds until d872ad2 let be.
func (f *filler) robots() {
	project := f.token("project bot", "Private-Token", "/projects/acme%2Ftools/access_tokens", form{"name": "ci", "scopes": []string{"api"}, "access_level": 30, "expires_at": far})
	group := f.token("group bot", "Private-Token", "/groups/acme/access_tokens", form{"name": "group ci", "scopes": []string{"read_api"}, "access_level": 40, "expires_at": far})
	for _, bot := range []map[string]any{project, group} {
		f.make("/projects/elsewhere%2Ftheirs/members", form{"user_id": bot["user_id"], "access_level": 30})
		f.make("/groups/elsewhere/members", form{"user_id": bot["user_id"], "access_level": 20})
	}
	gone := f.token("dead bot", "Private-Token", "/projects/acme%2Ftools/access_tokens", form{"name": "dead", "scopes": []string{"api"}, "expires_at": far})
	f.as("root", "DELETE", fmt.Sprintf("/projects/acme%%2Ftools/access_tokens/%v", gone["id"]), nil)

	f.token("project deploy", "Deploy-Token", "/projects/acme%2Ftools/deploy_tokens", form{"name": "push", "username": "pusher", "scopes": []string{"read_package_registry", "write_package_registry"}})
	f.token("group deploy", "Deploy-Token", "/groups/acme/deploy_tokens", form{"name": "pull", "expires_at": far, "scopes": []string{"read_package_registry"}})
	dead := f.token("dead deploy", "Deploy-Token", "/projects/acme%2Ftools/deploy_tokens", form{"name": "dead", "scopes": []string{"read_package_registry"}})
	f.as("root", "DELETE", fmt.Sprintf("/projects/acme%%2Ftools/deploy_tokens/%v", dead["id"]), nil)

	f.tokens["job"] = credential{"Job-Token", f.as("ada", "POST", "/projects/acme%2Ftools/jobs", form{"name": "build", "timeout": 600, "ref": "main", "sha": strings.Repeat("ab", 20)})["token"].(string)}
	ended := f.as("root", "POST", "/projects/acme%2Ftools/jobs", form{"name": "test", "stage": "", "timeout": 600, "tag": true})
	f.tokens["ended job"] = credential{"Job-Token", ended["token"].(string)}
	f.as("root", "PUT", fmt.Sprintf("/projects/acme%%2Ftools/jobs/%v", ended["id"]), form{"status": "failed"})
	f.tokens["job elsewhere"] = credential{"Job-Token", f.as("root", "POST", "/projects/elsewhere%2Ftheirs/jobs", form{"timeout": 600})["token"].(string)}
}

func (f *filler) packages() {
	const tools, secret = "acme/tools", "acme/within/secret"
	large := strings.Repeat("0123456789abcdef\x00\xff", 200)
	f.publish("root", tools, "tool/1.0.0/tool.tar.gz", large)
	f.publish("root", tools, "tool/1.0.0/empty", "")
	f.publish("project deploy", tools, "tool/1.0.0/SHA256SUMS", "small\n")
	f.publish("project deploy", tools, "tool/1.0.1/nobody", "by no user")
	f.publish("job", tools, "tool/1.1.0/tool.tar.gz", "by a job")
	f.publish("job", tools, "tool/1.1.0/tool.tar.gz", "by a job, again")
	f.publish("project bot", tools, "Other.Name_9/2.0.0/file.txt?status=hidden", "hidden")
	f.publish("ada", secret, "kept/0.0.1/a", large) // the same bytes
	f.publish("root", secret, "kept/0.0.1/b", "b")
	f.publish("root", tools, "gone/1.0.0/gone", "gone, and waiting for the purge")
	f.publish("root", tools, "old/1.0.0/old", "old")
	f.as("root", "DELETE", fmt.Sprintf("/projects/acme%%2Ftools/packages/%d", f.packageID("gone")), nil)
	kept := f.list("/projects/acme%2Fwithin%2Fsecret/packages")[0]["id"]
	files := f.list(fmt.Sprintf("/projects/acme%%2Fwithin%%2Fsecret/packages/%v/package_files", kept))
	f.as("root", "DELETE", fmt.Sprintf("/projects/acme%%2Fwithin%%2Fsecret/packages/%v/package_files/%v", kept, files[1]["id"]), nil)
	f.make("/projects/acme%2Ftools/packages/protection/rules", form{"package_name_pattern": "safe-*", "package_type": "generic", "minimum_access_level_for_push": "maintainer", "minimum_access_level_for_delete": "owner"})
	f.make("/projects/acme%2Ftools/packages/protection/rules", form{"package_name_pattern": "other-*", "package_type": "generic", "minimum_access_level_for_delete": "admin"})
	f.done(send(f.t, f.url, f.tokens["ada"], "GET", "/api/v4/projects/acme%2Ftools/packages/generic/tool/1.0.0/tool.tar.gz", "", nil))
}

// list reads a page as root.
func (f *filler) list(path string) (rows []map[string]any) {
	f.t.Helper()
	resp, said := send(f.t, f.url, f.tokens["root"], "GET", "/api/v4"+path, "", nil)
	if err := json.Unmarshal(said, &rows); err != nil || resp.StatusCode != 200 {
		f.t.Fatalf("%s: %s %s", path, resp.Status, said)
	}
	return rows
}

// packageID is the id of a package of acme/tools.
func (f *filler) packageID(name string) int {
	f.t.Helper()
	rows := f.list("/projects/acme%2Ftools/packages?package_name=" + name)
	if len(rows) == 0 {
		f.t.Fatalf("no package %s", name)
	}
	return int(rows[0]["id"].(float64))
}

func (f *filler) releases() {
	f.make("/projects/acme%2Ftools/releases", form{
		"tag_name": "v1.0.0", "name": "One", "description": "**First** <b>one</b>\n", "ref": "main", "milestones": []string{"m1", "m 2"}, "released_at": "2026-01-02T03:04:05Z",
		"assets": form{"links": []form{
			{"name": "tool", "url": "https://example.com/tool", "direct_asset_path": "/bin/tool", "link_type": "package"},
			{"name": "notes", "url": "https://example.com/notes"},
		}},
	})
	f.make("/projects/acme%2Ftools/releases", form{"tag_name": "v1.1.0-rc/1", "ref": "abc"})
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile("file", "notes.txt")
	if err == nil {
		_, err = io.WriteString(part, "uploaded")
	}
	if err != nil || w.Close() != nil {
		f.t.Fatal(err)
	}
	f.done(send(f.t, f.url, f.tokens["cy"], "POST", "/api/v4/projects/acme%2Ftools/uploads", w.FormDataContentType(), &body))
}

func (f *filler) settings(receiver string) {
	for _, path := range []string{"/projects/acme%2Ftools/variables", "/groups/acme/variables"} {
		for _, v := range []form{
			{"key": "PLAIN", "value": "plain"},
			{"key": "PLAIN", "value": "in production", "environment_scope": "production/*"},
			{"key": "MASKED", "value": "masked-value", "masked": true, "protected": true, "description": "a word"},
			{"key": "HIDDEN", "value": "hidden-value", "masked_and_hidden": true},
			{"key": "FILE", "value": "line 1\nline 2\n", "variable_type": "file", "raw": true, "description": ""},
		} {
			f.make(path, v)
		}
	}
	f.as("root", "PUT", "/projects/acme%2Fwithin%2Fsecret", form{"generic_duplicates_allowed": false, "generic_duplicate_exception_regex": "^kept$", "package_registry_access_level": "public", "generic_package_naming": "relaxed"})

	f.as("root", "PATCH", "/projects/acme%2Ftools/job_token_scope", form{"enabled": true})
	f.as("root", "PATCH", "/projects/acme%2Fnew-name/job_token_scope", form{"enabled": false})
	f.make("/projects/acme%2Ftools/job_token_scope/allowlist", form{"target_project_id": f.id("/projects/acme%2Fnew-name")})
	f.make("/projects/acme%2Ftools/job_token_scope/groups_allowlist", form{"target_group_id": f.id("/groups/elsewhere")})

	for _, gate := range []form{
		{"value": true}, {"value": false, "project": "acme/archived"}, {"value": true, "project": "acme/within/secret"}, {"value": true, "user": "ada"}, {"value": false, "group": "console"}, {"value": 30, "key": "percentage_of_actors"},
	} {
		f.make("/features/generic_packages", gate)
	}
	f.make("/features/plain_flag", form{"value": true})
	f.make("/features/off_flag", form{"value": false})
	f.make("/features/unused_flag", form{"value": true, "group": "acme"})

	f.make("/projects/acme%2Ftools/hooks", form{
		"url": receiver, "token": "s3cret", "name": "receiver", "description": "takes all", "package_events": true, "push_events": false,
		"custom_headers": []form{{"key": "X-Fixture", "value": "hello"}},
	})
	f.make("/projects/acme%2Ftools/hooks", form{"url": "http://127.0.0.1:1/away", "package_events": true, "push_events": true, "enable_ssl_verification": false})
	f.publish("root", "acme/tools", "told/1.0.0/told", "told")
	eventually.Holds(f.t, "both hooks are told", func() bool {
		var told int
		for _, h := range f.list("/projects/acme%2Ftools/hooks") {
			told += min(1, len(f.list(fmt.Sprintf("/projects/acme%%2Ftools/hooks/%v/events", h["id"]))))
		}
		return told == 2
	})
}

// id is that of the group or project at a path.
func (f *filler) id(path string) int {
	f.t.Helper()
	return int(f.as("root", "GET", path, nil)["id"].(float64))
}

// goners are deleted, and wait for the purge.
func (f *filler) goners() {
	f.make("/groups", form{"name": "Doomed", "path": "doomed"})
	f.make("/projects", form{"name": "doomed", "namespace_id": f.id("/groups/acme")})
	f.publish("root", "acme/doomed", "doomed/1.0.0/doomed", "doomed")
	f.as("root", "DELETE", "/projects/acme%2Fdoomed", nil)
	f.as("root", "DELETE", "/groups/doomed", nil)
}
