package metadb

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/page"
	"granary/internal/registry"
	"granary/internal/versions"
)

// modelName is what a list must say of a name.
type modelName struct {
	name      string
	versions  int
	stored    int64
	published int64
}

// modelNames computes the list from the packages and their files.
func modelNames(t *testing.T, db *DB, projectID int64) []modelName {
	t.Helper()
	var all []modelName
	rows, err := db.Rows(t.Context(), `SELECT k.name, COUNT(*), MAX(k.created_at), CAST(SUM((SELECT COALESCE(SUM(b.size), 0) FROM package_files f JOIN blobs b ON b.id = f.blob_id
			WHERE f.package_id = k.id AND f.status <> 'pending_destruction')) AS BIGINT)
		FROM packages k WHERE k.project_id = $1 AND `+isListed+` GROUP BY k.name`, projectID)
	must(t, 0, err)
	defer rows.Close()
	for rows.Next() {
		var m modelName
		must(t, 0, rows.Scan(&m.name, &m.versions, &m.published, &m.stored))
		all = append(all, m)
	}
	must(t, 0, rows.Err())
	return all
}

// sorted are the names in an order, the highest first; of equal ones the latter name's id
// decides, which the caller does not compare.
func sortedNames(all []modelName, by registry.NameOrder) []modelName {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b modelName) int {
		switch by {
		case registry.NamesByName:
			return strings.Compare(b.name, a.name)
		case registry.NamesByVersions:
			return cmp.Compare(b.versions, a.versions)
		case registry.NamesByStored:
			return cmp.Compare(b.stored, a.stored)
		}
		return cmp.Compare(b.published, a.published)
	})
	return all
}

// walkNames reads a list from page to page, to its end and back.
func walkNames(t *testing.T, db *DB, projectID int64, c registry.NameChoice, size int) (rows []registry.NameRow) {
	t.Helper()
	var at *page.Cursor
	var there, back []registry.NameRow
	for {
		found, err := db.ListNames(t.Context(), projectID, c, at, size+1)
		must(t, 0, err)
		if found.Total >= 0 && len(found.Rows) > found.Total {
			t.Errorf("%d rows of %d", len(found.Rows), found.Total)
		}
		there = append(there, found.Rows[:min(size, len(found.Rows))]...)
		if len(found.Rows) <= size {
			break
		}
		at = &page.Cursor{Keys: there[len(there)-1].Keys}
	}
	if len(there) == 0 {
		return nil
	}
	back = there[len(there)-1:]
	for {
		found, err := db.ListNames(t.Context(), projectID, c, &page.Cursor{Back: true, Keys: back[0].Keys}, size)
		must(t, 0, err)
		if len(found.Rows) == 0 {
			break
		}
		slices.Reverse(found.Rows)
		back = append(found.Rows, back...)
	}
	if names(there) != names(back) {
		t.Errorf("there %s\nback  %s", names(there), names(back))
	}
	return there
}

func names(rows []registry.NameRow) string {
	var all []string
	for _, r := range rows {
		all = append(all, string(r.Name))
	}
	return strings.Join(all, " ")
}

// wantNames compares lists in all orders with the packages.
func wantNames(t *testing.T, db *DB, projectID int64) {
	t.Helper()
	must(t, 0, db.FlushGrown(t.Context()))
	model := modelNames(t, db, projectID)
	for _, by := range []registry.NameOrder{registry.NamesByPublished, registry.NamesByName, registry.NamesByVersions, registry.NamesByStored} {
		for _, asc := range []bool{false, true} {
			rows := walkNames(t, db, projectID, registry.NameChoice{NameQuery: registry.NameQuery{Order: by, Asc: asc}}, 3)
			if asc {
				slices.Reverse(rows)
			}
			if len(rows) != len(model) {
				t.Fatalf("by %s: %d names, want %d: %s", by, len(rows), len(model), names(rows))
			}
			for i, want := range sortedNames(model, by) {
				r := rows[i]
				j := slices.IndexFunc(model, func(m modelName) bool { return m.name == string(r.Name) })
				got := modelName{string(r.Name), r.Versions, r.Stored, r.PublishedAt.UnixMicro()}
				if j < 0 || got != model[j] {
					t.Fatalf("by %s: %+v, want of %v", by, got, model)
				}
				if sortedNames([]modelName{model[j], want}, by)[0] != model[j] || sortedNames([]modelName{want, model[j]}, by)[0] != want {
					t.Fatalf("by %s, row %d is %+v, want %+v", by, i, got, want)
				}
				wantLatest(t, db, projectID, r)
			}
		}
	}
}

