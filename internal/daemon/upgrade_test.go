package daemon

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

// onPurpose lists what is answered otherwise than by the build that made the
// fixture, and why: a field of any answer as "field", of one request as
// "GET /path field", and all of its answer as "GET /path".
func onPurpose() map[string]string {
	return map[string]string{
		"last_used_at":       "asking uses the tokens",
		"last_downloaded_at": "asking downloads the files",
		"GET /api/v4/projects/acme%2Ftools/jobs duration":   "that of a running job grows",
		"GET /api/v4/users?per_page=100 projects_limit":     "external users own nothing",
		"GET /api/v4/users?per_page=100 can_create_project": "external users own nothing",
		"request_access_enabled":                            "nobody can ask",
		"push_events_branch_filter":                         "what tools send",
	}
}

// asked is a request and how it was answered.
type asked struct {
	As     string // a name of a token, "" for nobody
	Method string
	Path   string
	Short  bool `json:",omitempty"` // only the status counts

	Status   int
	Location string `json:",omitempty"`
	SHA256   string `json:",omitempty"` // of a body that is no JSON
	Body     any    `json:",omitempty"`
}

// answer asks a question.
func (f *filler) answer(q asked) asked {
	f.t.Helper()
	resp, said := send(f.t, f.url, f.tokens[q.As], q.Method, q.Path, "", nil)
	q.Status = resp.StatusCode
	if q.Short {
		return q
	}
	q.Location = resp.Header.Get("Location")
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(said, &q.Body); err != nil {
			f.t.Fatalf("%s: %v", q.Path, err)
		}
		return q
	}
	sum := sha256.Sum256(said)
	q.SHA256 = hex.EncodeToString(sum[:])
	if told := resp.Header.Get("X-Checksum-Sha256"); q.Status == http.StatusOK && told != q.SHA256 {
		f.t.Errorf("%s: the digest is %s, and is told as %s", q.Path, q.SHA256, told)
	}
	return q
}

// differences says where got differs from want, but for what is new in it and
// what except names.
func differences(request, at string, want, got any, except map[string]string) (found []string) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		for _, key := range slices.Sorted(maps.Keys(w)) {
			if except[key] == "" && except[request+" "+key] == "" {
				value, there := g[key]
				if !there {
					value = "(missing)"
				}
				found = append(found, differences(request, at+"."+key, w[key], value, except)...)
			}
		}
		return found
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			break
		}
		for i := range w {
			found = append(found, differences(request, fmt.Sprintf("%s[%d]", at, i), w[i], g[i], except)...)
		}
		return found
	}
	if !reflect.DeepEqual(want, got) {
		found = append(found, fmt.Sprintf("%s is %s, was %s", at, brief(got), brief(want)))
	}
	return found
}

func brief(v any) string {
	text, _ := json.Marshal(v)
	return string(text[:min(len(text), 1000)])
}

// upgraded is a copy of the fixture, and how its databases are reached.
type upgraded struct {
	filler
	data    string
	environ []string
	db      *sql.DB
	fresh   *sql.DB // with the schema of today
}

// The database of an old build, with something in every table, works with this
// granary: what was there is answered as before, and the schema is that of a
// fresh one. Every migration since is tried by it.
func TestUpgrade(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			u := copyOfFixture(t, database)
			tables := u.rowsOf(t)
			for table, rows := range tables {
				if rows == 0 {
					t.Errorf("the fixture has nothing in %s", table)
				}
			}
			if len(tables) < 30 {
				t.Errorf("only %d tables in the fixture", len(tables))
			}
			url, stop := serveHere(t, u.environ, "--data-dir="+u.data, fixtureAddress)
			u.url = url
			u.selectVersions(t)
			u.compareAnswers(t, database)
			u.work(t)
			stop()
			u.checkDatabase(t, database)
		})
	}
}

