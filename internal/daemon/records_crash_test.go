package daemon

import (
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"granary/internal/metadb/metadbtest"
	"granary/internal/records"
)

// TestRecordsCutShort ends the writing of records after each of its steps, of a first base,
// of deltas and of a later base. Each time what the store has can be rebuilt, with no file
// fewer than before; and in the end, row by row.
func TestRecordsCutShort(t *testing.T) {
	t.Parallel()
	dir := metadbtest.Memory(t)
	l := &lostDatabase{t: t, random: rand.New(rand.NewPCG(6, 6)), environ: []string{asRoot, testKey}, args: []string{"--data-dir=" + dir, "--records-every=0"}}
	now := time.Now()
	// step writes records up to the point with a number, if there are so many.
	step := func(number int) (cut bool) {
		cfg := l.config()
		log := NewLogger(cfg, io.Discard)
		s, err := open(t.Context(), cfg, "test", log, crashPoints{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.close(log)
		identity, _, err := s.db.StoreIdentity(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		points := 0
		j := &records.Journal{Store: s.blobs, Database: s.db, Identity: identity, Now: func() time.Time { return now }, CrashPoint: func(name string) {
			if points++; points == number {
				panic(name)
			}
		}}
		defer func() { cut = recover() != nil }()
		if all, err := j.Step(t.Context(), false); err != nil || !all {
			t.Errorf("a step: %v, %v", all, err)
		}
		return false
	}
	rebuilt, least := 0, int64(0)
	rebuild := func() (at string) {
		t.Helper()
		rebuilt++
		at = "GRANARY_DATABASE=sqlite:" + filepath.Join(dir, fmt.Sprint("again", rebuilt, ".db"))
		done, err := Rebuild(t.Context(), l.config(at), RebuildOptions{askFor: time.Millisecond, Tell: func(f Finding) error {
			if f.Kind != Stray {
				t.Errorf("found %+v", f)
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		if !done.Whole() || done.Store.Files < least {
			t.Errorf("%+v, want %d files at least", done, least)
		}
		least = done.Store.Files
		return at
	}
	for round := range 4 { // a base, two deltas, and a delta and a base
		url, stop := serveHere(t, l.environ, l.args...)
		l.url = url
		l.deed("PUT", fmt.Sprint(demoFiles, "tool/1.", round, ".0/small"), fmt.Sprint("small ", round))
		l.deed("POST", "/api/v4/groups", fmt.Sprintf("name=g%d&path=g%d", round, round))
		stop()
		if round == 3 {
			now = now.Add(25 * time.Hour)
		}
		for point := 1; step(point); point++ {
			if round > 0 {
				rebuild()
			}
		}
		want := rowsOf(t, l.config())
		wantRows(t, rowsOf(t, l.config(rebuild())), want)
	}
	if rebuilt < 12 {
		t.Errorf("%d rebuilds: most steps were not cut short", rebuilt)
	}
}
