package metadb

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
			`UPDATE package_counts SET files = files + 1 WHERE status = 'default' AND project_id = 1`:                                                                                  "package_counts",
			`UPDATE package_counts SET bytes = bytes - 1 WHERE status = 'default' AND project_id = 1`:                                                                                  "package_counts",
			`INSERT INTO package_counts (project_id, status, packages) VALUES (1, 'nothing', 3)`:                                                                                       "package_counts",
			`INSERT INTO package_counts (project_id, status, packages) VALUES (1, 'nothing', -3)`:                                                                                      "package_counts",
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

// MendDerived mends whatever is bent, keys of versions too, and changes nothing while a
// server may run.
func TestMendDerived(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		history(t, db, 80)
		settled(t, db)
		do(t, db, `UPDATE packages SET updated_at = updated_at - 6000000000`) // all is long ago
		want := derivedRows(t, db)
		for _, s := range []string{
			`UPDATE packages SET prerelease = 1, files = files + 1`, `DELETE FROM package_counts`, `UPDATE package_names SET bytes = bytes + 1`,
			`DELETE FROM package_name_parts`, `UPDATE package_name_totals SET names = names + 1`, `UPDATE blobs SET files = files + 1`,
		} {
			do(t, db, s)
		}
		bent := derivedRows(t, db)
		faults, err := db.CheckDerived(t.Context())
		if err != nil || len(faults) < 5 {
			t.Fatalf("%v, %v", faults, err)
		}
		do(t, db, `INSERT INTO nodes (id, version, schema, seen_at) VALUES ('web1', 'v1', 20, `+db.ClockSQL()+`)`)
		if err := db.MendDerived(t.Context(), faults); err == nil || !strings.Contains(err.Error(), "stop it, and run this again") {
			t.Errorf("beside a server: %v", err)
		}
		if diff := cmp.Diff(bent, derivedRows(t, db)); diff != "" {
			t.Errorf("beside a server, -before +after:\n%s", diff)
		}
		do(t, db, `DELETE FROM nodes`)
		must(t, 0, db.MendDerived(t.Context(), faults))
		if diff := cmp.Diff(want, derivedRows(t, db)); diff != "" {
			t.Errorf("-before +mended:\n%s", diff)
		}
		wantDerived(t, db)
	})
}
