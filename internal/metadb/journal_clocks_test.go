package metadb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/records"
)

// TestJournalWithAClockAhead: while a clock is a year ahead an event is recorded, and the clock
// is set right. What comes then is in the next delta; after a start, too.
func TestJournalWithAClockAhead(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		k := keep(t, db)
		k.event(-time.Second, "Job", 1)
		k.step(true)
		right := k.at
		k.after(365 * 24 * time.Hour)
		k.event(0, "Job", 2)
		k.step(true)
		k.at = right.Add(time.Minute)
		for range 3 {
			k.event(-time.Second, "Job", 3)
			k.step(true)
			k.wantEvents("after the clock was set right")
			k.after(10 * time.Second)
		}
		k.event(-time.Second, "Job", 4)
		k.restart()
		if until, err := k.j.Until(t.Context()); must(t, until, err).After(k.at.Add(-10 * time.Second)) {
			t.Errorf("at %v the store has everything until %v", k.at, until)
		}
		k.step(true)
		k.wantEvents("after a start")
		if behind, _, err := records.Behind(t.Context(), k.store, db, k.at); must(t, behind, err) > time.Minute {
			t.Errorf("the journal is %v behind", behind)
		}
		k.after(10 * time.Second)
		k.event(-time.Second, "Job", 5)
		if behind, _, err := records.Behind(t.Context(), k.store, db, k.at); must(t, behind, err) != time.Second {
			t.Errorf("the journal is %v behind", behind)
		}
		k.step(true)
		k.wantEvents("after the base of a start")
	})
}

// TestJournalWithASlowClock: the events of a node whose clock is slow are missed by deltas. The
// journal says so, and writes a base once the last one is an hour old.
func TestJournalWithASlowClock(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		k := keep(t, db)
		k.event(-10*time.Second, "Job", 1)
		k.step(true)
		k.after(10 * time.Minute)
		k.event(-time.Second, "Job", 2)
		k.step(true)
		k.event(-5*time.Minute, "Job", 3)
		k.after(6 * time.Minute)
		k.step(false)
		k.after(time.Minute)
		k.step(false)
		k.after(44 * time.Minute)
		k.step(true)
		k.wantEvents("after an hour")
		k.after(10 * time.Minute)
		k.event(-time.Second, "Job", 4)
		k.step(true)
		k.event(-48*time.Hour, "Job", 5)
		k.after(22 * time.Hour)
		k.step(true)
		k.after(2 * time.Hour)
		k.step(true)
		k.wantEvents("after a day")
	})
}

// TestMissedEventsAreToldHourly: what came too late is told when it is seen, and at most once an
// hour, whatever else comes.
func TestMissedEventsAreToldHourly(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		k := keep(t, db)
		k.event(-time.Second, "Job", 1)
		k.step(true)
		for i, want := range [][]int64{{3}, {3}, {3, 3}} {
			k.after(10 * time.Minute)
			k.event(-time.Second, "Job", 2)
			k.step(true)
			for range 3 {
				k.event(-5*time.Minute, "Job", 3)
				k.after(time.Microsecond)
			}
			k.after(6 * time.Minute)
			k.step(false)
			k.after(10 * time.Second)
			k.step(false)
			if !slices.Equal(k.missed, want) {
				t.Errorf("round %d: told %v, want %v", i, k.missed, want)
			}
			k.after([]time.Duration{35, 61, 0}[i] * time.Minute)
			if i < 2 {
				must(t, 0, k.j.Store.PutNote(t.Context(), "records/head", strings.NewReader("no head"), 7))
				k.step(true) // a base in place of the head, and so for the missed ones
			}
		}
	})
}

// countsFew is a database that counts at most 3 events where a journal has a limit.
type countsFew struct{ records.Keeper }

func (c countsFew) CountEvents(ctx context.Context, after, to, limit int64) (n, above int64, err error) {
	if limit != math.MaxInt64 {
		limit = 3
	}
	return c.Keeper.CountEvents(ctx, after, to, limit)
}

// TestMissedAmongTheNewest: events that came too late are seen among the newest ones before that
// were counted, and those that are older are no reason to say so.
func TestMissedAmongTheNewest(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		k := keep(t, db)
		k.j.Database = countsFew{db}
		for range 10 {
			k.event(-time.Second, "Job", 1)
			k.after(time.Minute)
			k.step(true)
		}
		k.event(-9*time.Minute, "Job", 2)
		for range 2 {
			k.after(6 * time.Minute)
			k.step(true)
		}
		k.event(-14*time.Minute-30*time.Second, "Job", 3)
		k.after(6 * time.Minute)
		k.step(false)
		if !slices.Equal(k.missed, []int64{1}) {
			t.Errorf("told %v, want the last one", k.missed)
		}
	})
}

