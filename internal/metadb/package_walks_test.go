package metadb

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/metadb/metadbtest"
	"granary/internal/page"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// longLists are filters that choose more packages than are counted.
func longLists(ids []int64) map[string]registry.PackageFilter {
	part := registry.NameFilter{Terms: []string{"LIB-0"}}
	return map[string]registry.PackageFilter{
		"a name":                {Projects: ids[:1], Name: part},
		"a name's status":       {Projects: ids[:1], Name: part, Status: registry.StatusDefault},
		"two terms":             {Projects: ids[:1], Name: registry.NameFilter{Terms: []string{"0", "-"}}},
		"of several":            {Projects: ids, Name: part},
		"all":                   {Projects: ids[:1]},
		"all of several":        {Projects: ids},
		"a version of several":  {Projects: ids, Version: "1.0.7"},
		"thousands of one name": {Projects: ids[:1], Name: registry.NameFilter{Terms: []string{"b-000000"}}},
	}
}

// TestLongListsAgreeWithSorting: every page of a list that is too long to be counted
// equals a page of all its packages sorted in memory, in whatever way it is reached,
// and after a package went or came.
func TestLongListsAgreeWithSorting(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		_, ids := shelfOf(t, db, 10_500, 500)
		chance := rand.New(rand.NewPCG(1, 2))
		places := map[int64]int{ids[0]: 0, ids[1]: 1}
		for _, orders := range [][]string{append(orders(), byProjectPath), {"created_at", byProjectPath}} {
			all, err := sqldb.List(t.Context(), db, scanPackage, `SELECT `+packageColumns+` FROM packages k`)
			must(t, 0, err)
			for what, f := range longLists(ids) {
				want := slices.DeleteFunc(slices.Clone(all), func(p registry.Package) bool { return !chosen(f, p) })
				for _, order := range orders {
					if order == byProjectPath && len(f.Projects) == 1 {
						continue
					}
					slices.SortFunc(want, compare(order, places))
					checkAnyPages(t, db, chance, what+" by "+order, f, order, want)
				}
			}
			doomed := all[len(all)/3]
			must(t, 0, db.RemovePackage(t.Context(), registry.Removed{ProjectID: doomed.ProjectID, PackageID: doomed.ID, Now: time.Now()},
				func(registry.Package) (audit.Event, error) { return audit.Event{}, nil }))
			publishNamed(t, db, ids[0], "lib-000000", "1.0.5555")
		}
	})
}

func publishNamed(t *testing.T, db *DB, projectID int64, name, version string) {
	t.Helper()
	f, err := db.AddFile(t.Context(), registry.Publication{
		ProjectID: projectID, Coordinates: registry.Coordinates{Name: registry.Name(name), Version: registry.Version(version), File: "f"}, Small: []byte("x"), Size: 1, Now: time.Now(),
	})
	must(t, f, err)
}

func checkAnyPages(t *testing.T, db *DB, chance *rand.Rand, what string, f registry.PackageFilter, order string, want []registry.Package) {
	t.Helper()
	const size = 20
	last := (len(want) + size - 1) / size
	for _, desc := range []bool{false, true} {
		numbers := []int{last/2 + 1, last / 2, last, last + 1}
		for range 2 {
			numbers = append(numbers, 1+chance.IntN(last))
		}
		for _, number := range numbers {
			p := page.Request{Number: max(number, 1), Size: size, OrderBy: order, Desc: desc}
			found, err := db.ListPackages(t.Context(), f, p)
			must(t, 0, err)
			from := min(p.Offset(), len(want))
			exact := idsOf(want[from:min(from+size, len(want))])
			if desc {
				to := max(len(want)-from, 0)
				exact = idsOf(want[max(to-size, 0):to])
				slices.Reverse(exact)
			}
			if got := idsOf(found.Rows); !slices.Equal(got, exact) {
				t.Fatalf("%s, page %d of %d, desc %t: %v, want %v", what, p.Number, last, desc, got, exact)
			}
		}
	}
}

