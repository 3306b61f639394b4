package metadb

import (
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/registry"
	"granary/internal/sqldb"

	"github.com/google/go-cmp/cmp"
)

// wantDerived wants these faults, each as a part of its text, and those of blobs last.
func wantDerived(t *testing.T, db *DB, want ...string) bool {
	t.Helper()
	c := &derivedCheck{db: db}
	must(t, 0, c.run(t.Context()))
	wrong, _, err := db.Miscounted(t.Context(), 0, math.MaxInt32)
	must(t, wrong, err)
	for _, d := range wrong {
		c.add(DerivedFault{Table: "blobs", Key: d.String()})
	}
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
		"package_counts":      `SELECT project_id || ' ' || status || ' ' || SUM(packages) || ' ' || SUM(files) || ' ' || SUM(bytes) FROM package_counts GROUP BY project_id, status HAVING SUM(packages) <> 0 OR SUM(files) <> 0`,
		"sized_projects":      `SELECT CAST(project_id AS TEXT) FROM sized_projects`,
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
