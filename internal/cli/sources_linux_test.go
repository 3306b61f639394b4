package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A file that cannot be read is told before anything is sent, with all else that is
// wrong.
func TestUnreadableSource(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		if err := os.Chmod(write(t, filepath.Join(dir, name), "x"), map[string]os.FileMode{"a": 0o644, "b": 0, "c": 0}[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	found := make(chan error)
	go func() {
		if os.Geteuid() == 0 { // who may read everything, unless the thread looks as somebody else
			runtime.LockOSThread() // and the thread ends with the goroutine
			if err := syscall.Setfsuid(65534); err != nil {
				t.Error(err)
			}
		}
		_, err := sourcesAt(t, dir)
		found <- err
	}()
	err := <-found
	if exitCode(err) != exitUsage || !strings.Contains(err.Error(), "b: permission denied") || !strings.Contains(err.Error(), "c: permission denied") {
		t.Error(err)
	}
}
