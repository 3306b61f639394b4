package daemon

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"granary/internal/metadb/metadbtest"
)

// lostSteps thins the proofs that cut a deed short at each of its steps.
var lostSteps = flag.Int("lost.steps", 12, "cut short at one of so many steps, chosen by -lost.seed; 1 is at each")

// steps chooses those of many steps at which a sample cuts.
type steps struct{ random *rand.Rand }

func newSteps(n uint64) steps { return steps{rand.New(rand.NewPCG(*lostSeed, n))} }

// skip says whether to leave out a step. The zero value leaves out none.
func (s steps) skip() bool { return s.random != nil && s.random.IntN(*lostSteps) > 0 }

// The points at which a process is killed: of blobs on a disk, of notes on a disk, of a
// database.
var (
	blobPoints   = []string{"before-sync", "before-rename", "before-dirsync", "after-dirsync"}
	notePoints   = []string{"before-note-sync", "before-note-rename", "before-note-dirsync", "after-note-dirsync"}
	commitPoints = []string{"before-commit", "after-commit"}
)

// eachCut kills a deed in a process of its own at each visit to each of the points. prepare
// makes the ground for the next one, on which the deed is called, and look sees what is left.
func eachCut(t *testing.T, s steps, points []string, prepare func() (environ []string, deed string), look func(at string)) {
	t.Helper()
	cuts := 0
	for _, point := range points {
		for nth := 1; nth < 200; nth++ {
			if s.skip() && cuts > 0 {
				continue
			}
			environ, deed := prepare()
			cmd, said := deedProcess(t, environ, deed, point, nth)
			killed := wasKilled(t, cmd, said)
			look(fmt.Sprintf("%s, visit %d, killed %v", point, nth, killed))
			if t.Failed() {
				t.Fatalf("after %s, visit %d", point, nth)
			}
			if !killed { // it was through
				break
			}
			cuts++
		}
	}
	t.Logf("%d times cut short (seed %d)", cuts, *lostSeed)
	if cuts == 0 {
		t.Error("nothing was cut short")
	}
}

// wantPlaceWhole checks that a place of backups has so many snapshots at least, that each can
// be restored in full, and that no byte in it is wrong. With none expected it may be no place
// yet.
func (g grounds) wantPlaceWhole(t *testing.T, at string, least int) {
	t.Helper()
	found, err := ListBackups(t.Context(), g.placeSettings(t), func(string) {})
	if least == 0 && err != nil && (strings.Contains(err.Error(), "it is no place of backups") || strings.Contains(err.Error(), "holds no blobs")) {
		return
	}
	if err != nil || len(found) < least {
		t.Errorf("%s: %d snapshots, %v, want %d", at, len(found), err, least)
		return
	}
	for _, s := range found {
		done, err := g.tryRestore(t, RestoreOptions{Snapshot: s.ID, DryRun: true})
		if err != nil || done.Missing > 0 {
			t.Errorf("%s: %s cannot be restored: %+v, %v", at, s.ID, done, err)
		}
	}
	if r := g.check(t, "all"); r.Damaged > 0 {
		t.Errorf("%s: the place: %+v", at, r)
	}
}

// TestBackupCutShort kills a backup (SIGKILL) at each step of the place, of the database and
// of its work. What is in the place is whole then, and the next backup ends well.
func TestBackupCutShort(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	n := 0
	prepare := func() ([]string, string) {
		n++
		g.place = "file:" + filepath.Join(dir, fmt.Sprint("place", n))
		return g.old, "backup " + g.place
	}
	eachCut(t, newSteps(3), append(append(append([]string{"report"}, blobPoints...), notePoints...), commitPoints...), prepare, func(at string) {
		g.wantPlaceWhole(t, at, 0)
		done := g.backUp(t)
		if all := done.Manifest.Blobs.Count + done.Manifest.Packed.Count; all != int64(len(files)) || done.Manifest.Lost.Count > 0 {
			t.Errorf("%s: the next backup has %d blobs, want %d: %+v", at, all, len(files), done)
		}
		g.wantPlaceWhole(t, at, 1)
		if err := os.RemoveAll(strings.TrimPrefix(g.place, "file:")); err != nil {
			t.Error(err)
		}
	})
}

// TestRestoreCutShort kills a restore at each step of the store and of the database that it
// fills. Run again it ends well, or says that the database is there, and then all of it is.
func TestRestoreCutShort(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	g.backUp(t)
	n, target := 0, ""
	prepare := func() ([]string, string) {
		n++
		target = filepath.Join(dir, fmt.Sprint("new", n))
		g.new = []string{asRoot, "GRANARY_DATA_DIR=" + target}
		return g.new, "restore " + g.place
	}
	points := append(append(append([]string{}, blobPoints...), notePoints...), commitPoints...)
	eachCut(t, newSteps(4), points, prepare, func(at string) {
		done, err := g.tryRestore(t, RestoreOptions{})
		switch {
		case err == nil && done.Missing > 0:
			t.Errorf("%s: the next restore misses %d blobs", at, done.Missing)
		case err != nil && !strings.Contains(err.Error(), "is not empty"):
			t.Errorf("%s: the next restore: %v", at, err)
		}
		g.wantWhole(t, g.new, int64(len(files)))
		if err := os.RemoveAll(target); err != nil {
			t.Error(err)
		}
	})
}

// TestRebuildCutShort kills a rebuild at each commit. Run again it ends well, or says that
// the database is there, and then all of it is.
func TestRebuildCutShort(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			g, files, dir := oldPlace(t)
			n := 0
			prepare := func() ([]string, string) {
				n++
				database := "sqlite:" + filepath.Join(dir, fmt.Sprint("again", n, ".db"))
				if kind == "postgres" {
					database = metadbtest.Postgres(t, func(string) error { return nil })
				}
				g.new = append([]string{"GRANARY_DATABASE=" + database, testKey}, g.old...)
				return g.new, "rebuild"
			}
			eachCut(t, steps{}, commitPoints, prepare, func(at string) {
				done, err := Rebuild(t.Context(), g.settings(t, g.new), RebuildOptions{Verify: true, askFor: time.Millisecond, Tell: func(Finding) error { return nil }})
				switch {
				case err == nil && !done.Whole():
					t.Errorf("%s: the next rebuild: %+v", at, done)
				case err != nil && !strings.Contains(err.Error(), "must be an empty database"):
					t.Errorf("%s: the next rebuild: %v", at, err)
				}
				g.wantWhole(t, g.new, int64(len(files)))
			})
		})
	}
}
