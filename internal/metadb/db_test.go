package metadb

import (
	"context"
	"database/sql"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"granary/internal/auth"
	"granary/internal/fault"
)

func openTest(t *testing.T) *DB {
	t.Helper()
	db, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "granary.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// TestOneFailureHarmsNobody: transactions that share a commit succeed and fail
// each for itself, by an error or by a panic.
func TestOneFailureHarmsNobody(t *testing.T) {
	db := openTest(t)
	insert := func(name string) func(*tx) error {
		return func(x *tx) error {
			return x.exec(`INSERT INTO features (name, percentage_of_time, percentage_of_actors) VALUES ($1, 0, 0)`, name)
		}
	}
	refused := errors.New("no")
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { // keeps the writer busy, so that all others meet in one batch
		_ = db.writer.do(t.Context(), func(*tx) error { close(held); <-hold; return nil })
	})
	<-held
	errs := make([]error, 6)
	for i, fn := range []func(*tx) error{
		insert("a"),
		func(x *tx) error { return errors.Join(insert("b")(x), refused) },
		insert("c"),
		func(x *tx) error { _ = insert("d")(x); panic("oh") },
		insert("a"), // taken
		insert("e"),
	} {
		wg.Go(func() { errs[i] = db.writer.do(t.Context(), fn) })
		for len(db.writer.queue) <= i { // one after the other
		}
	}
	close(hold)
	wg.Wait()
	if errs[0] != nil || errs[2] != nil || errs[5] != nil {
		t.Errorf("the good ones: %v %v %v", errs[0], errs[2], errs[5])
	}
	if !errors.Is(errs[1], refused) || errs[3] == nil || !fault.Is(errs[4], fault.Conflict) {
		t.Errorf("the bad ones: %v %v %v", errs[1], errs[3], errs[4])
	}
	names, err := list(t.Context(), db, func(row scanner) (s string, err error) { return s, row.Scan(&s) }, `SELECT name FROM features ORDER BY name`)
	if got := strings.Join(names, ""); err != nil || got != "ace" {
		t.Errorf("kept %q, %v, want ace", got, err)
	}
}

// TestLeavingTheQueue: who gives up before its turn has changed nothing, and
// who comes after the end is told.
func TestLeavingTheQueue(t *testing.T) {
	db, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "granary.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.writer.do(ctx, func(*tx) error { t.Error("it was run"); return nil }); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a cancelled caller: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.writer.do(t.Context(), func(*tx) error { return nil }); !fault.Is(err, fault.Unavailable) {
		t.Errorf("after the end: %v", err)
	}
}

// TestCacheForgets: a look-up that began before a change cannot put back what
// it found.
func TestCacheForgets(t *testing.T) {
	c := cache[string, int]{limit: 10, life: lookupLife}
	get := func(value int) int {
		v, err := c.get("k", func() (int, error) { return value, nil })
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	stale, _ := c.get("k", func() (int, error) { c.drop("other"); return 1, nil })
	if stale != 1 || get(2) != 2 {
		t.Error("an old look-up was remembered")
	}
	if get(3) != 2 {
		t.Error("nothing is remembered")
	}
	c.clear()
	if get(4) != 4 {
		t.Error("clear forgets nothing")
	}
	for i := range 100 {
		if _, err := c.get(strconv.Itoa(i), func() (int, error) { return i, nil }); err != nil {
			t.Fatal(err)
		}
		if len(c.entries) > 10 || c.weight != int64(len(c.entries)) {
			t.Fatalf("%d entries of weight %d", len(c.entries), c.weight)
		}
	}
}

// TestNewerDatabase: an older server does not touch it.
func TestNewerDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "granary.db")
	db, err := OpenSQLite(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.writer.do(t.Context(), func(x *tx) error {
		return x.exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSQLite(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("opening it: %v", err)
	}
}

// TestDatabaseIsPrivate: nobody else on the machine reads it.
func TestDatabaseIsPrivate(t *testing.T) {
	db := openTest(t)
	var path string
	if err := db.reads.QueryRow(`SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&path); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		fi, err := os.Stat(path + suffix)
		if err != nil || fi.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", path+suffix, fi.Mode(), err)
		}
	}
}

// TestUserNames differ whatever their case, and from groups.
func TestUserNames(t *testing.T) {
	db := openTest(t)
	if _, err := db.InsertUser(t.Context(), auth.User{Username: "Dev", Name: "d", Email: "d@example.com"}); err != nil {
		t.Fatal(err)
	}
	_, err := db.InsertUser(t.Context(), auth.User{Username: "dEV", Name: "d", Email: "e@example.com"})
	if e, ok := errors.AsType[*fault.Error](err); !ok || e.Kind != fault.Conflict || e.Msg != "Username" {
		t.Errorf("the same name: %v", err)
	}
	if u, err := db.FindUser(t.Context(), "DEV"); err != nil || u.Username != "Dev" {
		t.Errorf("found %q, %v", u.Username, err)
	}
}

// TestPlaceholders: in every query text $1, $2, ... first appear in this
// order, so that it means the same to every driver.
func TestPlaceholders(t *testing.T) {
	mark := regexp.MustCompile(`\$(\d+)`)
	for _, text := range queryTexts(t) {
		next := 1
		for _, m := range mark.FindAllStringSubmatch(text, -1) {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			if n > next {
				t.Errorf("$%d comes before $%d in %s", n, next, text)
			}
			if n == next {
				next++
			}
		}
	}
}

// queryTexts are the string literals of this package that look like SQL, with
// constants and other strings that they are joined with in place.
func queryTexts(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if ok && lit.Kind == token.STRING && strings.Contains(lit.Value, " $") {
				texts = append(texts, lit.Value)
			}
			return true
		})
	}
	if len(texts) < 40 {
		t.Fatalf("only %d query texts found", len(texts))
	}
	return texts
}

// TestHotQueriesUseIndexes: what a request asks for never walks a table that
// grows.
func TestHotQueriesUseIndexes(t *testing.T) {
	db := openTest(t)
	for name, query := range map[string]string{
		"find a file": findFileQuery,
		"lineage":     lineageQuery,
		"a token":     `SELECT ` + personalColumns + ` FROM personal_access_tokens t WHERE t.digest = $1`,
		"a job":       `SELECT ` + jobColumns + ` FROM ` + jobTables + ` JOIN projects p ON p.id = j.project_id WHERE j.digest = $1`,
		"a project":   `SELECT ` + projectColumns + ` FROM ` + projectTables + ` WHERE p.id = $1`,
		"a path":      `SELECT project_id, redirect FROM routes WHERE path_key = $1`,
		"the sweep":   sweepQuery,
		"the purge":   purgeQuery,
	} {
		args := make([]any, highestMark(query))
		for i := range args {
			args[i] = 1
		}
		plan := explain(t, db.reads, query, args)
		for _, step := range plan {
			if strings.HasPrefix(step, "SCAN") && step != "SCAN up" && !strings.Contains(step, "USING") && !strings.Contains(step, "CONSTANT ROW") {
				t.Errorf("%s walks a table: %s", name, step)
			}
		}
	}
}

func highestMark(query string) int {
	highest := 0
	for _, m := range regexp.MustCompile(`\$(\d+)`).FindAllStringSubmatch(query, -1) {
		if n, err := strconv.Atoi(m[1]); err == nil {
			highest = max(highest, n)
		}
	}
	return highest
}

func explain(t *testing.T, db *sql.DB, query string, args []any) []string {
	t.Helper()
	rows, err := db.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if len(steps) == 0 || rows.Err() != nil {
		t.Fatalf("no plan for %s: %v", query, rows.Err())
	}
	return steps
}
