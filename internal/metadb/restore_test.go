package metadb

import (
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/trail"
)

// A file that gets its bytes back keeps its record. If it, its package or its project
// was removed meanwhile, nothing changes, and a retry publishes it anew.
func TestRestoredFile(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		now := time.Now()
		put := func(version string) registry.Publication {
			pub := publication(p.ID, version, "f")
			pub.Event = audit.Event{Name: audit.PackagePublished, At: now, Entity: audit.Entity{Type: audit.Project, ID: p.ID, Path: "demo"}}
			f, err := db.AddFile(t.Context(), pub)
			pub.Restored = &f
			pub.Event.Name = audit.PackageFileRestored
			return must(t, pub, err)
		}
		kept, file, pkg, project := put("1.0.0"), put("2.0.0"), put("3.0.0"), put("4.0.0")
		removed := func(pub registry.Publication) registry.Removed {
			return registry.Removed{ProjectID: p.ID, PackageID: pub.Restored.PackageID, Now: now}
		}
		must(t, 0, db.RemoveFile(t.Context(), removed(file), file.Restored.ID,
			func(registry.Package, registry.File) (audit.Event, error) { return audit.Event{}, nil }))
		must(t, 0, db.RemovePackage(t.Context(), removed(pkg), func(registry.Package) (audit.Event, error) { return audit.Event{}, nil }))

		f, err := db.AddFile(t.Context(), kept)
		if must(t, f, err) != *kept.Restored {
			t.Errorf("it has the record %+v, had %+v", f, *kept.Restored)
		}
		hidden := registry.StatusHidden
		file.Status, pkg.Status, project.Status = &hidden, &hidden, &hidden
		before := len(events(t, db, trail.Filter{}))
		must(t, 0, db.do(t.Context(), func(tx tx) error {
			return tx.Exec(`UPDATE projects SET deleted_at = 1 WHERE id = $1`, p.ID)
		}))
		for what, pub := range map[string]registry.Publication{"file": file, "package": pkg, "project": project} {
			if _, err := db.AddFile(t.Context(), pub); !fault.Is(err, fault.Unavailable) {
				t.Errorf("the %s was removed: %v", what, err)
			}
		}
		if after := len(events(t, db, trail.Filter{})); after != before {
			t.Errorf("%d events tell of them", after-before)
		}
		var n int
		must(t, 0, db.Row(t.Context(), `SELECT COUNT(*) FROM packages WHERE status = 'hidden'`).Scan(&n))
		if n != 0 {
			t.Errorf("%d packages are hidden", n)
		}
	})
}
