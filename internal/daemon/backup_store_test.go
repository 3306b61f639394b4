package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/eventually"
)

// A place that a server has taken as its store is no place of backups any more: nothing is
// removed from it, also when the server is stopped, writes no records, or the marker is lost.
func TestPlaceThatIsAStore(t *testing.T) {
	t.Parallel()
	for name, every := range map[string]string{"with records": "1s", "without": "0"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, files, dir := oldPlace(t)
			first, second := g.backUp(t), g.backUp(t)
			g.restore(t, RestoreOptions{Snapshot: first.Manifest.ID, DatabaseOnly: true})
			onPlace := append(g.new, "GRANARY_BLOBS="+g.place, "GRANARY_RECORDS_EVERY="+every)
			refused := func(when string) {
				t.Helper()
				if _, err := backUp(t.Context(), g.settings(t, g.old), g.place); err == nil || !strings.Contains(err.Error(), "a server uses this place as its store") {
					t.Errorf("%s, a backup: %v", when, err)
				}
				_, err := ForgetBackup(t.Context(), g.placeSettings(t), second.Manifest.ID)
				if err == nil || !strings.Contains(err.Error(), "a server uses this place as its store") {
					t.Errorf("%s, a forget: %v", when, err)
				}
			}
			url, stop := serveHere(t, onPlace)
			publishTo(t, url, files, "large/2.0.0/x", strings.Repeat("x", 200_000))
			if every != "0" {
				eventually.Holds(t, "records are in the place", func() bool {
					found, err := filepath.Glob(filepath.Join(dir, "place", "records", "*"))
					return err == nil && len(found) > 0
				})
			}
			stop()
			refused("the server is stopped")
			if every != "0" {
				marker := filepath.Join(dir, "place", markerNote)
				if err := os.WriteFile(marker, []byte(`{"granary":"backups","format":1,"identity":"`+first.Manifest.Identity+`"}`), 0o600); err != nil {
					t.Fatal(err)
				}
				refused("with the marker of before")
			}
			url, stop = serveHere(t, onPlace)
			defer stop()
			checkRestored(t, url, files, files)
			if _, err := ListBackups(t.Context(), g.placeSettings(t), func(string) {}); err != nil {
				t.Errorf("ls: %v", err)
			}
		})
	}
}
