package metadb

import (
	"testing"

	"granary/internal/metadb/recordstest"
	"granary/internal/records"
	"granary/internal/sqldb"

	"github.com/google/go-cmp/cmp"
)

// TestRoundTripOfEveryDeed: what every method of the records leaves, in rows of every
// table, is the same in the other database, and back again.
func TestRoundTripOfEveryDeed(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		db.formerPaths.Most = recordstest.FormerPaths
		must(t, 0, db.UseKey(t.Context(), [KeySize]byte{1}))
		recordstest.Run(t, db)
		_, _, err := db.StoreIdentity(t.Context())
		must(t, 0, err)
		do(t, db, `INSERT INTO hook_deliveries (hook_id, key, event, attempts, due, created_at, trace_parent, trace_state) SELECT MIN(id), 'key', '{}', 1, 2, 3, '00-1-2-01', 'a=1' FROM hooks`,
			`INSERT INTO sign_in_links (digest, user_id, token_id, expires_at) SELECT digest, user_id, id, 5 FROM personal_access_tokens`,
			`INSERT INTO leases (name, holder, taken_at, seen_at) VALUES ('backup', 'somebody', 1, 2)`,
			`INSERT INTO last_backup (id, snapshot, place, began_at) VALUES (1, 'snapshot', 'file:/place', 3)`)
		for _, table := range exported(allRows()) {
			if rowsOf(t, db, table.name) == 0 {
				t.Errorf("table %s has no row", table.name)
			}
		}
		settled(t, db)
		must(t, 0, db.do(t.Context(), db.derive)) // some of it is as a killed node leaves it
		roundTrip(t, db)
	})
}

// TestRoundTripOfAHistory: the same after random deeds on packages.
func TestRoundTripOfAHistory(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		history(t, db, 60)
		roundTrip(t, db)
	})
}

// roundTrip copies a database into one of the other kind and that into another of its
// own, and wants the same rows in all, and derived rows that are right.
func roundTrip(t *testing.T, from *DB) {
	t.Helper()
	settled(t, from)
	want := derivedRows(t, from)
	there, back := openPostgres(t, sqldb.Options{}), openSQLite(t)
	if from.Shared() {
		there, back = openSQLite(t), openPostgres(t, sqldb.Options{})
	}
	for _, step := range []struct{ from, to *DB }{{from, there}, {there, back}} {
		s, err := records.Copy(t.Context(), step.from, step.to, allRows())
		must(t, s, err)
		for _, table := range exported(allRows()) {
			wantSameTable(t, from, step.to, table)
		}
		wantDerived(t, step.to)
		if diff := cmp.Diff(want, derivedRows(t, step.to)); diff != "" {
			t.Errorf("derived rows, -want +got:\n%s", diff)
		}
		last := func(db *DB) (ids map[string]int64) {
			must(t, 0, db.LongSnapshot(t.Context(), func(q sqldb.Queries) (err error) {
				ids, err = db.LastIDs(t.Context(), q)
				for _, table := range recordTables() {
					if table.class == derived || table.class == own {
						delete(ids, table.name)
					}
				}
				delete(ids, "pipelines") // they are numbered by pipeline_numbers
				return err
			}))
			return ids
		}
		if diff := cmp.Diff(last(from), last(step.to)); diff != "" {
			t.Errorf("the last ids, -want +got:\n%s", diff)
		}
	}
}
