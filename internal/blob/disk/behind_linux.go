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

// writeOut has the kernel write what it keeps of a file in memory, and waits for that. Nothing
// is durable yet. A failure is not told here: the sync of the file tells it.
func writeOut(f *os.File) {
	_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER)
}
