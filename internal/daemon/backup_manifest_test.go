package daemon

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inPlace is the path of a note in a place that is a directory.
func (g grounds) inPlace(note string) string {
	return filepath.Join(strings.TrimPrefix(g.place, "file:"), filepath.FromSlash(note))
}

// loseCopy removes the copy of a manifest, as if the backup was killed before it came to it.
func loseCopy(t *testing.T, g grounds, id string) {
	t.Helper()
	if err := os.Remove(g.inPlace(manifestCopyOf(id))); err != nil {
		t.Fatal(err)
	}
}

// A manifest that is lost or damaged costs nothing, for its copy tells the same: ls and check
// name it, restore reads the copy, a forget removes what no snapshot needs, and nothing of that one,
// and the next backup writes it again.
func TestManifestIsLost(t *testing.T) {
	t.Parallel()
	kinds := maps.Clone(strangers(t))
	kinds["is missing"] = func(string) error { return nil }
	kinds["is damaged"] = func(path string) error { return os.WriteFile(path, []byte("{}"), 0o600) }
	for what, put := range kinds {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			g, _, _ := oldPlace(t)
			first, second, third := g.backUp(t), g.backUp(t), g.backUp(t)
			id := second.Manifest.ID
			replace(t, g.inPlace(manifestNote(id)), put)
			warned := ""
			found, err := ListBackups(t.Context(), g.placeSettings(t), func(text string) { warned += text })
			if err != nil || len(found) != 3 || found[1].Manifest.ID != id || found[1].Damage != "" || !strings.Contains(warned, id) || !strings.Contains(warned, what) {
				t.Errorf("ls: %+v, %v, warned of %q", found, err, warned)
			}
			r := g.check(t, "all")
			if r.Damaged != 1 || r.Snapshots != 3 || !strings.Contains(r.Problems[0], id) || !strings.Contains(r.Problems[0], what) || !strings.Contains(r.Next, "the next granary backup writes it again") {
				t.Errorf("check: %+v", r)
			}
			if _, err := ForgetBackup(t.Context(), g.placeSettings(t), first.Manifest.ID); err != nil {
				t.Errorf("forget another: %v", err)
			}
			if done, err := g.tryRestore(t, RestoreOptions{Snapshot: id, DryRun: true}); err != nil || done.Manifest.ID != id || done.Missing > 0 {
				t.Errorf("restore it: %+v, %v", done, err)
			}
			if done := g.backUp(t); !slices.Equal(done.Manifests, []string{id}) || done.Unfinished != "" || len(done.Damaged) > 0 {
				t.Errorf("a backup: %+v", done)
			}
			if r := g.check(t, "all"); r.Damaged > 0 || r.Snapshots != 3 {
				t.Errorf("afterwards: %+v", r)
			}
			if _, err := ForgetBackup(t.Context(), g.placeSettings(t), third.Manifest.ID); err != nil {
				t.Error(err)
			}
		})
	}
}

// If the manifest and its copy are lost but for a damaged one, nobody knows what the snapshot
// needs: it is named, and no rule and no forget removes anything, until it is forgotten by name.
func TestBothManifestsAreLost(t *testing.T) {
	t.Parallel()
	g, _, _ := oldPlace(t)
	first, second := g.backUp(t), g.backUp(t)
	id := second.Manifest.ID
	if err := errors.Join(os.Remove(g.inPlace(manifestNote(id))), os.Truncate(g.inPlace(manifestCopyOf(id)), 10)); err != nil {
		t.Fatal(err)
	}
	if r := g.check(t, ""); r.Damaged != 1 || !strings.Contains(r.Problems[0], id+": the manifest is missing, and its copy does not help") || !strings.Contains(r.Next, "forget this snapshot") {
		t.Errorf("check: %+v", r)
	}
	done := g.backUpWith(t, BackupOptions{Keep: KeepBackups{Daily: 1}})
	if len(done.Damaged) != 1 || len(done.Gone.Snapshots) > 0 || !strings.Contains(done.Unfinished, "no older snapshot is forgotten") {
		t.Errorf("a backup with a rule: %+v", done)
	}
	if _, err := ForgetBackup(t.Context(), g.placeSettings(t), first.Manifest.ID); err == nil || !strings.Contains(err.Error(), "nothing is removed") {
		t.Errorf("forget another: %v", err)
	}
	if _, err := os.Stat(g.inPlace(recordsNoteOf(id))); err != nil {
		t.Errorf("its records: %v", err)
	}
	if _, err := ForgetBackup(t.Context(), g.placeSettings(t), id); err != nil {
		t.Errorf("forget it: %v", err)
	}
	if r := g.check(t, "all"); r.Damaged > 0 || r.Snapshots != 2 {
		t.Errorf("afterwards: %+v", r)
	}
	if _, err := os.Stat(g.inPlace(snapshotsPrefix + id)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something of it is left: %v", err)
	}
}

// The next backup writes a copy that is not there, as in a place that an older granary has made.
func TestBackupCopiesManifests(t *testing.T) {
	t.Parallel()
	g, _, _ := oldPlace(t)
	first := g.backUp(t)
	loseCopy(t, g, first.Manifest.ID)
	second := g.backUp(t)
	for _, id := range []string{first.Manifest.ID, second.Manifest.ID} {
		manifest, err := os.ReadFile(g.inPlace(manifestNote(id)))
		again, failed := os.ReadFile(g.inPlace(manifestCopyOf(id)))
		if err := errors.Join(err, failed); err != nil || string(manifest) != string(again) {
			t.Errorf("%s: the copy is not the manifest: %v", id, err)
		}
	}
}
