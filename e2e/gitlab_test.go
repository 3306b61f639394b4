package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// gitlab answers as the contract says GitLab does, and has nothing of granary:
// no ETag, no tags on variables, no digest of a body looked at, no jobs to be
// made. It is written from contract/generic-packages.md and rest-api.md, and
// shares no code with the product. The account behind every token is a
// maintainer of group/project, which is project 7.
type gitlab struct {
	protect  bool // one rule: release* takes an owner to push
	unique   bool // refuses a name that is taken, as a group may want it
	chatty   bool // says something after the list of all packages
	old      bool // as before 18: no select, no digest in headers
	object   *httptest.Server
	mu       sync.Mutex
	nextID   int
	packages []*glPackage
	vars     map[string]string
	throttle int // answers of 429 to come
	puts     int
	drafts   int // requests about drafts, which GitLab must never get
}

type glPackage struct {
	ID      int    `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Type    string `json:"package_type"`
	Status  string `json:"status"`
	Links   any    `json:"_links"`
	Created string `json:"created_at"`
	Tags    []any  `json:"tags"`
	files   []*glFile
}

type glFile struct {
	ID        int     `json:"id"`
	PackageID int     `json:"package_id"`
	Created   string  `json:"created_at"`
	Name      string  `json:"file_name"`
	Size      int     `json:"size"`
	MD5       *string `json:"file_md5"`
	SHA1      *string `json:"file_sha1"`
	SHA256    string  `json:"file_sha256"`
	data      []byte
}

const glTime = "2026-03-04T09:15:22.418Z"

// startGitlab is the command `gitlab [old] [objects] [throttle] [protect] [unique] [chatty]`:
// it sets $URL and what the client reads. A request with status=draft fails the script.
func startGitlab(ts *testscript.TestScript, neg bool, args []string) {
	g := &gitlab{old: slices.Contains(args, "old"), protect: slices.Contains(args, "protect"), vars: map[string]string{}}
	if slices.Contains(args, "throttle") {
		g.throttle = 3
	}
	g.chatty, g.unique = slices.Contains(args, "chatty"), slices.Contains(args, "unique")
	if slices.Contains(args, "objects") {
		g.object = httptest.NewServer(http.HandlerFunc(g.serveObject))
		ts.Defer(g.object.Close)
	}
	s := httptest.NewServer(g.handler())
	ts.Defer(func() {
		s.Close()
		if g.drafts > 0 {
			panic(fmt.Sprintf("%d requests with status=draft reached a server that has no drafts", g.drafts))
		}
	})
	ts.Setenv("URL", s.URL)
	ts.Setenv("GRANARY_SERVER", s.URL)
	ts.Setenv("GRANARY_TOKEN", "glpat-e2e-secret")
	ts.Setenv("P", "group/project")
}

func (g *gitlab) handler() http.Handler {
	mux := http.NewServeMux()
	const project = "/api/v4/projects/{id}"
	const generic = project + "/packages/generic/{name}/{version}/{file...}"
	for pattern, h := range map[string]http.HandlerFunc{
		"PUT " + generic: g.put, "GET " + generic: g.get,
		"GET " + project:                                                 g.project,
		"GET " + project + "/packages":                                   g.listPackages,
		"GET " + project + "/packages/protection/rules":                  g.listRules,
		"GET " + project + "/members/all/{user}":                         g.member,
		"DELETE " + project + "/packages/{package}":                      g.deletePackage,
		"GET " + project + "/packages/{package}/package_files":           g.listFiles,
		"DELETE " + project + "/packages/{package}/package_files/{file}": g.deleteFile,
		"GET " + project + "/variables/{key}":                            g.getVariable,
		"PUT " + project + "/variables/{key}":                            g.putVariable,
		"POST " + project + "/variables":                                 g.postVariable,
		"GET /api/v4/user":                                               g.user,
		"GET /api/v4/metadata":                                           g.metadata,
		"GET /api/v4/personal_access_tokens/self":                        g.token,
	} {
		mux.HandleFunc(pattern, h)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answer(w, 404, `{"error":"404 Not Found"}`) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		busy := g.throttle > 0
		g.throttle--
		g.mu.Unlock()
		switch {
		case busy:
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(429)
			fmt.Fprintln(w, "Retry later")
		case r.Header.Get("Private-Token") != "glpat-e2e-secret" && r.Header.Get("Job-Token") != "glcbt-e2e-secret":
			answer(w, 401, `{"message":"401 Unauthorized"}`)
		case r.URL.Query().Get("status") == "draft" && !g.noteDraft():
			answer(w, 400, `{"error":"status does not have a valid value"}`)
		case g.chatty && strings.HasSuffix(r.URL.Path, "/packages") && r.URL.Query().Get("package_name") == "":
			answerAndMore(w, r, mux)
		default:
			w.Header().Set("X-Frame-Options", "SAMEORIGIN")
			mux.ServeHTTP(w, r)
		}
	})
}

// noteDraft counts a request with status=draft, and reports whether the server ignores the
// parameter: an old one publishes what it gets.
func (g *gitlab) noteDraft() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drafts++
	return g.old
}

// answerAndMore writes a second answer behind that of a handler. A request that comes
// over this connection at the same moment would take it for its own: it is for the last
// request of a command.
func answerAndMore(w http.ResponseWriter, r *http.Request, h http.Handler) {
	recorded := httptest.NewRecorder()
	h.ServeHTTP(recorded, r)
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	said := recorded.Result()
	said.ContentLength = int64(recorded.Body.Len())
	var text bytes.Buffer
	if err := said.Write(&text); err != nil {
		panic(err)
	}
	_, _ = conn.Write(append(text.Bytes(), "HTTP/1.1 500 Internal Server Error\r\n\r\n"...)) // in one piece
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func show(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Etag", `W/"of the answer"`) // as GitLab's JSON has
	answer(w, status, string(text))
}

// visible answers 404 for any other project.
func visible(w http.ResponseWriter, r *http.Request) bool {
	if id := r.PathValue("id"); id == "7" || id == "group/project" {
		return true
	}
	answer(w, 404, `{"message":"404 Project Not Found"}`)
	return false
}

// stored is how a file's name is kept: with directories, encoded as one word.
func stored(r *http.Request) string {
	name := r.PathValue("file")
	if strings.Contains(name, "/") {
		name = strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
	}
	return name
}

func (g *gitlab) find(name, version string) *glPackage {
	for _, p := range g.packages {
		if p.Name == name && p.Version == version {
			return p
		}
	}
	return nil
}

func (g *gitlab) put(w http.ResponseWriter, r *http.Request) {
	if !visible(w, r) {
		return
	}
	if !named(w, r) {
		return
	}
	if g.protect && strings.HasPrefix(strings.ToLower(r.PathValue("name")), "release") {
		answer(w, 403, `{"message":"403 Forbidden - Package protected."}`)
		return
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		answer(w, 400, `{"error":"file is invalid"}`)
		return
	}
	sum := sha256.Sum256(data)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.puts++
	p := g.find(r.PathValue("name"), r.PathValue("version"))
	if p == nil {
		g.nextID++
		p = &glPackage{ID: g.nextID, Name: r.PathValue("name"), Version: r.PathValue("version"), Type: "generic", Status: "default",
			Links: map[string]string{"web_path": fmt.Sprintf("/group/project/-/packages/%d", g.nextID)}, Created: glTime, Tags: []any{}}
		g.packages = append(g.packages, p)
	}
	if g.unique && slices.ContainsFunc(p.files, func(f *glFile) bool { return f.Name == stored(r) }) {
		answer(w, 400, `{"message":"400 Bad request - Duplicate package is not allowed"}`)
		return
	}
	g.nextID++
	f := &glFile{ID: g.nextID, PackageID: p.ID, Created: glTime, Name: stored(r), Size: len(data), SHA256: hex.EncodeToString(sum[:]), data: data}
	p.files = append(p.files, f)
	if r.URL.Query().Get("select") == "package_file" && !g.old {
		show(w, 200, map[string]any{"id": f.ID, "package_id": p.ID, "size": f.Size, "file_name": f.Name, "file_sha256": f.SHA256,
			"file_md5": nil, "file": map[string]string{"url": "/6b/86/" + f.SHA256 + "/file"}, "created_at": glTime})
		return
	}
	answer(w, 201, `{"message":"201 Created"}`)
}

// named answers 400 for a name that is none, before anything is looked for.
func named(w http.ResponseWriter, r *http.Request) bool {
	if strings.Contains(r.PathValue("file"), " ") {
		answer(w, 400, `{"error":"file_name is invalid"}`)
		return false
	}
	return true
}

func (g *gitlab) get(w http.ResponseWriter, r *http.Request) {
	if !visible(w, r) || !named(w, r) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.find(r.PathValue("name"), r.PathValue("version"))
	for i := 0; p != nil && i < len(p.files); i++ {
		f := p.files[len(p.files)-1-i] // the newest
		if f.Name != stored(r) {
			continue
		}
		if g.object != nil {
			http.Redirect(w, r, fmt.Sprintf("%s/%d/%d?X-Amz-Signature=abc", g.object.URL, p.ID, f.ID), http.StatusFound)
			return
		}
		if !g.old {
			w.Header().Set("X-Checksum-SHA256", f.SHA256)
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", time.Unix(1e9, 0), bytes.NewReader(f.data))
		return
	}
	answer(w, 404, `{"message":"404 Not found"}`)
}

// serveObject is the object store behind, which takes no credentials.
func (g *gitlab) serveObject(w http.ResponseWriter, r *http.Request) {
	for name, values := range r.Header {
		if strings.Contains(strings.Join(values, " "), "secret") {
			http.Error(w, "only one auth mechanism allowed, and here is "+name, http.StatusBadRequest)
			return
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.packages {
		for _, f := range p.files {
			if r.URL.Path == fmt.Sprintf("/%d/%d", p.ID, f.ID) {
				w.Header().Set("ETag", `"`+strconv.Itoa(f.ID)+`"`)
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.data))
				return
			}
		}
	}
	http.NotFound(w, r)
}

// page cuts a list as GitLab does, whose Link names the configured host.
func page[T any](w http.ResponseWriter, r *http.Request, rows []T) {
	number, size := 1, 20
	if n, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil {
		number = n
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("per_page")); err == nil {
		size = min(n, 100)
	}
	from := min((number-1)*size, len(rows))
	to := min(from+size, len(rows))
	h := w.Header()
	h.Set("X-Page", strconv.Itoa(number))
	h.Set("X-Per-Page", strconv.Itoa(size))
	h.Set("X-Next-Page", "")
	if to < len(rows) {
		h.Set("X-Next-Page", strconv.Itoa(number+1))
		h.Set("Link", fmt.Sprintf(`<https://gitlab.invalid/api/v4/?page=%d>; rel="next"`, number+1))
	}
	show(w, 200, append([]T{}, rows[from:to]...))
}

