//go:build unix

package disk

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// openFlags keep an open from following a symbolic link, and from waiting for the writer of
// a named pipe.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// sizeOf returns the size of a folder's file and when its bytes last changed. The kernel
// begins its search in the open folder: with a whole path it takes half as long again, and
// that is most of a list.
func sizeOf(folder *os.File, name string) (size int64, changed time.Time, err error) {
	var st unix.Stat_t
	for {
		err = unix.Fstatat(int(folder.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return st.Size, time.Unix(st.Mtim.Unix()), err
}
