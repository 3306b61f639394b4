package metadb

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"granary/internal/page"
	"granary/internal/registry"
	"granary/internal/versions"
)

// manyNamesMade makes n names of one version each, and puts them into the orders.
func manyNamesMade(t testing.TB, db *DB, projectID int64, n int) {
	err := db.do(t.Context(), func(tx tx) error {
		for i := range n {
			v := fmt.Sprintf("1.%d.0", i%7)
			err := tx.Exec(`INSERT INTO packages (project_id, name, version, status, created_at, updated_at, version_key, prerelease, files, bytes, counted)
				VALUES ($1, $2, $3, 'default', $4, 1, $5, 0, 1, $6, 1)`, projectID, fmt.Sprintf("lib-%06d", i), v, i, versions.Key(v), i%1000)
			if err != nil {
				return err
			}
		}
		return nil
	})
	must(t, 0, err)
	must(t, 0, db.SumCounters(t.Context()))
	for left := 1; left > 0; {
		left, err = db.OrderNames(t.Context(), 10_000)
		must(t, 0, err)
	}
}

// nameChoices are lists of every kind.
func nameChoices(t *testing.T) []registry.NameChoice {
	now := time.Now()
	var all []registry.NameChoice
	for _, order := range []registry.NameOrder{registry.NamesByPublished, registry.NamesByName, registry.NamesByVersions, registry.NamesByStored} {
		for _, c := range []registry.NameChoice{
			{}, {Name: registry.NameFilter{Terms: []string{"000007"}}}, {Name: registry.NameFilter{Terms: []string{"lib"}}, Version: "1.3"},
			{Name: registry.NameFilter{Terms: []string{"lib"}}, Within: parseSelector(t, "^1.2").Range},
			{NameQuery: registry.NameQuery{Since: &now}}, {NameQuery: registry.NameQuery{Until: &now}},
			{NameQuery: registry.NameQuery{Status: registry.StatusDeprecated}}, {NameQuery: registry.NameQuery{Status: registry.StatusDefault}},
		} {
			c.Order = order
			all = append(all, c)
		}
	}
	return all
}

// No list of names sorts or scans a table, from its start or from a cursor: neither with the
// statistics of ANALYZE nor without them, as servers run.
func TestNameListPlans(t *testing.T) {
	db := openSQLite(t)
	p := demo(t, db)
	manyNamesMade(t, db, p.ID, 2000)
	nameListPlans(t, db, p.ID)
	do(t, db, `ANALYZE`)
	nameListPlans(t, db, p.ID)
}

func nameListPlans(t *testing.T, db *DB, projectID int64) {
	t.Helper()
	other := regexp.MustCompile(`SEARCH o USING.* package_name_orders_(\w+)`)
	bad := regexp.MustCompile(`\bSCAN ([nks]\b|package)`)
	for _, c := range nameChoices(t) {
		for _, at := range []*page.Cursor{nil, {Keys: []string{"5", "1000"}}, {Back: true, Keys: []string{"5", "1000"}}} {
			texts, source := readNames(t, db, projectID, c, at, 21)
			index := false
			for _, text := range texts {
				for _, step := range plan(t, db, text) {
					if bad.MatchString(step) && !strings.Contains(step, "USING") {
						t.Errorf("%+v from %v: %s\nin %s", c, at, step, text)
					}
					if m := other.FindStringSubmatch(step); m != nil && source == orderedNames && !strings.HasPrefix((&nameLister{c: c}).column(), m[1]) {
						t.Errorf("%+v from %v: %s\nin %s", c, at, step, text)
					}
					index = index || other.MatchString(step)
				}
			}
			if source == orderedNames && !index {
				t.Errorf("%+v from %v is not read in the order of its index", c, at)
			}
		}
	}
}

// readNames reads a page, and returns what it asked and the source of the list.
func readNames(t *testing.T, db *DB, projectID int64, c registry.NameChoice, at *page.Cursor, limit int) (texts []string, source int) {
	t.Helper()
	r := &recorder{Queries: db}
	l := &nameLister{db: db, q: r, c: c, at: at, desc: c.Asc == (at != nil && at.Back)}
	must(t, 0, l.list(t.Context(), projectID, limit, &registry.FoundNames{}))
	return r.texts, l.source
}

