package metadb

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/releases"
	"granary/internal/trail"
)

// TestStepsAreThePage: a page read in steps equals the page read at once, without rows
// that are deleted meanwhile.
func TestStepsAreThePage(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		root := newUser(t, db, "root", false)
		g := newGroup(t, db, 0, "acme", access.Private, root.ID)
		p := newProject(t, db, g.ID, "tool", access.Private, root.ID)
		for i := range 12 {
			e := releases.Release{
				ProjectID: p.ID, Tag: fmt.Sprint("v", i), Author: releases.Author{ID: root.ID}, ReleasedAt: time.UnixMicro(int64(100 - i%5)),
				Description: strings.Repeat("dé𝔵", i*12_000), Links: []releases.Link{{Name: "a", URL: fmt.Sprint("u", i), Type: releases.LinkOther}, {Name: "b", URL: "u", Type: releases.LinkOther}},
			}
			_, err := db.InsertRelease(ctx, e, nil, roomy(), audit.Event{At: time.Now()})
			must(t, 0, err)
			newProject(t, db, g.ID, fmt.Sprint("other", i), access.Private, root.ID)
			newGroup(t, db, g.ID, fmt.Sprint("below", i), access.Private, root.ID)
		}
		pages := []page.Request{{Number: 1, Size: 100, Desc: true}, {Number: 2, Size: 5}, {Number: 9, Size: 5}}
		for _, ask := range pages {
			same(t, ask, func(ask page.Request) (page.Of[releases.Release], error) {
				found, err := db.ListReleases(ctx, p.ID, releases.Filter{}, ask)
				if err != nil {
					return found, err
				}
				return found, found.Finish(ctx, func(ctx context.Context, rows []releases.Release) ([]releases.Release, error) {
					for i := range rows {
						if apart := rows[i].Apart; apart != nil {
							for part, err := range apart.Description {
								rows[i].Description += must(t, part, err)
							}
							rows[i].Links, rows[i].Apart = inSteps(t, apart.Links), nil
						}
					}
					return rows, nil
				})
			})
			same(t, ask, func(ask page.Request) (page.Of[projects.Project], error) {
				return db.ListProjects(ctx, projects.ProjectFilter{Actor: actorOf(root), Search: "other"}, ask)
			})
			same(t, ask, func(ask page.Request) (page.Of[projects.Group], error) {
				return db.ListGroups(ctx, projects.GroupFilter{Actor: actorOf(root)}, ask)
			})
			same(t, ask, func(ask page.Request) (page.Of[audit.Event], error) { return db.ListEvents(ctx, trail.Filter{}, ask) })
		}

		found, err := db.ListReleases(ctx, p.ID, releases.Filter{}, page.Request{Number: 1, Size: 100, InSteps: true})
		must(t, 0, err)
		_, err = db.DeleteRelease(ctx, p.ID, "v3", audit.Event{At: time.Now()})
		must(t, 0, err)
		if rows := inSteps(t, found); len(rows) != 11 || found.Total != 12 {
			t.Errorf("%d rows of %d, want those that are left", len(rows), found.Total)
		}
	})
}

func same[T any](t *testing.T, ask page.Request, list func(page.Request) (page.Of[T], error)) {
	t.Helper()
	once, err := list(ask)
	must(t, 0, err)
	ask.InSteps = true
	later, err := list(ask)
	must(t, 0, err)
	if rows := inSteps(t, later); later.Total != once.Total || len(rows) != len(once.Rows) || len(rows) > 0 && !reflect.DeepEqual(rows, once.Rows) {
		t.Errorf("%+v: in steps %d of %d rows, at once %d of %d, or others", ask, len(rows), later.Total, len(once.Rows), once.Total)
	}
}

func inSteps[T any](t *testing.T, found page.Of[T]) (all []T) {
	t.Helper()
	for rows, err := range found.InSteps(t.Context()) {
		must(t, 0, err)
		all = append(all, rows...)
	}
	return all
}
