package metadb

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"granary/internal/page"
	"granary/internal/registry"
)

// What the pages of a package, a version and a deletion ask reads no table from its start,
// and takes one statement each, with the statistics of ANALYZE and without.
func TestPlansOfPages(t *testing.T) {
	db := openSQLite(t)
	p := demo(t, db)
	var asked []string
	countQueries(t, db, func(query string) { asked = append(asked, query) })
	texts := map[string]string{}
	for what, ask := range pageReads(t, db, p.ID) {
		asked = nil
		ask()
		if asked = slices.Compact(asked); len(asked) != 1 { // each connection prepares it
			t.Errorf("%s takes %d statements", what, len(asked))
		}
		texts[what] = asked[0]
	}
	for _, analyzed := range []bool{false, true} {
		if analyzed {
			manyVersions(t, db, p.ID, newProject(t, db, p.Namespace.ID, "final", 0, p.CreatorID).ID, 500)
		}
		for what, text := range texts {
			wantProbes(t, db, what, text)
		}
	}
}

// pageReads are reads that only pages do.
func pageReads(t *testing.T, db *DB, projectID int64) map[string]func() {
	ctx, ids := t.Context(), []int64{projectID*1_000_000 + 1, projectID*1_000_000 + 2}
	some, name, file := registry.Doomed{IDs: ids}, registry.Doomed{Name: "tool"}, registry.Doomed{IDs: ids[:1], FileID: 7}
	reads := map[string]func() error{
		"FindName":      func() error { _, err := db.FindName(ctx, projectID, "tool"); return err },
		"LatestWithout": func() error { _, _, err := db.LatestWithout(ctx, projectID, "tool", ids); return err },
		"PageOfFiles": func() error {
			_, err := db.PageOfFiles(ctx, ids[0], page.Request{Number: 2, Size: 50, OrderBy: "file_name"})
			return err
		},
		"DoomedVersions": func() error { _, err := db.DoomedVersions(ctx, projectID, some, 100); return err },
	}
	for what, d := range map[string]registry.Doomed{"some": some, "a name": name, "a file": file} {
		reads["StoredBy "+what] = func() error { _, err := db.StoredBy(ctx, projectID, d, 5); return err }
	}
	asks := map[string]func(){}
	for what, read := range reads {
		asks[what] = func() { must(t, 0, read()) }
	}
	return asks
}

// wantProbes checks that a query reads tables only by their indexes.
func wantProbes(t *testing.T, db *DB, what, text string) {
	t.Helper()
	scan := regexp.MustCompile(`\bSCAN (\w+)`)
	gathered := []string{"gone", "lost", "l", "one", "CONSTANT", "a", "b"}
	for i := range 2 * ranks {
		gathered = append(gathered, fmt.Sprint("a", i))
	}
	for _, step := range plan(t, db, text) {
		if m := scan.FindStringSubmatch(step); m != nil && (!slices.Contains(gathered, m[1]) || strings.Contains(step, "INDEX")) {
			t.Errorf("%s: %s\nin %s", what, step, text)
		}
	}
}
