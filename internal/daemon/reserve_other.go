//go:build !linux

package daemon

import "os"

// allocate makes the file system set space aside for a part of a file.
func allocate(f *os.File, from, n int64) error { return fill(f, from, n) }
