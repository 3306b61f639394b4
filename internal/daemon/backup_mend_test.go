package daemon

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A check names the command that mends a place, and that mends it, for older snapshots, too.
func TestBackupMendsAPlace(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	first := g.backUp(t)
	if done := g.backUpWith(t, BackupOptions{Verify: true}); done.Mended > 0 || len(done.MendedPacks) > 0 || done.New.Count > 0 || done.Manifest.Blobs != first.Manifest.Blobs {
		t.Errorf("of a whole place: %+v", done)
	}
	harmPack(t, dir, files["small/1.0.0/a"])
	flip := blobIn(filepath.Join(dir, "place"), files["large/1.0.0/b"])
	if err := os.WriteFile(flip, []byte(strings.Repeat("x", 100_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if done := g.backUp(t); len(done.BadPacks) > 0 || done.NewSmall.Count > 0 {
		t.Errorf("a backup that does not read: %+v", done)
	}
	if r := g.check(t, "all"); r.Damaged == 0 || !strings.Contains(r.Next, "granary backup --verify --to 'file:"+filepath.Join(dir, "place")+"'") {
		t.Errorf("check: %+v", r)
	}
	done := g.backUpWith(t, BackupOptions{Verify: true})
	if done.Mended != 1 || !slices.Equal(done.MendedPacks, first.Manifest.Packs) || len(done.BadPacks) > 0 || done.New.Count > 0 || done.NewSmall.Count > 0 ||
		done.Manifest.Blobs != first.Manifest.Blobs || done.Manifest.Packed != first.Manifest.Packed || done.Manifest.Lost.Count > 0 {
		t.Errorf("%+v", done)
	}
	if r := g.check(t, "all"); r.Damaged > 0 {
		t.Errorf("after it: %+v", r)
	}
	if restored := g.restore(t, RestoreOptions{Snapshot: first.Manifest.ID}); restored.Missing > 0 {
		t.Errorf("restored %+v", restored)
	}
}

// What the server has lost, too, is named; what is left of it in the place stays.
func TestBackupCannotMend(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	g.backUp(t)
	harmPack(t, dir, files["small/1.0.0/a"])
	wrong := blobIn(filepath.Join(dir, "place"), files["large/1.0.0/b"])
	raw, err := sql.Open("sqlite", filepath.Join(dir, "old", "granary.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = raw.ExecContext(t.Context(), `UPDATE blob_contents SET content = CAST('x' AS BLOB) WHERE CAST(content AS TEXT) = ?`, files["small/1.0.0/a"])
	if err = errors.Join(err, raw.Close(), os.Truncate(wrong, 10), os.Remove(blobIn(filepath.Join(dir, "old", "blobs"), files["large/1.0.0/b"]))); err != nil {
		t.Fatal(err)
	}
	done := g.backUpWith(t, BackupOptions{Verify: true})
	if done.Manifest.Lost.Count != 2 || len(done.BadPacks) != 1 || done.Mended > 0 || done.NewSmall.Count != 3 {
		t.Errorf("%+v", done)
	}
	if info, err := os.Stat(wrong); err != nil || info.Size() != 10 {
		t.Errorf("the last bytes of a file were removed: %v", err)
	}
}

// A pack that cannot be made again is of no harm to an older snapshot, once its bodies are in
// another pack.
func TestRestoreFromOtherPacks(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	first := g.backUp(t)
	url, stop := serveHere(t, g.old, "--inline-max=4096")
	publishTo(t, url, files, "small/1.0.0/new", "new")
	stop()
	if err := os.Truncate(filepath.Join(dir, "place", filepath.FromSlash(packNote(first.Manifest.Packs[0]))), 300); err != nil {
		t.Fatal(err)
	}
	done := g.backUp(t)
	if len(done.BadPacks) != 1 || done.NewSmall.Count != 5 || slices.Equal(done.Manifest.Packs, first.Manifest.Packs) {
		t.Fatalf("%+v", done)
	}
	if restored := g.restore(t, RestoreOptions{Snapshot: first.Manifest.ID}); restored.Missing > 0 || restored.Bodies != 4 {
		t.Errorf("restored %+v", restored)
	}
}

// A pack whose index alone is damaged is mended by any backup.
func TestBackupMendsAnIndex(t *testing.T) {
	t.Parallel()
	g, _, dir := oldPlace(t)
	first := g.backUp(t)
	path := filepath.Join(dir, "place", filepath.FromSlash(packNote(first.Manifest.Packs[0])))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)-50] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if done := g.backUp(t); len(done.MendedPacks) != 1 || done.NewSmall.Count > 0 || !slices.Equal(done.Manifest.Packs, first.Manifest.Packs) {
		t.Errorf("%+v", done)
	}
	if r := g.check(t, "all"); r.Damaged > 0 {
		t.Errorf("after it: %+v", r)
	}
}

// The newest snapshot without lost files is never forgotten by a rule, only by its name.
func TestKeepTheNewestWhole(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	older, whole := g.backUp(t), g.backUp(t)
	url, stop := serveHere(t, g.old, "--inline-max=4096")
	publishTo(t, url, files, "large/1.0.0/lost", strings.Repeat("lost", 50_000))
	stop()
	if err := os.Remove(blobIn(filepath.Join(dir, "old", "blobs"), files["large/1.0.0/lost"])); err != nil {
		t.Fatal(err)
	}
	keeping := BackupOptions{Keep: KeepBackups{Daily: 1}}
	lost := g.backUp(t)
	done := g.backUpWith(t, keeping)
	if done.Manifest.Lost.Count != 1 || done.KeptWhole != whole.Manifest.ID || !slices.Equal(done.Gone.Snapshots, []string{older.Manifest.ID, lost.Manifest.ID}) {
		t.Errorf("%+v", done)
	}
	if restored, err := g.tryRestore(t, RestoreOptions{Snapshot: whole.Manifest.ID, DryRun: true}); err != nil || restored.Missing > 0 {
		t.Errorf("the whole one: %+v, %v", restored, err)
	}
	if err := os.WriteFile(blobIn(filepath.Join(dir, "old", "blobs"), files["large/1.0.0/lost"]), []byte(files["large/1.0.0/lost"]), 0o600); err != nil {
		t.Fatal(err)
	}
	if done := g.backUpWith(t, keeping); done.KeptWhole != "" || len(done.Gone.Snapshots) != 2 {
		t.Errorf("once a newer one is whole: %+v", done)
	}
}
