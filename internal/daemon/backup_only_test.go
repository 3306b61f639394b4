package daemon

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"granary/internal/blob/blobtest"
	"granary/internal/records"
)

// A file that the server has lost, and the place has from an earlier backup, is named by each backup,
// by a dry run and with Verify, too; what fsck --repair-from then does brings it back.
func TestBackupOfWhatOnlyThePlaceHas(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	whole := g.backUp(t)
	if whole.OnlyInPlace.Count > 0 {
		t.Errorf("of a whole store: %+v", whole.OnlyInPlace)
	}
	lose := func() {
		t.Helper()
		store := filepath.Join(dir, "old", "blobs")
		folder := filepath.Dir(blobIn(store, files["large/1.0.0/c"]))
		err := errors.Join(os.Remove(blobIn(store, files["large/1.0.0/a"])), os.Truncate(blobIn(store, files["large/1.0.0/b"]), 10),
			os.RemoveAll(folder), os.WriteFile(folder, nil, 0o600)) // which nobody can list
		if err != nil {
			t.Fatal(err)
		}
	}
	lose()
	for _, o := range []BackupOptions{{}, {Verify: true}, {DryRun: true}} {
		done := g.backUpWith(t, o)
		why := map[string]string{}
		for _, only := range done.OnlyInPlace.First {
			why[only.Digest] = only.Why
		}
		for name, want := range map[string]string{"a": whyMissing, "b": "it has 10 bytes in the store instead of 100000", "c": "it cannot be read"} {
			if got := why[blobtest.Digest([]byte(files["large/1.0.0/"+name])).String()]; !strings.Contains(got, want) {
				t.Errorf("%+v: of %s it says %q, want %q", o, name, got, want)
			}
		}
		if done.OnlyInPlace.Count != 3 || done.Manifest.Lost.Count > 0 || done.New.Count > 0 || done.Manifest.Blobs != whole.Manifest.Blobs {
			t.Errorf("%+v: %+v", o, done)
		}
	}
	if err := os.Remove(filepath.Dir(blobIn(filepath.Join(dir, "old", "blobs"), files["large/1.0.0/c"]))); err != nil {
		t.Fatal(err)
	}
	place := g.placeSettings(t)
	a := openAdmin(t, g.settings(t, g.old))
	defer closeAdmin(t, a)
	if done, err := a.Fsck(t.Context(), FsckOptions{RepairFrom: &place, Progress: func(Checked) {}, Tell: func(Finding) error { return nil }}); err != nil || done.Damaged() {
		t.Errorf("the repair: %+v, %v", done, err)
	}
	if done := g.backUp(t); done.OnlyInPlace.Count > 0 || done.Manifest.Lost.Count > 0 {
		t.Errorf("after the repair: %+v", done)
	}
}

// A dry run says, as the backup after it, what the server lacks of what would be copied, and which
// snapshots would go: the newest of before stays, if it is the last that lacks nothing.
func TestDryRunOfWhatTheServerLacks(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	g.backUp(t)
	store := filepath.Join(dir, "old", "blobs")
	err := errors.Join(os.Remove(blobIn(store, files["large/1.0.0/a"])), os.Remove(blobIn(store, files["large/1.0.0/b"])))
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{g.place, "file:" + filepath.Join(dir, "another")} {
		g.place = place
		keep := KeepBackups{Daily: 1}
		dry := g.backUpWith(t, BackupOptions{DryRun: true, Keep: keep})
		done := g.backUpWith(t, BackupOptions{Keep: keep})
		one, other := dry.Manifest, done.Manifest
		for _, lost := range [][]records.LostBlob{one.Lost.First, other.Lost.First} { // copied at once, they come in any order
			slices.SortFunc(lost, func(a, b records.LostBlob) int { return strings.Compare(a.Digest, b.Digest) })
		}
		if one.Lost.Count != other.Lost.Count || !slices.Equal(one.Lost.First, other.Lost.First) || one.Blobs != other.Blobs || dry.New != done.New {
			t.Errorf("%s: a dry run said %+v, %+v; then %+v, %+v", place, one, dry.New, other, done.New)
		}
		if dry.OnlyInPlace.Count != done.OnlyInPlace.Count || one.Lost.Count+dry.OnlyInPlace.Count != 2 {
			t.Errorf("%s: a dry run said %+v, %+v; then %+v", place, one.Lost, dry.OnlyInPlace, done.OnlyInPlace)
		}
		if !slices.Equal(dry.Gone.Snapshots, done.Gone.Snapshots) || dry.KeptWhole != done.KeptWhole {
			t.Errorf("%s: a dry run would forget %q and keep %q; then %q and %q", place, dry.Gone.Snapshots, dry.KeptWhole, done.Gone.Snapshots, done.KeptWhole)
		}
	}
}

