package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/metadb/metadbtest"
	"granary/internal/records"
)

// journalOf is the journal of a server that has stopped, on the settings of l.
func journalOf(t *testing.T, l *lostDatabase) *records.Journal {
	t.Helper()
	cfg := l.config()
	s, err := open(t.Context(), cfg, "test", NewLogger(cfg, os.Stderr), crashPoints{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close(NewLogger(cfg, os.Stderr)) })
	identity, _, err := s.db.StoreIdentity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &records.Journal{Store: s.blobs, Database: s.db, Identity: identity, Now: time.Now}
}

// TestRecordsOfAnOlderDatabase: a database that was restored from a copy is older than its
// records. Nothing is written over them, whatever happens to the database afterwards.
func TestRecordsOfAnOlderDatabase(t *testing.T) {
	t.Parallel()
	dir := metadbtest.Memory(t)
	l := &lostDatabase{t: t, random: rand.New(rand.NewPCG(3, 3)), environ: []string{asRoot, testKey}, args: []string{"--data-dir=" + dir}}
	round := func(deeds int) {
		url, stop := serveHere(t, l.environ, l.args...)
		l.url = url
		l.traffic(deeds)
		stop()
	}
	files := func() string {
		found, err := filepath.Glob(filepath.Join(dir, "blobs", "records", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(found, "\n")
	}
	round(5)
	old, err := os.ReadFile(filepath.Join(dir, "granary.db"))
	if err != nil {
		t.Fatal(err)
	}
	round(5)
	if err := os.WriteFile(filepath.Join(dir, "granary.db"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	before := files()
	round(5)
	if after := files(); after != before {
		t.Errorf("records of an older database were written:\n%s\nbefore:\n%s", after, before)
	}
	if _, err := journalOf(t, l).Step(t.Context(), true); err != records.ErrOlder {
		t.Errorf("a step of the journal: %v, want %v", err, records.ErrOlder)
	}
}

// TestRebuildWithoutADelta: what came before a delta that is missing is rebuilt, and what
// came after is told.
func TestRebuildWithoutADelta(t *testing.T) {
	t.Parallel()
	dir := metadbtest.Memory(t)
	l := &lostDatabase{t: t, random: rand.New(rand.NewPCG(4, 4)), environ: []string{asRoot, testKey}, args: []string{"--data-dir=" + dir}}
	var deltas []string // after each start; each writes one, and perhaps another with what the last one has, too
	firstOfB := 0
	for _, file := range []string{"", "a", "b", "c"} { // the first start writes a base
		if file == "b" {
			firstOfB = len(deltas)
		}
		url, stop := serveHere(t, l.environ, l.args...)
		l.url = url
		if file != "" {
			l.deed("PUT", demoFiles+"tool/1.0.0/"+file, "bytes of "+file)
		}
		stop()
		var err error
		if deltas, err = filepath.Glob(filepath.Join(dir, "blobs", "records", "*.delta.jsonl.zst")); err != nil {
			t.Fatal(err)
		}
	}
	if len(deltas) < firstOfB+2 {
		t.Fatalf("deltas: %q, the first of b is %d, want another of c", deltas, firstOfB)
	}
	ofB := deltas[firstOfB]
	rebuild := func(name string) Rebuilt {
		t.Helper()
		done, err := Rebuild(t.Context(), l.config("GRANARY_DATABASE=sqlite:"+filepath.Join(dir, name+".db")), RebuildOptions{Tell: func(Finding) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	if done := rebuild("all"); !done.Whole() || done.Store.Files != 3 || done.Deltas < 3 || !done.Beyond.IsZero() {
		t.Errorf("with all deltas: %+v", done)
	}
	if err := os.Rename(ofB, filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	if done := rebuild("missing"); done.Whole() || done.Store.Files != 1 || !done.Beyond.After(done.Until) || !strings.Contains(done.Damaged[0], "is missing") {
		t.Errorf("without the second: %+v", done)
	}
	if err := os.WriteFile(ofB, []byte("no delta"), 0o600); err != nil {
		t.Fatal(err)
	}
	if done := rebuild("damaged"); done.Whole() || done.Store.Files != 1 || done.Beyond.IsZero() {
		t.Errorf("with a second that is damaged: %+v", done)
	}
	l.environ = append(l.environ, "GRANARY_DATABASE=sqlite:"+filepath.Join(dir, "damaged.db"))
	url, stop := serveHere(t, l.environ, l.args...)
	l.url = url
	l.deed("PUT", demoFiles+"tool/1.0.0/d", "bytes of d")
	stop()
	if done := rebuild("after"); !done.Whole() || done.Store.Files != 2 || !done.Beyond.IsZero() {
		t.Errorf("of a server that went on with what was rebuilt: %+v", done)
	}
}

// TestRebuildAfterPurges: what was deleted, purged and swept, and published again, is as it
// was. No event tells of purges.
func TestRebuildAfterPurges(t *testing.T) {
	t.Parallel()
	dir := metadbtest.Memory(t)
	l := &lostDatabase{t: t, random: rand.New(rand.NewPCG(5, 5)), environ: []string{asRoot, testKey}, args: []string{"--data-dir=" + dir}}
	serve := func(do func()) {
		url, stop := serveHere(t, l.environ, l.args...)
		l.url = url
		do()
		stop()
	}
	large := strings.Repeat("0123456789", 100_000)
	var packages []string
	publish := func(version string) {
		id := number(l.deed("PUT", demoFiles+"tool/"+version+"/small?select=package_file", "the same"), "package_id")
		l.deed("PUT", demoFiles+"tool/"+version+"/large", large)
		packages = append(packages, "/api/v4/projects/root%2Fdemo/packages/"+strconv.Itoa(id))
	}
	serve(func() { publish("1.0.0"); publish("1.1.0") })
	serve(func() {
		l.deed("DELETE", packages[0], "")
		l.deed("DELETE", packages[1], "")
	})
	serve(func() { // the rows go
		if _, err := askToSweep(t, l.environ, l.args...); err != nil {
			t.Error(err)
		}
	})
	age(t, l.environ, l.args)
	serve(func() {
		if swept, err := askToSweep(t, l.environ, l.args...); err != nil || swept.Blobs != 2 {
			t.Errorf("swept %+v, %v, want 2 blobs", swept, err)
		}
		publish("1.0.0")
	})
	done, err := Rebuild(t.Context(), l.config("GRANARY_DATABASE=sqlite:"+filepath.Join(dir, "again.db")), RebuildOptions{Verify: true, Tell: func(f Finding) error {
		t.Errorf("found %+v", f)
		return nil
	}})
	if err != nil || !done.Whole() || done.Store.Files != 2 || done.Bodies != 1 || done.Store.There != 2 {
		t.Errorf("%+v, %v", done, err)
	}
}

// TestLagOfRecords: after a start the lag is that of the files in the store, and not of the
// start, also if these were not read at once.
func TestLagOfRecords(t *testing.T) {
	t.Parallel()
	dir := metadbtest.Memory(t)
	l := &lostDatabase{t: t, random: rand.New(rand.NewPCG(7, 7)), environ: []string{asRoot, testKey}, args: []string{"--data-dir=" + dir}}
	url, stop := serveHere(t, l.environ, l.args...)
	l.url = url
	l.traffic(3)
	stop()
	j := journalOf(t, l)
	until, err := j.Until(t.Context())
	if err != nil || time.Since(until).Abs() > time.Minute {
		t.Fatalf("the records are until %v, %v", until, err)
	}
	k := newRecordKeeper(l.config())
	if lag := k.behind(); lag != 0 {
		t.Errorf("before its begin the lag is %v", lag)
	}
	away := blobtest.NewFaulty(j.Store.(blob.Store))
	away.Fail(blobtest.Fault{Op: blobtest.Note, Nth: 1})
	if err := k.begin(t.Context(), &records.Journal{Store: away, Database: j.Database, Identity: j.Identity}); !errors.Is(err, blobtest.ErrFault) {
		t.Errorf("while the store is away: %v", err)
	}
	if lag := k.behind(); lag <= 0 || lag > 30 {
		t.Errorf("while the store cannot be read the lag is %v", lag)
	}
	if err := k.begin(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if !k.all.Equal(until) {
		t.Errorf("the store has everything until %v, want %v", k.all, until)
	}
}

// TestMissedIsLogged: the line that tells of late records says how many there are, and what to do.
func TestMissedIsLogged(t *testing.T) {
	var b bytes.Buffer
	tellMissed(t.Context(), slog.New(slog.NewTextHandler(&b, nil)))(7)
	for _, want := range []string{"level=WARN", "the clocks of nodes are apart", "by NTP", "events=7"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("without %q: %s", want, &b)
		}
	}
}
