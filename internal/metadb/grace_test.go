package metadb

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// A blob's grace period starts when the last reference to it is removed, in whatever
// way, and not when it was published.
func TestGraceCountsFromTheLastReference(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		gone := newProject(t, db, newUser(t, db, "ada", false).NamespaceID, "gone", p.Visibility, 1)
		published := time.Now().Add(-1000 * time.Hour)
		for i, drop := range []func(f registry.File, at time.Time) error{
			func(f registry.File, at time.Time) error { return removeFile(t, db, p, f, at) },
			func(f registry.File, at time.Time) error { return removePackage(t, db, p, f, at) },
			func(registry.File, time.Time) error { return removeUpload(t, db, p, published) },
			func(_ registry.File, at time.Time) error {
				return db.DeleteProject(t.Context(), gone.ID, at, audit.Event{})
			},
		} {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				in := p
				if i == 3 {
					in = gone
				}
				shared := publishOld(t, db, in.ID, i, published)
				if i == 2 {
					addUpload(t, db, p, shared.Digest, shared.Size, published)
					must(t, 0, removeFile(t, db, p, shared, published))
					purge(t, db, published)
				}
				sweeps(t, db, time.Now(), 0) // something refers to it
				dropped := time.Now()
				must(t, 0, drop(shared, dropped))
				purge(t, db, dropped)
				sweeps(t, db, dropped, 0)
				sweeps(t, db, dropped.Add(time.Minute), 1)
			})
		}
	})
}

// For two files with the same bytes, it starts at the removal of the second.
func TestGraceCountsFromTheLastOfTwo(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		published := time.Now().Add(-1000 * time.Hour)
		first, second := publishOld(t, db, p.ID, 1, published), publishOld(t, db, p.ID, 1, published)
		now := time.Now()
		must(t, 0, removeFile(t, db, p, first, now.Add(-100*time.Hour)))
		purge(t, db, now.Add(-100*time.Hour))
		sweeps(t, db, now, 0)
		must(t, 0, removeFile(t, db, p, second, now))
		purge(t, db, now)
		sweeps(t, db, now, 0)
		sweeps(t, db, now.Add(time.Minute), 1)
	})
}

// publishOld publishes one of many contents.
func publishOld(t *testing.T, db *DB, projectID int64, which int, at time.Time) registry.File {
	t.Helper()
	pub := publication(projectID, fmt.Sprintf("1.0.%d", which), "f")
	pub.Now = at
	f, err := db.AddFile(t.Context(), pub)
	return must(t, f, err)
}

func removeFile(t *testing.T, db *DB, p projects.Project, f registry.File, at time.Time) error {
	return db.RemoveFile(t.Context(), registry.Removed{ProjectID: p.ID, PackageID: f.PackageID, Now: at}, f.ID,
		func(registry.Package, registry.File) (audit.Event, error) { return audit.Event{At: at}, nil })
}

func removePackage(t *testing.T, db *DB, p projects.Project, f registry.File, at time.Time) error {
	return db.RemovePackage(t.Context(), registry.Removed{ProjectID: p.ID, PackageID: f.PackageID, Now: at},
		func(registry.Package) (audit.Event, error) { return audit.Event{At: at}, nil })
}

// addUpload adds an upload of bytes that exist already.
func addUpload(t *testing.T, db *DB, p projects.Project, d blob.Digest, size int64, at time.Time) {
	t.Helper()
	_, err := db.AddUpload(t.Context(), registry.Upload{
		ProjectID: p.ID, Secret: "secret", Name: "f", Digest: d, Size: size, CreatorID: 1, CreatedAt: at,
	}, fault.Limit{Most: 10, Of: "uploads"}, audit.Event{At: at})
	must(t, 0, err)
}

func removeUpload(t *testing.T, db *DB, p projects.Project, _ time.Time) error {
	return db.RemoveUpload(t.Context(), registry.UploadAddress{ProjectID: p.ID, Secret: "secret", Name: "f"}, audit.Event{At: time.Now()})
}

// purge purges records as the sweep does.
func purge(t *testing.T, db *DB, now time.Time) {
	t.Helper()
	for n := 1; n > 0; {
		var err error
		n, err = db.PurgeDeleted(t.Context(), 100, now)
		must(t, n, err)
	}
}

// sweeps expects to sweep that many blobs that were touched before a time.
func sweeps(t *testing.T, db *DB, before time.Time, want int) {
	t.Helper()
	swept := 0
	for found := true; found; swept++ {
		var err error
		var size int64
		size, found, err = db.SweepBlob(t.Context(), before, func(blob.Digest) error { return nil })
		must(t, size, err)
		if found && size == 0 {
			t.Error("a blob of no bytes")
		}
	}
	if swept-1 != want {
		t.Errorf("%d blobs that were touched before %v, want %d", swept-1, before, want)
	}
}

// After the migration a blob without references gets a full grace period, for nobody
// knows since when it has none. A blob with a file is unchanged.
func TestGraceBeginsAtTheMigration(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		old := time.Now().Add(-1000 * time.Hour)
		must(t, 0, db.PinBlob(t.Context(), blob.Digest{1}, 5, old))
		p := demo(t, db)
		publishOld(t, db, p.ID, 1, old)
		do(t, db, `DROP TABLE sweeps`)
		began := time.Now()
		applyAgain(t, db, 14)
		sweeps(t, db, began, 0)
		sweeps(t, db, time.Now().Add(time.Minute), 1)
		if n := count(t, db, fmt.Sprintf(`SELECT COUNT(*) FROM blobs WHERE touched_at = %d`, sqldb.Micros(old))); n != 1 {
			t.Errorf("%d blobs with a file are as they were, want 1", n)
		}
	})
}

// A sweep that waits for a blob's row while a file of it is added and removed finds
// that the grace period has started again.
func TestSweepLeavesWhatWasJustLetGo(t *testing.T) {
	db := openPostgres(t, sqldb.Options{})
	ctx := t.Context()
	old := time.Now().Add(-48 * time.Hour)
	must(t, 0, db.PinBlob(ctx, blob.Digest{7}, 1, old))
	held, commit := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- db.do(ctx, func(t tx) error {
			id, err := db.keepBytes(ctx, t, registry.Publication{Digest: blob.Digest{7}, Size: 1})
			if err == nil {
				err = t.countOff([]int64{id}, time.Now())
			}
			close(held)
			<-commit
			return err
		})
	}()
	<-held
	swept := make(chan error, 1)
	go func() {
		_, found, err := db.SweepBlob(ctx, old.Add(time.Hour), func(blob.Digest) error { return errors.New("removed what was just let go") })
		if found {
			err = errors.New("swept what was just let go")
		}
		swept <- err
	}()
	waiting(t, db)
	close(commit)
	must(t, 0, <-done)
	must(t, 0, <-swept)
}
