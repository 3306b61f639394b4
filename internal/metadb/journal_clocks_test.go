package metadb

import (
	"fmt"
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
