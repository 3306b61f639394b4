package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/api"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/blob"
	"granary/internal/blob/disk"
	"granary/internal/metadb"
	"granary/internal/metadb/metadbtest"
	"granary/internal/metadb/metadbtest/fresh"
	"granary/internal/naming"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/releases"
	"granary/internal/trail"
	"granary/internal/webhooks"
)

// server is the whole API over a real database and a real disk, with an
// administrator "root" whose token is rootToken.
type server struct {
	t          *testing.T
	api        *api.Server
	url        string
	redirected bool   // to the store, where an answer says so, as curl --location without its own headers
	file       string // of the database
	db         *metadb.DB
	registry   *registry.Registry
	users      *auth.Service
	hooks      *webhooks.Service
	now        func() time.Time
	skew       time.Duration
}

const rootToken = "test-root-token-0123456789"

// clientAddress is where all requests come from, as far as the server can tell.
const clientAddress = "192.0.2.7"

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && allTestsRan() {
		for _, problem := range described().unseen() {
			fmt.Fprintln(os.Stderr, problem)
			code = 1
		}
	}
	os.Exit(code)
}

func newServer(t *testing.T) *server {
	t.Helper()
	blobs, err := disk.Open(filepath.Join(metadbtest.Memory(t), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	return newServerOn(t, blobs)
}

func newServerOn(t *testing.T, blobs blob.Store) *server {
	t.Helper()
	ctx := context.Background()
	db, file := fresh.Database(t)
	if err := db.UseKey(ctx, [metadb.KeySize]byte{1}); err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, db: db, file: file}
	s.now = func() time.Time { return time.Now().Add(s.skew) }
	rules := access.Rules{GuestsReadPackages: true, AnyonePulls: true}
	places := &projects.Service{Records: db, Rules: rules, Now: s.now}
	users := &auth.Service{Records: db, Places: places, Rules: rules, Now: s.now}
	s.registry = &registry.Registry{
		Records: db, Groups: places, Blobs: blobs, Rules: rules, Naming: naming.Strict,
		MaxFileSize: 1 << 20, InlineMax: 4 << 10, Now: s.now,
	}
	root, err := users.NewUser(ctx, audit.Author{}, auth.User{Username: "root", Name: "Administrator", Email: "root@example.com", Admin: true, CanCreateGroup: true, ProjectsLimit: 100})
	if err != nil {
		t.Fatal(err)
	}
	_, err = users.NewPersonalToken(ctx, audit.Author{}, auth.PersonalToken{UserID: root.ID, Name: "root", Scopes: []access.Scope{access.ScopeAPI, access.ScopeSudo}}, rootToken)
	if err != nil {
		t.Fatal(err)
	}
	s.hooks = &webhooks.Service{Records: db, Places: places, Now: s.now}
	s.api = &api.Server{
		Auth: users, Projects: places, Registry: s.registry, Hooks: s.hooks, Version: "test",
		Releases: &releases.Service{Store: db, Places: places, Now: s.now},
		Audit:    &trail.Service{Store: db, Places: places, Rules: rules, Now: s.now},
		ClientIP: func(context.Context) netip.Addr { return netip.MustParseAddr(clientAddress) },
		Note:     func(_ context.Context, err error) { t.Logf("5xx: %v", err) },
	}
	s.users = users
	web := httptest.NewServer(watch(t, s.api))
	t.Cleanup(web.Close)
	s.url = web.URL
	return s
}

// answer is what came back.
type answer struct {
	*http.Response
	body string
}

// do sends a request; header holds "Name: value" lines.
func (s *server) do(method, path string, body io.Reader, header ...string) answer {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	if s.redirected && resp.StatusCode == http.StatusFound {
		if resp, err = http.Get(resp.Header.Get("Location")); err != nil {
			s.t.Fatalf("%s %s: %v", method, path, err)
		}
		defer resp.Body.Close()
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{resp, string(text)}
}

// as is a request with a personal access token.
func (s *server) as(token, method, path string, body any) answer {
	s.t.Helper()
	header := []string{"PRIVATE-TOKEN: " + token}
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case []byte:
		reader = bytes.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			s.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
		header = append(header, "Content-Type: application/json")
	}
	return s.do(method, path, reader, header...)
}

func (s *server) root(method, path string, body any) answer {
	s.t.Helper()
	return s.as(rootToken, method, path, body)
}

// must fails the test unless the status is as expected, and reads the body.
func (a answer) must(t *testing.T, status int) map[string]any {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("%s %s: %d %s, want %d", a.Request.Method, a.Request.URL, a.StatusCode, a.body, status)
	}
	var object map[string]any
	if strings.HasPrefix(a.body, "{") {
		if err := json.Unmarshal([]byte(a.body), &object); err != nil {
			t.Fatalf("%s: %v", a.body, err)
		}
	}
	return object
}

// is checks status and exact body.
func (a answer) is(t *testing.T, status int, body string) {
	t.Helper()
	if a.StatusCode != status || a.body != body {
		t.Errorf("%s %s:\n got %d %s\nwant %d %s", a.Request.Method, a.Request.URL, a.StatusCode, a.body, status, body)
	}
}

// project makes a project of root's and returns its full path, escaped.
func (s *server) project(name, visibility string) string {
	s.t.Helper()
	s.root("POST", "/api/v4/projects", map[string]any{"name": name, "visibility": visibility}).must(s.t, 201)
	return url.PathEscape("root/" + name)
}

// user makes a user with an api token.
func (s *server) user(name string, attributes ...string) (id int64, token string) {
	s.t.Helper()
	form := map[string]any{"username": name, "name": name, "email": name + "@example.com", "force_random_password": true}
	for _, a := range attributes {
		form[a] = true
	}
	id = int64(s.root("POST", "/api/v4/users", form).must(s.t, 201)["id"].(float64))
	return id, s.token(id, "api")
}

func (s *server) token(userID int64, scopes ...string) string {
	s.t.Helper()
	made := s.root("POST", "/api/v4/users/"+itoa(userID)+"/personal_access_tokens", map[string]any{"name": "t", "scopes": scopes}).must(s.t, 201)
	return made["token"].(string)
}

// member gives a user a role in a project.
func (s *server) member(project string, userID int64, level int) {
	s.t.Helper()
	s.root("POST", "/api/v4/projects/"+project+"/members", map[string]any{"user_id": userID, "access_level": level}).must(s.t, 201)
}

// count is how many rows a table has.
func (s *server) count(table string) int {
	s.t.Helper()
	return ask[int](s, "SELECT COUNT(*) FROM "+table)
}

// basic is the header of Basic credentials.
func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// unsized is a body whose length is not declared: it goes out in chunks.
func unsized(text string) io.Reader { return struct{ io.Reader }{strings.NewReader(text)} }
