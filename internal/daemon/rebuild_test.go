package daemon

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/blob/s3/s3test"
	"granary/internal/config"
	"granary/internal/metadb"
	"granary/internal/metadb/metadbtest"
	"granary/internal/records"
	"granary/internal/sqldb"
)

var lostDeeds = flag.Int("lost.deeds", 80, "how many deeds TestRebuild does before it loses the database")

const testKey = "GRANARY_ENCRYPTION_KEY=0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"

// lostDatabase is a server whose database is lost, in one kind of database, and made again
// in one.
type lostDatabase struct {
	t       *testing.T
	url     string
	random  *rand.Rand
	environ []string
	args    []string

	deeds    int // of traffic
	packages []int
}

// deed is a call of the API that has to be answered with one of these.
func (l *lostDatabase) deed(method, path, body string) string {
	l.t.Helper()
	kind := "application/x-www-form-urlencoded"
	if method == "PUT" && strings.Contains(path, "/packages/generic/") {
		kind = "application/octet-stream"
	}
	resp, said := ask(l.t, method, l.url+path, strings.NewReader(body), "Content-Type", kind)
	if resp.StatusCode >= 300 && resp.StatusCode != 404 && resp.StatusCode != 409 && resp.StatusCode != 400 {
		l.t.Errorf("%s %s: %s %.200q", method, path, resp.Status, said)
	}
	return said
}

// number is the first number that follows a field of a JSON text.
func number(said, field string) (n int) {
	_, after, _ := strings.Cut(said, `"`+field+`":`)
	_, _ = fmt.Sscan(strings.TrimLeft(after, " "), &n)
	return n
}

// lives does deeds on servers that live for half a minute each. The first sweep of a server, after
// a minute, purges what was deleted, and no event tells of that: a rebuilt database has it still.
func (l *lostDatabase) lives(deeds int, environ []string) {
	l.t.Helper()
	for end := l.deeds + deeds; l.deeds < end; {
		url, stop := serveHere(l.t, environ, l.args...)
		l.url = url
		for began := time.Now(); l.deeds < end && time.Since(began) < 30*time.Second; {
			l.traffic(1)
		}
		stop()
	}
}

// traffic does deeds of every kind at random.
func (l *lostDatabase) traffic(deeds int) {
	const api = "/api/v4/"
	const demo = api + "projects/root%2Fdemo"
	for range deeds {
		n := l.deeds
		l.deeds++
		name := fmt.Sprint("p", l.random.IntN(5))
		version := fmt.Sprintf("1.%d.0", l.random.IntN(6))
		at := demo + "/packages/generic/" + name + "/" + version + "/f" + fmt.Sprint(l.random.IntN(3)) + "?select=package_file"
		switch l.random.IntN(16) {
		case 0:
			l.deed("POST", api+"groups", fmt.Sprintf("name=g%d&path=g%d", n, n))
		case 1:
			project := number(l.deed("POST", api+"projects", fmt.Sprintf("name=q%d", n)), "id")
			l.deed("PUT", fmt.Sprint(api, "projects/", project, "/packages/generic/own/1.0.0/f"), fmt.Sprint("own", n))
			if n%2 == 0 {
				l.deed("DELETE", fmt.Sprint(api, "projects/", project), "")
			}
		case 2:
			user := number(l.deed("POST", api+"users", fmt.Sprintf("name=u%d&username=u%d&email=u%d@example.com&password=longenough-%d", n, n, n, n)), "id")
			l.deed("POST", demo+"/members", fmt.Sprintf("user_id=%d&access_level=30", user))
			l.deed("POST", fmt.Sprint(api, "users/", user, "/personal_access_tokens"), "name=t&scopes[]=api")
		case 3:
			l.deed("POST", demo+"/variables", fmt.Sprintf("key=KEY%d&value=secret%d", n, n))
		case 4:
			l.deed("POST", demo+"/hooks", fmt.Sprintf("url=https://example.com/%d", n))
		case 5:
			l.deed("POST", demo+"/releases", fmt.Sprintf("tag_name=v%d&name=r%d&description=%d", n, n, n))
		case 6:
			if len(l.packages) > 0 {
				l.deed("DELETE", fmt.Sprint(demo, "/packages/", l.packages[l.random.IntN(len(l.packages))]), "")
			}
		case 7:
			l.deed("PUT", at, strings.Repeat(fmt.Sprint("large", n), 30_000))
		default:
			if id := number(l.deed("PUT", at, fmt.Sprint("small", l.random.IntN(40))), "package_id"); id > 0 {
				l.packages = append(l.packages, id)
			}
		}
	}
}

// config is the settings of the server.
func (l *lostDatabase) config(environ ...string) config.Config {
	l.t.Helper()
	cfg, err := settings(append(append([]string{noReserve}, l.environ...), environ...), l.args...)
	if err != nil {
		l.t.Fatal(err)
	}
	return cfg
}

