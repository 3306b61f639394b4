package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestIdentityOfAPlace: a place whose identity is lost or another is told by a check and before a
// server would have it as its store, and mended by the next backup.
func TestIdentityOfAPlace(t *testing.T) {
	t.Parallel()
	g, _, _ := oldPlace(t)
	g.backUp(t)
	note := g.inPlace(identityNote)
	right, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func() error{
		"is missing": func() error { return os.Remove(note) },
		"says":       func() error { return os.WriteFile(note, []byte("deadbeef"), 0o600) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if r := g.check(t, "all"); r.Damaged != 1 || !strings.Contains(r.Problems[0], "identity "+what) || !strings.Contains(r.Next, "the next granary backup") {
			t.Errorf("%s: the check says %+v", what, r)
		}
		var told []string
		o := RestoreOptions{DatabaseOnly: true, DryRun: true, Warn: func(text string) { told = append(told, text) }}
		if _, err := g.tryRestore(t, o); err != nil || len(told) != 1 || !strings.Contains(told[0], string(right)) {
			t.Errorf("%s: a restore tells %q, %v", what, told, err)
		}
		g.backUp(t)
		if got, err := os.ReadFile(note); err != nil || string(got) != string(right) {
			t.Errorf("%s: after a backup it is %q, %v", what, got, err)
		}
	}
}

// TestCheckNamesEachThingOnce: a file that is cut short is one problem.
func TestCheckNamesEachThingOnce(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	g.backUp(t)
	cut := blobIn(filepath.Join(dir, "place"), files["large/1.0.0/a"])
	if err := os.Truncate(cut, 5); err != nil {
		t.Fatal(err)
	}
	if r := g.check(t, "all"); r.Damaged != 1 || len(r.Problems) != 1 {
		t.Errorf("of a file that is cut short: %q", r.Problems)
	}
}

// TestSpoolsHaveNoName: the temporary file with all records has no name while it is written, so
// that a kill leaves nothing.
func TestSpoolsHaveNoName(t *testing.T) {
	g, _, dir := oldPlace(t)
	spools := filepath.Join(dir, "spools")
	if err := os.Mkdir(spools, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", spools)
	a := openAdmin(t, g.settings(t, g.old))
	defer closeAdmin(t, a)
	seen := 0
	_, err := a.Backup(t.Context(), BackupOptions{To: g.placeSettings(t), Report: func(BackupProgress) {
		seen++
		if left, err := os.ReadDir(spools); err != nil || len(left) > 0 {
			t.Errorf("while it runs: %v, %v", left, err)
		}
	}})
	if err != nil || seen == 0 {
		t.Errorf("%v, seen %d times", err, seen)
	}
}
