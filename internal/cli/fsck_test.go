//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFsckOfWhatIsNoFile: a link in the place of a blob makes the check end with 1, whatever
// else is damaged, and with 0 once it is repaired; where the records are is always told.
func TestFsckOfWhatIsNoFile(t *testing.T) {
	dir := served(t, "PUT packages/generic/tool/1.0.0/large "+strings.Repeat("large", 20_000))
	at, copied := theBlob(t, dir), filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(dir, "blobs"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(at); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/null", at); err != nil {
		t.Fatal(err)
	}
	code, out, errs := run(t, nil, "fsck", "--data-dir", dir)
	if code != exitFailure || !strings.Contains(out, "UNREAD") || !strings.Contains(out, "a symbolic link is in the place") || !strings.Contains(out, "no backup was made") {
		t.Errorf("%d, %s%s", code, out, errs)
	}
	code, out, errs = run(t, nil, "fsck", "--data-dir", dir, "--repair-from", "file:"+copied)
	if code != exitOK || !strings.Contains(out, "; repaired") || strings.Contains(out, "not whole") || !strings.Contains(out, "no backup was made") {
		t.Errorf("repaired: %d, %s%s, want 0", code, out, errs)
	}
	if code, out, errs = run(t, nil, "fsck", "--data-dir", dir, "--read-data"); code != exitOK {
		t.Errorf("afterwards: %d, %s%s", code, out, errs)
	}
}

// TestFsckRefusesToRepairFrom: a place that cannot have right bytes is refused before anything
// is looked at.
func TestFsckRefusesToRepairFrom(t *testing.T) {
	dir := served(t, "PUT packages/generic/tool/1.0.0/large "+strings.Repeat("large", 20_000))
	other := t.TempDir()
	link := filepath.Join(other, "link")
	if err := os.Symlink(filepath.Join(dir, "blobs"), link); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(other, "else", "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other, "else", "notes.txt"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for place, want := range map[string]string{
		"file:" + filepath.Join(dir, "blobs"):     "is the store that is checked",
		"file:" + link:                            "is the store that is checked",
		"file:" + filepath.Join(other, "else"):    "neither a store nor a place of backups",
		"file:" + filepath.Join(other, "nowhere"): "repair from",
		"http://127.0.0.1:1":                      "cannot repair from http://127.0.0.1:1",
	} {
		code, out, errs := run(t, nil, "fsck", "--data-dir", dir, "--repair-from", place)
		if code != exitFailure || !strings.Contains(errs, want) || strings.Contains(out, "bytes ") {
			t.Errorf("%s: %d, %s%s, want %q", place, code, out, errs, want)
		}
	}
}
