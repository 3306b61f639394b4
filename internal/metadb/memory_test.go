package metadb

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/naming"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// slack is what the heap may have beyond the caches: connections, buffers and the test
// itself.
const slack = 4 << 20

// TestManySmallFilesLeaveTheBudget: 100,000 files of 30 bytes, each downloaded once by
// a long request, take no more memory than the budget.
func TestManySmallFilesLeaveTheBudget(t *testing.T) {
	const files = 100_000
	db := openSQLite(t)
	root := newUser(t, db, "root", false)
	p := newProject(t, db, root.NamespaceID, "tool", access.Public, root.ID)
	digests := make([]string, files)
	for i := range digests {
		digests[i] = fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%030d", i+1)))
	}
	must(t, 0, db.do(t.Context(), func(t tx) error {
		if err := t.Exec(`INSERT INTO blobs (id, digest, size, files, touched_at) SELECT key + 1, unhex(value), 30, 1, 0 FROM json_each($1)`,
			`["`+strings.Join(digests, `","`)+`"]`); err != nil {
			return err
		}
		numbers := `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) `
		for _, statement := range []string{
			numbers + `INSERT INTO blob_contents (blob_id, content) SELECT i, CAST(printf('%030d', i) AS BLOB) FROM n`,
			`INSERT INTO packages (id, project_id, name, version, status, created_at, updated_at) SELECT 1, MAX(id), 'tool', '1.0.0', 'default', 0, $1 FROM projects`,
			numbers + `INSERT INTO package_files (id, package_id, blob_id, file_name, status, created_at)
				SELECT i, 1, i, printf('file-%06d', i), 'default', 0 FROM n`,
		} {
			if err := t.Exec(statement, files); err != nil {
				return err
			}
		}
		return nil
	}))
	digests = nil
	downloads := &registry.Registry{Records: db, Naming: naming.Strict, Now: time.Now}
	before := heap()
	for n := range files {
		request := fmt.Sprint(strings.Repeat("x", 2000), "root/tool", "tool", "1.0.0", "file-", fmt.Sprintf("%06d", n+1))[2000:]
		at := registry.Raw{Name: request[9:13], Version: request[13:18], File: request[18:]}
		f, err := downloads.Open(t.Context(), access.Actor{}, request[:9], at, nil)
		if err != nil || f.Size != 30 {
			t.Fatal(f, err)
		}
		downloads.Downloaded(f.File)
	}
	took, weight := heap()-before, db.budget.weight.Load()
	if weight > DefaultCacheMemory || took > DefaultCacheMemory+slack {
		t.Errorf("%d bytes are left on the heap, %d by what the caches say", took, weight)
	}
	if weight < DefaultCacheMemory/2 {
		t.Errorf("of a budget of %d only %d bytes are used", DefaultCacheMemory, weight)
	}
	runtime.KeepAlive(p)
}

// TestSpellingsLeaveNothing: an id with thousands of leading zeros is invalid, all
// spellings of a path are one entry, and a hidden project is one entry for each actor.
func TestSpellingsLeaveNothing(t *testing.T) {
	db := open(t)
	root, ada := newUser(t, db, "root", false), newUser(t, db, "ada", false)
	g := newGroup(t, db, 0, "acme", access.Private, root.ID)
	p := newProject(t, db, g.ID, "tool-of-several-words", access.Private, root.ID)
	path, id := "acme/tool-of-several-words", strconv.FormatInt(p.ID, 10)
	find := func(ref string, a access.Actor) error {
		_, err := db.FindPackageProject(t.Context(), ref, a)
		return err
	}
	for _, ref := range []string{path, id} {
		must(t, 0, find(ref, access.Actor{}))
		must(t, 0, find(ref, actorOf(ada)))
	}
	before := heap()
	for n := range 5000 {
		for _, a := range []access.Actor{{}, actorOf(ada)} {
			if err := find(strings.Repeat("0", 30000+n)+id, a); !fault.Is(err, fault.NotFound) {
				t.Fatal(err)
			}
			must(t, 0, find(strings.Map(anyCase, path), a))
			if err := find(path+strconv.Itoa(n), a); !fault.Is(err, fault.NotFound) {
				t.Fatal(err)
			}
		}
	}
	if places, routes := remembered(db.projects), remembered(db.routes); places > 2 || routes > 1 {
		t.Errorf("%d places and %d routes are remembered", places, routes)
	}
	if took := heap() - before; took > slack {
		t.Errorf("%d bytes are left on the heap", took)
	}
}

func anyCase(r rune) rune {
	if rand.IntN(2) == 0 {
		return unicode.ToUpper(r)
	}
	return r
}

// TestImpossibleReferencesAskNothing: a reference that can name nothing is refused
// without a query.
func TestImpossibleReferencesAskNothing(t *testing.T) {
	db := openSQLite(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	asks := map[string]func(ref string) error{
		"place":   func(ref string) error { _, err := db.FindPackageProject(gone, ref, access.Actor{}); return err },
		"project": func(ref string) error { _, err := db.FindProject(gone, ref, access.Actor{}); return err },
		"group":   func(ref string) error { _, err := db.FindGroup(gone, ref, access.Actor{}); return err },
		"user":    func(ref string) error { _, err := db.FindUser(gone, ref); return err },
	}
	for what, ask := range asks {
		for _, ref := range []string{"007", "-5", "0", "9223372036854775808", "", "a b/c", "a\x00/b", "a//b", strings.Repeat("a", 256) + "/b", strings.Repeat("a/", 21) + "a"} {
			if err := ask(ref); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s %.20q: %v", what, ref, err)
			}
		}
		if err := ask("7"); fault.Is(err, fault.NotFound) {
			t.Errorf("%s: the database was not asked", what)
		}
	}
}