// TestCountEvents: the last events of a range are counted, by reading no others.
func TestCountEvents(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		k := keep(t, db)
		zero := k.at.UnixMicro()
		for i := range 10 {
			k.event(time.Duration(i)*time.Microsecond, "Job", 1)
		}
		for _, c := range [][5]int64{{-9, 9, 100, 10, -9}, {-9, 9, 10, 10, -1}, {-9, 9, 3, 3, 6}, {2, 6, 100, 4, 2}, {2, 6, 2, 2, 4}, {2, 6, 0, 0, 2}, {9, 20, 5, 0, 9}} {
			n, above, err := db.CountEvents(t.Context(), zero+c[0], zero+c[1], c[2])
			if must(t, n, err) != c[3] || above != zero+c[4] {
				t.Errorf("above %d, up to %d, %d at most: %d above %d", c[0], c[1], c[2], n, above-zero)
			}
		}
	})
	if plan := planOf(t, openSQLite(t), lastEventsQuery, []any{0, 1, 2}); !strings.Contains(plan, "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)") || strings.Contains(plan, "B-TREE") {
		t.Error(plan)
	}
}

// TestJournalThatEndsWhereNoEventIs: a delta of late events, and a base after it, end at no event.
// If the head is damaged then, a start goes on all the same; with a database that lacks the last
// event before, it does not.
func TestJournalThatEndsWhereNoEventIs(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		k := keep(t, db)
		k.event(-time.Second, "Job", 1)
		k.step(true)
		k.after(10 * time.Second)
		k.event(-time.Second, "Job", 2)
		k.step(true)
		last := k.at.Add(-time.Second).UnixMicro()
		k.after(10 * time.Second)
		k.event(-30*time.Second, "Job", 3)
		k.step(true)
		if newest, err := records.Newest(t.Context(), k.store); must(t, newest, err) != last+1 {
			t.Fatalf("the newest delta ends at %d, want %d, after the last event", newest, last+1)
		}
		bad := "no head"
		spoil := func() {
			must(t, 0, k.store.PutNote(t.Context(), "records/head", strings.NewReader(bad), int64(len(bad))))
		}
		spoil()
		k.restart()
		do(t, db, `UPDATE audit_events SET id = id + 1000 WHERE id = `+fmt.Sprint(last)) // an older database lacks it
		if _, err := k.j.Step(t.Context(), false); !errors.Is(err, records.ErrDamaged) {
			t.Errorf("a database without the last event but one: %v", err)
		}
		do(t, db, `UPDATE audit_events SET id = id - 1000 WHERE id = `+fmt.Sprint(last+1000))
		for _, what := range []string{"delta", "base"} {
			k.restart()
			k.step(true)
			k.wantEvents("after a " + what + " that ends at no event")
			if newest, err := records.Newest(t.Context(), k.store); must(t, newest, err) != last+1 {
				t.Fatalf("the base ends at %d, want %d", newest, last+1)
			}
			k.after(10 * time.Second)
			k.step(true)
			for note, err := range k.store.Notes(t.Context(), "records/") {
				if must(t, note, err); strings.Contains(note.Name, ".delta.") {
					must(t, 0, k.store.DeleteNote(t.Context(), note.Name))
				}
			}
			spoil()
		}
	})
}

// TestJournalOfABacklog: what several deltas hold, and what comes late meanwhile, is in them.
func TestJournalOfABacklog(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		k := keep(t, db)
		k.event(-time.Second, "Job", 1)
		k.step(true)
		first := k.at.UnixMicro()
		k.after(12 * time.Hour)
		do(t, db, fmt.Sprintf(`INSERT INTO audit_events (%s)
			WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			SELECT %d + CAST(i AS BIGINT) * 1000000, 'user_created', 'Instance', 0, '', 0, '', '', '', 0, '', 0, '', 'Job', '', '', '', '', 1 FROM n`, eventColumns, 2*mostDeltaEvents+500, first))
		k.step(true)
		k.event(-30*time.Second, "Job", 2)
		k.step(true)
		k.after(10 * time.Minute)
		k.step(true)
		k.wantEvents("after a backlog")
	})
}
