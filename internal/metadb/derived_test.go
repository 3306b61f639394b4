package metadb

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/registry"
	"granary/internal/sqldb"

	"github.com/google/go-cmp/cmp"
)

// wantDerived wants these faults, each as a part of its text.
func wantDerived(t *testing.T, db *DB, want ...string) bool {
	t.Helper()
	c := &derivedCheck{db: db}
	must(t, 0, c.run(t.Context()))
	right := len(c.found) == len(want)
	for i := range min(len(c.found), len(want)) {
		right = right && strings.Contains(c.found[i].String(), want[i])
	}
	if !right {
		t.Errorf("faults %v, want %q", c.found, want)
	}
	return right
}

// oddDeed does to records what deed does not.
func oddDeed(t *testing.T, db *DB, projectID int64, r *rand.Rand, now time.Time) {
	t.Helper()
	event := audit.Event{At: now}
	name, version := registry.Name(fmt.Sprint("n", r.IntN(8))), registry.Version(fmt.Sprintf("1.%d.0", r.IntN(4)))
	content := fmt.Appendf(nil, "upload %d", r.IntN(3))
	switch r.IntN(4) {
	case 0:
		_, err := db.AddUpload(t.Context(), registry.Upload{ProjectID: projectID, Secret: fmt.Sprintf("%032x", r.Uint64()), Name: "f", CreatorID: 1,
			Size: int64(len(content)), Digest: sha256.Sum256(content), Small: content, CreatedAt: now}, roomy(), event)
		must(t, 0, err)
	case 1:
		var id int64
		if db.Row(t.Context(), `SELECT id FROM uploads WHERE project_id = $1 LIMIT 1`, projectID).Scan(&id) == nil {
			must(t, 0, db.RemoveUpload(t.Context(), registry.UploadAddress{ProjectID: projectID, ID: id}, event))
		}
	case 2: // yanked, or not
		_, _ = db.EditVersion(t.Context(), projectID, name, version, now, func(v *registry.PackageVersion) ([]audit.Event, error) {
			if v.YankedAt = nil; r.IntN(2) == 0 {
				v.YankedAt = &now
			}
			return []audit.Event{event}, nil
		})
	case 3: // restored, with a status
		f, _, err := db.FindFile(t.Context(), projectID, registry.Coordinates{Name: name, Version: version, File: "f1"})
		if err == nil {
			status := []registry.Status{registry.StatusHidden, registry.StatusDefault}[r.IntN(2)]
			_, _ = db.AddFile(t.Context(), registry.Publication{ProjectID: projectID, Coordinates: registry.Coordinates{Name: name, Version: version, File: "f1"},
				CreatorID: 1, Size: f.Size, Digest: f.Digest, Now: now, Event: event, Restored: &f, Status: &status})
		}
	}
}

// history does random deeds in two projects and a third one, which it deletes. Names of
// several lengths have parts of every kind.
func history(t *testing.T, db *DB, steps int) (projectID int64) {
	t.Helper()
	p := demo(t, db)
	gone := newProject(t, db, p.Namespace.ID, "gone", p.Visibility, p.CreatorID)
	r := rand.New(rand.NewPCG(3, uint64(steps)))
	now := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Hour)
	living := []int64{p.ID, gone.ID}
	for step := range steps {
		now = now.Add(time.Second)
		for _, id := range living {
			deed(t, db, id, r, now)
			oddDeed(t, db, id, r, now)
		}
		if step%20 == 0 {
			wantDerived(t, db)
		}
		if step%15 == 0 {
			must(t, 0, db.SumCounters(t.Context()))
			_, err := db.OrderNames(t.Context(), 3)
			must(t, 0, err)
		}
		if step%11 == 0 {
			must(t, 0, db.FlushGrown(t.Context()))
		}
		if step == steps/2 {
			must(t, 0, db.DeleteProject(t.Context(), gone.ID, now, audit.Event{At: now}))
			living = living[:1]
		}
	}
	for _, name := range []string{"x", strings.Repeat("a", 40), strings.Repeat("long-Name_", 25)} {
		pub := publication(p.ID, "1.0.0", "f")
		pub.Coordinates.Name, pub.Now = registry.Name(name), now
		_, err := db.AddFile(t.Context(), pub)
		must(t, 0, err)
	}
	return p.ID
}

// settled does what the upkeep has left to do, until nothing is left.
func settled(t *testing.T, db *DB) {
	t.Helper()
	must(t, 0, db.FlushGrown(t.Context()))
	for n := 1; n > 0; {
		must(t, 0, db.SumCounters(t.Context()))
		var err error
		n, err = db.OrderNames(t.Context(), 100)
		must(t, 0, err)
	}
}

