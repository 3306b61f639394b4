package metadb

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/eventually"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// race is a finalise whose transaction holds the version's row, and who waits for it.
type race struct {
	t       *testing.T
	db      *DB
	project int64
	first   registry.Publication // makes the version
	held    registry.File        // what it made
	waiting int
	clients sync.WaitGroup
	openUp  chan struct{} // closed: the finalise goes on
}

// startRace returns as soon as the finalise holds the row.
func startRace(t *testing.T, db *DB, project int64, round int, into registry.Into) *race {
	t.Helper()
	r := &race{t: t, db: db, project: project, openUp: make(chan struct{})}
	r.first = publication(project, fmt.Sprint("1.0.", round), "f")
	r.first.Into = into
	f, err := db.AddFile(t.Context(), r.first)
	r.held = must(t, f, err)
	holds := make(chan struct{})
	r.clients.Go(func() {
		_, isNew, err := db.FinaliseVersion(t.Context(), project, r.first.Coordinates.Name, r.first.Coordinates.Version,
			func(registry.PackageVersion, []registry.VersionFile) (registry.Final, error) {
				close(holds)
				<-r.openUp
				return registry.Final{Manifest: registry.Digest{1}, Status: registry.StatusDefault, Event: audit.Event{At: time.Now()}}, nil
			})
		if err != nil || !isNew {
			t.Errorf("finalise: new %v, %v", isNew, err)
		}
	})
	<-holds
	return r
}

// behind starts a deed, and returns when it waits for a lock.
func (r *race) behind(deed func()) {
	r.t.Helper()
	r.clients.Go(deed)
	r.waiting++
	eventually.Holds(r.t, fmt.Sprint(r.waiting, " wait for the row"), func() bool {
		return count(r.t, r.db, `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == int64(r.waiting)
	})
}

// end lets the finalise go on, and waits for all.
func (r *race) end() {
	close(r.openUp)
	r.clients.Wait()
}

func (r *race) remove() {
	err := r.db.RemovePackage(r.t.Context(), registry.Removed{ProjectID: r.project, PackageID: r.held.PackageID, Now: time.Now()},
		func(registry.Package) (audit.Event, error) { return audit.Event{}, nil })
	if err != nil {
		r.t.Errorf("delete: %v", err)
	}
}

// A finalise holds the row of a version, and a DELETE and a PUT wait for it. Whichever of
// them is first, there is no open version under the reserved number, and the PUT is
// refused; a PUT into a draft may make a new one after the DELETE. It is done again until
// each has been first.
func TestFinaliseThenDeleteAndPut(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		db := openPostgres(t, sqldb.Options{})
		for what, put := range map[string]func(*registry.Publication){
			"alone":         func(p *registry.Publication) {},
			"in steps":      func(p *registry.Publication) { p.NoDuplicate = true },
			"into a draft":  func(p *registry.Publication) { p.Into = registry.IntoDraft },
			"into whatever": func(p *registry.Publication) { p.Into = registry.IntoEither },
		} {
			t.Run(what, func(t *testing.T) {
				project := newProject(t, db, newUser(t, db, strings.ReplaceAll(what, " ", "-"), false).NamespaceID, "tool", 0, 1)
				final, gone := 0, 0
				for round := 0; (final == 0 || gone == 0) && round < 200; round++ {
					r := startRace(t, db, project.ID, round, registry.Into(round/2%2))
					second := publication(project.ID, string(r.first.Coordinates.Version), "g")
					put(&second)
					var refused error
					add := func() { _, refused = db.AddFile(t.Context(), second) }
					if round%2 == 0 {
						r.behind(r.remove)
						r.behind(add)
						r.end()
					} else { // of two that wait, the DELETE is nearly always first, whoever came first
						r.behind(add)
						r.end()
						r.remove()
					}
					if wasFinal(t, refused, second.Into) {
						final++
					} else {
						gone++
					}
					if n := count(t, db, `SELECT COUNT(*) FROM packages p JOIN reserved_versions r USING (project_id, name, version)
						WHERE p.final_at IS NULL AND p.status NOT IN ('draft', 'pending_destruction')`); n > 0 {
						t.Fatalf("round %d: %d open versions under a reserved number", round, n)
					}
				}
				t.Logf("the PUT was first in %d rounds, the DELETE in %d", final, gone)
				if final == 0 || gone == 0 {
					t.Error("only one order came")
				}
			})
		}
	})
}

// wasFinal reports whether a PUT met the final version, and not the number of one that
// is deleted. Only a draft can be made there.
func wasFinal(t *testing.T, refused error, into registry.Into) bool {
	t.Helper()
	if refused == nil && into != registry.IntoOpen {
		return false
	}
	if !fault.Is(refused, fault.Conflict) {
		t.Fatalf("PUT: %v, want a conflict", refused)
	}
	var f *fault.Error
	errors.As(refused, &f)
	return strings.Contains(f.Error(), "is final; publish a new version")
}

// A PUT waits for a finalise, and is refused: it is not in the manifest.
func TestFinaliseThenPut(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		db := openPostgres(t, sqldb.Options{})
		p := demo(t, db)
		for i, into := range []registry.Into{registry.IntoOpen, registry.IntoDraft, registry.IntoEither} {
			r := startRace(t, db, p.ID, i, into)
			second := publication(p.ID, string(r.first.Coordinates.Version), "g")
			second.Into = into
			r.behind(func() {
				if _, err := db.AddFile(t.Context(), second); !fault.Is(err, fault.Conflict) {
					t.Errorf("PUT: %v, want a conflict", err)
				}
			})
			r.end()
			if n := count(t, db, `SELECT COUNT(*) FROM package_files`); n != int64(i+1) {
				t.Errorf("%d files, want %d", n, i+1)
			}
		}
	})
}
