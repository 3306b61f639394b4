package metadb

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/registry"
	"granary/internal/sqldb"

	"github.com/google/go-cmp/cmp"
)

// fullCount counts packages and files by project and status, as nothing in the program does:
// from the files themselves.
const fullCount = `SELECT s.project_id, s.status, CAST(SUM(s.versions) AS BIGINT), CAST(SUM(s.files) AS BIGINT), CAST(SUM(s.bytes) AS BIGINT) FROM (
	SELECT k.project_id, k.status, 1 AS versions, 0 AS files, 0 AS bytes FROM packages k
	UNION ALL SELECT k.project_id, CASE f.status WHEN 'pending_destruction' THEN f.status ELSE k.status END, 0, 1, b.size
		FROM package_files f JOIN packages k ON k.id = f.package_id JOIN blobs b ON b.id = f.blob_id) s GROUP BY s.project_id, s.status`

const keptCount = `SELECT project_id, status, CAST(SUM(packages) AS BIGINT), CAST(SUM(files) AS BIGINT), CAST(SUM(bytes) AS BIGINT)
	FROM package_counts GROUP BY project_id, status`

// sizesBy are the sizes that a query tells by project and status, without zeros.
func sizesBy(t *testing.T, q sqldb.Queries, query string) map[string]registry.Size {
	t.Helper()
	found := map[string]registry.Size{}
	must(t, 0, each(t.Context(), q, query, nil, func(row sqldb.Scanner) error {
		var project int64
		var status string
		var s registry.Size
		err := row.Scan(&project, &status, &s.Versions, &s.Files, &s.Bytes)
		if s != (registry.Size{}) {
			found[fmt.Sprint(project, " ", status)] = s
		}
		return err
	}))
	return found
}

func wantSizes(t *testing.T, db *DB) {
	t.Helper()
	must(t, 0, db.Snapshot(t.Context(), false, func(q sqldb.Queries) error {
		if diff := cmp.Diff(sizesBy(t, q, fullCount), sizesBy(t, q, keptCount)); diff != "" {
			t.Errorf("-full count +kept:\n%s", diff)
		}
		return nil
	}))
}

// bringBack undoes a removal as the trash will do it: a version gets a status again, or a file
// its version.
func bringBack(t *testing.T, db *DB, r *rand.Rand) {
	t.Helper()
	switch r.IntN(2) {
	case 0:
		do(t, db, `UPDATE packages SET status = 'default' WHERE id = (SELECT MAX(k.id) FROM packages k WHERE k.status = 'pending_destruction'
			AND NOT EXISTS (SELECT 1 FROM packages o WHERE o.project_id = k.project_id AND o.name = k.name AND o.version = k.version AND o.status <> 'pending_destruction'))`)
	case 1:
		var file, packageID, size int64
		err := db.Row(t.Context(), `SELECT f.id, f.package_id, b.size FROM package_files f JOIN packages k ON k.id = f.package_id JOIN blobs b ON b.id = f.blob_id
			WHERE f.status = 'pending_destruction' AND k.status <> 'pending_destruction' ORDER BY f.id LIMIT 1`).Scan(&file, &packageID, &size)
		if err == nil {
			do(t, db, fmt.Sprintf(`UPDATE package_files SET status = 'default' WHERE id = %d`, file),
				fmt.Sprintf(`UPDATE packages SET files = files + 1, bytes = bytes + %d WHERE id = %d`, size, packageID))
		}
	}
}

// Bytes, files and versions are those of a full count after every deed, on both databases.
func TestSizesAreThoseOfAFullCount(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		other := newProject(t, db, p.Namespace.ID, "other", p.Visibility, p.CreatorID)
		r := rand.New(rand.NewPCG(28, 28))
		now := time.Now().UTC().Truncate(time.Microsecond)
		removed := false
		for step := range 600 {
			id := []int64{p.ID, other.ID}[r.IntN(2)]
			deed(t, db, id, r, now.Add(time.Duration(step)*time.Second))
			if step%5 == 0 {
				oddDeed(t, db, id, r, now.Add(time.Duration(step)*time.Second))
			}
			if step%7 == 0 {
				bringBack(t, db, r)
			}
			if step%20 == 0 {
				must(t, 0, db.SumCounters(t.Context()))
			}
			if wantSizes(t, db); t.Failed() {
				t.Fatalf("after step %d", step)
			}
			removed = removed || count(t, db, `SELECT COUNT(*) FROM package_files f JOIN packages k ON k.id = f.package_id
				WHERE f.status = 'pending_destruction' AND k.status <> 'pending_destruction'`) > 0
		}
		if !removed {
			t.Error("no deed has removed a file alone")
		}
		wantDerived(t, db)
	})
}

// older is a database as an older server left it: versions are on record, and package_counts
// has no files and bytes. Some versions were never counted.
func older(t *testing.T, db *DB) {
	t.Helper()
	do(t, db, `UPDATE packages SET files = NULL, bytes = NULL, counted = NULL WHERE id % 3 = 0`,
		`UPDATE package_counts SET files = 0, bytes = 0`, `UPDATE sized_projects SET project_id = 0`)
}