// TestPreparedTextsAreFew: other names, ids and pages prepare no further statements.
func TestPreparedTextsAreFew(t *testing.T) {
	db, ids := shelfDB(t, 3000, 20)
	texts := func() int { return len(db.Prepared()) }
	ask := func(n int) {
		t.Helper()
		for _, order := range orders() {
			for _, term := range []string{"", "lib-0" + strconv.Itoa(n), strings.Repeat(strconv.Itoa(n), 40)} {
				f := registry.PackageFilter{Projects: ids[n%2 : n%2+1]}
				if term != "" {
					f.Name.Terms = []string{term}
				}
				_, err := db.ListPackages(t.Context(), f, page.Request{Number: 1 + n%150, Size: 20, OrderBy: order, Desc: n%3 == 0})
				must(t, 0, err)
			}
		}
		_, err := db.ListFiles(t.Context(), int64(n), page.Request{Number: 1 + n, Size: 20})
		must(t, 0, err)
		_, err = db.ListVariables(t.Context(), projects.Place{ProjectID: ids[0]}, page.Request{Number: 1 + n, Size: 20})
		must(t, 0, err)
		_, _ = db.FindPackageProject(t.Context(), "root/demo"+strconv.Itoa(n), access.Actor{})
		_, _, _ = db.FindFile(t.Context(), int64(n), registry.Coordinates{Name: registry.Name(strconv.Itoa(n))})
	}
	for n := range 300 {
		ask(n)
	}
	before := texts()
	for n := 300; n < 600; n++ {
		ask(n)
	}
	if after := texts(); after > before || after > 200 {
		t.Errorf("%d texts are prepared, %d after other values were asked for", before, after)
	}
}

// TestLongTextsAreNotKept: PostgreSQL's connections do not keep a list of very many
// projects, whose ids are in its text.
func TestLongTextsAreNotKept(t *testing.T) {
	db := openPostgres(t, sqldb.Options{})
	_, ids := shelfOf(t, db, 50, 50)
	db.Reads.SetMaxOpenConns(1)
	f := registry.PackageFilter{Projects: ids, Name: registry.NameFilter{Terms: []string{"lib-0"}}}
	for n := range int64(2000) {
		f.Projects = append(f.Projects, 1_000_000+n)
	}
	for _, status := range []registry.Status{"", registry.StatusDefault} {
		for _, order := range orders() {
			f.Status = status
			found, err := db.ListPackages(t.Context(), f, page.Request{Number: 1, Size: 20, OrderBy: order})
			if must(t, found, err); len(found.Rows) != 20 {
				t.Fatalf("by %s: %d packages", order, len(found.Rows))
			}
		}
	}
	var kept, long int
	must(t, 0, db.Reads.QueryRow(`SELECT COUNT(*), COUNT(*) FILTER (WHERE length(statement) >= $1) FROM pg_prepared_statements`, 4096).Scan(&kept, &long))
	if kept == 0 || long != 0 {
		t.Errorf("%d texts are kept, %d of them are long", kept, long)
	}
}

// TestFoundTokensAndPlacesWeighWhatTheHeapSays: with values that come from the
// database.
func TestFoundTokensAndPlacesWeighWhatTheHeapSays(t *testing.T) {
	db := openSQLite(t)
	db.LimitCaches(1 << 30)
	root := newUser(t, db, "root", false)
	g := newGroup(t, db, 0, "acme", access.Public, root.ID)
	p := newProject(t, db, g.ID, "tool", access.Public, root.ID)
	for n := range 5 {
		_, err := db.InsertProtection(t.Context(), registry.ProtectionRule{ProjectID: p.ID, Pattern: text(n, 12) + "*", PackageType: "generic", Push: access.Maintainer}, roomy(), audit.Event{})
		must(t, 0, err)
	}
	_, err := db.UpdateProject(t.Context(), p.ID, func(p *projects.Project) ([]audit.Event, error) {
		p.Duplicates.Exception = new(`.*-(?:SNAPSHOT|[a-z]{1,20})`)
		return nil, nil
	})
	must(t, 0, err)
	const many = 3000
	must(t, 0, db.do(t.Context(), func(tx tx) error {
		for n := range many {
			token := auth.PersonalToken{UserID: root.ID, Name: text(n, 12), Scopes: []access.Scope{access.ScopeAPI}, CreatedAt: time.Now()}
			if _, err := tx.addPersonalToken(t.Context(), token, auth.DigestOf(text(n, 0)), audit.Event{At: time.Now().Add(time.Duration(n) * time.Millisecond)}); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, tc := range []struct {
		name  string
		cache forgetter
		find  func(n int) error
	}{
		{"tokens", db.tokens, func(n int) error { _, err := db.FindToken(t.Context(), auth.DigestOf(text(n, 0))); return err }},
		{"places", db.projects, func(n int) error {
			_, err := db.FindPackageProject(t.Context(), "acme/tool", access.Actor{Kind: access.Job, UserID: root.ID, JobProjectID: int64(n)})
			return err
		}},
	} {
		for n := range many {
			must(t, 0, tc.find(n))
		}
		full, weight := heap(), tc.cache.weighs()
		db.budget.clear()
		took := full - heap()
		if 2*took > 3*weight || 2*weight > 3*took {
			t.Errorf("%s: %d weigh %d and take %d bytes", tc.name, many, weight, took)
		}
	}
}