// If the whole store is gone, no snapshot is made that would call everything lost.
func TestBackupOfAStoreThatIsGone(t *testing.T) {
	t.Parallel()
	g, _, dir := oldPlace(t)
	g.backUp(t)
	store := filepath.Join(dir, "old", "blobs")
	a := openAdmin(t, g.settings(t, g.old))
	defer closeAdmin(t, a)
	done, err := a.Backup(t.Context(), BackupOptions{To: g.placeSettings(t), Report: func(BackupProgress) {
		if err := os.RemoveAll(store); err != nil {
			t.Error(err)
		}
	}})
	if err == nil || !strings.Contains(err.Error(), "is its disk still mounted") {
		t.Errorf("%+v, %v", done, err)
	}
	if r := g.check(t, "all"); r.Damaged > 0 || r.Snapshots != 1 {
		t.Errorf("the place: %+v", r)
	}
}

// Bytes that are right, and whose number on record is wrong, are called that, and not lost or damaged.
func TestBackupOfAWrongRecord(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	raw, err := sql.Open("sqlite", filepath.Join(dir, "old", "granary.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = raw.ExecContext(t.Context(), `UPDATE blobs SET size = size - 1 WHERE id IN (SELECT MIN(id) FROM blobs GROUP BY size)`)
	if err := errors.Join(err, raw.Close()); err != nil {
		t.Fatal(err)
	}
	right := func(lost []records.LostBlob) {
		t.Helper()
		if len(lost) != 2 {
			t.Fatalf("%+v; want a small file and a large one", lost)
		}
		for _, one := range lost {
			if !strings.Contains(one.Why, "bytes are right, and their number on record") {
				t.Errorf("%+v", one)
			}
		}
	}
	right(g.backUp(t).Manifest.Lost.First)
	if r := g.check(t, "all"); r.Lost != 2 || r.Damaged > 0 {
		t.Errorf("check: %+v", r)
	}
	store := blobIn(filepath.Join(dir, "old", "blobs"), files["large/1.0.0/a"])
	if err := os.WriteFile(store, []byte(strings.Repeat("x", 100_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	g.place = "file:" + filepath.Join(dir, "another")
	for _, one := range g.backUp(t).Manifest.Lost.First {
		if one.Digest == blobtest.Digest([]byte(files["large/1.0.0/a"])).String() && one.Why != "it has 100000 bytes in the store instead of 99999" {
			t.Errorf("of wrong bytes: %+v", one)
		}
	}
}

// A dry run says which snapshots the --keep flags would forget, as the run after it does, and why
// they would forget none.
func TestDryRunOfKeep(t *testing.T) {
	t.Parallel()
	g, _, _ := oldPlace(t)
	for range 3 {
		g.backUp(t)
	}
	keep := BackupOptions{Keep: KeepBackups{Daily: 1}}
	dry := keep
	dry.DryRun = true
	told := g.backUpWith(t, dry)
	if done := g.backUpWith(t, keep); !slices.Equal(told.Gone.Snapshots, done.Gone.Snapshots) || len(told.Gone.Snapshots) < 2 || told.Unfinished != "" {
		t.Errorf("told %+v, done %+v", told, done.Gone)
	}
	last := g.backUp(t)
	if err := errors.Join(os.Remove(g.inPlace(manifestNote(last.Manifest.ID))), os.Truncate(g.inPlace(manifestCopyOf(last.Manifest.ID)), 10)); err != nil {
		t.Fatal(err)
	}
	if told := g.backUpWith(t, dry); len(told.Gone.Snapshots) > 0 || !strings.Contains(told.Unfinished, "no older snapshot is forgotten") {
		t.Errorf("beside a damaged snapshot: %+v", told)
	}
}
