//go:build unix

package disk

import "syscall"

// openFlags keep an open from following a symbolic link, and from waiting for the writer of
// a named pipe.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
