package daemon

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/records"
)

// damagedRecords are the records of a data directory, to be damaged.
type damagedRecords struct {
	journalGround
	blobs string
}

func newDamagedRecords(t *testing.T) *damagedRecords {
	t.Helper()
	g := &damagedRecords{journalGround: *newJournalGround(t, time.Now(), nil)}
	g.blobs = filepath.Join(g.dir, "blobs")
	for _, version := range []string{"1.0.0", "2.0.0", "3.0.0"} { // a base and two deltas, each with a pack
		g.publish(version)
		if all, err := g.step(func(*records.Journal) {}); err != nil || !all {
			t.Fatal(all, err)
		}
	}
	return g
}

// last is the path of the last note of a pattern.
func (g *damagedRecords) last(pattern string) string {
	g.t.Helper()
	found, err := filepath.Glob(filepath.Join(g.blobs, "records", pattern))
	if err != nil || len(found) == 0 {
		g.t.Fatal(pattern, found, err)
	}
	return found[len(found)-1]
}

func (g *damagedRecords) remove(pattern string) {
	g.t.Helper()
	found, err := filepath.Glob(filepath.Join(g.blobs, "records", pattern))
	if err != nil || len(found) == 0 {
		g.t.Fatal(pattern, found, err)
	}
	for _, name := range found {
		if err := os.RemoveAll(name); err != nil {
			g.t.Fatal(err)
		}
	}
}