func (g *gitlab) listPackages(w http.ResponseWriter, r *http.Request) {
	if !visible(w, r) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	q := r.URL.Query()
	var rows []*glPackage
	for _, p := range g.packages {
		if strings.Contains(p.Name, q.Get("package_name")) && (!q.Has("package_version") || p.Version == q.Get("package_version")) {
			rows = append(rows, p)
		}
	}
	page(w, r, rows)
}

// byID is the package that a path names, nil after an answer.
func (g *gitlab) byID(w http.ResponseWriter, r *http.Request) *glPackage {
	if !visible(w, r) {
		return nil
	}
	for _, p := range g.packages {
		if strconv.Itoa(p.ID) == r.PathValue("package") {
			return p
		}
	}
	answer(w, 404, `{"message":"404 Not Found"}`)
	return nil
}

func (g *gitlab) listFiles(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.byID(w, r); p != nil {
		page(w, r, p.files)
	}
}

func (g *gitlab) deletePackage(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.byID(w, r); p != nil {
		g.packages = slices.DeleteFunc(g.packages, func(q *glPackage) bool { return q == p })
		w.WriteHeader(204)
	}
}

func (g *gitlab) deleteFile(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.byID(w, r); p != nil {
		p.files = slices.DeleteFunc(p.files, func(f *glFile) bool { return strconv.Itoa(f.ID) == r.PathValue("file") })
		w.WriteHeader(204)
	}
}

func (g *gitlab) variable(w http.ResponseWriter, status int, key string) {
	show(w, status, map[string]any{"variable_type": "env_var", "key": key, "value": g.vars[key], "hidden": false, "protected": false,
		"masked": false, "raw": false, "environment_scope": "*", "description": nil})
}

func (g *gitlab) getVariable(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.vars[r.PathValue("key")]; !ok {
		answer(w, 404, `{"message":"404 Variable Not Found"}`)
		return
	}
	g.variable(w, 200, r.PathValue("key"))
}

func (g *gitlab) putVariable(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.vars[r.PathValue("key")]; !ok {
		answer(w, 404, `{"message":"404 Variable Not Found"}`)
		return
	}
	g.vars[r.PathValue("key")] = r.FormValue("value")
	g.variable(w, 200, r.PathValue("key"))
}

func (g *gitlab) postVariable(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.vars[r.FormValue("key")]; ok {
		answer(w, 400, `{"message":{"key":["(`+r.FormValue("key")+`) has already been taken"]}}`)
		return
	}
	g.vars[r.FormValue("key")] = r.FormValue("value")
	g.variable(w, 201, r.FormValue("key"))
}

func (g *gitlab) project(w http.ResponseWriter, r *http.Request) {
	if visible(w, r) {
		show(w, 200, map[string]any{"id": 7, "name": "project", "path": "project", "path_with_namespace": "group/project",
			"default_branch": "main", "web_url": "https://gitlab.invalid/group/project", "namespace": map[string]any{"full_path": "group"},
			"permissions": map[string]any{"project_access": nil, "group_access": map[string]int{"access_level": 40, "notification_level": 3}}})
	}
}

