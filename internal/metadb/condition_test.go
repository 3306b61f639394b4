package metadb

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/blob"
	"granary/internal/eventually"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// nothingThere is If-None-Match: *.
func nothingThere() *registry.Condition {
	return &registry.Condition{NoneMatch: &registry.Tags{Any: true}}
}

// creation is a publication of a file that must not exist yet.
func creation(projectID int64, version string, n int) registry.Publication {
	p := publication(projectID, version, "f")
	p.Digest[31] = byte(n)
	p.If = nothingThere()
	p.Event = audit.Event{Name: audit.PackagePublished, At: p.Now, Entity: audit.Place(projectID, 0)}
	return p
}

// If sixteen publishers create one file at the same time, in a new package or an
// existing one, exactly one succeeds. The others leave nothing.
func TestOneOfManyCreators(t *testing.T) {
	const creators, rounds = 16, 12
	eachDatabase(t, func(t *testing.T, db *DB) {
		db, p, root, _ := hookedIn(t, db)
		job, err := db.InsertJob(t.Context(), auth.Job{ProjectID: p.ID, User: root, Status: auth.JobRunning, CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)},
			auth.DigestOf("job"), roomy(), audit.Event{})
		must(t, 0, err)
		hidden := registry.StatusHidden
		for round := range rounds {
			version := fmt.Sprintf("1.0.%d", round)
			if round%2 == 0 {
				_, err := db.AddFile(t.Context(), publication(p.ID, version, "other"))
				must(t, 0, err)
			}
			oneCreates(t, creators, func(n int) error {
				c := creation(p.ID, version, n)
				c.PipelineID = job.PipelineID
				if n%3 == 0 {
					c.Status = &hidden
				}
				if n%4 == 1 {
					must(t, 0, db.PinBlob(t.Context(), c.Digest, c.Size, c.Now))
					c.Small = nil
				}
				_, err := db.AddFile(t.Context(), c)
				return err
			})
		}
		for query, want := range map[string]int{
			`SELECT COUNT(*) FROM package_files`:                                                      rounds + rounds/2,
			`SELECT CAST(SUM(files) AS BIGINT) FROM blobs`:                                            rounds + rounds/2,
			`SELECT COUNT(*) FROM hook_deliveries`:                                                    rounds + rounds/2,
			`SELECT COUNT(*) FROM packages`:                                                           rounds,
			`SELECT COUNT(*) FROM package_file_pipelines`:                                             rounds,
			`SELECT COUNT(*) FROM package_pipelines`:                                                  rounds,
			`SELECT COUNT(*) FROM audit_events WHERE name = '` + string(audit.PackagePublished) + `'`: rounds,
		} {
			got := 0
			must(t, 0, db.Row(t.Context(), query).Scan(&got))
			if got != want {
				t.Errorf("%s: %d, want %d", query, got, want)
			}
		}
	})
}

