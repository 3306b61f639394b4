package cli

import "syscall"

// mayWrite says why no file can be made in a directory, by its mode and its file
// system; nil if they allow it. It makes nothing.
func mayWrite(dir string) error { return syscall.Access(dir, 2|1) } // W_OK and X_OK
