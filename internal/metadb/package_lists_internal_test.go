package metadb

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// shelfDB is a database with a user's projects, of which the first gets n
// packages straight into the table: a hundred versions of each name.
func shelfDB(tb testing.TB, n int, more ...int) (*DB, []int64) {
	tb.Helper()
	return shelfOf(tb, open(tb), n, more...)
}

func shelfOf(tb testing.TB, db *DB, n int, more ...int) (*DB, []int64) {
	tb.Helper()
	ctx := tb.Context()
	u, err := db.InsertUser(ctx, auth.User{Username: "root", Name: "root", Email: "root@example.com", ProjectsLimit: 100, CreatedAt: time.Now()}, audit.Event{})
	if err != nil {
		tb.Fatal(err)
	}
	var ids []int64
	for i, n := range append([]int{n}, more...) {
		name := fmt.Sprint("demo", i)
		p, err := db.InsertProject(ctx, projects.Project{
			Name: name, Path: name, CreatorID: u.ID, Namespace: projects.Group{ID: u.NamespaceID}, CreatedAt: time.Now(),
			PackageAccess: access.PackagesEnabled,
		}, access.Owner, roomy(), audit.Event{})
		if err != nil {
			tb.Fatal(err)
		}
		ids = append(ids, p.ID)
		seed(tb, db, p.ID, n, 100)
	}
	return db, ids
}

// seed adds n packages, with that many versions of each name.
func seed(tb testing.TB, db *DB, projectID int64, n, versions int) {
	tb.Helper()
	hex := `printf('%06x', (i / $2) * 7919 % 16777216)`
	if db.Shared() {
		hex = `lpad(to_hex((i / $2) * 7919 % 16777216), 6, '0')`
	}
	err := db.do(tb.Context(), func(t tx) error {
		return t.Exec(`INSERT INTO packages (project_id, name, version, status, created_at, updated_at)
			SELECT CAST($1 AS BIGINT), 'lib-' || `+hex+`, '1.0.' || (i % $2), 'default', i / 3 * 1000, i / 3 * 1000
			FROM (WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $3) SELECT i FROM n) made WHERE i < $3`, projectID, versions, n)
	})
	if err != nil {
		tb.Fatal(err)
	}
}

func orders() []string { return []string{"created_at", "name", "version", "type"} }

// compare is the order of a list.
func compare(order string, places map[int64]int) func(a, b registry.Package) int {
	return func(a, b registry.Package) int {
		var c int
		switch order {
		case "name":
			c = strings.Compare(string(a.Name)+"\x00"+string(a.Version), string(b.Name)+"\x00"+string(b.Version))
		case "version":
			c = strings.Compare(string(a.Version), string(b.Version))
		case "project_path":
			c = places[a.ProjectID] - places[b.ProjectID]
		}
		if c == 0 && order != "name" {
			c = a.CreatedAt.Compare(b.CreatedAt)
		}
		if c == 0 {
			c = int(a.ID - b.ID)
		}
		return c
	}
}

// TestListPackagesAgreesWithSorting: every page of every list equals a page of all
// packages sorted in memory, with and without bookmarks, in whatever way it is
// reached.
func TestListPackagesAgreesWithSorting(t *testing.T) {
	db, ids := shelfDB(t, 1500, 700)
	places := map[int64]int{ids[0]: 0, ids[1]: 1}
	for _, statement := range []string{
		`UPDATE packages SET status = 'hidden' WHERE id % 7 = 0`,
		`UPDATE packages SET status = 'error' WHERE id % 11 = 0`,
		`UPDATE packages SET status = 'pending_destruction' WHERE id % 13 = 0`,
		`DELETE FROM packages WHERE id % 17 = 0`,
	} {
		if err := db.do(t.Context(), func(tx tx) error { return tx.Exec(statement) }); err != nil {
			t.Fatal(err)
		}
	}
	all, err := sqldb.List(t.Context(), db, scanPackage, `SELECT `+packageColumns+` FROM packages k`)
	if err != nil {
		t.Fatal(err)
	}
	filters := map[string]registry.PackageFilter{
		"all":               {},
		"hidden":            {Status: registry.StatusHidden},
		"default":           {Status: registry.StatusDefault},
		"doomed":            {Status: registry.StatusPendingDestruction},
		"a version":         {Version: "1.0.7"},
		"a name":            {Name: registry.NameFilter{Terms: []string{"IB-00"}}},
		"short parts":       {Name: registry.NameFilter{Terms: []string{"f", "1"}}},
		"wildcards":         {Name: registry.NameFilter{Terms: []string{"%"}}},
		"a hidden name":     {Name: registry.NameFilter{Terms: []string{"lib"}}, Status: registry.StatusHidden},
		"a name's version":  {Name: registry.NameFilter{Terms: []string{"lib"}}, Version: "1.0.7"},
		"no such character": {Name: registry.NameFilter{Terms: []string{"a\x00b"}}},
	}
	for name, f := range filters {
		for _, scope := range [][]int64{ids[:1], ids} {
			for _, order := range append(orders(), "project_path") {
				if order == "project_path" && len(scope) == 1 {
					continue
				}
				f.Projects = scope
				want := slices.DeleteFunc(slices.Clone(all), func(p registry.Package) bool { return !chosen(f, p) })
				slices.SortFunc(want, compare(order, places))
				checkPages(t, db, fmt.Sprint(name, " of ", len(scope), " by ", order), f, order, want)
			}
		}
	}
}

