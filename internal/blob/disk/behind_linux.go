package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriting asks the kernel to start writing a part of a file to disk, and does
// not wait for it. A failure is ignored: the later sync writes the part.
func startWriting(f *os.File, from, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), from, n, unix.SYNC_FILE_RANGE_WRITE)
}
