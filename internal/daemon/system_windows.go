package daemon

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// supported refuses. A directory cannot be synced here, and without that a name may
// be lost with the power after the publish of its file was answered with 201.
func supported() error {
	return errors.New("the server does not run on Windows, which cannot make a new file name durable; the client's commands do")
}

// freeBytes is how much is free for us on the disk of a directory.
func freeBytes(dir string) (int64, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, nil, nil); err != nil {
		return 0, &os.PathError{Op: "GetDiskFreeSpaceEx", Path: dir, Err: err}
	}
	return int64(free), nil //nolint:gosec // no disk has 8 EiB
}
