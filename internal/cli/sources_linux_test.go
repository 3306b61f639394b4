package cli

import (
	"errors"
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
	err := asSomebody(t, func() error {
		_, err := sourcesAt(t, dir)
		return err
	})
	if exitCode(err) != exitUsage || !strings.Contains(err.Error(), "b: permission denied") || !strings.Contains(err.Error(), "c: permission denied") {
		t.Error(err)
	}
}

// asSomebody does something as a user whom modes bind.
func asSomebody(t *testing.T, do func() error) error {
	t.Helper()
	ended := make(chan error)
	go func() {
		if os.Geteuid() == 0 { // who may do everything, unless the thread looks as somebody else
			runtime.LockOSThread() // and the thread ends with the goroutine
			if err := syscall.Setfsuid(65534); err != nil {
				t.Error(err)
			}
		}
		ended <- do()
	}()
	return <-ended
}

// A dry run says what the pull itself would be refused, and makes nothing.
func TestDryRunLooks(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "file", "x")
	for _, name := range []string{"closed/sub", "open"} {
		if err := os.MkdirAll(name, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{filepath.Dir(dir): 0o755, dir: 0o755, "closed": 0o555, "closed/sub": 0o777, "open": 0o777} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ dir, file, want string }{
		{"open", "a", ""},
		{"open/new", "a/b", ""},
		{"closed/sub", "a", ""},
		{"closed", "sub/a", ""},
		{"closed", "a", "no file can be made in closed: permission denied; nothing was installed"},
		{"closed", "new/a", "no file can be made in closed: permission denied; nothing was installed"},
		{"closed/new/deep", "a", "the directory closed/new/deep cannot be made: permission denied; nothing was installed"},
		{"file", "a", "the directory file cannot be made: not a directory; nothing was installed"},
		{"file/new", "a", "the directory file/new cannot be made: not a directory; nothing was installed"},
	} {
		for _, dryRun := range []bool{true, false} { // the second one makes it
			p := &pull{dir: tt.dir, jobs: 2, dryRun: dryRun}
			err := asSomebody(t, func() error {
				root, err := p.openDirectory()
				if root == nil {
					return err
				}
				return errors.Join(p.plan(t.Context(), root, filesOf(tt.file)), root.Close())
			})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
				t.Errorf("%s in %s, dry run %v: %v, want %q", tt.file, tt.dir, dryRun, err, tt.want)
			}
			if _, err := os.Stat("open/new"); tt.dir == "open/new" && dryRun && err == nil {
				t.Error("a dry run makes the directory")
			}
		}
	}
}
