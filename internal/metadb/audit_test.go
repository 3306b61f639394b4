package metadb

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/trail"
)

// events are the recorded events, newest first.
func events(t *testing.T, db *DB, f trail.Filter) []audit.Event {
	t.Helper()
	found, err := db.ListEvents(t.Context(), f, page.Request{Number: 1, Size: 100})
	return must(t, found, err).Rows
}

// keep records events without a deed.
func keepEvents(t *testing.T, db *DB, all ...audit.Event) {
	t.Helper()
	must(t, 0, db.do(t.Context(), func(tx tx) error { return tx.record(t.Context(), all...) }))
}

// An event is recorded if and only if its deed is done: not if the deed is refused in
// the transaction, before the event is written or after.
func TestEventsAreThereExactlyIfTheDeedIs(t *testing.T) {
	db := open(t)
	ctx := t.Context()
	root := newUser(t, db, "root", false)
	g := newGroup(t, db, 0, "acme", access.Private, root.ID)
	p := newProject(t, db, g.ID, "tool", access.Private, root.ID)
	newProject(t, db, g.ID, "taken", access.Private, root.ID)
	in := audit.Entity{Type: audit.Project, ID: p.ID}
	publish := func(noDuplicate bool) error {
		_, err := db.AddFile(ctx, registry.Publication{
			ProjectID: p.ID, Coordinates: registry.Coordinates{Name: "n", Version: "1.0.0", File: "f"}, Size: 1, Digest: blob.Digest{1},
			Small: []byte("x"), NoDuplicate: noDuplicate, Now: time.Now(), Event: audit.Event{Name: audit.PackagePublished, At: time.Now(), Entity: in},
		})
		return err
	}
	rename := func(path string) error {
		_, err := db.UpdateProject(ctx, p.ID, func(p *projects.Project) ([]audit.Event, error) {
			p.Path = path
			return []audit.Event{{Name: audit.ProjectUpdated("path"), At: time.Now(), Entity: in}}, nil
		})
		return err
	}
	want := func(step string, names ...audit.Name) {
		t.Helper()
		var got []audit.Name
		for _, e := range events(t, db, trail.Filter{EntityType: audit.Project, EntityID: p.ID}) {
			got = append(got, e.Name)
		}
		if diff := cmp.Diff(names, got); diff != "" {
			t.Errorf("%s: %s", step, diff)
		}
	}

	must(t, 0, publish(false))
	want("publish", audit.PackagePublished)
	if err := publish(true); !fault.Is(err, fault.Refused) {
		t.Fatalf("a duplicate: %v", err)
	}
	want("a duplicate", audit.PackagePublished)
	if err := rename("taken"); !fault.Is(err, fault.Conflict) {
		t.Fatalf("a path that is taken: %v", err)
	}
	want("a path that is taken", audit.PackagePublished)
	must(t, 0, rename("free"))
	want("a free path", "project_path_updated", audit.PackagePublished)

	must(t, 0, db.do(ctx, func(t tx) error { return t.Exec(`ALTER TABLE audit_events RENAME TO gone`) }))
	if publish(false) == nil {
		t.Error("published although the event cannot be kept")
	}
	must(t, 0, db.do(ctx, func(t tx) error { return t.Exec(`ALTER TABLE gone RENAME TO audit_events`) }))
	var files int
	must(t, 0, db.Reads.QueryRow(`SELECT COUNT(*) FROM package_files`).Scan(&files))
	if files != 1 {
		t.Errorf("%d files, want the one that has an event", files)
	}
	want("no event, no deed", "project_path_updated", audit.PackagePublished)
}

