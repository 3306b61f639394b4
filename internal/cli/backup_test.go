package cli

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// TestBackupInWords: documents have lists, never null, and no times that never were; a
// snapshot that is not there is not found.
func TestBackupInWords(t *testing.T) {
	dir := served(t, "PUT packages/generic/tool/1.0.0/large "+strings.Repeat("large", 20_000))
	place := "file:" + filepath.Join(t.TempDir(), "place")
	document := func(args ...string) {
		t.Helper()
		code, out, errs := run(t, nil, append([]string{args[0], "--data-dir", dir, "--json"}, args[1:]...)...)
		if code != exitOK || !json.Valid([]byte(out)) || strings.Contains(out, "null") || strings.Contains(out, "0001-01-01") {
			t.Errorf("%q: %d, %s%s", args, code, out, errs)
		}
		if args[0] == "backup" && args[1] != "check" && !strings.Contains(out, `"granary": "backup"`) {
			t.Errorf("%q: %s, want what it is", args, out)
		}
	}
	document("backup", "--to", place, "--dry-run", "--limit-rate", "20MiB")
	document("backup", "--to", place)
	document("backup", "ls", "--to", place)
	document("backup", "check", "--to", place)
	document("restore", "--from", place, "--dry-run", "--data-dir", filepath.Join(t.TempDir(), "new"))
	for _, id := range []string{"nope", "20200101t000000.000z-00000000"} {
		if code, out, errs := run(t, nil, "backup", "forget", id, "--to", place); code != exitNotFound {
			t.Errorf("forget %s: %d, %s%s", id, code, out, errs)
		}
		if code, out, errs := run(t, nil, "restore", "--snapshot", id, "--from", place, "--data-dir", t.TempDir()); code != exitNotFound {
			t.Errorf("restore %s: %d, %s%s", id, code, out, errs)
		}
	}
}
