package metadbtest

import (
	"os"
	"syscall"
	"testing"
)

// Memory is a folder of the test's own in memory, if the machine has one with 4 GiB
// of room, else on the disk. Most of what tests of records and of the API wait for is
// the disk, which they ask nothing: a process that is killed loses no more with it.
func Memory(tb testing.TB) string {
	tb.Helper()
	const shm, room = "/dev/shm", 4 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(shm, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) < room {
		return tb.TempDir()
	}
	dir, err := os.MkdirTemp(shm, "granary-test-") //nolint:usetesting // in memory, which TempDir may not be
	if err != nil {
		return tb.TempDir()
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) }) // what is left is in memory only
	return dir
}