// An id is a time. Events of the same time get different ids; a clock that was ahead
// does not affect later events.
func TestEventIDsAreTimes(t *testing.T) {
	db := open(t)
	now := time.Now().UTC().Truncate(time.Microsecond)
	at := func(d time.Duration) audit.Event {
		return audit.Event{Name: "n", At: now.Add(d), Entity: audit.WholeInstance()}
	}
	keepEvents(t, db, at(0), at(0), at(-time.Second), at(time.Hour), at(time.Second), at(time.Hour), at(time.Hour-1))
	var got []time.Duration
	for _, e := range events(t, db, trail.Filter{}) {
		got = append(got, e.At.Sub(now))
		if e.ID != e.At.UnixMicro() {
			t.Errorf("id %d at %v", e.ID, e.At)
		}
	}
	slices.Reverse(got)
	us := time.Microsecond
	want := []time.Duration{-time.Second, 0, us, time.Second, time.Hour - us, time.Hour, time.Hour + us}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Long and invalid names leave a row small and its text valid.
func TestEventsAreCut(t *testing.T) {
	db := open(t)
	long := strings.Repeat("ä", 5000) + "\xff"
	keepEvents(t, db, audit.Event{
		Name: "n", At: time.Now(), Entity: audit.Entity{Type: audit.Group, ID: 1, Path: long},
		Author: audit.Author{Username: long, Name: long, Address: long, SudoUsername: long},
		Target: audit.Target{Type: "t", Details: long}, Change: audit.Change{What: long, From: long, To: "short\xff"},
	})
	e := events(t, db, trail.Filter{})[0]
	for _, text := range []string{e.Author.Username, e.Author.Name, e.Author.Address, e.Author.SudoUsername, e.Target.Details, e.Change.What, e.Change.From} {
		if n := utf8.RuneCountInString(text); n != maxEventText || !utf8.ValidString(text) || !strings.HasSuffix(text, "ä…") {
			t.Errorf("%d characters", n)
		}
	}
	if n := utf8.RuneCountInString(e.Entity.Path); n != maxEventPath {
		t.Errorf("a path of %d characters", n)
	}
	if e.Change.To != "short�" {
		t.Errorf("%q", e.Change.To)
	}
}

// The purge deletes the oldest first, a few at a time.
func TestPurgeEvents(t *testing.T) {
	db := open(t)
	now := time.Now()
	for i := range 7 {
		keepEvents(t, db, audit.Event{Name: "n", At: now.Add(-time.Duration(i) * time.Hour), Entity: audit.WholeInstance()})
	}
	for _, want := range []int{3, 1, 0} {
		n, err := db.PurgeEvents(t.Context(), now.Add(-150*time.Minute), 3)
		if must(t, n, err) != want {
			t.Errorf("%d removed, want %d", n, want)
		}
	}
	if left := events(t, db, trail.Filter{}); len(left) != 3 || left[2].At.Before(now.Add(-3*time.Hour)) {
		t.Errorf("left: %v", left)
	}
}

// Every list is read from an index in its order; none is sorted. Without a filter, or
// for the type that nearly all events have, it is read from its end until the page is
// full.
func TestEventListsUseIndexes(t *testing.T) {
	db := openSQLite(t)
	span := trail.Filter{After: time.Unix(1, 0), Before: time.Unix(2, 0)}
	with := func(f trail.Filter, kind audit.EntityType, id int64) trail.Filter {
		f.EntityType, f.EntityID = kind, id
		return f
	}
	const walk = "SCAN e"
	const entity = "SEARCH e USING INDEX audit_events_entity (entity_type=? AND entity_id=?"
	const elsewhere = "SEARCH e USING INDEX audit_events_elsewhere (entity_type=?"
	const span0 = "SEARCH e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"
	for _, tc := range []struct {
		name   string
		filter trail.Filter
		want   string
	}{
		{"all", trail.Filter{}, walk},
		{"all, a span", span, span0},
		{"all, a cursor", trail.Filter{OlderThan: 5}, "SEARCH e USING INTEGER PRIMARY KEY (rowid<?)"},
		{"projects", with(trail.Filter{}, audit.Project, 0), walk},
		{"projects, a span", with(span, audit.Project, 0), span0},
		{"users", with(trail.Filter{}, audit.User, 0), elsewhere + ")"},
		{"users, a span", with(span, audit.User, 0), elsewhere + " AND id>? AND id<?)"},
		{"a project", with(trail.Filter{}, audit.Project, 1), entity + ")"},
		{"a project, a span", with(span, audit.Project, 1), entity + " AND id>? AND id<?)"},
		{"a user", with(trail.Filter{}, audit.User, 1), entity + ")"},
	} {
		listing := eventRows().query(eventColumns, chosenEvents(tc.filter), page.Request{Number: 1, Size: 20})
		if diff := cmp.Diff([]string{tc.want}, plan(t, db, listing)); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
		counting, _ := countEventsQuery(tc.filter, page.Request{Number: 1, Size: 20})
		steps := strings.Join(plan(t, db, counting), "; ")
		if !strings.Contains(strings.ReplaceAll(steps, "COVERING ", ""), tc.want) || strings.Contains(steps, "TEMP B-TREE") {
			t.Errorf("%s: counting goes by %s, want %s", tc.name, steps, tc.want)
		}
	}
}
