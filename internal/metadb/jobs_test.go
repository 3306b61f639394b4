package metadb

import (
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
)

// TestPipelineNumbers: numbers that jobs choose do not advance the instance's numbers,
// which skip them.
func TestPipelineNumbers(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		root := newUser(t, db, "root", false)
		p := newProject(t, db, newGroup(t, db, 0, "acme", access.Private, root.ID).ID, "tool", access.Private, root.ID)
		q := newProject(t, db, p.Namespace.ID, "other", access.Private, root.ID)
		jobs := 0
		start := func(project, chosen int64) (int64, error) {
			jobs++
			now := time.Now()
			j, err := db.InsertJob(t.Context(), auth.Job{ProjectID: project, PipelineID: chosen, User: root, Status: auth.JobRunning, CreatedAt: now, ExpiresAt: now.Add(time.Hour)},
				auth.DigestOf(strings.Repeat("x", jobs)), roomy(), audit.Event{})
			return j.PipelineID, err
		}
		const most = 1<<53 - 1
		for _, tc := range []struct{ chosen, want int64 }{
			{0, 1}, {most, most}, {0, 2}, {1 << 52, 1 << 52}, {0, 3},
			{4, 4}, {5, 5}, {6, 6}, {8, 8}, // in the way
			{0, 7}, {0, 9}, {8, 8}, {9, 9}, {0, 10},
		} {
			if got, err := start(p.ID, tc.chosen); got != tc.want || err != nil {
				t.Errorf("chosen %d: %d, %v, want %d", tc.chosen, got, err, tc.want)
			}
		}
		for _, taken := range []int64{most, 1, 9} {
			if _, err := start(q.ID, taken); !fault.Is(err, fault.Conflict) {
				t.Errorf("another project's %d: %v", taken, err)
			}
		}
		if got, err := start(q.ID, 0); got != 11 || err != nil {
			t.Errorf("after refusals: %d, %v", got, err)
		}
	})
}

// TestPipelineNumbersAtOnce: the instance's numbers and chosen ones never conflict,
// with many clients in parallel.
func TestPipelineNumbersAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		root := newUser(t, db, "root", false)
		p := newProject(t, db, newGroup(t, db, 0, "acme", access.Private, root.ID).ID, "tool", access.Private, root.ID)
		var mu sync.Mutex
		own := map[int64]int{}
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				for k := range 8 {
					j := auth.Job{ProjectID: p.ID, User: root, Status: auth.JobRunning, CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
					if i%2 == 0 {
						j.PipelineID = int64(1 + i*8 + k)
					}
					made, err := db.InsertJob(t.Context(), j, auth.DigestOf(strings.Repeat("x", 1+i*8+k)), roomy(), audit.Event{})
					if err != nil {
						t.Error(err)
					}
					if i%2 == 1 {
						mu.Lock()
						own[made.PipelineID]++
						mu.Unlock()
					}
				}
			})
		}
		all.Wait()
		if len(own) != 6*8 {
			t.Errorf("48 jobs have %d pipelines of their own", len(own))
		}
	})
}

// TestPipelineNumberIsFoundByIndex: finding the next number reads no pipelines except
// a run of numbers without a gap.
func TestPipelineNumberIsFoundByIndex(t *testing.T) {
	db := openSQLite(t)
	for _, step := range plan(t, db, pipelineNumber) {
		if strings.Contains(step, "SCAN") {
			t.Error(step)
		}
	}
}

// TestPipelineNumbersOfOldDatabases: they continue after the last number of the
// instance, not after a chosen one.
func TestPipelineNumbersOfOldDatabases(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		root := newUser(t, db, "root", false)
		p := newProject(t, db, newGroup(t, db, 0, "acme", access.Private, root.ID).ID, "tool", access.Private, root.ID)
		text, err := fs.ReadFile(files(), folder(db)+"/0013_own_numbers.sql")
		must(t, 0, err)
		_, fill, _ := strings.Cut(string(text), "\nINSERT")
		fill, _, found := strings.Cut("INSERT"+fill, ";")
		if !found {
			t.Fatal("the migration fills no table")
		}
		for _, tc := range []struct {
			there []int64
			next  int64
		}{{nil, 1}, {[]int64{1, 2, 7}, 8}, {[]int64{1<<53 - 1, 1 << 53}, 8}} {
			must(t, 0, db.do(t.Context(), func(t tx) error {
				for _, id := range tc.there {
					if err := t.Exec(`INSERT INTO pipelines (id, project_id, user_id, ref, sha, created_at) VALUES ($1, $2, $3, '', '', 0)`, id, p.ID, root.ID); err != nil {
						return err
					}
				}
				if err := t.Exec(`DELETE FROM pipeline_numbers`); err != nil {
					return err
				}
				return t.Exec(fill)
			}))
			var next int64
			err := db.do(t.Context(), func(tx tx) error { return tx.Row(t.Context(), pipelineNumber).Scan(&next) })
			if err != nil || next != tc.next {
				t.Errorf("with %v the next is %d, %v, want %d", tc.there, next, err, tc.next)
			}
		}
	})
}
