package metadb

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

// A membership counts until its end in every query: standings in a project or group,
// and lists of projects, groups, namespaces and members.
func TestMembershipsEnd(t *testing.T) {
	var late atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	eachDatabaseWith(t, sqldb.Options{Now: clock}, func(t *testing.T, db *DB) {
		db.LimitCaches(0)
		late.Store(0)
		membershipsEnd(t, db, func(by time.Duration) { late.Store(int64(by)) })
	})
}

// membershipsEnd checks before and after the end; wait advances the database's clock.
func membershipsEnd(t *testing.T, db *DB, wait func(by time.Duration)) {
	root, ada := newUser(t, db, "root", false), newUser(t, db, "ada", false)
	above := newGroup(t, db, 0, "above", access.Private, root.ID)
	g := newGroup(t, db, above.ID, "acme", access.Private, root.ID)
	p := newProject(t, db, g.ID, "tool", access.Private, root.ID)
	end := time.Now().Add(time.Hour)
	stray(t, db, projects.Place{GroupID: g.ID}, ada.ID, access.Developer, &end)
	stray(t, db, projects.Place{ProjectID: p.ID}, ada.ID, access.Maintainer, &end)
	a, all := actorOf(ada), page.Request{Number: 1, Size: 100}
	ctx := t.Context()
	for _, tt := range []struct {
		late      time.Duration
		there     int
		role      access.Role
		groupRole access.Role
		above     access.Role
	}{{0, 1, access.Maintainer, access.Developer, access.Minimal}, {2 * time.Hour, 0, 0, 0, 0}} {
		wait(tt.late)
		found, err := db.FindProject(ctx, fmt.Sprint(p.ID), a)
		if must(t, found, err).Standing.Role != tt.role {
			t.Errorf("after %v: role %d in the project, want %d", tt.late, found.Standing.Role, tt.role)
		}
		place, err := db.FindPackageProject(ctx, fmt.Sprint(p.ID), a)
		if must(t, place, err).Standing.Role != tt.role {
			t.Errorf("after %v: role %d for packages, want %d", tt.late, place.Standing.Role, tt.role)
		}
		for id, want := range map[int64]access.Role{g.ID: tt.groupRole, above.ID: tt.above} {
			group, err := db.FindGroup(ctx, fmt.Sprint(id), a)
			if must(t, group, err).Standing.Role != want {
				t.Errorf("after %v: role %d in %s, want %d", tt.late, group.Standing.Role, group.Path, want)
			}
		}
		for what, count := range map[string]func(context.Context) (int, error){
			"projects": func(ctx context.Context) (int, error) {
				found, err := db.ListProjects(ctx, projects.ProjectFilter{Actor: a, Membership: true}, all)
				return found.Total, err
			},
			"groups": func(ctx context.Context) (int, error) {
				found, err := db.ListGroups(ctx, projects.GroupFilter{Actor: a, MinRole: access.Developer}, all)
				return found.Total, err
			},
			"members": func(ctx context.Context) (int, error) {
				found, err := db.ListMembers(ctx, projects.MemberFilter{Place: projects.Place{ProjectID: p.ID}, Inherited: true, UserIDs: []int64{ada.ID}}, all)
				return found.Total, err
			},
		} {
			n, err := count(ctx)
			if must(t, n, err) != tt.there {
				t.Errorf("after %v: %d %s, want %d", tt.late, n, what, tt.there)
			}
		}
	}
}
