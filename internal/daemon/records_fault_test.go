package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/metadb/metadbtest"
	"granary/internal/records"
)

// faultyKeeper is a database whose n-th answer is an error.
type faultyKeeper struct {
	records.Keeper
	nth int
}

func (k *faultyKeeper) fault() error {
	if k.nth--; k.nth == 0 {
		return blobtest.ErrFault
	}
	return nil
}

func (k *faultyKeeper) Delta(ctx context.Context, w *records.Writer, since records.Since) (records.Changed, error) {
	c, err := k.Keeper.Delta(ctx, w, since)
	return c, errors.Join(err, k.fault())
}

func (k *faultyKeeper) SmallBlobs(ctx context.Context, after int64, limit int) ([]records.BlobRow, error) {
	if err := k.fault(); err != nil {
		return nil, err
	}
	return k.Keeper.SmallBlobs(ctx, after, limit)
}

func (k *faultyKeeper) Bodies(ctx context.Context, first, last int64) ([]records.Body, error) {
	if err := k.fault(); err != nil {
		return nil, err
	}
	return k.Keeper.Bodies(ctx, first, last)
}

func (k *faultyKeeper) EventsAround(ctx context.Context, id int64) (records.EventsAround, error) {
	if err := k.fault(); err != nil {
		return records.EventsAround{}, err
	}
	return k.Keeper.EventsAround(ctx, id)
}

// journalGround is a data directory whose records are to be written.
type journalGround struct {
	lostDatabase
	dir  string
	now  time.Time // of the journal
	kept int64     // files that are in the records already
}

func newJournalGround(t *testing.T, now time.Time, like *journalGround) *journalGround {
	t.Helper()
	g := &journalGround{dir: filepath.Join(metadbtest.Memory(t), "data"), now: now}
	if like != nil {
		g.kept = like.kept
		if err := os.CopyFS(g.dir, os.DirFS(like.dir)); err != nil {
			t.Fatal(err)
		}
	}
	g.lostDatabase = lostDatabase{t: t, environ: []string{asRoot, testKey}, args: []string{"--data-dir=" + g.dir, "--records-every=0"}}
	return g
}

// publish publishes a file and makes a group.
func (g *journalGround) publish(version string) {
	url, stop := serveHere(g.t, g.environ, g.args...)
	g.url = url
	g.deed("PUT", demoFiles+"tool/"+version+"/small", "small "+version)
	g.deed("POST", "/api/v4/groups", "name=g"+version+"&path=g"+version)
	stop()
}

// step writes records, by a journal that set has changed.
func (g *journalGround) step(set func(*records.Journal)) (all bool, err error) {
	g.t.Helper()
	cfg := g.config()
	log := NewLogger(cfg, io.Discard)
	s, err := open(g.t.Context(), cfg, "test", log, crashPoints{})
	if err != nil {
		g.t.Fatal(err)
	}
	defer s.close(log)
	identity, _, err := s.db.StoreIdentity(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	j := &records.Journal{Store: s.blobs, Database: s.db, Identity: identity, Now: func() time.Time { return g.now }}
	set(j)
	return j.Step(g.t.Context(), false)
}

func (g *journalGround) rebuild(name string) (at string, done Rebuilt, err error) {
	at = "GRANARY_DATABASE=sqlite:" + filepath.Join(g.dir, name+".db")
	done, err = Rebuild(g.t.Context(), g.config(at), RebuildOptions{Verify: true, Tell: func(Finding) error { return nil }})
	return at, done, err
}

// TestRecordsUnderFaults lets each call that a journal makes fail, to the store with and
// without the deed done, and to the database: for the first base, for a delta, and for a
// base that removes older files. What was in the records stays there, and the next step
// writes everything.
func TestRecordsUnderFaults(t *testing.T) {
	t.Parallel()
	plain := func(*records.Journal) {}
	now := time.Now()
	first := newJournalGround(t, now, nil)
	first.publish("1.0.0")
	second := newJournalGround(t, now, first)
	third := newJournalGround(t, now, nil)
	third.publish("1.0.0")
	for _, g := range []*journalGround{second, third} {
		if _, err := g.step(plain); err != nil {
			t.Fatal(err)
		}
		g.publish("2.0.0")
	}
	third.now = now.Add(25 * time.Hour)
	if _, err := third.step(plain); err != nil {
		t.Fatal(err)
	}
	third.publish("3.0.0")
	third.now = now.Add(50 * time.Hour)
	second.kept, third.kept = 1, 2
	s, faults := newSteps(9), 0
	for name, g := range map[string]*journalGround{"a first base": first, "a delta": second, "a base over others": third} {
		want := rowsOf(t, g.config())
		for _, way := range []string{"store", "store, kept", "database"} {
			for nth := 1; ; nth++ {
				if s.skip() {
					if nth > 100 {
						break
					}
					continue
				}
				if !g.underFault(fmt.Sprintf("%s, %s, call %d", name, way, nth), way, nth, want) {
					break
				}
				faults++
			}
		}
	}
	t.Logf("%d faults (one of %d steps, seed %d)", faults, *lostSteps, *lostSeed)
	if faults == 0 {
		t.Error("nothing failed")
	}
}

// underFault lets one call fail on a copy of the ground, unless there are not so many.
func (g *journalGround) underFault(at, way string, nth int, want map[string][]string) (failed bool) {
	t := g.t
	t.Helper()
	again := newJournalGround(t, g.now, g)
	defer os.RemoveAll(again.dir)
	var store *blobtest.Faulty
	database := &faultyKeeper{nth: nth}
	_, err := again.step(func(j *records.Journal) {
		if database.Keeper = j.Database; way == "database" {
			j.Database = database
			return
		}
		store = blobtest.NewFaulty(j.Store.(blob.Store))
		store.Fail(blobtest.Fault{Nth: nth, Kept: way == "store, kept"})
		j.Store = store
	})
	if failed = store != nil && store.Failed() || store == nil && database.nth <= 0; !failed {
		if err != nil {
			t.Errorf("%s does not come, and the step fails: %v", at, err)
		}
		return false
	}
	// What the store has not, it has not, whether its answer is lost or not.
	if err != nil && !errors.Is(err, blobtest.ErrFault) || err == nil && way != "store, kept" {
		t.Errorf("%s: the step ends with %v", at, err)
	}
	if _, done, err := again.rebuild("between"); again.kept > 0 && err != nil || err == nil && (!done.Whole() || done.Store.Files < again.kept) {
		t.Errorf("%s: rebuilt %+v, %v; want %d files at least", at, done, err, again.kept)
	}
	if all, err := again.step(func(*records.Journal) {}); err != nil || !all {
		t.Errorf("%s: the next step: %v, %v", at, all, err)
	}
	last, done, err := again.rebuild("after")
	if err != nil || !done.Whole() {
		t.Errorf("%s: rebuilt after the next step: %+v, %v", at, done, err)
		return true
	}
	wantRows(t, rowsOf(t, again.config(last)), want)
	return true
}
