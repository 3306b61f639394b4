package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/config"
	"granary/internal/metadb"
	"granary/internal/sqldb"
)

// TestPlaceInUse: who begins second in a directory is told which command works there, not to
// choose another data directory.
func TestPlaceInUse(t *testing.T) {
	t.Parallel()
	cfg, err := settings([]string{noReserve}, "--data-dir="+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if cfg, err = cfg.WithBlobs("file:" + filepath.Join(t.TempDir(), "place")); err != nil {
		t.Fatal(err)
	}
	first, err := openPlace(t.Context(), cfg, "ours", crashPoints{})
	if err != nil {
		t.Fatal(err)
	}
	defer first.close()
	says := func(want string) {
		t.Helper()
		_, err := openPlace(t.Context(), cfg, "ours", crashPoints{})
		if !errors.Is(err, errPlaceTaken) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "--data-dir") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	says(fmt.Sprintf("a granary (process %d)", os.Getpid()))
	lock, err := takePlace(t.Context(), first, "forget")
	if err != nil {
		t.Fatal(err)
	}
	says(fmt.Sprintf("a forget by process %d on ", os.Getpid()))
	if err := lock.release(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestExportFailed: only an error of the temporary file is one of its directory; of a damaged
// database it is said what makes it again.
func TestExportFailed(t *testing.T) {
	cfg := config.Config{Blobs: config.Location{Scheme: "file", Path: t.TempDir()}}
	path := filepath.Join(t.TempDir(), "granary.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	_, damaged := metadb.OpenSQLite(t.Context(), path, sqldb.Options{Attach: true})
	for want, err := range map[string]error{
		"TMPDIR":             &fs.PathError{Op: "write", Path: "/tmp/spool", Err: errors.New("no space left")},
		"move its file away": damaged,
	} {
		got := explainDamage(t.Context(), cfg, exportFailed("/tmp/spool", err)).Error()
		if !strings.Contains(got, want) || strings.Contains(got, "TMPDIR") != (want == "TMPDIR") {
			t.Errorf("%s; want a word on %s", got, want)
		}
	}
	if got := exportFailed("/tmp/spool", errors.New("away")).Error(); got != "reading the records: away" {
		t.Error(got)
	}
}

// TestDirectoriesByTheirFlags: who cannot use a directory is told what chooses it.
func TestDirectoriesByTheirFlags(t *testing.T) {
	t.Parallel()
	bad := t.TempDir()
	if err := os.Mkdir(filepath.Join(bad, lockName), 0o700); err != nil { // where the lock's file should be
		t.Fatal(err)
	}
	cfg, err := settings([]string{noReserve}, "--data-dir="+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	place, err := cfg.WithBlobs("file:" + bad)
	if err != nil {
		t.Fatal(err)
	}
	_, err = openPlace(t.Context(), place, "ours", crashPoints{})
	for want, got := range map[string]string{
		"; --to chooses another":       fmt.Sprint(err),
		"; --data-dir chooses another": refused(t, "--data-dir="+bad),
		"; --blobs chooses another":    refused(t, "--data-dir="+t.TempDir(), "--blobs=file:"+bad),
		"; --database chooses another": refused(t, "--data-dir="+t.TempDir(), "--database=sqlite:"+filepath.Join(bad, "granary.db")),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s, want %q", got, want)
		}
	}
}