// flip flips a bit in the middle of the last note of a pattern.
func (g *damagedRecords) flip(pattern string) {
	g.t.Helper()
	name := g.last(pattern)
	b, err := os.ReadFile(name)
	if err != nil {
		g.t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(name, b, 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// found is what a fsck says of the records.
func (g *damagedRecords) found(read Subset) (reasons []string) {
	g.t.Helper()
	a, err := OpenAdmin(g.t.Context(), g.config(), "test")
	if err != nil {
		g.t.Fatal(err)
	}
	defer a.Close()
	done, err := a.Fsck(g.t.Context(), FsckOptions{Read: read, Tell: func(f Finding) error {
		if f.Kind != LostRecords {
			g.t.Errorf("found %+v", f)
		}
		reasons = append(reasons, f.Reason)
		return nil
	}})
	if err != nil || int(done.Found[LostRecords]) != len(reasons) || done.Damaged() != (len(reasons) > 0) {
		g.t.Errorf("%+v, %v", done, err)
	}
	return reasons
}

// recordsDamages are ways to damage records.
var recordsDamages = map[string]struct {
	damage func(*damagedRecords)
	want   string // in a finding
	read   bool   // perhaps only reading shows it
}{
	"a base is missing":                               {func(g *damagedRecords) { g.remove("*.base.*") }, "is missing", false},
	"a base is damaged":                               {func(g *damagedRecords) { g.flip("*.base.*") }, ".base.", true},
	"the first delta is missing":                      {func(g *damagedRecords) { g.removeFirstDelta() }, "is missing", false},
	"the newest delta is damaged":                     {func(g *damagedRecords) { g.flip("*.delta.*") }, ".delta.", true},
	"all packs are missing":                           {func(g *damagedRecords) { g.remove("packs/*") }, "is missing", false},
	"the pack of a delta is lost":                     {func(g *damagedRecords) { g.removeNewestPack() }, "in no pack", true},
	"a pack is damaged":                               {func(g *damagedRecords) { g.flip("packs/*") }, "is damaged", true},
	"the head is missing":                             {func(g *damagedRecords) { g.remove("head") }, "records/head is missing", false},
	"the head is damaged":                             {func(g *damagedRecords) { g.put("head", "{") }, "records/head is damaged", false},
	"a link is in the place of the newest delta":      {func(g *damagedRecords) { g.instead("*.delta.*", linked) }, ".delta.", false},
	"a directory is in the place of the newest delta": {func(g *damagedRecords) { g.instead("*.delta.*", emptyFolder) }, ".delta.", false},
	"files are in the place of the newest delta":      {func(g *damagedRecords) { g.instead("*.delta.*", fullFolder) }, ".delta.", false},
	"a directory is in the place of the base":         {func(g *damagedRecords) { g.instead("*.base.*", emptyFolder) }, ".base.", false},
	"a link is in the place of a pack":                {func(g *damagedRecords) { g.instead("packs/*", linked) }, "the pack", true},
	"a delta is empty":                                {func(g *damagedRecords) { g.put(filepath.Base(g.last("*.delta.*")), "") }, ".delta.", false},
	"the base and a pack are lost":                    {func(g *damagedRecords) { g.remove("*.base.*"); g.remove("packs/*") }, ".base.", false},
}

func (g *damagedRecords) put(name, text string) {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.blobs, "records", name), []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// instead puts something else in the place of the last note of a pattern, which it moves to away.
func (g *damagedRecords) instead(pattern string, put func(at, away string) error) {
	g.t.Helper()
	at, away := g.last(pattern), filepath.Join(g.dir, "away")
	err := os.Rename(at, away)
	if err == nil {
		err = put(at, away)
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

func linked(at, away string) error { return os.Symlink(away, at) }

func emptyFolder(at, _ string) error { return os.Mkdir(at, 0o700) }

func fullFolder(at, _ string) error {
	return errors.Join(os.Mkdir(at, 0o700), os.WriteFile(filepath.Join(at, "f"), nil, 0o600))
}

func (g *damagedRecords) removeFirstDelta() {
	g.t.Helper()
	found, err := filepath.Glob(filepath.Join(g.blobs, "records", "*.delta.*"))
	if err != nil || len(found) < 2 {
		g.t.Fatal(found, err)
	}
	if err := os.Remove(found[0]); err != nil {
		g.t.Fatal(err)
	}
}

// removeNewestPack removes the pack that no head names.
func (g *damagedRecords) removeNewestPack() {
	g.t.Helper()
	head, err := os.ReadFile(g.last("head"))
	if err != nil {
		g.t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(g.blobs, "records", "packs", "*"))
	if err != nil {
		g.t.Fatal(err)
	}
	for _, name := range found {
		digest, _, _ := strings.Cut(filepath.Base(name), ".")
		if !strings.Contains(string(head), digest) {
			if err := os.Remove(name); err != nil {
				g.t.Fatal(err)
			}
			return
		}
	}
	g.t.Fatalf("the head names all packs: %q", found)
}

// TestDamagedRecords: whatever is damaged or missing of the records, fsck names it, and a
// server that starts writes a new base, from which all can be made again.
func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	for name, c := range recordsDamages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newDamagedRecords(t)
			if found := g.found(AllBlobs()); len(found) > 0 {
				t.Fatalf("before: %q", found)
			}
			c.damage(g)
			is := func(reason string) bool { return strings.Contains(reason, c.want) }
			if found := g.found(Subset{}); !c.read && !slices.ContainsFunc(found, is) {
				t.Errorf("fsck says %q, want %q", found, c.want)
			}
			if found := g.found(AllBlobs()); !slices.ContainsFunc(found, is) {
				t.Errorf("fsck that reads says %q, want %q", found, c.want)
			}
			g.mended(func(*lostDatabase) {}, false)
		})
	}
}

// TestRecordsDamagedInUse: a server sees by itself that records are gone while it runs, and
// writes a new base.
func TestRecordsDamagedInUse(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"", "head"} {
		t.Run("records/"+pattern, func(t *testing.T) {
			t.Parallel()
			g := newDamagedRecords(t)
			g.mended(func(l *lostDatabase) {
				g.remove(pattern)
				l.deed("PUT", demoFiles+"tool/4.0.0/small", "small 4.0.0")
			}, true)
		})
	}
}

