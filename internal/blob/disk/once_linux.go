package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// dropCached lets the kernel forget the pages of a file. A failure is ignored: it is advice.
func dropCached(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }
