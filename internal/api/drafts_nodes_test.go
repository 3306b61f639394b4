package api_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/httpd"
	"granary/internal/metadb"
	"granary/internal/metadb/metadbtest"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// cluster is the nodes of one database: three on PostgreSQL, one on SQLite. A client
// asks any of them.
type cluster struct {
	*server
	nodes   []*server
	http    *http.Client
	project string
	name    string             // of the package of a history
	known   map[string]listing // by the digest of the manifest
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	s := newServer(t)
	c := &cluster{server: s, nodes: []*server{s}, known: map[string]listing{}}
	c.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * draftClients}}
	t.Cleanup(c.http.CloseIdleConnections)
	for metadbtest.Wanted() && len(c.nodes) < 3 {
		c.nodes = append(c.nodes, s.another())
	}
	for _, n := range c.nodes {
		n.plain()
	}
	for a := range content(len(contents())) {
		for b := range content(len(contents())) {
			c.known[sha256Hex(listing{a, b}.manifest())] = listing{a, b}
		}
	}
	return c
}

// another is one more node: a connection of its own to the database, and its caches.
func (s *server) another() *server {
	s.t.Helper()
	db, err := metadb.OpenPostgres(s.t.Context(), s.file, sqldb.Options{MaxConnections: 8})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = db.Close() })
	if err := db.UseKey(s.t.Context(), [metadb.KeySize]byte{1}); err != nil {
		s.t.Fatal(err)
	}
	first, other, door := s.registry, *s, *s.api
	places := &projects.Service{Records: db, Rules: first.Rules, Now: s.now}
	users := &auth.Service{Records: db, Places: places, Rules: first.Rules, Now: s.now}
	packages := &registry.Registry{
		Records: db, Groups: places, Blobs: first.Blobs, Rules: first.Rules, Naming: first.Naming,
		MaxFileSize: first.MaxFileSize, InlineMax: first.InlineMax, Now: s.now,
	}
	door.Projects, door.Auth, door.Registry = places, users, packages
	other.db, other.users, other.registry, other.api = db, users, packages, &door
	return &other
}

// plain serves without the look at each answer, which would take most of the time.
func (s *server) plain() {
	s.api.OnParam(nil)
	web := httptest.NewServer(httpd.Chain(s.api.Handler(), httpd.Options{
		Log: slog.New(slog.DiscardHandler), TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}))
	s.t.Cleanup(web.Close)
	s.url = web.URL
}

// do is one deed at a node of the client's choice. Only what the model knows is in the
// outcome: what it does not know, such as a 500, cannot be right.
func (c *cluster) do(client int, version string, d draftDeed) draftOutcome {
	node := c.nodes[rand.IntN(len(c.nodes))]
	at := "/api/v4/projects/" + c.project + "/packages/generic/" + c.name + "/" + version
	file := at + "/" + paths()[d.path]
	switch d.what {
	case "put":
		return c.ask(node, "PUT", file, contents()[d.content])
	case "draft put":
		return c.ask(node, "PUT", file+"?status=draft", contents()[d.content])
	case "get":
		return c.ask(node, "GET", file, "")
	case "draft get":
		return c.ask(node, "GET", file+"?status=draft", "")
	case "finalise":
		if d.expect == (listing{}) {
			return c.ask(node, "POST", at, "")
		}
		if client%2 == 0 {
			return c.ask(node, "POST", at+"?manifest_sha256="+sha256Hex(d.expect.manifest()), "")
		}
		return c.ask(node, "POST", at, d.expect.manifest(), "Content-Type: text/plain")
	case "discard":
		return c.ask(node, "DELETE", at+"?status=draft", "")
	case "delete":
		return c.ask(node, "DELETE", at, "")
	case "expire":
		return c.expire(node, version)
	case "look":
		return c.look(node, at)
	}
	panic(d.what)
}

func (c *cluster) ask(node *server, method, path, body string, header ...string) draftOutcome {
	status, text := c.call(node, method, path, body, header...)
	o := draftOutcome{status: status}
	if method == "GET" && status == http.StatusOK {
		o.content = content(slices.Index(contents(), text))
	}
	return o
}

// call repeats what was answered with 503, which changes nothing: a PUT that met another
// state of the version each time it looked.
func (c *cluster) call(node *server, method, path, body string, header ...string) (status int, text string) {
	for range 20 {
		if status, text = c.once(node, method, path, body, header...); status != http.StatusServiceUnavailable {
			break
		}
	}
	if status >= 500 {
		c.t.Errorf("%s %s: %d %s", method, path, status, text)
	}
	return status, text
}