// derivedRows are the rows and columns that derive fills, without the ids of names.
func derivedRows(t *testing.T, db *DB) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for table, query := range map[string]string{
		"positions":           `SELECT CAST(n AS TEXT) FROM positions`,
		"package_counts":      `SELECT project_id || ' ' || status || ' ' || SUM(packages) FROM package_counts GROUP BY project_id, status HAVING SUM(packages) <> 0`,
		"package_names":       `SELECT project_id || ' ' || name || ' ' || listed || ' ' || bytes || ' ' || CASE WHEN listed > 0 THEN published_at || ' ' || last_id ELSE '' END || ' ' || changed FROM package_names`,
		"package_name_parts":  `SELECT s.project_id || ' ' || s.part || ' ' || n.name FROM package_name_parts s JOIN package_names n ON n.id = s.name_id`,
		"package_name_orders": `SELECT o.project_id || ' ' || o.name || ' ' || o.versions || ' ' || o.bytes || ' ' || o.published_at || ' ' || n.name FROM package_name_orders o JOIN package_names n ON n.id = o.name_id`,
		"package_name_totals": `SELECT project_id || ' ' || names FROM package_name_totals WHERE names <> 0`,
		"blobs":               `SELECT id || ' ' || files FROM blobs`,
		"packages":            `SELECT id || ' ' || files || ' ' || bytes || ' ' || counted FROM packages`,
	} {
		rows, err := sqldb.List(t.Context(), db, func(row sqldb.Scanner) (text string, err error) { return text, row.Scan(&text) }, `SELECT * FROM (`+query+`) r ORDER BY 1`)
		all[table] = must(t, rows, err)
	}
	return all
}

// rederived makes anew what is derived, and the keys of versions as the upkeep does.
func rederived(t *testing.T, db *DB) {
	t.Helper()
	must(t, 0, db.do(t.Context(), db.derive))
	do(t, db, `UPDATE packages SET version_key = NULL, prerelease = NULL`)
	_, err := db.KeyVersions(t.Context(), 10_000)
	must(t, 0, err)
}

// What is derived is right after any history, and derive makes the same of the records
// alone: whatever the columns held, with triggers and without.
func TestDeriveMakesWhatTriggersKeep(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		projectID := history(t, db, 200)
		settled(t, db)
		_, err := db.PurgeDeleted(t.Context(), 1000, time.Now())
		must(t, 0, err)
		settled(t, db)
		wantDerived(t, db)
		want := derivedRows(t, db)
		for table, rows := range want {
			if len(rows) == 0 {
				t.Errorf("the history left nothing in %s", table)
			}
		}
		for _, relaxed := range []bool{false, true} {
			must(t, 0, db.do(t.Context(), func(tx tx) error {
				undo := relax(t, db, tx, relaxed)
				for _, s := range []string{`UPDATE blobs SET files = files + 7`, `UPDATE packages SET files = NULL, bytes = 5, counted = NULL WHERE id % 2 = 0`,
					`UPDATE packages SET bytes = 1`, `DELETE FROM package_counts`, `DELETE FROM package_name_totals`, `DELETE FROM package_name_parts`, `DELETE FROM positions WHERE n > 7`} {
					must(t, 0, tx.Exec(s))
				}
				must(t, 0, db.derive(tx))
				for _, s := range undo {
					must(t, 0, tx.Exec(s))
				}
				return nil
			}))
			if diff := cmp.Diff(want, derivedRows(t, db)); diff != "" {
				t.Fatalf("without triggers %v, -kept +derived:\n%s", relaxed, diff)
			}
			wantDerived(t, db)
		}
		wantNames(t, db, projectID)
		history := rand.New(rand.NewPCG(8, 8)) // triggers go on from what was derived
		for range 50 {
			deed(t, db, projectID, history, time.Now())
		}
		wantDerived(t, db)
		settled(t, db)
		wantDerived(t, db)
		wantNames(t, db, projectID)
	})
}

// relax stops the triggers, if asked for, and returns the statements that undo it.
func relax(t *testing.T, db *DB, tx tx, asked bool) (undo []string) {
	t.Helper()
	if !asked {
		return nil
	}
	if db.Shared() {
		for _, table := range []string{"packages", "package_names", "package_name_orders"} {
			must(t, 0, tx.Exec(`ALTER TABLE `+table+` DISABLE TRIGGER USER`))
			undo = append(undo, `ALTER TABLE `+table+` ENABLE TRIGGER USER`)
		}
		return undo
	}
	text := func(row sqldb.Scanner) (text string, err error) { return text, row.Scan(&text) }
	undo, err := sqldb.List(t.Context(), tx, text, `SELECT sql FROM sqlite_schema WHERE type = 'trigger'`)
	must(t, 0, err)
	drop, err := sqldb.List(t.Context(), tx, text, `SELECT 'DROP TRIGGER ' || name FROM sqlite_schema WHERE type = 'trigger'`)
	must(t, 0, err)
	for _, s := range drop {
		must(t, 0, tx.Exec(s))
	}
	return undo
}