func chosen(f registry.PackageFilter, p registry.Package) bool {
	status := p.Status == f.Status
	if f.Status == "" {
		status = p.Status == registry.StatusDefault || p.Status == registry.StatusError || p.Status == registry.StatusDeprecated
	}
	for _, term := range f.Name.Terms {
		if !strings.Contains(strings.ToLower(string(p.Name)), strings.ToLower(term)) {
			return false
		}
	}
	return status && slices.Contains(f.Projects, p.ProjectID) && (f.Version == "" || f.Version == p.Version)
}

func checkPages(t *testing.T, db *DB, what string, f registry.PackageFilter, order string, want []registry.Package) {
	t.Helper()
	for _, desc := range []bool{false, true} {
		want := slices.Clone(want)
		if desc {
			slices.Reverse(want)
		}
		for _, size := range []int{7, 100} {
			last := (len(want) + size - 1) / size
			for _, number := range []int{1, 2, last / 2, last/2 + 1, last/2 - 1, last - 1, last, last + 1} {
				if number < 1 {
					continue
				}
				p := page.Request{Number: number, Size: size, OrderBy: order, Desc: desc}
				found, err := db.ListPackages(t.Context(), f, p)
				if err != nil {
					t.Fatalf("%s, %+v: %v", what, p, err)
				}
				from := min(p.Offset(), len(want))
				if got, want := idsOf(found.Rows), idsOf(want[from:min(from+size, len(want))]); !slices.Equal(got, want) {
					t.Fatalf("%s, %+v: %v, want %v", what, p, got, want)
				}
				if found.Total != len(want) {
					t.Fatalf("%s, %+v: total %d, want %d", what, p, found.Total, len(want))
				}
			}
		}
	}
}

func idsOf(packages []registry.Package) []int64 {
	ids := make([]int64, len(packages))
	for i, p := range packages {
		ids[i] = p.ID
	}
	return ids
}

// recorder records queries.
type recorder struct {
	sqldb.Queries
	texts []string
	args  [][]any
}

func (r *recorder) Row(ctx context.Context, query string, args ...any) *sql.Row {
	r.texts, r.args = append(r.texts, query), append(r.args, args)
	return r.Queries.Row(ctx, query, args...)
}

func (r *recorder) Rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	r.texts, r.args = append(r.texts, query), append(r.args, args)
	return r.Queries.Rows(ctx, query, args...)
}

func (r *recorder) FixedRows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	r.texts, r.args = append(r.texts, query), append(r.args, args)
	return r.Queries.FixedRows(ctx, query, args...)
}

