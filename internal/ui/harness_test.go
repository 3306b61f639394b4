package ui_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/api"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/blob/disk"
	"granary/internal/metadb"
	"granary/internal/metadb/metadbtest"
	"granary/internal/metadb/metadbtest/fresh"
	"granary/internal/naming"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/releases"
	"granary/internal/throttle"
	"granary/internal/trail"
	"granary/internal/ui"
	"granary/internal/webhooks"
)

// site is a server with its pages behind the API, as the daemon puts them together.
type site struct {
	t        *testing.T
	url      string
	db       *metadb.DB
	store    string // the folder of the bytes
	now      func() time.Time
	skew     time.Duration
	pages    *ui.Server
	users    *auth.Service
	places   *projects.Service
	registry *registry.Registry
	releases *releases.Service
	hooks    *webhooks.Service
	people   map[string]auth.User
	secrets  map[string]bool // of the tokens that are made
}

// instance is a process whose parts all work.
type instance struct{}

func (instance) Tasks() []ui.Task { return []ui.Task{{Name: "sweep", Last: time.Now()}} }
func (instance) Health(context.Context) []ui.Part {
	return []ui.Part{{Name: "database", Healthy: true}}
}
func (instance) Nodes(context.Context) ([]ui.Node, error) {
	return []ui.Node{{ID: "here", Version: "test"}}, nil
}
func (instance) Settings() []ui.Setting {
	return []ui.Setting{{Name: "listen", Value: "127.0.0.1:8080", From: "default"}, {Name: "root-token", Secret: true, From: "GRANARY_ROOT_TOKEN"}}
}

func newSite(t *testing.T) *site {
	t.Helper()
	db, _ := fresh.Database(t)
	return siteOn(t, db, filepath.Join(metadbtest.Memory(t), "blobs"))
}

// siteOn is a site on a database and a folder for the bytes.
func siteOn(t *testing.T, db *metadb.DB, store string) *site {
	t.Helper()
	blobs, err := disk.Open(store)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.UseKey(t.Context(), [metadb.KeySize]byte{1}); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, db: db, store: store, people: map[string]auth.User{}, secrets: map[string]bool{}}
	s.now = func() time.Time { return time.Now().Add(s.skew) }
	rules := access.Rules{GuestsReadPackages: true, AnyonePulls: true}
	s.places = &projects.Service{Records: db, Rules: rules, Now: s.now}
	s.users = &auth.Service{Records: db, Places: s.places, Rules: rules, Now: s.now, Logins: throttle.NewLogins(s.now)}
	s.registry = &registry.Registry{
		Records: db, Groups: s.places, Blobs: blobs, Rules: rules, Naming: naming.Relaxed, MaxFileSize: 1 << 20, InlineMax: 4 << 10, Now: s.now,
	}
	s.releases = &releases.Service{Store: db, Places: s.places, Now: s.now}
	s.hooks = &webhooks.Service{Records: db, Places: s.places, Now: s.now}
	trail := &trail.Service{Store: db, Places: s.places, Rules: rules, Now: s.now}
	from := func(context.Context) netip.Addr { return netip.MustParseAddr("203.0.113.7") }
	note := func(_ context.Context, err error) { t.Logf("5xx: %v", err) }
	door := &api.Server{
		Auth: s.users, Projects: s.places, Registry: s.registry, Releases: s.releases, Audit: trail, Hooks: s.hooks, Version: "test", ClientIP: from, Note: note,
	}
	s.pages = &ui.Server{
		Auth: s.users, Projects: s.places, Registry: s.registry, Releases: s.releases, Audit: trail, Hooks: s.hooks,
		Instance: instance{}, Version: "test", Now: s.now, Base: door.Base, Note: note, ClientIP: from,
	}
	if door.Pages, err = s.pages.Handler(); err != nil {
		t.Fatal(err)
	}
	door.Session = s.pages.Session
	handler := door.Handler()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(metadb.WithRequest(r.Context()))) // as the daemon does
	}))
	t.Cleanup(web.Close)
	s.url = web.URL
	return s
}