// listRules has a rule of another type, too; the list has no pages.
func (g *gitlab) listRules(w http.ResponseWriter, r *http.Request) {
	rules := []any{}
	if g.protect {
		rules = append(rules, map[string]any{"id": 1, "project_id": 7, "package_name_pattern": "*", "package_type": "npm",
			"minimum_access_level_for_push": "owner", "minimum_access_level_for_delete": nil},
			map[string]any{"id": 2, "project_id": 7, "package_name_pattern": "release*", "package_type": "generic",
				"minimum_access_level_for_push": "owner", "minimum_access_level_for_delete": "owner"})
	}
	if visible(w, r) {
		show(w, 200, rules)
	}
}

func (g *gitlab) member(w http.ResponseWriter, r *http.Request) {
	if !visible(w, r) {
		return
	}
	if r.PathValue("user") != "3" {
		answer(w, 404, `{"message":"404 Not found"}`)
		return
	}
	show(w, 200, map[string]any{"id": 3, "username": "ann", "name": "Ann", "state": "active", "access_level": 40, "created_at": glTime, "expires_at": nil})
}

func (g *gitlab) user(w http.ResponseWriter, _ *http.Request) {
	show(w, 200, map[string]any{"id": 3, "username": "ann", "name": "Ann", "state": "active", "created_at": glTime})
}

func (g *gitlab) metadata(w http.ResponseWriter, _ *http.Request) {
	show(w, 200, map[string]any{"version": "18.4.0", "revision": "abc1234", "enterprise": true, "kas": map[string]any{"enabled": false}})
}

func (g *gitlab) token(w http.ResponseWriter, _ *http.Request) {
	show(w, 200, map[string]any{"id": 1, "name": "laptop", "scopes": []string{"api"}, "expires_at": "2027-01-31", "active": true, "created_at": glTime})
}
