package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRebuildWithoutTheKey: what was left out is lost, and the exit code and the message say so.
func TestRebuildWithoutTheKey(t *testing.T) {
	dir := served(t, "POST variables key=KEY&value=secret", "PUT packages/generic/tool/1.0.0/f small")
	for _, name := range []string{"encryption_key", "granary.db"} {
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, name+".away")); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"granary.db-wal", "granary.db-shm"} {
		_ = os.Remove(filepath.Join(dir, name))
	}
	code, out, errs := run(t, nil, "rebuild", "--data-dir", dir)
	if code != exitDamaged || !strings.Contains(out, "LEFT OUT  1 CI/CD variables") || !strings.Contains(out, "lost for good") {
		t.Errorf("%d, %s%s, want 3", code, out, errs)
	}
	if err := os.Remove(filepath.Join(dir, "granary.db")); err != nil {
		t.Fatal(err)
	}
	if code, out, errs = run(t, nil, "rebuild", "--json", "--data-dir", dir); code != exitDamaged || !strings.Contains(out, `"whole": false`) {
		t.Errorf("%d, %s%s, want 3, not whole", code, out, errs)
	}
	copyFile(t, filepath.Join(dir, "encryption_key.away"), filepath.Join(dir, "encryption_key"))
	if err := os.Remove(filepath.Join(dir, "granary.db")); err != nil {
		t.Fatal(err)
	}
	if code, out, errs = run(t, nil, "rebuild", "--data-dir", dir); code != exitOK || strings.Contains(out, "LEFT OUT") {
		t.Errorf("with the key: %d, %s%s", code, out, errs)
	}
}