// oneCreates runs that many creators of one file, and checks that one succeeds.
func oneCreates(t *testing.T, creators int, create func(n int) error) {
	t.Helper()
	var all sync.WaitGroup
	var made, refused atomic.Int64
	for n := range creators {
		all.Go(func() {
			switch err := create(n); {
			case err == nil:
				made.Add(1)
			case fault.Is(err, fault.Precondition):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 || refused.Load() != int64(creators-1) {
		t.Errorf("of %d, %d made it, %d were refused", creators, made.Load(), refused.Load())
	}
}

// While the package is removed in parallel, no package ever gets the file twice, in
// whatever order creators and removers wait. It takes three for the hard case: a
// creator waits for a remover, which waits for a creator.
func TestCreatorsBesideRemovers(t *testing.T) {
	const creators, removers, rounds = 16, 4, 25
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		var made atomic.Int64
		for range rounds {
			var all sync.WaitGroup
			for n := range creators {
				all.Go(func() {
					_, err := db.AddFile(t.Context(), creation(p.ID, "1.0.0", n))
					if err == nil {
						made.Add(1)
					} else if !fault.Is(err, fault.Precondition) {
						t.Error(err)
					}
				})
			}
			for range removers {
				all.Go(func() { removeAll(t, db, p.ID) })
			}
			all.Wait()
		}
		onlyOneEach(t, db, int(made.Load()))
	})
}

// removeAll removes every package of a project that it sees.
func removeAll(t *testing.T, db *DB, projectID int64) {
	found, err := db.ListPackages(t.Context(), registry.PackageFilter{Projects: []int64{projectID}}, page.Request{Number: 1, Size: 100})
	if err != nil {
		t.Error(err)
	}
	for _, k := range found.Rows {
		err := db.RemovePackage(t.Context(), registry.Removed{ProjectID: projectID, PackageID: k.ID, Now: time.Now()},
			func(registry.Package) (audit.Event, error) { return audit.Event{}, nil })
		if err != nil && !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	}
}

// onlyOneEach checks that there are as many files as were created, and exactly one in
// each package, removed or not.
func onlyOneEach(t *testing.T, db *DB, made int) {
	t.Helper()
	var files, packages, most int
	must(t, 0, db.Row(t.Context(), `SELECT COUNT(*), (SELECT COUNT(*) FROM packages) FROM package_files`).Scan(&files, &packages))
	must(t, 0, db.Row(t.Context(), `SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM package_files GROUP BY package_id) c`).Scan(&most))
	if made == 0 || files != made || packages != made || most != 1 {
		t.Errorf("%d were made: %d files in %d packages, up to %d in one", made, files, packages, most)
	}
}

// The hard case by hand: all wait for one row, and continue together.
func TestCreatorsBehindOneRow(t *testing.T) {
	db := openPostgres(t, sqldb.Options{})
	p := demo(t, db)
	var made atomic.Int64
	create := func(n int) {
		switch _, err := db.AddFile(t.Context(), creation(p.ID, "1.0.0", n)); {
		case err == nil:
			made.Add(1)
		case !fault.Is(err, fault.Precondition):
			t.Error(err)
		}
	}
	create(0)
	for range 10 {
		removeAll(t, db, p.ID)
		create(1)
		held, err := db.Reads.BeginTx(t.Context(), nil)
		must(t, held, err)
		defer func() { _ = held.Rollback() }()
		_, err = held.ExecContext(t.Context(), `SELECT 1 FROM packages WHERE project_id = $1 AND status = 'default' FOR UPDATE`, p.ID)
		must(t, 0, err)
		var all sync.WaitGroup
		for n, step := range []func(){func() { create(2) }, func() { removeAll(t, db, p.ID) }, func() { create(3) }, func() { create(4) }} {
			all.Go(step)
			waitingMany(t, db, n+1)
		}
		must(t, 0, held.Rollback())
		all.Wait()
	}
	onlyOneEach(t, db, int(made.Load()))
}

// waitingMany returns once that many transactions wait for a lock.
func waitingMany(t *testing.T, db *DB, many int) {
	t.Helper()
	eventually.Holds(t, fmt.Sprintf("%d transactions wait for a lock", many), func() bool {
		return count(t, db, `SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`) >= int64(many)
	})
}

// A condition is checked against the file that an installer would get.
func TestConditions(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		contents := map[blob.Digest][]byte{}
		content := func(text string) blob.Digest {
			d := blob.Digest(sha256.Sum256([]byte(text)))
			contents[d] = []byte(text)
			return d
		}
		one, two, other := content("one"), content("two"), content("other")
		tags := func(digests ...blob.Digest) *registry.Tags { return &registry.Tags{Digests: digests} }
		anything := &registry.Tags{Any: true}
		removeFile := func(d blob.Digest) {
			t.Helper()
			var packageID, fileID int64
			must(t, 0, db.Row(t.Context(), `SELECT f.package_id, f.id FROM package_files f JOIN blobs b ON b.id = f.blob_id
				WHERE b.digest = $1 AND f.status = 'default'`, d[:]).Scan(&packageID, &fileID))
			must(t, 0, db.RemoveFile(t.Context(), registry.Removed{ProjectID: p.ID, PackageID: packageID, Now: time.Now()}, fileID,
				func(registry.Package, registry.File) (audit.Event, error) { return audit.Event{}, nil }))
		}
		var live []blob.Digest
		for i, step := range []struct {
			put    blob.Digest
			c      registry.Condition
			ok     bool
			remove blob.Digest // before
		}{
			{put: one, c: registry.Condition{Match: anything}},
			{put: one, c: registry.Condition{Match: tags(one)}},
			{put: one, c: registry.Condition{NoneMatch: tags(one)}, ok: true}, // nothing is there
			{put: two, c: registry.Condition{NoneMatch: anything}},
			{put: one, c: registry.Condition{NoneMatch: tags(two, one)}},
			{put: two, c: registry.Condition{Match: tags(other)}},
			{put: two, c: registry.Condition{Match: tags()}},
			{put: two, c: registry.Condition{Match: tags(other, one)}, ok: true},
			{put: other, c: registry.Condition{Match: tags(one)}}, // it is an older one's
			{put: other, c: registry.Condition{NoneMatch: tags()}, ok: true},
			{put: two, c: registry.Condition{Match: tags(one), NoneMatch: tags(other)}},
			{put: two, c: registry.Condition{Match: anything, NoneMatch: tags(other)}},
			{put: one, c: registry.Condition{Match: tags(two), NoneMatch: tags(one)}, ok: true, remove: other}, // two is the newest again
		} {
			if step.remove != (blob.Digest{}) {
				removeFile(step.remove)
				live = slices.DeleteFunc(live, func(d blob.Digest) bool { return d == step.remove })
			}
			pub := publication(p.ID, "1.0.0", "f")
			pub.Digest, pub.Small, pub.If = step.put, contents[step.put], &step.c
			pub.Size = int64(len(pub.Small))
			_, err := db.AddFile(t.Context(), pub)
			if step.ok != (err == nil) || !step.ok && !fault.Is(err, fault.Precondition) {
				t.Errorf("step %d: %v", i, err)
			}
			if step.ok {
				live = append(live, step.put)
			}
			if len(live) == 0 {
				continue
			}
			f, _, err := db.FindFile(t.Context(), p.ID, pub.Coordinates)
			if err != nil || f.Digest != live[len(live)-1] {
				t.Errorf("step %d: %v is there, %v", i, f.Digest, err)
			}
		}
	})
}
