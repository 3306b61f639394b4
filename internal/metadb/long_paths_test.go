package metadb

import (
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/projects"
)

// TestLongPathsAtOnce: a group gets a longer path while something is made below it.
// Each is allowed alone; together the path is too long, so that one is refused.
func TestLongPathsAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		root := newUser(t, db, "root", false)
		for i := range 10 {
			g := newGroup(t, db, 0, strings.Repeat(string(rune('a'+i)), 100), access.Private, root.ID)
			var renamed, made error
			var both sync.WaitGroup
			both.Go(func() {
				_, renamed = db.UpdateGroup(t.Context(), g.ID, func(g *projects.Group) ([]audit.Event, error) {
					g.Path = strings.Repeat(g.Path[:1], 200)
					return nil, nil
				})
			})
			both.Go(func() {
				_, made = db.InsertProject(t.Context(), projects.Project{
					Namespace: projects.Group{ID: g.ID}, Name: "p", Path: strings.Repeat("p", 100), DefaultBranch: "main", CreatorID: root.ID, CreatedAt: time.Now(),
				}, access.NoRole, roomy(), audit.Event{})
			})
			both.Wait()
			if fault.Is(renamed, fault.Rejected) == fault.Is(made, fault.Rejected) {
				t.Errorf("renamed: %v, made: %v, want one of them refused", renamed, made)
			}
		}
		var longest int
		if err := db.Row(t.Context(), `SELECT MAX(length(path)) FROM routes`).Scan(&longest); err != nil || longest > 255 {
			t.Errorf("the longest path has %d characters, %v", longest, err)
		}
	})
}
