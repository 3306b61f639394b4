//go:build !unix

package disk

import (
	"os"
	"path/filepath"
	"time"
)

// openFlags are of Unix only.
const openFlags = 0

// sizeOf returns the size of a folder's file and when its bytes last changed.
func sizeOf(folder *os.File, name string) (size int64, changed time.Time, err error) {
	fi, err := os.Lstat(filepath.Join(folder.Name(), name))
	if err != nil {
		return 0, time.Time{}, err
	}
	return fi.Size(), fi.ModTime(), nil
}
