package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
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

type sqliteError int

func (e sqliteError) Error() string { return "database disk image is malformed" }
func (e sqliteError) Code() int     { return int(e) }

// TestExportFailed: only an error of the temporary file is one of its directory.
func TestExportFailed(t *testing.T) {
	for want, err := range map[string]error{
		"TMPDIR":       &fs.PathError{Op: "write", Path: "/tmp/spool", Err: errors.New("no space left")},
		"granary fsck": fmt.Errorf("reading: %w", sqliteError(11)),
	} {
		got := exportFailed("/tmp/spool", err).Error()
		if !strings.Contains(got, want) || strings.Contains(got, "TMPDIR") != (want == "TMPDIR") {
			t.Errorf("%s; want a word on %s", got, want)
		}
	}
	if got := exportFailed("/tmp/spool", errors.New("away")).Error(); got != "reading the records: away" {
		t.Error(got)
	}
}
