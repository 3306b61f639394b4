package metadb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/releases"
)

// TestListsOfReleasesUseIndexes: a page in any order but by version is read from an
// index without sorting; for the order by version, the tags come from an index.
func TestListsOfReleasesUseIndexes(t *testing.T) {
	db := openSQLite(t)
	last := releases.Release{ID: 1, Tag: "v1", CreatedAt: time.Now(), ReleasedAt: time.Now()}
	for _, order := range []struct{ by, index, bound string }{
		{releases.ByRelease, "releases_released", "released_at"},
		{releases.ByCreation, "releases_created", "created_at"},
		{releases.ByTag, "releases_tag", "tag"},
		{releases.ByVersion, "releases_tag", ""},
	} {
		for _, desc := range []bool{false, true} {
			for _, after := range []*releases.Release{nil, &last} {
				f, p := releases.Filter{After: after}, page.Request{Number: 1, Size: 20, OrderBy: order.by, Desc: desc}
				w := chosenReleases(1, f, p)
				text := `SELECT e.id, e.tag FROM releases e` + w.String()
				if order.by != releases.ByVersion {
					l := selection{from: releaseTables, order: releaseOrder(f, p)}
					text = l.query(releaseColumns, &w, p)
				}
				steps := strings.Join(plan(t, db, text), "; ")
				if strings.Contains(steps, "SCAN") || strings.Contains(steps, "TEMP B-TREE") || !strings.Contains(steps, order.index+" (project_id=?") {
					t.Errorf("%+v, desc %v: %s", order, desc, steps)
				}
				if after != nil && order.bound != "" && !strings.Contains(steps, "AND "+order.bound) {
					t.Errorf("%+v, desc %v, behind a release: %s", order, desc, steps)
				}
			}
		}
	}
}

// TestOneListIsSortedAtATime: a request that waits for another list may be cancelled,
// and waits for a limited time.
func TestOneListIsSortedAtATime(t *testing.T) {
	db, ids := shelfDB(t, 0)
	p := page.Request{Number: 1, Size: 20, OrderBy: releases.ByVersion, InSteps: true}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	db.sorts <- struct{}{}
	if _, err := db.ListReleases(ctx, ids[0], releases.Filter{}, p); !errors.Is(err, context.Canceled) {
		t.Errorf("beside another: %v", err)
	}
	db.sortWait = time.Millisecond
	_, err := db.ListReleases(t.Context(), ids[0], releases.Filter{}, p)
	if e, ok := fault.As(err, fault.Unavailable); !ok || !strings.HasPrefix(e.Msg, "too many lists are being sorted by version; ") {
		t.Errorf("beside another that stays: %v", err)
	}
	<-db.sorts
	for range 2 { // the turn is given back
		found, err := db.ListReleases(t.Context(), ids[0], releases.Filter{}, p)
		if must(t, found, err).Total != 0 {
			t.Errorf("%+v", found)
		}
	}
}

// BenchmarkVersions sorts as many releases as a project may have.
func BenchmarkVersions(b *testing.B) {
	db, ids := shelfDB(b, 0)
	must(b, 0, db.do(b.Context(), func(t tx) error {
		for i := range 20_000 {
			tag := fmt.Sprintf("v%d.%d.%d-%s", i/1000, i/10%100, i%10, strings.Repeat("x", 240))
			err := t.Exec(`INSERT INTO releases (project_id, tag, name, description, ref, milestones, author_id, created_at, updated_at, released_at)
				VALUES ($1, $2, $2, '', '', '', (SELECT MIN(id) FROM users), $3, $3, $3)`, ids[0], tag, i)
			if err != nil {
				return err
			}
		}
		return nil
	}))
	for _, order := range []string{releases.ByVersion, releases.ByCreation} {
		b.Run(order, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				found, err := db.ListReleases(b.Context(), ids[0], releases.Filter{Unlinked: true}, page.Request{Number: 1, Size: 20, OrderBy: order, Desc: true, InSteps: true})
				if err != nil || found.Total != 20_000 {
					b.Fatal(found.Total, err)
				}
			}
		})
	}
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			found, err := db.ListReleases(b.Context(), ids[0], releases.Filter{Outline: true}, page.Request{Number: 1, Size: 1 << 20, Desc: true, InSteps: true})
			for _, failed := range found.InSteps(b.Context()) {
				if err != nil || failed != nil {
					b.Fatal(err, failed)
				}
			}
		}
	})
}
