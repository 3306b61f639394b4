package metadb

import (
	"context"
	"testing"

	"granary/internal/metadb/recordstest"
	"granary/internal/sqldb"
)

// The records keep the contracts of the rooms, on both databases.
func TestContracts(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *DB{
		"sqlite":   openSQLite,
		"postgres": func(t testing.TB) *DB { return openPostgres(t, sqldb.Options{}) },
	} {
		t.Run(name, func(t *testing.T) {
			recordstest.Run(t, func(t *testing.T) recordstest.Records {
				db := open(t)
				db.formerPaths.Most = recordstest.FormerPaths
				must(t, 0, db.UseKey(context.Background(), [KeySize]byte{1}))
				return db
			})
		})
	}
}