// What older servers published is added while others publish, and answers are right before.
func TestSizesOfOlderServers(t *testing.T) {
	eachPair(t, func(t *testing.T, db, looking *DB) {
		p := demo(t, db)
		ids := []int64{p.ID}
		for n := range 4 {
			ids = append(ids, newProject(t, db, p.Namespace.ID, fmt.Sprint("p", n), p.Visibility, p.CreatorID).ID)
		}
		r := rand.New(rand.NewPCG(1, 28))
		for n := range 200 {
			deed(t, db, ids[r.IntN(len(ids))], r, time.Now().Add(time.Duration(n)*time.Millisecond))
		}
		want, err := db.SizesOf(t.Context(), ids)
		must(t, 0, err)
		all, err := db.InstanceSize(t.Context())
		must(t, 0, err)
		older(t, db)
		for _, which := range []*DB{db, looking} {
			got, err := which.SizesOf(t.Context(), ids)
			if diff := cmp.Diff(want, must(t, got, err)); diff != "" {
				t.Errorf("before it is added up, -want +got:\n%s", diff)
			}
		}
		if got, err := db.InstanceSize(t.Context()); got != all || err != nil {
			t.Errorf("before it is added up all have %+v, want %+v; %v", got, all, err)
		}
		wantDerived(t, db) // no fault yet

		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for n := range 4 {
			running.Go(func() {
				r := rand.New(rand.NewPCG(2, uint64(n)))
				for ctx.Err() == nil {
					busyDeed(ctx, db, ids[r.IntN(len(ids))], r)
				}
			})
		}
		running.Go(func() { // another node believes that it does the upkeep
			for ctx.Err() == nil {
				_, _ = looking.SizeProject(ctx)
			}
		})
		for left := 1; left > 0; {
			left, err = db.CountVersions(t.Context(), 10)
			must(t, 0, err)
		}
		for more := 1; more > 0; {
			more, err = db.SizeProject(t.Context())
			must(t, 0, err)
			must(t, 0, db.SumCounters(t.Context()))
		}
		cancel()
		running.Wait()
		wantSizes(t, db)
		must(t, 0, db.FlushGrown(t.Context()))
		wantDerived(t, db)
	})
}

// The sums of groups and of the instance are those of their projects; what is deleted is trash.
func TestSizesOfGroups(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		publish := func(projectID int64, version string) {
			t.Helper()
			_, err := db.AddFile(t.Context(), publication(projectID, version, "f"))
			must(t, 0, err)
		}
		publish(p.ID, "1.0.0")
		one := registry.Size{Versions: 1, Files: 1, Bytes: publication(p.ID, "1.0.0", "f").Size}
		gone := newProject(t, db, p.Namespace.ID, "gone", access.Private, p.CreatorID)
		publish(gone.ID, "1.0.0")
		publish(gone.ID, "2.0.0")
		must(t, 0, db.DeleteProject(t.Context(), gone.ID, time.Now(), audit.Event{At: time.Now()}))
		want := registry.Usage{Kept: one, Trashed: one.Plus(one)}
		if got, err := db.InstanceSize(t.Context()); got != want || err != nil {
			t.Errorf("the instance has %+v, want %+v; %v", got, want, err)
		}
		groups, err := db.GroupSizes(t.Context(), []int64{p.Namespace.ID})
		if diff := cmp.Diff(map[int64]registry.Usage{p.Namespace.ID: want}, must(t, groups, err)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		parts, err := db.SizesBelow(t.Context(), p.Namespace.ID, 10)
		if diff := cmp.Diff([]registry.StoragePart{{Kind: registry.ProjectPart, ID: p.ID, Path: "root/demo", Usage: registry.Usage{Kept: one}}}, must(t, parts, err)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		top, err := db.SizesBelow(t.Context(), 0, 10)
		if diff := cmp.Diff([]registry.StoragePart{{Kind: registry.UserPart, ID: p.Namespace.ID, Path: "root", Usage: want}}, must(t, top, err)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// A new database has nothing to add up.
func TestNewDatabasesAreSized(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		upTo, err := sized(t.Context(), db)
		if must(t, upTo, err) != math.MaxInt64 {
			t.Errorf("projects up to %d are added up, want all", upTo)
		}
	})
}

// What tells sizes and downloads reads no table from its start, with statistics and without.
// The sums of the instance are of all projects: they read the counts, and nothing larger.
func TestPlansOfSizes(t *testing.T) {
	db := openSQLite(t)
	p := demo(t, db)
	ctx := t.Context()
	var asked []string
	countQueries(t, db, func(query string) { asked = append(asked, query) })
	ask := func() {
		_, err := db.SizesOf(ctx, []int64{p.ID})
		must(t, 0, err)
		_, err = db.GroupSizes(ctx, []int64{p.Namespace.ID})
		must(t, 0, err)
		_, err = db.SizesBelow(ctx, p.Namespace.ID, 10)
		must(t, 0, err)
		for _, name := range []registry.Name{"", "tool"} {
			_, err = db.NameDownloads(ctx, p.ID, name, []registry.Day{1, 2, 3})
			must(t, 0, err)
		}
		_, err = db.VersionDownloads(ctx, 1, []registry.Day{1, 2, 3})
		must(t, 0, err)
		_, err = db.SumDownloads(ctx, 1, 10)
		must(t, 0, err)
	}
	ask()
	small := regexp.MustCompile(`^SCAN (below|sizes|s|d|sized_projects|download_months|CONSTANT ROW)\b`)
	for _, analyzed := range []bool{false, true} {
		if analyzed {
			manyVersions(t, db, p.ID, newProject(t, db, p.Namespace.ID, "final", 0, p.CreatorID).ID, 500)
		}
		texts := slices.Concat(asked, []string{unsized()}, sumDays("package_downloads", "package_id"), sumDays("name_downloads", "project_id, name"))
		if len(texts) < 12 {
			t.Fatalf("only %d statements were asked", len(texts))
		}
		for _, text := range texts {
			for _, step := range plan(t, db, text) {
				step = strings.TrimSpace(step)
				doomed := step == "SCAN f USING INDEX package_files_doomed" // which has few rows
				if strings.HasPrefix(step, "SCAN") && !doomed && !small.MatchString(step) {
					t.Errorf("%s\nin %s", step, text)
				}
			}
		}
	}
}
