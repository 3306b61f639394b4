package daemon

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/disk"
	"granary/internal/config"
	"granary/internal/records"
)

// checkPlace is a check that could look.
func (g grounds) check(t *testing.T, subset string) CheckReport {
	t.Helper()
	var read Subset
	if subset != "" {
		var err error
		if read, err = ParseSubset(subset); err != nil {
			t.Fatal(err)
		}
	}
	report, err := CheckBackups(t.Context(), g.placeSettings(t), read)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestCheckFindsEveryFlippedBit flips bits in every file of a place, cuts it and removes it:
// a check that reads all finds each, and names the file or the snapshot.
func TestCheckFindsEveryFlippedBit(t *testing.T) {
	t.Parallel()
	g, _, dir := oldPlace(t)
	g.backUp(t)
	place := filepath.Join(dir, "place")
	if r := g.check(t, "all"); r.Damaged > 0 || r.Snapshots != 1 || r.Blobs != 4 || r.Packs != 1 || r.Read != 5 {
		t.Fatalf("a whole place: %+v", r)
	}
	if r := g.check(t, ""); r.Damaged > 0 || r.Read != 0 {
		t.Fatalf("a whole place: %+v", r)
	}
	files := 0
	for _, line := range treeOf(t, place) {
		path, _, _ := strings.Cut(line, " ")
		name, _ := filepath.Rel(place, path)
		if name == markerNote || name == identityNote || name == lockName {
			continue
		}
		files++
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		harm := func(what string, text []byte) {
			t.Helper()
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if r := g.check(t, "all"); r.Damaged == 0 && text != nil || len(r.Problems) == 0 && text != nil {
				t.Errorf("%s: %s is not found", name, what)
			}
		}
		for range 5 {
			text := append([]byte{}, whole...)
			bit := rand.IntN(8 * len(text))
			text[bit/8] ^= 1 << (bit % 8)
			harm("a flipped bit", text)
		}
		harm("a cut", whole[:rand.IntN(len(whole))])
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		// The copy of a manifest is not there if a backup was killed before it came to it.
		if r := g.check(t, ""); r.Damaged == 0 != (filepath.Base(name) == "manifest.json") || r.Snapshots != 1 {
			t.Errorf("%s: that it is gone is not found: %+v", name, r)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if files != 8 { // 4 blobs, a pack, records, a manifest and its copy
		t.Errorf("%d files were damaged, want 8", files)
	}
	if r := g.check(t, "all"); r.Damaged > 0 {
		t.Errorf("put right again: %+v", r)
	}
}

// What a forget removes is what no other snapshot needs, and what backups that were cut
// short have left.
func TestForgetLeavesWhatOthersNeed(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	first := g.backUp(t)
	older := maps.Clone(files)
	url, stop := serveHere(t, g.old, "--inline-max=4096")
	publishTo(t, url, files, "small/1.0.0/new", "new")
	publishTo(t, url, files, "large/1.0.0/new", strings.Repeat("n", 50_000))
	stop()
	second := g.backUp(t)
	place := filepath.Join(dir, "place")
	left := filepath.Join(place, "snapshots", "20200101t000000.000z-00000000", "records.jsonl.zst")
	if err := errors.Join(os.MkdirAll(filepath.Dir(left), 0o700), os.WriteFile(left, []byte("cut"), 0o600)); err != nil {
		t.Fatal(err)
	}
	store, err := disk.OpenShared(place)
	if err != nil {
		t.Fatal(err)
	}
	blobtest.Put(t, store, []byte("left by a backup that was killed"))

	if _, err := ForgetBackup(t.Context(), g.placeSettings(t), "20200101t000000.000z-00000000"); err == nil || !strings.Contains(err.Error(), "there is no snapshot") {
		t.Errorf("what is no snapshot: %v", err)
	}
	done, err := ForgetBackup(t.Context(), g.placeSettings(t), second.Manifest.ID)
	if err != nil || done.Files != 2 || done.Bytes != 50_000+32 || done.Packs != 1 {
		t.Errorf("%+v, %v; want 2 files and a pack", done, err)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("records without a manifest are left")
	}
	if r := g.check(t, "all"); r.Damaged > 0 || r.Snapshots != 1 || r.Blobs != 4 || r.Packs != 1 {
		t.Errorf("afterwards: %+v", r)
	}
	if restored := g.restore(t, RestoreOptions{}); restored.Manifest.ID != first.Manifest.ID || restored.Missing > 0 {
		t.Errorf("restored %+v", restored)
	}
	url, stop = serveHere(t, g.new)
	defer stop()
	checkRestored(t, url, older, files)
}

// If a snapshot that stays cannot say what it needs, nothing at all is removed.
func TestForgetBesideDamage(t *testing.T) {
	t.Parallel()
	g, _, dir := oldPlace(t)
	first, second := g.backUp(t), g.backUp(t)
	loseCopy(t, g, second.Manifest.ID)
	for _, name := range []string{manifestNote(second.Manifest.ID), recordsNoteOf(second.Manifest.ID)} {
		path := filepath.Join(dir, "place", filepath.FromSlash(name))
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, whole[1:], 0o600); err != nil {
			t.Fatal(err)
		}
		before := treeOf(t, filepath.Join(dir, "place", "snapshots"))
		if done, err := ForgetBackup(t.Context(), g.placeSettings(t), first.Manifest.ID); err == nil || !strings.Contains(err.Error(), "nobody can tell which files the snapshot "+second.Manifest.ID+" needs") {
			t.Errorf("%s is damaged: %+v, %v", name, done, err)
		}
		if after := treeOf(t, filepath.Join(dir, "place", "snapshots")); len(after) != len(before) {
			t.Errorf("%s is damaged, and something was removed: %v", name, after)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The damaged one itself can go.
	if err := os.Truncate(filepath.Join(dir, "place", filepath.FromSlash(manifestNote(second.Manifest.ID))), 10); err != nil {
		t.Fatal(err)
	}
	if _, err := ForgetBackup(t.Context(), g.placeSettings(t), second.Manifest.ID); err != nil {
		t.Error(err)
	}
	if r := g.check(t, "all"); r.Damaged > 0 || r.Snapshots != 1 {
		t.Errorf("afterwards: %+v", r)
	}
}

// With --keep flags a backup forgets older ones, never itself.
func TestBackupKeeps(t *testing.T) {
	t.Parallel()
	g, _, _ := oldPlace(t)
	g.backUp(t)
	g.backUp(t)
	a, err := OpenAdmin(t.Context(), g.settings(t, g.old), "test")
	if err != nil {
		t.Fatal(err)
	}
	done, err := a.Backup(t.Context(), BackupOptions{To: g.placeSettings(t), Keep: KeepBackups{Weekly: 1}, Report: func(BackupProgress) {}})
	if err = errors.Join(err, a.Close()); err != nil || len(done.Gone.Snapshots) < 1 {
		t.Fatalf("%+v, %v", done.Gone, err)
	}
	found, err := ListBackups(t.Context(), g.placeSettings(t), func(string) {})
	if err != nil || len(found) != 1 || found[0].ID != done.Manifest.ID {
		t.Errorf("%v, %v; want only %s", found, err, done.Manifest.ID)
	}
	if r := g.check(t, "all"); r.Damaged > 0 || r.Blobs != 4 || r.Packs != 1 {
		t.Errorf("afterwards: %+v", r)
	}
}

// A backup whose snapshot is complete is one, also if older snapshots could not be removed.
func TestBackupThatCannotForget(t *testing.T) {
	t.Parallel()
	g, _, dir := oldPlace(t)
	first := g.backUp(t)
	g.backUp(t)
	if err := os.Remove(filepath.Join(dir, "place", filepath.FromSlash(recordsNoteOf(first.Manifest.ID)))); err != nil {
		t.Fatal(err)
	}
	done := g.backUpWith(t, BackupOptions{Keep: KeepBackups{Daily: 1}})
	if done.Unfinished != "" || len(done.Gone.Snapshots) != 2 {
		t.Fatalf("a damaged one goes: %+v", done)
	}
	last := g.backUp(t)
	loseCopy(t, g, last.Manifest.ID)
	manifest := filepath.Join(dir, "place", filepath.FromSlash(manifestNote(last.Manifest.ID)))
	if err := os.Truncate(manifest, 10); err != nil {
		t.Fatal(err)
	}
	done = g.backUpWith(t, BackupOptions{Keep: KeepBackups{Daily: 1}})
	if !strings.Contains(done.Unfinished, "no older snapshot is forgotten: nobody can tell which files the snapshot "+last.Manifest.ID+" needs") {
		t.Errorf("beside a damaged manifest: %q", done.Unfinished)
	}
	if restored := g.restore(t, RestoreOptions{Snapshot: done.Manifest.ID}); restored.Missing != 0 {
		t.Errorf("%+v", restored)
	}
}

// While a backup runs no sweep removes bytes; when it has ended, one does.
func TestBackupHoldsALease(t *testing.T) {
	t.Parallel()
	g, _, _ := oldPlace(t)
	a, err := OpenAdmin(t.Context(), g.settings(t, g.old), "test")
	if err != nil {
		t.Fatal(err)
	}
	held := func() string {
		l, err := a.server.db.HeldLease(t.Context())
		if err != nil {
			t.Error(err)
		}
		if l == nil {
			return ""
		}
		return l.Name
	}
	during := map[string]bool{}
	done, err := a.Backup(t.Context(), BackupOptions{To: g.placeSettings(t), Report: func(BackupProgress) { during[held()] = true }})
	if err != nil {
		t.Fatal(err)
	}
	if want := "backup " + done.Manifest.ID; len(during) != 1 || !during[want] {
		t.Errorf("the leases during the backup are %v, want %q", during, want)
	}
	if after := held(); after != "" {
		t.Errorf("the lease %q is left", after)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// A full disk is why people forget a snapshot: to do so needs no room on it.
func TestForgetOnAFullDisk(t *testing.T) {
	t.Parallel()
	g, files, _ := oldPlace(t)
	dir := smallDisk(t, 4)
	g.place = "file:" + filepath.Join(dir, "place")
	first := g.backUp(t)
	url, stop := serveHere(t, g.old, "--inline-max=4096")
	publishTo(t, url, files, "large/1.0.0/new", strings.Repeat("n", 50_000))
	stop()
	second := g.backUp(t)
	rest, err := os.Create(filepath.Join(dir, "rest"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(rest, io.LimitReader(zeros{}, 8<<20)); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	if err := rest.Close(); err != nil {
		t.Fatal(err)
	}
	done, err := ForgetBackup(t.Context(), g.placeSettings(t), first.Manifest.ID)
	if err != nil || len(done.Snapshots) != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	if r := g.check(t, "all"); r.Damaged > 0 || r.Snapshots != 1 || r.Blobs != second.Manifest.Blobs.Count {
		t.Errorf("afterwards: %+v", r)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A place in a bucket is refused if it is within the store of the server, or the other way
// round; names that only begin alike are not.
func TestNestedPrefixes(t *testing.T) {
	t.Parallel()
	in := func(bucket, prefix string) config.Config {
		return config.Config{Blobs: config.Location{Scheme: "s3", Path: "//" + bucket + "/" + prefix}, S3: config.S3{Bucket: bucket, Prefix: prefix}}
	}
	for _, tt := range []struct {
		place, server config.Config
		want          string // "" if it is allowed
	}{
		{in("b", "granary/backups"), in("b", "granary"), "is in the store of the server"},
		{in("b", "backups"), in("b", ""), "is in the store of the server"},
		{in("b", ""), in("b", "granary"), "the store of the server"},
		{in("b", "granary-backups"), in("b", "granary"), ""},
		{in("b", "backups"), in("b", "granary"), ""},
		{in("c", "granary/backups"), in("b", "granary"), ""},
		{in("b", "granary"), config.Config{Blobs: config.Location{Scheme: "file", Path: "/granary"}}, ""},
	} {
		err := refuseNested(tt.place, tt.server)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s beside %s: %v, want %q", tt.place.Blobs, tt.server.Blobs, err, tt.want)
		}
	}
}

// The snapshot that a backup has just made stays, also if older ones are of a later time.
func TestBackupKeepsItsOwn(t *testing.T) {
	t.Parallel()
	g, _, dir := oldPlace(t)
	first := g.backUp(t)
	ahead := first.Manifest
	ahead.Began = ahead.Began.Add(48 * time.Hour)
	ahead.ID = records.NewSnapshotID(ahead.Began)
	text, err := ahead.Encode()
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "place", "snapshots", ahead.ID), 0o700)
	}
	if err == nil {
		err = os.Link(filepath.Join(dir, "place", filepath.FromSlash(recordsNoteOf(first.Manifest.ID))), filepath.Join(dir, "place", filepath.FromSlash(recordsNoteOf(ahead.ID))))
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "place", filepath.FromSlash(manifestNote(ahead.ID))), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	a := openAdmin(t, g.settings(t, g.old))
	done, err := a.Backup(t.Context(), BackupOptions{To: g.placeSettings(t), Keep: KeepBackups{Daily: 1}, Report: func(BackupProgress) {}})
	if err != nil || done.Unfinished != "" || !slices.Equal(done.Gone.Snapshots, []string{first.Manifest.ID}) {
		t.Fatalf("%+v, %v", done, err)
	}
	found, err := ListBackups(t.Context(), g.placeSettings(t), func(string) {})
	if err != nil || !slices.ContainsFunc(found, func(s Snapshot) bool { return s.ID == done.Manifest.ID }) {
		t.Errorf("%v, %v; its own snapshot %s is gone", found, err, done.Manifest.ID)
	}
}

// A check beside a backup and a forget finds no damage: what one adds is needed by no snapshot
// that was there at its begin, and what the other removes by none that still is.
func TestCheckBesideBackupAndForget(t *testing.T) {
	t.Parallel()
	g, files, _ := oldPlace(t)
	first := g.backUp(t)
	from, _, err := openPlaceToRead(t.Context(), g.placeSettings(t))
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(from)
	beside := &besides{Source: from, do: func() {
		url, stop := serveHere(t, g.old, "--inline-max=4096")
		publishTo(t, url, files, "small/1.0.0/new", "new")
		publishTo(t, url, files, "large/1.0.0/new", strings.Repeat("n", 50_000))
		stop()
		g.backUp(t)
		if _, err := ForgetBackup(t.Context(), g.placeSettings(t), first.Manifest.ID); err != nil {
			t.Error(err)
		}
	}}
	c := newCheck(beside, config.Location{}, AllBlobs())
	if err := c.run(t.Context()); err != nil || c.report.Damaged > 0 || c.report.Snapshots != 0 {
		t.Errorf("%+v, %v; want no damage, and no snapshot that is left of those", c.report, err)
	}
	if beside.do != nil {
		t.Error("nothing was done beside the check")
	}
}

// besides is a place in which something is done after its blobs were listed.
type besides struct {
	blob.Source
	do func()
}

func (b *besides) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		for info, err := range b.Source.List(ctx, prefix) {
			if !yield(info, err) {
				return
			}
		}
		b.do()
		b.do = nil
	}
}

// What somebody else has put beside the packs is left alone.
func TestStrangePacks(t *testing.T) {
	t.Parallel()
	g, _, dir := oldPlace(t)
	first := g.backUp(t)
	if len(first.Manifest.Packs) != 1 {
		t.Fatalf("%d packs", len(first.Manifest.Packs))
	}
	packs := filepath.Join(dir, "place", "packs")
	whole, err := os.ReadFile(filepath.Join(packs, first.Manifest.Packs[0]+packSuffix))
	for _, name := range []string{first.Manifest.Packs[0] + packSuffix + ".ab12.partial", first.Manifest.Packs[0] + "-old" + packSuffix} {
		if err == nil {
			err = os.WriteFile(filepath.Join(packs, name), whole, 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	second := g.backUp(t)
	if !slices.Equal(second.Manifest.Packs, first.Manifest.Packs) {
		t.Errorf("packs %v, want %v", second.Manifest.Packs, first.Manifest.Packs)
	}
	if r := g.check(t, "all"); r.Damaged > 0 || r.Snapshots != 2 || r.Packs != 1 {
		t.Errorf("%+v", r)
	}
}

// Of a blob whose row says that no file has it, though some do, the backup says that it is
// left out. Of a small body without files a restore misses nothing.
func TestBackupOfWrongUses(t *testing.T) {
	t.Parallel()
	g, _, dir := oldPlace(t)
	raw, err := sql.Open("sqlite", filepath.Join(dir, "old", "granary.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	change := func(query string) {
		t.Helper()
		if _, err := raw.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	change(`UPDATE blobs SET files = 0 WHERE id = (SELECT MIN(id) FROM blobs)`)
	done := g.backUp(t)
	if !strings.Contains(done.Unfinished, "lacks 1 blobs that have files") || !strings.Contains(done.Unfinished, "--repair-records") {
		t.Errorf("unfinished: %q", done.Unfinished)
	}
	change(`UPDATE blobs SET files = 1 WHERE id = (SELECT MIN(id) FROM blobs)`)
	if done := g.backUp(t); done.Unfinished != "" || done.Manifest.Packed.Count != 4 {
		t.Fatalf("put right again: %+v", done)
	}
	change(`UPDATE package_files SET status = 'pending_destruction', blob_id = (SELECT MAX(id) FROM blobs) WHERE blob_id = (SELECT MIN(id) FROM blobs)`)
	change(`UPDATE blobs SET files = 0 WHERE id = (SELECT MIN(id) FROM blobs)`)
	g.backUp(t)
	if restored := g.restore(t, RestoreOptions{}); restored.Missing != 0 || restored.Bodies != 3 {
		t.Errorf("restored %+v; want 3 small files, and none missing", restored)
	}
}