func copyOfFixture(t *testing.T, database string) *upgraded {
	t.Helper()
	u := &upgraded{filler: filler{t: t}, data: filepath.Join(t.TempDir(), "data")}
	dir := filepath.Join(upgradeDir, database)
	readJSON(t, filepath.Join(dir, secretsFile), &u.tokens)
	if err := os.CopyFS(u.data, os.DirFS(filepath.Join(dir, "data"))); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "fresh")
	if database == "sqlite" {
		_, stop := serveHere(t, nil, "--data-dir="+other)
		stop()
		u.db, u.fresh = u.open(t, "sqlite", filepath.Join(u.data, "granary.db")), u.open(t, "sqlite", filepath.Join(other, "granary.db"))
		return u
	}
	server := metadbtest.NewServer(t)
	server.Run(t, `CREATE DATABASE fresh`)
	const key = "GRANARY_ENCRYPTION_KEY=" + fixtureKey
	_, stop := serveHere(t, []string{key, "GRANARY_DATABASE=" + server.DSN("fresh")}, "--data-dir="+other)
	stop()
	load(t, server.DSN("granary"), filepath.Join(dir, dumpFile))
	u.environ = []string{key, "GRANARY_DATABASE=" + server.DSN("granary")}
	u.db, u.fresh = u.open(t, "pgx", server.DSN("granary")), u.open(t, "pgx", server.DSN("fresh"))
	return u
}

func (u *upgraded) open(t *testing.T, driver, at string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// readAnswers reads one answer from each line.
func readAnswers(t *testing.T, path string) (answers []asked) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var a asked
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	return answers
}

// load runs a dump.
func load(t *testing.T, dsn, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.PgConn().Exec(t.Context(), string(text)).ReadAll(); err != nil {
		t.Fatal(err)
	}
}

// compareAnswers asks what the old build was asked.
func (u *upgraded) compareAnswers(t *testing.T, database string) {
	t.Helper()
	answers := readAnswers(t, filepath.Join(upgradeDir, database, answersFile))
	if len(answers) < 200 {
		t.Errorf("only %d answers in the fixture", len(answers))
	}
	except := onPurpose()
	for _, was := range answers {
		is := u.answer(asked{As: was.As, Method: was.Method, Path: was.Path, Short: was.Short})
		request := was.Method + " " + was.Path
		if except[request] != "" {
			continue
		}
		if is.Status != was.Status || is.Location != was.Location || is.SHA256 != was.SHA256 {
			t.Errorf("%s as %q: %d %s %s, was %d %s %s", request, was.As, is.Status, is.Location, is.SHA256, was.Status, was.Location, was.SHA256)
		}
		for _, d := range differences(request, "", was.Body, is.Body, except) {
			t.Errorf("%s as %q: %s", request, was.As, d)
		}
	}
}

// selectVersions asks for versions while the upkeep gives them their keys, and
// afterwards: the answers are the same. Bytes of the old build have no CRC-32 yet.
func (u *upgraded) selectVersions(t *testing.T) {
	t.Helper()
	const tool = "/api/v4/projects/acme%2Ftools/packages/generic/tool"
	ask := func(path string) (version string, body []byte) {
		t.Helper()
		resp, body := send(t, u.url, u.tokens["root"], http.MethodGet, tool+path, "", nil)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: %s %s", path, resp.Status, body)
		}
		return resp.Header.Get("X-Package-Version"), body
	}
	highest := func() {
		t.Helper()
		for selector, want := range map[string]string{"latest": "1.1.0", "%5E1": "1.1.0", "~1.1": "1.1.0", "1.x": "1.1.0"} {
			if version, _ := ask("/" + selector + "/tool.tar.gz"); version != want {
				t.Errorf("%s is %s, want %s", selector, version, want)
			}
		}
	}
	keyless := 1
	eventually.Holds(t, "every version has a key", func() bool {
		highest()
		if err := u.db.QueryRow(`SELECT COUNT(*) FROM packages WHERE version_key IS NULL`).Scan(&keyless); err != nil {
			t.Fatal(err)
		}
		return keyless == 0
	})
	highest()
	_, list := ask("")
	var all struct{ Versions []struct{ Version string } }
	if err := json.Unmarshal(list, &all); err != nil || len(all.Versions) < 3 || all.Versions[0].Version != "1.1.0" || all.Versions[1].Version != "1.0.1" || all.Versions[2].Version != "1.0.0" {
		t.Errorf("%v %s", err, list)
	}
	_, sums := ask("/1.0.0/@SHA256SUMS")
	for range 2 { // the first time it computes the CRC-32 of each file
		_, packed := ask("/1.0.0/@all.zip")
		z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			content, err := fs.ReadFile(z, f.Name)
			sum := sha256.Sum256(content)
			if err != nil || !bytes.Contains(sums, []byte(hex.EncodeToString(sum[:])+"  "+f.Name+"\n")) {
				t.Errorf("%s in the zip: %v, not in %s", f.Name, err, sums)
			}
		}
		if len(z.File) != bytes.Count(sums, []byte("\n")) {
			t.Errorf("%d files in the zip, %s", len(z.File), sums)
		}
	}
}

