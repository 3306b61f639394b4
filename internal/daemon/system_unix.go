//go:build unix

package daemon

import (
	"os"

	"golang.org/x/sys/unix"
)

// supported returns nil on systems that can keep the server's promises.
func supported() error { return nil }

// freeBytes is how much is free for us on the disk of a directory.
func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:gosec,unconvert // no disk has 8 EiB; the types differ between systems
}