// silent are columns that change without an event. Those of the last base are rebuilt.
var silent = []string{"last_used_at", "last_downloaded_at", "downloads", "failures", "disabled_until"}

// rows are all rows of a database, with small bodies, as text.
func rows(t *testing.T, db *metadb.DB) map[string][]string {
	t.Helper()
	read, write := io.Pipe()
	go func() {
		_, err := records.Export(t.Context(), write, db, records.ExportOptions{Kind: records.KindBase, Bodies: true})
		_ = write.CloseWithError(err)
	}()
	r, err := records.NewReader("rows", read)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all := map[string][]string{}
	for {
		line, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if line.Kind == records.RowLine {
			for i, column := range line.Columns {
				if slices.Contains(silent, column) {
					line.Values[i] = nil
				}
			}
			all[line.Table] = append(all[line.Table], fmt.Sprintf("%v %q", line.Columns, line.Values))
		}
	}
}

// rowsOf are the rows of the database of settings.
func rowsOf(t *testing.T, cfg config.Config) map[string][]string {
	t.Helper()
	a, err := OpenAdmin(t.Context(), cfg, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	return rows(t, a.server.db)
}

// wantRows compares the rows of two databases. A rebuilt one has one event more.
func wantRows(t *testing.T, got, want map[string][]string) {
	t.Helper()
	events := len(got["audit_events"]) - 1
	if events < 0 || !strings.Contains(got["audit_events"][events], "database_rebuilt") {
		t.Error("the rebuilt database's last event does not say that it was rebuilt")
	} else {
		got["audit_events"] = got["audit_events"][:events]
	}
	for table := range want {
		if slices.Equal(got[table], want[table]) {
			continue
		}
		t.Errorf("table %s: %d rows, want %d", table, len(got[table]), len(want[table]))
		shown := 0
		for _, row := range want[table] {
			if shown++; shown < 5 && !slices.Contains(got[table], row) {
				t.Errorf("missing: %.300s", row)
			}
		}
	}
}

// TestRebuild loses a database after traffic of every kind, and makes it again from the
// store: every row and every byte is there, in whichever kind of database.
func TestRebuild(t *testing.T) {
	t.Parallel()
	for n, c := range []struct{ from, to, blobs string }{
		{"sqlite", "sqlite", "file"}, {"postgres", "postgres", "file"}, {"sqlite", "postgres", "s3"}, {"postgres", "sqlite", "file"},
	} {
		t.Run(c.from+" to "+c.to+" on "+c.blobs, func(t *testing.T) {
			l := &lostDatabase{t: t, random: rand.New(rand.NewPCG(18, uint64(n))), environ: []string{asRoot, testKey}}
			dir := metadbtest.Memory(t)
			l.args = []string{"--data-dir=" + dir}
			if c.blobs == "s3" {
				environ, place := inS3(s3test.Start(t))
				l.environ, l.args = append(l.environ, environ...), append(l.args, place)
			}
			database := func(kind, name string) string {
				if kind == "postgres" {
					return "GRANARY_DATABASE=" + metadbtest.Postgres(t, func(string) error { return nil })
				}
				return "GRANARY_DATABASE=sqlite:" + filepath.Join(dir, name+".db")
			}
			old, again := database(c.from, "old"), database(c.to, "again")
			l.lives(*lostDeeds, append(slices.Clone(l.environ), old))
			want := rowsOf(t, l.config(old))

			if err := Run(t.Context(), l.config(again), "test", nil, io.Discard); err == nil || !strings.Contains(err.Error(), "granary rebuild") {
				t.Errorf("a server on an empty database: %v, want a word on granary rebuild", err)
			}
			found := 0
			o := RebuildOptions{Verify: true, askFor: time.Millisecond, Tell: func(f Finding) error { found++; t.Errorf("found %+v", f); return nil }}
			o.DryRun = true
			dry, err := Rebuild(t.Context(), l.config(again), o)
			if err != nil {
				t.Fatal(err)
			}
			o.DryRun = false
			done, err := Rebuild(t.Context(), l.config(again), o)
			if err != nil {
				t.Fatal(err)
			}
			if !done.Whole() || done.Bodies == 0 || done.Deltas == 0 || done.Store.There == 0 || dry.Rows != done.Rows || dry.Bodies != done.Bodies {
				t.Errorf("rebuilt %+v, and in a dry run %+v", done, dry)
			}
			wantRows(t, rowsOf(t, l.config(again)), want)
			if _, err := Rebuild(t.Context(), l.config(again), o); err == nil || !strings.Contains(err.Error(), "the target must be an empty database") {
				t.Errorf("into a database with records: %v", err)
			}
			l.lives(20, append(slices.Clone(l.environ), again))
		})
	}
}

// writeBase writes a base of a server that has stopped.
func writeBase(t *testing.T, cfg config.Config) {
	t.Helper()
	log := NewLogger(cfg, io.Discard)
	s, err := open(t.Context(), cfg, "test", log, crashPoints{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close(log)
	identity, _, err := s.db.StoreIdentity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	j := records.Journal{Store: s.blobs, Database: s.db, Identity: identity, Now: s.db.Now}
	for _, want := range []bool{true, false} {
		if written, err := j.Base(t.Context()); err != nil || written != want {
			t.Fatalf("a base: %v, %v, want %v", written, err, want)
		}
	}
}

// TestRebuildWithLosses: bytes, a pack, a base and the key are lost, one after the other.
// What is whole comes back, and the rest is told.
func TestRebuildWithLosses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := &lostDatabase{t: t, random: rand.New(rand.NewPCG(1, 8)), environ: []string{asRoot}, args: []string{"--data-dir=" + dir}}
	url, stop := serveHere(t, l.environ, l.args...)
	l.url = url
	l.deed("PUT", demoFiles+"a/1.0.0/large", strings.Repeat("0123456789", 100_000))
	l.deed("PUT", demoFiles+"a/1.0.0/small", "small")
	l.deed("POST", "/api/v4/projects/root%2Fdemo/variables", "key=KEY&value=secret")
	l.deed("POST", "/api/v4/projects/root%2Fdemo/hooks", "url=https://example.com")
	job := l.deed("POST", "/api/v4/projects/root%2Fdemo/jobs", "name=build&ref=main")
	stop()
	blobs := filepath.Join(dir, "blobs")
	n := 0
	rebuild := func() (done Rebuilt, lost []Finding, err error) {
		t.Helper()
		n++
		done, err = Rebuild(t.Context(), l.config("GRANARY_DATABASE=sqlite:"+filepath.Join(dir, fmt.Sprint(n, ".db"))),
			RebuildOptions{Tell: func(f Finding) error { lost = append(lost, f); return nil }})
		return done, lost, err
	}
	done, lost, err := rebuild()
	if err != nil || len(lost) != 0 || !done.Whole() || done.Bodies != 1 || done.Variables != 0 {
		t.Errorf("with everything: %+v, %+v, %v", done, lost, err)
	}
	if job != "" && strings.Contains(job, `"token"`) && done.Jobs != 1 {
		t.Errorf("%d jobs were ended, want 1 (%s)", done.Jobs, job)
	}

	move := func(pattern string) (back func()) {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(blobs, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %q, %v", pattern, found, err)
		}
		at := found[len(found)-1]
		if err := os.Rename(at, filepath.Join(dir, "away")); err != nil {
			t.Fatal(err)
		}
		return func() { _ = os.Rename(filepath.Join(dir, "away"), at) }
	}
	back := move("[0-9a-f][0-9a-f]/*")
	if done, lost, err = rebuild(); err != nil || len(lost) != 1 || lost[0].Kind != MissingBytes || lost[0].Uses[0].File != "large" || done.Lost != 1 || done.Whole() {
		t.Errorf("without the bytes of a file: %+v, %+v, %v", done, lost, err)
	}
	back()
	back = move("records/packs/*")
	if done, lost, err = rebuild(); err != nil || len(lost) != 1 || lost[0].Uses[0].File != "small" || done.Lost != 1 {
		t.Errorf("without a pack: %+v, %+v, %v", done, lost, err)
	}
	back()
	back = move("../encryption_key")
	if done, _, err = rebuild(); err != nil || done.Variables != 1 || done.Hooks != 1 || done.Whole() {
		t.Errorf("without the key: %+v, %v", done, err)
	}
	back()

	writeBase(t, l.config())
	bases, err := filepath.Glob(filepath.Join(blobs, "records", "*.base.jsonl.zst"))
	if err != nil || len(bases) < 2 {
		t.Fatalf("bases: %q, %v", bases, err)
	}
	whole, err := os.ReadFile(bases[len(bases)-1])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bases[len(bases)-1], whole[:len(whole)-100], 0o600); err != nil {
		t.Fatal(err)
	}
	if done, _, err = rebuild(); err != nil || len(done.Damaged) != 1 || filepath.Base(done.Records) != filepath.Base(bases[len(bases)-2]) {
		t.Errorf("with a newest base that is cut short: %+v, %v, want the base before", done, err)
	}
	for _, base := range bases {
		if err := os.WriteFile(base, []byte("not a base"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err = rebuild(); err == nil || !strings.Contains(err.Error(), "no base in the store is whole") {
		t.Errorf("without a whole base: %v", err)
	}
	for _, base := range bases {
		if err := os.Remove(base); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err = rebuild()
	if err == nil || strings.Contains(err.Error(), "no note in it") || !strings.Contains(err.Error(), "packs; put the note records/"+filepath.Base(bases[len(bases)-1])+" back") {
		t.Errorf("without any base: %v", err)
	}
	db, err := metadb.OpenSQLite(t.Context(), filepath.Join(dir, "none.db"), sqldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if empty, err := db.IsEmpty(t.Context()); !empty || err != nil {
		t.Errorf("a new database is empty: %v, %v", empty, err)
	}
}
