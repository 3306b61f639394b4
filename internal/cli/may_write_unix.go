//go:build unix

package cli

import "golang.org/x/sys/unix"

// mayWrite says why no file can be made in a directory, as far as its mode and its file
// system tell, nil where they allow it. It makes nothing.
func mayWrite(dir string) error {
	return unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
}