// wantLatest compares the latest version of a row with what the selector chooses.
func wantLatest(t *testing.T, db *DB, projectID int64, r registry.NameRow) {
	t.Helper()
	v, err := db.SelectVersion(t.Context(), projectID, r.Name, "latest", &versions.Selector{Latest: true})
	if r.Last == nil || r.Last.CreatedAt != r.PublishedAt || r.Latest == nil || err == nil && r.Latest.ID != v.ID {
		t.Fatalf("%s: latest %+v, newest %+v, want %s", r.Name, r.Latest, r.Last, v.Version)
	}
}

// The lists are right after any history, whatever the upkeep has done of it.
func TestNamesAreWhatIsThere(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		r := rand.New(rand.NewPCG(1, 2))
		now := time.Now().UTC().Truncate(time.Microsecond)
		for step := range 150 {
			now = now.Add(time.Second)
			deed(t, db, p.ID, r, now)
			if step%10 == 0 {
				must(t, 0, db.SumCounters(t.Context()))
			}
			if step%7 == 0 {
				_, err := db.OrderNames(t.Context(), 2)
				must(t, 0, err)
			}
			if step%15 == 0 {
				wantNames(t, db, p.ID)
			}
		}
		for n := 1; n > 0; {
			var err error
			must(t, 0, db.SumCounters(t.Context()))
			n, err = db.OrderNames(t.Context(), 100)
			must(t, 0, err)
		}
		wantNames(t, db, p.ID)
		if n := count(t, db, `SELECT COUNT(*) FROM package_name_orders o JOIN package_names n ON n.id = o.name_id
			WHERE o.versions <> n.listed OR o.bytes <> n.bytes OR o.published_at <> n.published_at OR n.listed = 0 OR n.changed = 1`); n != 0 {
			t.Errorf("%d names are not as they were put into the orders", n)
		}
	})
}

// deed publishes, removes, hides or finalises something.
func deed(t *testing.T, db *DB, projectID int64, r *rand.Rand, now time.Time) {
	t.Helper()
	c := registry.Coordinates{Name: registry.Name(fmt.Sprint("n", r.IntN(8))), Version: registry.Version(fmt.Sprintf("1.%d.0", r.IntN(4))), File: registry.FileName(fmt.Sprint("f", r.IntN(3)))}
	bytes := []byte(strings.Repeat("x", r.IntN(50)) + strconv.Itoa(r.IntN(5)))
	pub := registry.Publication{ProjectID: projectID, Coordinates: c, CreatorID: 1, Size: int64(len(bytes)), Digest: sha256.Sum256(bytes), Small: bytes, Now: now, Into: registry.IntoEither}
	event := audit.Event{At: now}
	pub.Event = event
	var id int64
	_ = db.Row(t.Context(), `SELECT id FROM packages WHERE project_id = $1 AND name = $2 AND status <> 'pending_destruction' ORDER BY created_at DESC LIMIT 1`, projectID, string(c.Name)).Scan(&id)
	removed := registry.Removed{ProjectID: projectID, PackageID: id, Now: now}
	allow := func(registry.Package) (audit.Event, error) { return event, nil }
	switch what := r.IntN(12); {
	case what == 0 && id != 0:
		must(t, 0, db.RemovePackage(t.Context(), removed, allow))
	case what == 1 && id != 0:
		var file int64
		if db.Row(t.Context(), `SELECT id FROM package_files WHERE package_id = $1 AND status = 'default' LIMIT 1`, id).Scan(&file) == nil {
			must(t, 0, db.RemoveFile(t.Context(), removed, file, func(registry.Package, registry.File) (audit.Event, error) { return event, nil }))
		}
	case what == 2:
		_, err := db.PurgeDeleted(t.Context(), 10, now)
		must(t, 0, err)
	case what == 3 && id != 0:
		_, _, err := db.FinaliseVersion(t.Context(), projectID, c.Name, c.Version, func(v registry.PackageVersion, files []registry.VersionFile) (registry.Final, error) {
			return registry.Final{Status: registry.StatusDefault, Manifest: sha256.Sum256([]byte(v.Version)), Event: event}, nil
		})
		_ = err // there may be no such version
	case what == 4:
		pub.Into = registry.IntoDraft
		_, _ = db.AddFile(t.Context(), pub)
	case what == 5:
		status := []registry.Status{registry.StatusHidden, registry.StatusDefault}[r.IntN(2)]
		pub.Status = &status
		_, _ = db.AddFile(t.Context(), pub)
	case what == 6:
		_, _ = db.EditVersion(t.Context(), projectID, c.Name, c.Version, now, func(v *registry.PackageVersion) ([]audit.Event, error) {
			v.Status = []registry.Status{registry.StatusHidden, registry.StatusDefault, registry.StatusDeprecated}[r.IntN(3)]
			return []audit.Event{event}, nil
		})
	default:
		_, _ = db.AddFile(t.Context(), pub) // a final version takes no file
	}
}