// once returns no status for no answer.
func (c *cluster) once(node *server, method, path, body string, header ...string) (status int, text string) {
	req, err := http.NewRequestWithContext(c.t.Context(), method, node.url+path, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	req.Header.Set("PRIVATE-TOKEN", rootToken)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(answer)
}

// expire is the upkeep, for which every draft is old enough, those of earlier versions,
// too.
func (c *cluster) expire(node *server, version string) draftOutcome {
	now, status := time.Now(), http.StatusNotFound
	_, err := node.db.ExpireDrafts(c.t.Context(), now.Add(time.Hour), 100, now, func(k registry.Package) audit.Event {
		if string(k.Name) == c.name && string(k.Version) == version {
			status = http.StatusNoContent
		}
		return audit.New(access.Actor{}, audit.DraftExpired, now, audit.WholeInstance()).To("Package", k.ID, c.name)
	})
	if err != nil {
		c.t.Errorf("expire: %v", err)
	}
	return draftOutcome{status: status}
}

// look reads all that is known of a version, while nobody else works at it.
func (c *cluster) look(node *server, at string) draftOutcome {
	seen := versionState{standing: noVersion}
	for _, query := range []string{"", "?status=draft"} {
		status, text := c.call(node, "GET", at+query, "")
		if status == http.StatusNotFound {
			continue
		}
		var resource struct {
			Status   string
			FinalAt  *string `json:"final_at"`
			Manifest *string `json:"manifest_sha256"`
		}
		if err := json.Unmarshal([]byte(text), &resource); err != nil || seen.standing != noVersion {
			c.t.Errorf("%s%s: %d %s, %v", at, query, status, text, err)
		}
		for i, path := range paths() {
			if _, text := c.call(node, "GET", at+"/"+path+query, ""); text != "" {
				seen.files[i] = content(max(0, slices.Index(contents(), text)))
			}
		}
		switch {
		case resource.Status == "draft":
			seen.standing = draftVersion
		case resource.FinalAt == nil:
			seen.standing = openVersion
		default:
			seen.standing = finalVersion
			if resource.Manifest == nil || *resource.Manifest != sha256Hex(seen.files.manifest()) {
				c.t.Errorf("%s: %s is not the digest of %v", at, text, seen.files)
			}
		}
	}
	seen.reserved = c.reserved(at[strings.LastIndex(at, "/")+1:])
	return draftOutcome{status: http.StatusOK, seen: seen}
}

// reserved is the manifest to which the number of a version belongs.
func (c *cluster) reserved(version string) listing {
	const query = `SELECT COALESCE((SELECT manifest FROM reserved_versions WHERE project_id = $1 AND name = $2 AND version = $3), $4)`
	digest := ask[[]byte](c.server, query, c.project, c.name, version, []byte{})
	if len(digest) == 0 {
		return listing{}
	}
	l, known := c.known[hex.EncodeToString(digest)]
	if !known {
		c.t.Errorf("%s belongs to a manifest that nobody made: %x", version, digest)
	}
	return l
}

// TestDraftHistories: what many clients do to a version at once, on all nodes, is as if
// they had done it one after the other. GRANARY_TEST_DRAFTS is the seed of a sample, or
// "all" for a thousand histories.
func TestDraftHistories(t *testing.T) {
	how, histories := os.Getenv("GRANARY_TEST_DRAFTS"), 3
	seed, err := strconv.ParseUint(how, 10, 64)
	if how == "" || how == "all" {
		seed, err = rand.Uint64(), nil
	}
	if err != nil {
		t.Fatalf(`GRANARY_TEST_DRAFTS is %q, want "all" or a number`, how)
	}
	if how == "all" {
		histories = 1000
	}
	c := newCluster(t)
	c.project = c.projectID(c.server.project("histories", "private"))
	began := time.Now()
	for n := 0; n < histories && !t.Failed(); n++ {
		c.name = fmt.Sprint("history", n)
		h := &draftHistory{rng: rand.New(rand.NewPCG(seed, uint64(n))), began: time.Now(), do: c.do}
		h.run(t)
		if n%100 == 99 {
			t.Logf("%d histories", n+1)
		}
	}
	t.Logf("GRANARY_TEST_DRAFTS=%d chooses the same deeds; %v", seed, time.Since(began))
}
