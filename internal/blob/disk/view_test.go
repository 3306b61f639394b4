package disk_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/disk"
)

// A copy without empty folders can be read: what is in it, and nothing else.
func TestViewOfACopyWithoutFolders(t *testing.T) {
	dir := t.TempDir()
	s, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	blobtest.Put(t, s, []byte("a blob"))
	d := blobtest.Digest([]byte("a blob"))
	if err := s.PutNote(t.Context(), "identity", strings.NewReader("X"), 1); err != nil {
		t.Fatal(err)
	}
	folders, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		_ = os.Remove(f + "/") // those that are empty
	}
	v, err := disk.View(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []blob.Digest
	for info, err := range v.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, info.Digest)
	}
	if len(found) != 1 || found[0] != d {
		t.Errorf("found %v, want %s", found, d)
	}
	if _, err := v.Stat(t.Context(), blobtest.Digest([]byte("another"))); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("a blob whose folder is missing: %v", err)
	}
	if n, err := v.(blob.Tidier).Left(t.Context(), time.Now()); n != 0 || err != nil {
		t.Errorf("uploads: %d, %v", n, err)
	}
}

// Each directory that is no store is refused with what is wrong with it.
func TestViewOfWhatIsNoStore(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	err := errors.Join(
		os.Mkdir(in("empty"), 0o700), os.Mkdir(in("home"), 0o700),
		os.WriteFile(in("home/letter"), nil, 0o600), os.WriteFile(in("file"), nil, 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"nothing": "no such directory", "file": "it is no directory", "empty": "the directory is empty", "home": "it has letter, but no identity",
	} {
		if _, err := disk.View(in(name)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), in(name)) {
			t.Errorf("%s: %v; want %q", name, err, want)
		}
	}
}
