// Package filelock locks files between processes. A lock is the kernel's: it is
// gone with the process, however that ends.
package filelock

import (
	"errors"
	"os"
)

// Try locks a file for this open descriptor, and reports whether it could: false
// without an error means that another descriptor has the lock, or shares it. The lock ends
// when the file is closed. It does not prevent reads or writes, on any system: all users of
// the file must call Try or TryShared. If the file system has no locks, the error is
// errors.ErrUnsupported.
func Try(f *os.File) (mine bool, err error) { return try(f, false) }

// TryShared is Try for a lock that many descriptors may share. It is false if another has
// it alone.
func TryShared(f *os.File) (shared bool, err error) { return try(f, true) }

// Close ends the lock at once, and closes the file. To close it alone may end the lock
// later: a process that is just being started has a copy of the descriptor for a moment.
func Close(f *os.File) error { return errors.Join(release(f), f.Close()) }
