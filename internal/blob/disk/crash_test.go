package disk

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
)

// The process that is killed is this test binary once more.
const (
	crashDir    = "GRANARY_TEST_CRASH_DIR"
	crashAt     = "GRANARY_TEST_CRASH_AT"
	crashShared = "GRANARY_TEST_CRASH_SHARED" // others use the directory
)

// TestCrash kills a process at each point of a commit. The next one finds the
// blob whole or not at all, what was there before untouched, no remains, and
// can commit again.
func TestCrash(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		crash(t, dir, Point(os.Getenv(crashAt)))
	}
	for _, c := range []struct {
		at   Point
		kept bool
	}{{BeforeSync, false}, {BeforeRename, false}, {BeforeDirSync, true}, {AfterDirSync, true}} {
		t.Run(string(c.at), func(t *testing.T) { testCrash(t, c.at, c.kept) })
	}
}

func testCrash(t *testing.T, at Point, kept bool) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	old, data := blobtest.Bytes(1, 1000), blobtest.Bytes(2, 300_000)
	blobtest.Put(t, open(t, dir), old)

	cmd := exec.Command(os.Args[0], "-test.run=^TestCrash$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashAt+"="+string(at))
	if out, err := cmd.CombinedOutput(); !killed(err) {
		t.Fatalf("the process was not killed: %v\n%s", err, out)
	}

	s := open(t, dir)
	if left := files(t, filepath.Join(dir, tmp)); len(left) > 0 {
		t.Errorf("left in %s: %v", tmp, left)
	}
	got, err := blobtest.Read(t.Context(), s, blobtest.Digest(data))
	switch {
	case kept && (err != nil || string(got) != string(data)):
		t.Errorf("read %d bytes, %v, want all %d", len(got), err, len(data))
	case !kept && !errors.Is(err, blob.ErrNotFound):
		t.Errorf("read %d bytes, %v, want %v", len(got), err, blob.ErrNotFound)
	}
	blobtest.Put(t, s, data)
	for _, want := range [][]byte{old, data} {
		got, err := blobtest.Read(t.Context(), s, blobtest.Digest(want))
		if err != nil || string(got) != string(want) {
			t.Errorf("after committing again: read %d bytes, %v, want all %d", len(got), err, len(want))
		}
	}
}

// killed reports the end of a process by SIGKILL.
func killed(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}

// crash does not return.
func crash(t *testing.T, dir string, at Point) {
	s := crashingAt(t, dir, at)
	if _, err := s.Create(context.Background(), blob.Declared{Size: -1}); err != nil { // one that is never committed
		t.Fatal(err)
	}
	blobtest.Put(t, s, blobtest.Bytes(2, 300_000))
	t.Fatalf("the commit did not come to %q", at)
}

// crashingAt opens a store that kills the process at a point.
func crashingAt(t *testing.T, dir string, at Point) *Store {
	t.Helper()
	openStore := Open
	if os.Getenv(crashShared) != "" {
		openStore = OpenShared
	}
	s, err := openStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.CrashPoint = func(p Point) {
		if p == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal may take a moment
		}
	}
	return s
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
