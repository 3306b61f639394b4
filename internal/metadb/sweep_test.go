package metadb

import (
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/registry"
)

// One sweep answers all requests before it. Reading the outcome deletes it; a request
// during the sweep waits for the next.
func TestSweepsAreAskedForAndAnswered(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		ask := func() int64 {
			t.Helper()
			id, err := db.AskSweep(ctx, audit.Event{Name: audit.SweepRequested, At: time.Now(), Entity: audit.WholeInstance()})
			return must(t, id, err)
		}
		asked := func(want int64) {
			t.Helper()
			if id, err := db.AskedSweep(ctx); id != want || err != nil {
				t.Errorf("waiting: %d, %v, want %d", id, err, want)
			}
		}
		asked(0)
		a, b := ask(), ask()
		asked(b)
		c := ask()
		if _, done, _, err := db.TakeSweep(ctx, a); done || err != nil {
			t.Errorf("done %v, %v before it was", done, err)
		}
		want := registry.Swept{Blobs: 3, Bytes: 5 << 40}
		must(t, 0, db.AnswerSweeps(ctx, b, want, ""))
		asked(c)
		must(t, 0, db.AnswerSweeps(ctx, c, registry.Swept{}, "the store is away"))
		asked(0)
		for id, failure := range map[int64]string{a: "", b: "", c: "the store is away"} {
			got, done, why, err := db.TakeSweep(ctx, id)
			if id == c {
				want = registry.Swept{}
			} else {
				want = registry.Swept{Blobs: 3, Bytes: 5 << 40}
			}
			if got != want || !done || why != failure || err != nil {
				t.Errorf("%d: %+v, %v, %q, %v", id, got, done, why, err)
			}
			if _, _, _, err := db.TakeSweep(ctx, id); !fault.Is(err, fault.NotFound) {
				t.Errorf("%d was taken twice: %v", id, err)
			}
		}
		must(t, 0, db.WithdrawSweep(ctx, ask()))
		asked(0)
		if n := count(t, db, `SELECT COUNT(*) FROM audit_events WHERE name = 'store_sweep_requested'`); n != 4 {
			t.Errorf("%d events, want 4", n)
		}
	})
}

// Blobs are counted in steps, each once.
func TestCountBlobs(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		for n := range 7 {
			must(t, 0, db.PinBlob(t.Context(), blob.Digest{byte(n)}, 1<<n, time.Now()))
		}
		var after, bytes int64
		steps := 0
		for ; ; steps++ {
			last, n, sum, err := db.CountBlobs(t.Context(), after, 3)
			must(t, last, err)
			if n == 0 {
				break
			}
			after, bytes = last, bytes+sum
		}
		if bytes != 127 || steps != 3 {
			t.Errorf("%d bytes in %d steps, want 127 in 3", bytes, steps)
		}
	})
}
