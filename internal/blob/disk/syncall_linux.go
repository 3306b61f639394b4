package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncAll has the file system of a folder write everything that it keeps in memory. It is
// only the shorter way: older kernels do not report what failed, and the sync of each file
// does.
func syncAll(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return reason("opening the store", err)
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return reason("syncing the file system of the store", err)
	}
	return nil
}