// work publishes and removes on top of what was there.
func (u *upgraded) work(t *testing.T) {
	t.Helper()
	const tools = "/api/v4/projects/acme%2Ftools/packages/"
	ask := func(who, method, path, body string, want int) []byte {
		t.Helper()
		resp, said := send(t, u.url, u.tokens[who], method, tools+path, "", strings.NewReader(body))
		if resp.StatusCode != want {
			t.Errorf("%s %s as %s: %s %s, want %d", method, path, who, resp.Status, said, want)
		}
		return said
	}
	large := strings.Repeat("new", 40_000) // beyond what the database keeps
	for _, who := range []string{"root", "cy", "project bot", "project deploy", "job", "job elsewhere"} {
		file := "generic/later/1.0.0/" + strings.ReplaceAll(who, " ", "-")
		ask(who, "PUT", file, large+who, 201)
		if got := ask("root", "GET", file, "", 200); !bytes.Equal(got, []byte(large+who)) {
			t.Errorf("%s is %d bytes", file, len(got))
		}
	}
	// A job of elsewhere is let in by its group; who is refused was so before.
	for who, want := range map[string]int{"lea": 403, "group deploy": 403, "ada reads": 403, "dead bot": 401, "dead deploy": 401, "ended job": 401, "bob": 403, "": 401} {
		ask(who, "PUT", "generic/later/1.0.0/refused", "refused", want)
	}
	ask("root", "PUT", "generic/tool/1.1.0/more", "more", 201) // into a package that was there
	ask("root", "DELETE", fmt.Sprintf("%d", u.packageID("old")), "", 204)
	ask("root", "GET", "generic/old/1.0.0/old", "", 404)
}

// TestDifferences: what is missing, of another value or length is told; what is
// new or named is not.
func TestDifferences(t *testing.T) {
	var was any
	if err := json.NewDecoder(strings.NewReader(`{"a": 1, "b": [{"c": null, "used": 1}], "d": "x"}`)).Decode(&was); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	for text, want := range map[string]int{
		`{"a": 1, "b": [{"c": null, "used": 2, "new": 3}], "d": "x"}`: 0,
		`{"a": 2, "b": [{"c": 0}], "d": "x"}`:                         2,
		`{"a": 1, "b": [{"used": 1}], "d": "x"}`:                      1,
		`{"a": 1, "b": [], "d": "x"}`:                                 1,
		`[]`:                                                          1,
	} {
		var is any
		if err := json.Unmarshal([]byte(text), &is); err != nil {
			t.Fatal(err)
		}
		if found := differences("GET /x", "", was, is, map[string]string{"used": "why"}); len(found) != want {
			t.Errorf("%s: %v, want %d", text, found, want)
		}
	}
	if found := differences("GET /x", "", was, map[string]any{}, map[string]string{"GET /x a": "why", "GET /y b": "why", "GET /x d": "why"}); len(found) != 1 {
		t.Errorf("with exceptions: %v", found)
	}
}