// Each derived value that is bent is found, as one fault, and derive mends it.
func TestBentDerivedRows(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		history(t, db, 80)
		settled(t, db)
		do(t, db, `UPDATE packages SET updated_at = updated_at - 6000000000`) // all is long ago
		wantDerived(t, db)
		const one = ` WHERE id = (SELECT MIN(id) FROM package_names WHERE listed > 0)`
		for statement, want := range map[string]string{
			`DELETE FROM positions WHERE n = 17`:                                                                                                                                       "positions",
			`INSERT INTO positions VALUES (256)`:                                                                                                                                       "positions",
			`UPDATE blobs SET files = files + 1 WHERE id = (SELECT MIN(id) FROM blobs)`:                                                                                                "blobs",
			`UPDATE blobs SET files = 0 WHERE id = (SELECT MIN(id) FROM blobs WHERE files > 0)`:                                                                                        "blobs",
			`UPDATE packages SET files = files + 1 WHERE id = (SELECT MIN(id) FROM packages)`:                                                                                          "packages of id",
			`UPDATE packages SET bytes = bytes + 1 WHERE id = (SELECT MIN(id) FROM packages WHERE status = 'default')`:                                                                 "packages of id",
			`UPDATE packages SET files = NULL WHERE id = (SELECT MIN(id) FROM packages)`:                                                                                               "packages of id",
			`UPDATE packages SET prerelease = 1 WHERE id = (SELECT MIN(id) FROM packages)`:                                                                                             "packages of id",
			`UPDATE packages SET prerelease = NULL WHERE id = (SELECT MIN(id) FROM packages)`:                                                                                          "packages of id",
			`UPDATE packages SET version_key = (SELECT version_key FROM packages ORDER BY version_key DESC LIMIT 1) WHERE id = (SELECT id FROM packages ORDER BY version_key LIMIT 1)`: "packages of id",
			`UPDATE package_counts SET packages = packages + 1 WHERE status = 'default' AND project_id = 1`:                                                                            "package_counts",
			`DELETE FROM package_counts WHERE status = 'default' AND project_id = 1`:                                                                                                   "package_counts",
			`INSERT INTO package_counts VALUES (1, 'nothing', 3)`:                                                                                                                      "package_counts",
			`INSERT INTO package_counts VALUES (1, 'nothing', -3)`:                                                                                                                     "package_counts",
			`UPDATE package_names SET listed = listed + 1` + one:                                                                                                                       "package_names",
			`UPDATE package_names SET listed = 0` + one:                                                                                                                                "package_names",
			`UPDATE package_names SET bytes = bytes + 1` + one:                                                                                                                         "package_names",
			`UPDATE package_names SET bytes = NULL` + one:                                                                                                                              "package_names",
			`UPDATE package_names SET published_at = published_at - 1` + one:                                                                                                           "package_names",
			`UPDATE package_names SET last_id = NULL` + one:                                                                                                                            "package_names",
			`UPDATE package_names SET last_id = (SELECT MAX(id) FROM packages k WHERE k.name <> package_names.name)` + one:                                                             "package_names",
			`UPDATE package_names SET listed = listed + 1, bytes = bytes + 1, last_id = NULL` + one:                                                                                    "package_names",
			`INSERT INTO package_names (project_id, name, listed) VALUES (1, 'extra', 1)`:                                                                                              "package_names",
			`DELETE FROM package_names` + one:                                                                                                                                          "package_names",
			`UPDATE package_name_orders SET versions = versions + 1 WHERE name_id = (SELECT MIN(name_id) FROM package_name_orders)`:                                                    "package_name_orders",
			`UPDATE package_name_orders SET bytes = bytes + 1 WHERE name_id = (SELECT MIN(name_id) FROM package_name_orders)`:                                                          "package_name_orders",
			`UPDATE package_name_orders SET published_at = 0 WHERE name_id = (SELECT MIN(name_id) FROM package_name_orders)`:                                                           "package_name_orders",
			`UPDATE package_name_orders SET name = 'other' WHERE name_id = (SELECT MIN(name_id) FROM package_name_orders)`:                                                             "package_name_orders",
			`DELETE FROM package_name_orders WHERE name_id = (SELECT MIN(name_id) FROM package_name_orders)`:                                                                           "package_name_orders",
			`UPDATE package_name_totals SET names = names + 1 WHERE project_id = 1`:                                                                                                    "package_name_totals",
			`DELETE FROM package_name_totals WHERE project_id = 1`:                                                                                                                     "package_name_totals",
			`INSERT INTO package_name_totals VALUES (12345, 1)`:                                                                                                                        "package_name_totals of project 12345",
			`DELETE FROM package_name_parts WHERE part = 'x'`:                                                                                                                          "package_name_parts",
			`DELETE FROM package_name_parts WHERE name_id = (SELECT id FROM package_names WHERE name LIKE 'long%')`:                                                                    "41 parts are missing",
			`INSERT INTO package_name_parts SELECT project_id, 'name', id FROM package_names WHERE name LIKE 'long%'`:                                                                  `part "name"`,
			`INSERT INTO package_name_parts SELECT project_id, 'aaaa', 99999 FROM package_names WHERE name = 'x'`:                                                                      `part "aaaa"`,
			`INSERT INTO package_name_parts SELECT 99, 'x', id FROM package_names WHERE name = 'x'`:                                                                                    `part "x"`,
			`INSERT INTO package_name_parts SELECT project_id, 'name_long-name_long-name_long-nx', id FROM package_names WHERE name LIKE 'long%'`:                                      `long-nx"`,
		} {
			must(t, 0, db.do(t.Context(), func(tx tx) error {
				if n, err := tx.Count(statement); err != nil || n == 0 {
					t.Fatalf("%s: %d rows, %v", statement, n, err)
				}
				return nil
			}))
			if !wantDerived(t, db, want) {
				t.Fatal(statement)
			}
			rederived(t, db)
			wantDerived(t, db)
		}
	})
}