// person makes a user, once.
func (s *site) person(name string) auth.User {
	s.t.Helper()
	if u, known := s.people[name]; known {
		return u
	}
	u, err := s.users.NewUser(s.t.Context(), audit.Author{}, auth.User{
		Username: name, Name: strings.ToUpper(name[:1]) + name[1:] + " Person", Email: name + "@example.com",
		Admin: name == "admin", CanCreateGroup: true, ProjectsLimit: 100,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.people[name] = u
	return u
}

// actor is a user with all scopes.
func (s *site) actor(name string) access.Actor {
	s.t.Helper()
	u := s.person(name)
	return access.Actor{Kind: access.User, UserID: u.ID, Username: u.Username, Name: u.Name, Admin: u.Admin, MayGroup: true, Scopes: []access.Scope{access.ScopeAPI}}
}

// token is a personal access token of a user, the same for the same scopes.
func (s *site) token(name string, scopes ...access.Scope) string {
	s.t.Helper()
	u := s.person(name)
	secret := "gnpat-" + name + strings.Repeat("0", 20)
	for _, scope := range scopes {
		secret += string(scope)
	}
	if s.secrets[secret] {
		return secret
	}
	s.secrets[secret] = true
	if _, err := s.users.NewPersonalToken(s.t.Context(), audit.Author{}, auth.PersonalToken{UserID: u.ID, Name: "of " + name, Scopes: scopes}, secret); err != nil {
		s.t.Fatal(err)
	}
	return secret
}

// browser is a browser, of a person or of nobody.
type browser struct {
	s *site
	*http.Client
}

// nobody is a browser in which nobody is signed in. It follows no redirect.
func (s *site) nobody() *browser {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{s, &http.Client{Jar: insecure{jar}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// insecure keeps cookies that browsers keep on loopback, and Go's jar would not.
type insecure struct{ *cookiejar.Jar }

func (j insecure) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.Jar.SetCookies(secure(u), cookies)
}
func (j insecure) Cookies(u *url.URL) []*http.Cookie { return j.Jar.Cookies(secure(u)) }

func secure(u *url.URL) *url.URL {
	other := *u
	other.Scheme = "https"
	return &other
}

// as is a browser in which a person is signed in by a token of the scopes, api without any.
func (s *site) as(name string, scopes ...access.Scope) *browser {
	s.t.Helper()
	if len(scopes) == 0 {
		scopes = []access.Scope{access.ScopeAPI}
	}
	b := s.nobody()
	if got := b.post("/-/sign_in", "token", s.token(name, scopes...)); got.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("%s is not signed in: %d %s", name, got.StatusCode, got.body)
	}
	return b
}

// answer is what came back.
type answer struct {
	*http.Response
	body string
}

func (b *browser) do(method, path, contentType, body string) answer {
	b.s.t.Helper()
	req, err := http.NewRequestWithContext(b.s.t.Context(), method, b.s.url+path, strings.NewReader(body))
	if err != nil {
		b.s.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := b.Do(req)
	if err != nil {
		b.s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.s.t.Fatal(err)
	}
	return answer{resp, string(text)}
}

func (b *browser) get(path string) answer {
	b.s.t.Helper()
	return b.do(http.MethodGet, path, "", "")
}

// post sends a form of pairs of field and value.
func (b *browser) post(path string, fields ...string) answer {
	b.s.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.do(http.MethodPost, path, "application/x-www-form-urlencoded", form.Encode())
}

// wants checks the status, and texts of the page.
func (a answer) wants(t *testing.T, status int, texts ...string) answer {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s %s: %d, want %d: %.600s", a.Request.Method, a.Request.URL, a.StatusCode, status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s %s: no %q in %.1500s", a.Request.Method, a.Request.URL, text, a.body)
		}
	}
	return a
}

// leads checks a redirect.
func (a answer) leads(t *testing.T, to string) {
	t.Helper()
	a.wants(t, http.StatusSeeOther)
	if got := a.Header.Get("Location"); got != to {
		t.Errorf("%s %s leads to %q, want %q", a.Request.Method, a.Request.URL, got, to)
	}
}

// publish puts a file as the administrator.
func (s *site) publish(project, name, version, file, body string) {
	s.t.Helper()
	if _, err := s.registry.Publish(s.t.Context(), s.actor("admin"), project, registry.Raw{Name: name, Version: version, File: file}, strings.NewReader(body), registry.PublishOptions{Length: int64(len(body))}); err != nil {
		s.t.Fatal(err)
	}
}

// acme makes the private group acme and its project tools with a package, and a member of
// each role.
func (s *site) acme() (groupID, projectID int64) {
	s.t.Helper()
	ctx, admin := s.t.Context(), s.actor("admin")
	g, err := s.places.CreateGroup(ctx, admin, projects.Group{Name: "acme", Path: "acme"})
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := s.places.CreateProject(ctx, admin, g.ID, projects.Project{Name: "tools", Path: "tools", PackageAccess: access.PackagesEnabled, Description: "Command-line tools"})
	if err != nil {
		s.t.Fatal(err)
	}
	for name, role := range map[string]access.Role{
		"guest": access.Guest, "reporter": access.Reporter, "developer": access.Developer, "maintainer": access.Maintainer, "owner": access.Owner,
	} {
		if _, err := s.places.GroupMembers().Add(ctx, admin, "acme", projects.Member{UserID: s.person(name).ID, Role: role}); err != nil {
			s.t.Fatal(err)
		}
	}
	s.publish("acme/tools", "sonde", "1.0.0", "sonde_linux_amd64.tar.gz", "bytes of 1.0.0")
	s.publish("acme/tools", "sonde", "1.0.0", "README.md", "# Sonde\n\nIt asks.")
	s.publish("acme/tools", "sonde", "1.1.0", "sonde_linux_amd64.tar.gz", "bytes of 1.1.0")
	if _, err := s.releases.Create(ctx, admin, "acme/tools", releases.Release{Tag: "v1.0.0", Name: "First", Description: "What is **new**"}, nil); err != nil {
		s.t.Fatal(err)
	}
	return g.ID, p.ID
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
