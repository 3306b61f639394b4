package cli

import (
	"os"
	"syscall"
)

// changedInPlace reports whether a file was changed between two looks at it, by its
// change time, which programs cannot set. Removing one of the file's names changes it,
// too, and leaves the bytes as they are.
func changedInPlace(before, after os.FileInfo) bool {
	a, aOK := before.Sys().(*syscall.Stat_t)
	b, bOK := after.Sys().(*syscall.Stat_t)
	return aOK && bOK && a.Nlink == b.Nlink && a.Ctim != b.Ctim
}