// TestListsUseTheirIndexes: no list of one project reads a whole table, and only those
// that start with names sort.
func TestListsUseTheirIndexes(t *testing.T) {
	db, ids := shelfOf(t, openSQLite(t), 60000, 100)
	index := map[string]string{
		"created_at": "packages_listed ", "type": "packages_listed ", "name": "packages_version ", "version": "packages_listed_version ",
	}
	at := &bookmark{offset: 40, key: listKey{"lib-", "1.0.0", 3, 5, 1}, after: true}
	for _, tc := range []struct {
		name    string
		f       registry.PackageFilter
		orders  []string
		uses    string // "" the order's own index
		sorts   bool
		several bool
	}{
		{name: "all", orders: orders()},
		{name: "default", f: registry.PackageFilter{Status: registry.StatusDefault}, orders: orders()},
		{name: "hidden", f: registry.PackageFilter{Status: registry.StatusHidden}, orders: []string{"created_at"}, uses: "packages_odd "},
		{name: "version", f: registry.PackageFilter{Version: "1.0.7"}, orders: []string{"created_at", "version"}, uses: "packages_listed_version "},
		{name: "rare name", f: registry.PackageFilter{Name: registry.NameFilter{Terms: []string{"b-001eef"}}}, orders: orders(), uses: "packages_version ", sorts: true},
		{name: "common name", f: registry.PackageFilter{Name: registry.NameFilter{Terms: []string{"lib-"}}}, orders: orders()},
		{name: "several", orders: orders(), several: true, sorts: true},
	} {
		for _, order := range tc.orders {
			t.Run(tc.name+" by "+order, func(t *testing.T) {
				tc.f.Projects = ids[:1]
				if tc.several {
					tc.f.Projects = ids
				}
				r := &recorder{Queries: db}
				l := lister{db: db, q: r, f: tc.f, p: page.Request{Number: 1, Size: 20, OrderBy: order}}
				if err := l.chooseNames(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, way := range []leg{{take: 20}, {take: 20, desc: true}, {from: at, take: 20}, {from: at, take: 20, desc: true}} {
					if way.from != nil && (tc.several || len(tc.f.Name.Terms) > 0) {
						continue
					}
					if _, err := l.rows(t.Context(), way); err != nil {
						t.Fatal(err)
					}
					plan := planOf(t, db, r.texts[len(r.texts)-1], r.args[len(r.args)-1])
					uses := tc.uses
					if uses == "" {
						uses = index[order]
					}
					if !strings.Contains(plan, "INDEX "+uses) || strings.Contains(plan, "SCAN k") || strings.Contains(plan, "SCAN o") {
						t.Errorf("%+v does not use %s:\n%s", way, uses, plan)
					}
					if strings.Contains(plan, "TEMP B-TREE FOR") && !tc.sorts {
						t.Errorf("%+v sorts:\n%s", way, plan)
					}
				}
			})
		}
	}
}

func planOf(t *testing.T, db *DB, query string, args []any) string {
	t.Helper()
	steps, err := sqldb.List(t.Context(), db, func(row sqldb.Scanner) (step string, err error) {
		var skip int
		return step, row.Scan(&skip, &skip, &skip, &step)
	}, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return strings.Join(steps, "\n")
}

// BenchmarkListPackages reads pages of 20 of a project with ten thousand packages and
// with a million: with a hundred versions of each name, and with one.
func BenchmarkListPackages(b *testing.B) {
	for _, versions := range []int{100, 1} {
		for _, n := range []int{10_000, 1_000_000} {
			db, ids := shelfDB(b, 0)
			seed(b, db, ids[0], n, versions)
			benchmarkLists(b, db, ids, fmt.Sprintf("packages=%d,versions=%d/", n, versions), n/20)
		}
	}
}

func benchmarkLists(b *testing.B, db *DB, ids []int64, prefix string, last int) {
	all := registry.PackageFilter{Projects: ids}
	part := func(term string) registry.PackageFilter {
		return registry.PackageFilter{Projects: ids, Name: registry.NameFilter{Terms: []string{term}}}
	}
	for _, tc := range []struct {
		name   string
		f      registry.PackageFilter
		number int
		step   int
		order  string
	}{
		{"first", all, 1, 0, "created_at"},
		{"last", all, last, 0, "created_at"},
		{"first by name", all, 1, 0, "name"},
		{"last by version", all, last, 0, "version"},
		{"walking the middle", all, last / 3, 1, "created_at"},
		{"one name", part("lib-001eef"), 1, 0, "created_at"},
		{"part of some names", part("01ee"), 1, 0, "created_at"},
		{"one letter", part("e"), 1, 0, "created_at"},
		{"part of all names", part("lib-"), 1, 0, "created_at"},
	} {
		b.Run(prefix+tc.name, func(b *testing.B) {
			var took []time.Duration
			ask := page.Request{Number: tc.number, Size: 20, OrderBy: tc.order}
			for b.Loop() {
				began := time.Now()
				found, err := db.ListPackages(b.Context(), tc.f, ask)
				took = append(took, time.Since(began))
				if err != nil || len(found.Rows) == 0 {
					b.Fatal(len(found.Rows), err)
				}
				ask.Number += tc.step
				if ask.Number > last/2 {
					ask.Number = tc.number
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
		})
	}
}
