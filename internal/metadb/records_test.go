package metadb

import (
	"testing"

	"granary/internal/metadb/recordstest"
)

// The records keep the contracts of the rooms.
func TestContracts(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		db.formerPaths.Most = recordstest.FormerPaths
		must(t, 0, db.UseKey(t.Context(), [KeySize]byte{1}))
		recordstest.Run(t, db)
	})
}
