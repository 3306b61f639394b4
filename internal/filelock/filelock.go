// Package filelock locks files between processes. A lock is the kernel's: it is
// gone with the process, however that ends.
package filelock

import "os"

// Try locks a file for this open descriptor alone, and says whether it could:
// false without an error is that somebody else has the lock. It holds until the
// file is closed. What others read or write is not held back, on any system: both
// sides must ask. Where the file system has no locks the error is
// errors.ErrUnsupported.
func Try(f *os.File) (mine bool, err error) { return try(f) }