// A page of names takes as many queries with one row as with twenty: three, or up to six
// with a filter.
func TestNamesTakeAFewQueries(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		manyNamesMade(t, db, p.ID, 50)
		_, err := db.ListNames(t.Context(), p.ID, registry.NameChoice{NameQuery: registry.NameQuery{Order: registry.NamesByName}}, nil, 1)
		must(t, 0, err)
		for _, c := range nameChoices(t) {
			if c.Status == registry.StatusDeprecated || c.Since != nil {
				continue // no row
			}
			one, _ := readNames(t, db, p.ID, c, nil, 1)
			page, _ := readNames(t, db, p.ID, c, nil, 21)
			l := nameLister{c: c}
			if len(one) != len(page) || len(page) > 6 || !l.filtered() && len(page) != 3 {
				t.Errorf("%+v: %d queries for one row, %d for 21", c, len(one), len(page))
			}
		}
	})
}

// A search that finds little among many names ends early, and goes on from there.
func TestSearchesForNamesAreBounded(t *testing.T) {
	db := openSQLite(t)
	p := demo(t, db)
	const many = 2*countLimit + 500
	manyNamesMade(t, db, p.ID, many)
	do(t, db, fmt.Sprintf(`UPDATE packages SET version = '8.0.0' WHERE name IN ('lib-%06d', 'lib-%06d')`, 3, many-3))
	for _, order := range []registry.NameOrder{registry.NamesByName, registry.NamesByPublished} {
		c := registry.NameChoice{NameQuery: registry.NameQuery{Order: order, Asc: true}, Name: registry.NameFilter{Terms: []string{"lib-"}}, Version: "8"}
		var got []string
		var at *page.Cursor
		pages := 0
		for pages++; ; pages++ {
			found, err := db.ListNames(t.Context(), p.ID, c, at, 21)
			must(t, 0, err)
			got = append(got, strings.Fields(names(found.Rows))...)
			if at = found.Resume; at == nil {
				break
			}
		}
		if want := fmt.Sprintf("[lib-%06d lib-%06d]", 3, many-3); fmt.Sprint(got) != want || pages != 3 {
			t.Errorf("by %s: %v on %d pages, want %s on 3", order, got, pages, want)
		}
	}
}

// Names and versions of an older server are listed as they are, before the upkeep has
// counted them, in between, and after.
func TestNamesOfOlderServers(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		now := time.Now().UTC().Truncate(time.Microsecond)
		for i := range 30 {
			pub := registry.Publication{
				ProjectID: p.ID, Now: now.Add(time.Duration(i) * time.Second), Size: int64(i), Digest: [32]byte{byte(i)}, Small: []byte{byte(i)},
				Coordinates: registry.Coordinates{Name: registry.Name(fmt.Sprint("n", i%7)), Version: registry.Version(fmt.Sprint(i % 11)), File: registry.FileName(fmt.Sprint("f", i))},
			}
			pub.Event.At = pub.Now
			_, err := db.AddFile(t.Context(), pub)
			must(t, 0, err)
		}
		must(t, 0, db.SumCounters(t.Context()))
		do(t, db, `UPDATE package_names SET bytes = NULL, published_at = NULL, last_id = NULL, changed = 1`,
			`UPDATE packages SET files = NULL, bytes = NULL, counted = NULL`)
		must(t, 0, db.SumCounters(t.Context()))
		wantNames(t, db, p.ID)
		for left := 1; left > 0; {
			waiting := count(t, db, `SELECT COUNT(*) FROM packages WHERE counted IS NULL`) > 0
			n, err := db.OrderNames(t.Context(), 2)
			if must(t, n, err) != 0 && waiting {
				t.Fatal("names were put into the orders before their versions were counted")
			}
			left, err = db.CountVersions(t.Context(), 4)
			must(t, 0, err)
			wantNames(t, db, p.ID)
		}
		for left := 1; left > 0; {
			var err error
			must(t, 0, db.SumCounters(t.Context()))
			left, err = db.OrderNames(t.Context(), 2)
			must(t, 0, err)
			wantNames(t, db, p.ID)
		}
		if n := count(t, db, `SELECT COUNT(*) FROM packages WHERE bytes IS NULL OR files < 1`); n != 0 || !db.counted.Load() {
			t.Errorf("%d versions are not counted", n)
		}
	})
}