// mended has a server write its records until they are whole. do is done while it runs; later
// says that something is damaged only then.
func (g *damagedRecords) mended(do func(*lostDatabase), later bool) {
	t := g.t
	t.Helper()
	l := &lostDatabase{t: t, random: rand.New(rand.NewPCG(1, 1)), environ: []string{asRoot, testKey}, args: []string{"--data-dir=" + g.dir, "--records-every=1s"}}
	url, stop := serveHere(t, l.environ, l.args...)
	l.url = url
	if later {
		g.eventually("before the damage")
	}
	do(l)
	g.eventually("after the damage")
	stop()
	want := rowsOf(t, g.config())
	at := "GRANARY_DATABASE=sqlite:" + filepath.Join(g.dir, "again.db")
	done, err := Rebuild(t.Context(), g.config(at), RebuildOptions{Verify: true, Tell: func(f Finding) error { t.Errorf("found %+v", f); return nil }})
	if err != nil || !done.Whole() || done.Bodies != done.Store.Files {
		t.Fatalf("rebuilt %+v, %v", done, err)
	}
	wantRows(t, rowsOf(t, g.config(at)), want)
}

// eventually waits until a fsck that reads finds the records whole and there.
func (g *damagedRecords) eventually(when string) {
	g.t.Helper()
	var found []string
	for range 100 {
		if found = g.found(AllBlobs()); len(found) == 0 {
			if _, err := os.Stat(filepath.Join(g.blobs, "records", "head")); err == nil {
				return
			}
			found = []string{"there is no head"}
		}
		time.Sleep(200 * time.Millisecond)
	}
	g.t.Fatalf("%s: the records are not whole: %q", when, found)
}

// TestHeadlessRecordsOfAnOlderDatabase: without a head, a database that lacks events of the
// records writes nothing over them.
func TestHeadlessRecordsOfAnOlderDatabase(t *testing.T) {
	t.Parallel()
	g := newDamagedRecords(t)
	file := filepath.Join(g.dir, "granary.db")
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g.publish("4.0.0")
	if _, err := g.step(func(*records.Journal) {}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, old, 0o600); err != nil {
		t.Fatal(err)
	}
	g.remove("head")
	_, err = g.step(func(*records.Journal) {})
	if err == nil || !strings.Contains(err.Error(), "it is missing") {
		t.Errorf("a step: %v, want a refusal", err)
	}
	if _, err := os.Stat(filepath.Join(g.blobs, "records", "head")); !os.IsNotExist(err) {
		t.Errorf("a head was written: %v", err)
	}
}

// TestLagOfDamagedRecords: while damaged records cannot be replaced, the lag is that of what
// can be made again.
func TestLagOfDamagedRecords(t *testing.T) {
	t.Parallel()
	g := newDamagedRecords(t)
	g.remove("*.base.*")
	cfg := g.config()
	s, err := open(t.Context(), cfg, "test", NewLogger(cfg, io.Discard), crashPoints{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close(NewLogger(cfg, io.Discard))
	first, err := s.db.EventsAround(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	database := &faultyKeeper{Keeper: s.db, nth: 2} // the packs of the base
	j := &records.Journal{Store: s.blobs, Database: database, Now: time.Now}
	if err := s.writeRecords(t.Context(), j, false); err == nil {
		t.Fatal("the base was written")
	}
	if want := time.UnixMicro(first.Next); !s.records.all.Equal(want) {
		t.Errorf("the records are until %v, want %v", s.records.all, want)
	}
	if err := s.writeRecords(t.Context(), j, false); err != nil {
		t.Fatal(err)
	}
	if lag := s.records.behind(); lag > 5 {
		t.Errorf("after the base the lag is %v", lag)
	}
}

// TestRebuildNamesWhatIsNoFile: a rebuild says that something else is in the place of the newest
// delta, and does without it.
func TestRebuildNamesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(at, away string) error{"link": linked, "directory": emptyFolder, "files": fullFolder} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newDamagedRecords(t)
			delta := filepath.Base(g.last("*.delta.*"))
			g.instead("*.delta.*", put)
			at := "GRANARY_DATABASE=sqlite:" + filepath.Join(g.dir, "again.db")
			done, err := Rebuild(t.Context(), g.config(at), RebuildOptions{Tell: func(Finding) error { return nil }})
			if err != nil || done.Whole() || done.Deltas != 1 || done.Beyond.IsZero() || len(done.Damaged) != 1 || !strings.Contains(done.Damaged[0], delta) {
				t.Errorf("%+v, %v, want the damage of %s", done, err, delta)
			}
		})
	}
}
