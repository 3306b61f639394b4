package metadb

import (
	"crypto/sha256"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/registry"
)

// TestDatesAreForgotten: the second of a removed file is kept while a file has it or
// may still get it.
func TestDatesAreForgotten(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		root := newUser(t, db, "root", false)
		project := newProject(t, db, newGroup(t, db, 0, "acme", access.Private, root.ID).ID, "tool", access.Private, root.ID)
		now := time.Unix(1_700_000_000, 0)
		add := func(version string, at time.Time) registry.File {
			t.Helper()
			f, err := db.AddFile(t.Context(), registry.Publication{
				ProjectID: project.ID, Coordinates: registry.Coordinates{Name: "n", Version: registry.Version(version), File: "f"},
				CreatorID: root.ID, Size: 1, Digest: sha256.Sum256([]byte("x")), Small: []byte("x"), Now: at,
			})
			return must(t, f, err)
		}
		removed := func(f registry.File) registry.Removed {
			return registry.Removed{ProjectID: project.ID, PackageID: f.PackageID, Now: now}
		}
		kept := func(want int64) {
			t.Helper()
			for range 2 {
				_, err := db.PurgeDeleted(t.Context(), 1, now)
				must(t, 0, err)
			}
			if n := count(t, db, `SELECT COUNT(*) FROM former_files`); n != want {
				t.Errorf("%d dates are kept, want %d", n, want)
			}
		}
		alone, first, second := add("alone", now), add("two", now), add("two", now.Add(time.Millisecond))
		fresh, old := add("fresh", now.Add(-time.Minute)), add("old", now.Add(-2*dateLife))
		for _, f := range []registry.File{alone, first} {
			must(t, 0, db.RemoveFile(t.Context(), removed(f), f.ID, func(registry.Package, registry.File) (audit.Event, error) { return audit.Event{}, nil }))
		}
		whole := func(f registry.File) {
			t.Helper()
			must(t, 0, db.RemovePackage(t.Context(), removed(f), func(registry.Package) (audit.Event, error) { return audit.Event{}, nil }))
		}
		whole(fresh)
		whole(old) // no file comes any more that is as old
		kept(3)
		now = now.Add(2 * dateLife)
		kept(1) // that of the one which has a twin
		whole(second)
		kept(0)
	})
}