// Beside publishers, removals, the purge and the upkeep nothing is wrong.
func TestCheckBesidePublishers(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				r := rand.New(rand.NewPCG(5, uint64(n)))
				for ctx.Err() == nil {
					busyDeed(ctx, db, p.ID, r)
				}
			})
		}
		all.Go(func() {
			for ctx.Err() == nil {
				_ = db.FlushGrown(ctx)
				_ = db.SumCounters(ctx)
				_, _ = db.OrderNames(ctx, 3)
				_, _ = db.PurgeDeleted(ctx, 10, time.Now())
				time.Sleep(5 * time.Millisecond)
			}
		})
		runs := 200
		if testing.Short() {
			runs = 20
		}
		for range runs {
			c := &derivedCheck{db: db}
			if err := c.run(t.Context()); err != nil || len(c.found) > 0 {
				t.Errorf("beside publishers: %v %v", c.found, err)
				break
			}
		}
		cancel()
		all.Wait()
		if n := count(t, db, `SELECT COUNT(*) FROM package_files`); n < 100 {
			t.Errorf("only %d files were published meanwhile", n)
		}
		settled(t, db)
		wantDerived(t, db)
	})
}

// busyDeed is a deed that others may get before: it may fail.
func busyDeed(ctx context.Context, db *DB, projectID int64, r *rand.Rand) {
	now := time.Now()
	event := audit.Event{At: now}
	c := registry.Coordinates{Name: registry.Name(fmt.Sprint("n", r.IntN(5))), Version: registry.Version(fmt.Sprintf("1.%d.0", r.IntN(4))), File: registry.FileName(fmt.Sprint("f", r.IntN(3)))}
	var id int64
	_ = db.Row(ctx, `SELECT id FROM packages WHERE project_id = $1 AND name = $2 AND version = $3 AND status <> 'pending_destruction'`, projectID, string(c.Name), string(c.Version)).Scan(&id)
	switch r.IntN(8) {
	case 0:
		_ = db.RemovePackage(ctx, registry.Removed{ProjectID: projectID, PackageID: id, Now: now}, func(registry.Package) (audit.Event, error) { return event, nil })
	case 1:
		var file int64
		_ = db.Row(ctx, `SELECT MAX(id) FROM package_files WHERE package_id = $1 AND status = 'default'`, id).Scan(&file)
		_ = db.RemoveFile(ctx, registry.Removed{ProjectID: projectID, PackageID: id, Now: now}, file, func(registry.Package, registry.File) (audit.Event, error) { return event, nil })
	case 2:
		_, _ = db.EditVersion(ctx, projectID, c.Name, c.Version, now, func(v *registry.PackageVersion) ([]audit.Event, error) {
			v.Status = []registry.Status{registry.StatusHidden, registry.StatusDefault, registry.StatusDeprecated}[r.IntN(3)]
			return []audit.Event{event}, nil
		})
	default:
		bytes := []byte(strings.Repeat("x", r.IntN(50)))
		_, _ = db.AddFile(ctx, registry.Publication{ProjectID: projectID, Coordinates: c, CreatorID: 1, Size: int64(len(bytes)), Digest: sha256.Sum256(bytes), Small: bytes, Now: now, Into: registry.IntoEither, Event: event})
	}
}
