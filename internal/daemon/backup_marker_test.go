package daemon

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A place whose marker is lost or damaged is read by its manifests, and the next backup of the
// same records writes the marker again; other records are refused.
func TestPlaceWithoutItsMarker(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	stranger, _, _ := oldPlace(t)
	stranger.place = g.place
	first := g.backUp(t)
	path := filepath.Join(dir, "place", markerNote)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	id := strings.Index(string(whole), first.Manifest.Identity)
	other := "X"
	if whole[id] == 'X' {
		other = "Y"
	}
	for name, text := range map[string]string{
		"missing": "", "cut": string(whole[:40]), "empty": " ", "another identity": string(whole[:id]) + other + string(whole[id+1:]),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if text == "" {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		warnings := 0
		warn := func(text string) {
			if warnings++; !strings.Contains(text, markerNote) {
				t.Errorf("%s: the warning is %q", name, text)
			}
		}
		if found, err := ListBackups(t.Context(), g.placeSettings(t), warn); err != nil || len(found) == 0 {
			t.Errorf("%s: ls finds %v, %v", name, found, err)
		}
		if done, err := g.tryRestore(t, RestoreOptions{DryRun: true, Warn: warn}); err != nil || done.Files != 4 || done.Missing != 0 {
			t.Errorf("%s: restore: %+v, %v", name, done, err)
		}
		if warnings != 2 {
			t.Errorf("%s: %d warnings", name, warnings)
		}
		if r := g.check(t, ""); r.Damaged != 1 || !strings.Contains(r.Problems[0], markerNote) {
			t.Errorf("%s: check: %+v", name, r)
		}
		before := treeOf(t, filepath.Join(dir, "place"))
		if _, err := backUp(t.Context(), stranger.settings(t, stranger.old), g.place); err == nil || !strings.Contains(err.Error(), "backups of other records") {
			t.Errorf("%s: a backup of other records: %v", name, err)
		}
		if after := treeOf(t, filepath.Join(dir, "place")); len(after) != len(before) {
			t.Errorf("%s: a refused backup left %v", name, after)
		}
		g.backUp(t)
		if now, err := os.ReadFile(path); err != nil || string(now) != string(whole) {
			t.Errorf("%s: after a backup the marker is %q, %v", name, now, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	g.restore(t, RestoreOptions{Warn: func(string) {}})
	url, stop := serveHere(t, g.new)
	defer stop()
	for p, body := range files {
		if resp, got := ask(t, http.MethodGet, url+demoFiles+p, nil); resp.StatusCode != http.StatusOK || got != body {
			t.Errorf("%s: %s", p, resp.Status)
		}
	}
}
