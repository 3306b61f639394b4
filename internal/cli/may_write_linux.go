package cli

import "syscall"

// mayWrite says why no file can be made in a directory, by its mode and its file
// system; nil if they allow it. It makes nothing.
func mayWrite(dir string) error {
	const here, effective, writeAndEnter = -100, 0x200, 2 | 1 // AT_FDCWD, AT_EACCESS, W_OK and X_OK
	return syscall.Faccessat(here, dir, writeAndEnter, effective)
}