// TestNoPageSkipsManyRows: once a page in the middle of a long list was read, every
// page before it skips at most as many rows as lie between two bookmarks; of several
// projects, every page that follows it.
func TestNoPageSkipsManyRows(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		_, ids := shelfOf(t, db, 11_000, 500)
		chance := rand.New(rand.NewPCG(3, 4))
		for what, f := range longLists(ids) {
			if what == "a version of several" || what == "thousands of one name" {
				continue // short
			}
			for _, order := range orders() {
				for _, desc := range []bool{false, true} {
					db.walks.clear()
					const last = 11_000 * 4 / 10 / 20
					read := func(number int) int {
						r := &recorder{Queries: db}
						l := lister{db: db, q: r, f: f, p: page.Request{Number: number, Size: 20, OrderBy: order, Desc: desc}, began: db.walks.begin(projectOf(f))}
						must(t, 0, l.chooseNames(t.Context()))
						_, err := l.list(t.Context())
						must(t, 0, err)
						return r.skipped()
					}
					first := read(last)
					if first < last*20/3 { // else there would be nothing to save
						t.Errorf("%s by %s: the first page skips %d rows", what, order, first)
					}
					for i := range 3 {
						number := last + 1 + i
						if len(f.Projects) == 1 {
							number = 1 + chance.IntN(last)
						}
						if n := read(number); n > stride {
							t.Errorf("%s by %s, desc %t: page %d skips %d rows", what, order, desc, number, n)
						}
					}
				}
			}
		}
	})
}

// skipped is the sum of the rows that the queries skip.
func (r *recorder) skipped() (n int) {
	for i, text := range r.texts {
		if args := r.args[i]; strings.HasSuffix(text, fmt.Sprintf("OFFSET $%d", len(args))) {
			n += args[len(args)-1].(int)
		}
	}
	return n
}

// meddler is the queries of a list; after the first one, something happens.
type meddler struct {
	sqldb.Queries
	happens func()
}

func (m *meddler) meddle() {
	if happens := m.happens; happens != nil {
		m.happens = nil
		happens()
	}
}

func (m *meddler) Row(ctx context.Context, query string, args ...any) *sql.Row {
	defer m.meddle()
	return m.Queries.Row(ctx, query, args...)
}

// TestBookmarksOfAnOlderSnapshotAreNotKept: a package that comes while a page is read
// does not displace later pages.
func TestBookmarksOfAnOlderSnapshotAreNotKept(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		_, ids := shelfOf(t, db, 3000)
		f := registry.PackageFilter{Projects: ids}
		ask := page.Request{Number: 75, Size: 20, OrderBy: "name"}
		began := db.walks.begin(projectOf(f))
		must(t, 0, db.Snapshot(t.Context(), false, func(q sqldb.Queries) error {
			m := &meddler{q, func() { publishNamed(t, db, ids[0], "a", "1") }}
			_, err := (&lister{db: db, q: m, f: f, p: ask, began: began}).list(t.Context())
			return err
		}))
		all, err := sqldb.List(t.Context(), db, scanPackage, `SELECT `+packageColumns+` FROM packages k ORDER BY name, version`)
		must(t, 0, err)
		found, err := db.ListPackages(t.Context(), f, ask)
		must(t, 0, err)
		if got, want := idsOf(found.Rows), idsOf(all[ask.Offset():ask.Offset()+20]); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// TestBookmarksHeedOtherNodes: a page is right after another node removed one package and
// published another, as many as before.
func TestBookmarksHeedOtherNodes(t *testing.T) {
	dsn := metadbtest.Postgres(t, migrated)
	var nodes []*DB
	for range 2 {
		db, err := OpenPostgres(t.Context(), dsn, sqldb.Options{})
		nodes = append(nodes, closing(t, db, err))
	}
	here, there := nodes[0], nodes[1]
	_, ids := shelfOf(t, here, 3000)
	f := registry.PackageFilter{Projects: ids, Name: registry.NameFilter{Terms: []string{"lib"}}}
	check := func(order string) {
		t.Helper()
		want, err := sqldb.List(t.Context(), here, scanPackage, `SELECT `+packageColumns+` FROM packages k WHERE k.status = 'default'`)
		must(t, want, err)
		slices.SortFunc(want, compare(order, nil))
		for _, number := range []int{70, 71} {
			ask := page.Request{Number: number, Size: 20, OrderBy: order}
			found, err := here.ListPackages(t.Context(), f, ask)
			must(t, 0, err)
			if got, want := idsOf(found.Rows), idsOf(want[ask.Offset():ask.Offset()+20]); !slices.Equal(got, want) {
				t.Fatalf("by %s: %v, want %v", order, got, want)
			}
		}
	}
	for i, order := range []string{"name", "version", "name"} {
		check(order)
		check(order)
		first, err := sqldb.List(t.Context(), here, scanPackage, `SELECT `+packageColumns+` FROM packages k WHERE k.status = 'default' ORDER BY k.`+order+` LIMIT 1`)
		must(t, first, err)
		must(t, 0, there.RemovePackage(t.Context(), registry.Removed{ProjectID: ids[0], PackageID: first[0].ID, Now: time.Now()},
			func(registry.Package) (audit.Event, error) { return audit.Event{}, nil }))
		check(order)
		publishNamed(t, there, ids[0], "lib-zzz", fmt.Sprint("9.", i))
		check(order)
		must(t, 0, there.SumCounters(t.Context()))
		check(order)
	}
}
